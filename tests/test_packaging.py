"""What a package is built from: pinned requirements, the list of contents, manual and completion."""

import gzip
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest
from packaging.requirements import Requirement

from daemon.cli import main

ROOT = Path(__file__).parent.parent
PINNED = ROOT / "packaging" / "requirements.txt"
SHIPPED = ("dns", "inspect", "keys", "metrics")  # extras that packages and image bring along


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """The versions by name; every one of them has hashes, or this fails."""
    found = {}
    for block in re.split(r"\n(?=\S)", PINNED.read_text()):
        match = re.match(r"([\w.-]+)==([^\s;]+)", block)
        assert match, block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block
        found[canonical(match[1])] = match[2]
    return found


def test_every_dependency_is_pinned_within_what_the_project_allows(pins: dict[str, str]) -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in SHIPPED:
        wanted += project["optional-dependencies"][extra]
    for line in wanted:
        requirement = Requirement(line)
        name = canonical(requirement.name)
        assert name in pins, f"{name}: run packaging/pin"
        assert requirement.specifier.contains(pins[name]), f"{name}: run packaging/pin"


def test_the_bill_of_materials_lists_each_pinned_package_and_is_the_same_each_time(
    pins: dict[str, str], tmp_path: Path
) -> None:
    tool = Path(sys.executable).with_name("cyclonedx-py")
    if not tool.exists():
        pytest.skip("cyclonedx-bom isn't installed (make sbom installs it)")
    texts = []
    for name in ("first", "second"):
        subprocess.run(
            [ROOT / "packaging" / "sbom", tmp_path / name],
            env=os.environ | {"PYTHON": sys.executable},
            check=True,
            capture_output=True,
        )
        (file,) = (tmp_path / name).iterdir()
        texts.append(file.read_text())
    bill = json.loads(texts[0])
    assert texts[0] == texts[1]
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "mail2deal"
    assert bill["metadata"]["component"]["version"] == version("mail2deal")
    listed = {canonical(one["name"]): one["version"] for one in bill["components"]}
    assert listed == pins
    assert all(one["purl"].startswith("pkg:pypi/") for one in bill["components"])


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("manual")
    subprocess.run(
        [sys.executable, ROOT / "packaging" / "manual.py", target],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    return target


def every_command(
    command: click.Command, name: str, parent: click.Context | None = None
) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command, parent, info_name=name)
        for sub in command.list_commands(context):
            below = command.get_command(context, sub)
            assert below is not None
            found += every_command(below, f"{name}-{sub}", context)
    return found


def test_there_is_a_page_for_every_command_with_every_option(manual: Path) -> None:
    commands = every_command(main, "mail2deal")
    pages = {path.name.removesuffix(".1.gz"): path for path in (manual / "man1").iterdir()}
    assert pages.keys() == {name for name, command in commands if not command.hidden}
    for name, command in commands:
        text = gzip.decompress(pages[name].read_bytes()).decode().replace("\\-", "-")
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert all(flag in text for flag in option.opts), f"{name}: {option.opts}"
        assert ".SH EXIT STATUS" in text
        assert version("mail2deal") in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(manual: Path, shell: str) -> None:
    (script,) = (manual / shell).iterdir()
    assert f"_MAIL2DEAL_COMPLETE={shell}_complete" in script.read_text()
    words = {
        "bash": ("mail2deal ins", "1"),
        "zsh": ("mail2deal ins", "1"),
        "fish": ("mail2deal ins", "ins"),
    }
    typed, current = words[shell]
    done = subprocess.run(
        [sys.executable, "-c", "from daemon.cli import main; main(prog_name='mail2deal')"],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "_MAIL2DEAL_COMPLETE": f"{shell}_complete"}
        | {"COMP_WORDS": typed, "COMP_CWORD": current},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "inspect" in done.stdout, done.stderr
