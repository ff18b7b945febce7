"""Every command in the README and the docs runs; every help text and every key is complete.

The lines of `sh` blocks run as they stand, in their order, in a shell whose directory holds a
configuration and whose PATH holds `mail2deal` and `sqlite-utils`; those that install, or that run
until they are stopped, are listed here with what stands for them.
"""

import os
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli_kit import Desk, desk
from company_kit import Office
from pydantic import BaseModel

from daemon.cli import main
from daemon.config import Config
from daemon.config.load import _model
from daemon.ledger.store import Ledger

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
# What a test must not do on the machine it runs on: install, and what only systemd can. The recipes
# of docs/operating.md are in tests/test_install.py and, as they stand, in the systemd test.
ON_A_REAL_MACHINE = ("python3 -m venv", "sudo ", "systemctl ", "journalctl ", "cd /")
AS_ROOT = re.compile(r"sudo (?=mail2deal (?!init))")  # here it is the reader's own
# Run elsewhere until they are stopped: the service, the demo and the browser view in their tests.
ELSEWHERE = {
    "mail2deal": "tests/test_service.py and the system tests",
    "make demo": "a step of CI",
    "make test": "a step of CI",
    "mail2deal inspect": "tests/test_inspect.py",
    "ssh -L 8001:127.0.0.1:8001 server.example.com mail2deal inspect": "tests/test_inspect.py",
    "mail2deal init": "tests/test_cli_init.py",
    "mail2deal --config /etc/mail2deal/acme/config.yaml check": "the systemd test",
    "mail2deal --config /etc/mail2deal/acme/config.yaml status": "the systemd test",
}


def commands(path: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return [AS_ROOT.sub("", line) for line in lines]


def shown() -> dict[str, str]:
    """What the README shows of a command's output, up to where it shortens it."""
    blocks = re.findall(
        r"^```sh\n([^\n]+)\n```\n\n```text\n(.*?)…", README.read_text(), re.MULTILINE | re.DOTALL
    )
    return dict(blocks)


SHOWN = shown()


def is_run(line: str) -> bool:
    return not line.startswith(ON_A_REAL_MACHINE) and line not in ELSEWHERE


@pytest.fixture(scope="module")
def shell(
    small_company: Office, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Desk, dict[str, str]]]:
    home = tmp_path_factory.mktemp("reader")
    tools = home / "bin"
    tools.mkdir()
    program = tools / "mail2deal"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m daemon "$@"\n')
    program.chmod(0o755)
    beside = Path(sys.executable).parent
    path = f"{tools}:{beside}:{os.environ['PATH']}"
    with desk(small_company, home) as opened:
        yield opened, os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("path", [README, *DOCS], ids=lambda path: path.name)
def test_every_command_runs(shell: tuple[Desk, dict[str, str]], path: Path) -> None:
    at, environment = shell
    if path != README and not at.ledger.exists():
        subprocess.run(["mail2deal", "--catch-up"], cwd=at.home, env=environment, check=True)
    for line in filter(is_run, commands(path)):
        (at.home / "backup.db").unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=at.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip() or ">" in line or "vacuum" in line, line
        if line in SHOWN:
            assert SHOWN[line] in done.stdout


def test_commands_that_are_not_run_here_exist() -> None:
    assert len(SHOWN) == 1
    lines = {line for path in (README, *DOCS) for line in commands(path)}
    assert set(ELSEWHERE) <= lines
    for line in lines:
        for found in re.findall(r"(?<!-u )mail2deal ((?!\.)[a-z]+)(?: |$)", line):
            assert found in main.commands, line


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in (README, *DOCS):
        for target in re.findall(r"\]\(((?!https?:)[^)#]+)", path.read_text()):
            if target in {"docs/promises.md", "bench/RESULTS.md"}:
                continue  # written by the crash and benchmark tests' authors
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def anchors(path: Path) -> set[str]:
    """What a link may name of a page: its headings, as GitHub writes them."""
    outside_of_code = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", outside_of_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_to_a_heading_find_it() -> None:
    for path in (README, ROOT / "CONTRIBUTING.md", *DOCS):
        for target, anchor in re.findall(r"\]\(((?!https?:)[^)#]*)#([^)]+)\)", path.read_text()):
            page = path.parent / target if target else path
            assert anchor in anchors(page), f"{path.name}: {target}#{anchor}"


def test_twenty_questions_have_an_answer_somewhere() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition("## Twenty questions\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+\?.*) \| \[(.+)\]\((.+)#.+\) \|$", section, re.MULTILINE)
    assert len({question for question, _, _ in rows}) == 20
    assert all(name == target for _, name, target in rows)


def all_commands() -> Iterator[tuple[str, click.Command]]:
    yield "mail2deal", main
    for name, command in main.commands.items():
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", child) for sub, child in command.commands.items())


@pytest.mark.parametrize(
    ("name", "command"), list(all_commands()), ids=lambda value: str(value)[:20]
)
def test_every_help_says_what_each_option_does(name: str, command: click.Command) -> None:
    assert command.help, name
    assert command.help.strip().splitlines()[0].endswith((".", ":")), name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        origin = typing.get_origin(field.annotation)
        # Sections that a person names have the keys of those that stand elsewhere.
        inner = None if origin is dict else _model(field.annotation)
        if inner is not None:
            yield from keys(inner, f"{prefix}{name}{'[]' if origin is tuple else ''}.")
        else:
            yield prefix + name


def test_every_configuration_key_is_documented_and_nothing_else_is() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    documented = re.findall(r"^\| `([a-z_.\[\]]+)` \|", text, re.MULTILINE)

    assert sorted(documented) == sorted(keys(Config))


def test_every_table_and_view_of_the_ledger_is_documented(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "ledger.md").read_text()
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        names = ledger.rows(
            "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_sqlite%' ESCAPE '\\'"
        )
        for row in names:
            assert re.search(rf"^\| .*`{row['name']}`.* \|", text, re.MULTILINE), row["name"]
        views = [row["name"] for row in names if row["type"] == "view"]
        for view in views:
            (line,) = re.findall(rf"^\| `{view}` \|.*$", text, re.MULTILINE)
            columns = [row["name"] for row in ledger.rows(f"PRAGMA table_info({view})")]
            assert re.findall(r"`(\w+)`", line)[1:] == columns
