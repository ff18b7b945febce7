"""What people install is the wheel, not this directory: it must be whole and run on its own."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, isn't installed")
    target = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", target, ROOT)
    (built,) = target.glob("*.whl")
    return built


def pip(*words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", target, wheel)
    return target


def test_the_wheel_holds_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = (path for path in (ROOT / "daemon").rglob("*") if path.is_file())
    wanted = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    assert inside == wanted
    assert any(name.endswith(".txt") for name in inside)


def test_the_installed_program_runs_away_from_this_directory(installed: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    for command in ([installed / "bin" / "mail2deal"], [sys.executable, "-m", "daemon"]):
        helped = subprocess.run(
            [*command, "--help"],
            env=environment,
            cwd=installed,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "--catch-up" in helped.stdout


def test_the_installed_package_finds_its_data(installed: Path) -> None:
    code = """
import daemon, pathlib
from daemon.rules.organization import public_providers
from daemon.pipedrive import costs
assert pathlib.Path(daemon.__file__).is_relative_to(pathlib.Path.cwd()), daemon.__file__
assert "gmail.com" in public_providers().domains
"""
    subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(installed)},
        cwd=installed,
        check=True,
    )
