"""Check that a release is ready, build wheel and sdist twice, and compare them: `make release`.

    python packaging/release.py [DIRECTORY]      what is released goes there (dist/)
    python packaging/release.py --sums [DIRECTORY]      SHA256SUMS of all that lies there

A release is a clean checkout of the commit with the tag `v` and the version, whose changelog has a
dated section for it and nothing unreleased. Both builds start from the files of that commit alone,
in two places, with the commit's time as their only date; anybody who builds that commit with the
same hatchling gets the same bytes, and can compare them with SHA256SUMS.
"""

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_NUMBER = re.compile(r"\d+\.\d+\.\d+(rc\d+)?")


def git(*words: str) -> str:
    """What git says; CalledProcessError if it fails."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True)
    return done.stdout.decode().strip()


def section(changelog: str, name: str) -> str | None:
    """The text of one section, None without one."""
    found = re.search(
        rf"^## \[{re.escape(name)}\](?: - \d{{4}}-\d\d-\d\d)?$(.*?)(?=^## |^\[|\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    return None if found is None else found[1].strip()


def problems(version: str, changelog: str, tags: list[str], changed: str) -> list[str]:
    """What is missing for a release, each with what to do; `tags` are those of this commit."""
    found = []
    if not _NUMBER.fullmatch(version):
        found.append(f"daemon/__init__.py: {version} is no version (1.2.3, or 1.2.3rc1)")
    if not section(changelog, version):
        found.append(f"CHANGELOG.md: write a section [{version}] with what is new")
    elif not re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE
    ):
        found.append(f"CHANGELOG.md: date the section: ## [{version}] - YYYY-MM-DD")
    if section(changelog, "Unreleased"):
        found.append(f"CHANGELOG.md: move what is [Unreleased] into [{version}]")
    if changed:
        found.append(f"commit or remove what is changed:\n{changed}")
    if f"v{version}" not in tags:
        found.append(f"tag this commit: git tag --sign v{version}")
    return found


def build(into: Path) -> dict[str, bytes]:
    """Wheel and sdist of the committed files, by name."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(into, filter="data")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", "built"],
        cwd=into,
        env=os.environ | {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return {path.name: path.read_bytes() for path in sorted((into / "built").iterdir())}


def sums(directory: Path) -> str:
    """What SHA256SUMS holds: a line for each file of a release, as `sha256sum --check` reads it."""
    lines = []
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.name not in {"SHA256SUMS", "SHA256SUMS.asc"}:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest}  {path.name}\n")
    return "".join(lines)


def write_sums(directory: Path) -> None:
    """Write SHA256SUMS beside the files, and print it."""
    text = sums(directory)
    (directory / "SHA256SUMS").write_text(text, encoding="ascii")
    print(text, end="")


def main() -> int:
    """1 if something is missing or the builds differ."""
    words = [word for word in sys.argv[1:] if word != "--sums"]
    target = Path(words[0]) if words else ROOT / "dist"
    if "--sums" in sys.argv[1:]:
        write_sums(target)
        return 0
    found = _VERSION.search((ROOT / "daemon/__init__.py").read_text(encoding="utf-8"))
    version = found[1] if found else "none"
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    tags = git("tag", "--points-at", "HEAD").split()
    missing = problems(version, changelog, tags, git("status", "--porcelain"))
    if missing:
        print("\n".join(missing), file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = build(Path(one)), build(Path(other) / "in" / "another" / "place")
    if first != second:
        print("two builds differ: this isn't reproducible", file=sys.stderr)
        return 1
    target.mkdir(parents=True, exist_ok=True)
    for name, data in first.items():
        (target / name).write_bytes(data)
    write_sums(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
