"""The recipe for a release, played on a clone of this repository."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")


def git(home: Path, *words: str) -> None:
    names = {
        f"GIT_{who}_{what}": "a@example.com"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    plain = (
        "-c",
        "commit.gpgsign=false",
        "-c",
        "tag.gpgsign=false",
        "-c",
        "core.hooksPath=/dev/null",
    )
    subprocess.run(
        ["git", *plain, *words], cwd=home, env=os.environ | names, check=True, capture_output=True
    )


def release(home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "packaging/release.py", "out"]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)


def write(home: Path, name: str, old: str, new: str) -> None:
    text = (home / name).read_text()
    assert old in text
    (home / name).write_text(text.replace(old, new, 1))


def test_a_release_says_what_is_missing_and_then_builds_the_same_bytes_twice(
    tmp_path: Path,
) -> None:
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, isn't installed")
    home = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(home))
    for path in ("packaging/release.py", "pyproject.toml"):  # as they are here, committed or not
        (home / path).write_bytes((ROOT / path).read_bytes())
    lines = (home / "daemon/__init__.py").read_text().splitlines()
    (version,) = [line for line in lines if line.startswith("__version__")]
    write(home, "daemon/__init__.py", version, '__version__ = "7.8.9"')
    write(
        home,
        "CHANGELOG.md",
        "## [Unreleased]\n",
        "## [Unreleased]\n\n- Not yet.\n\n## [7.8.9]\n\n- New.\n",
    )
    refused = release(home)
    assert refused.returncode == 1
    for what in (
        "date the section",
        "move what is [Unreleased]",
        "commit or remove",
        "git tag --sign v7.8.9",
    ):
        assert what in refused.stderr
    write(home, "CHANGELOG.md", "- Not yet.\n\n## [7.8.9]\n", "## [7.8.9] - 2026-12-01\n")
    git(home, "add", "--all")
    git(home, "commit", "--quiet", "--message", "Whatever the subject says")
    git(home, "tag", "v7.8.9")
    done = release(home)
    assert done.returncode == 0, done.stderr
    names = ["mail2deal-7.8.9-py3-none-any.whl", "mail2deal-7.8.9.tar.gz"]
    sums = [hashlib.sha256((home / "out" / name).read_bytes()).hexdigest() for name in names]
    expected = "".join(f"{digest}  {name}\n" for digest, name in zip(sums, names, strict=True))
    assert (home / "out" / "SHA256SUMS").read_text() == done.stdout == expected
    # What is built later, packages and image, is added, and sha256sum agrees.
    (home / "out" / "mail2deal_7.8.9~bookworm_amd64.deb").write_bytes(b"a package")
    again = [sys.executable, "packaging/release.py", "--sums", "out"]
    added = subprocess.run(again, cwd=home, capture_output=True, text=True, check=True).stdout
    assert "bookworm_amd64.deb" in added
    checked = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(checked, cwd=home / "out", check=True)
