"""Every command in situations that a person can be in: never a traceback, always a word.

One process a situation loads the program, then each command runs in a fork of it, so that the whole
table takes seconds.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from dovecot import Post

from daemon.cli import main
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer

pytestmark = pytest.mark.timeout(900)

SUBJECT = (
    "A price for 4 000 pieces of Größe 7 - 日本 ✓, by the end of the month if that can be done"
)
NAME = "Zoë Ångström-Żeromska of the Department of Long Names"
ADDRESS = "zoe.angstrom-zeromska@department-of-long-names.example"

# One call of each command at least, that needs nobody and ends by itself.
CALLS: tuple[tuple[str, ...], ...] = (
    ("-h",),
    ("--version",),
    ("status",),
    ("status", "--json"),
    ("check",),
    ("check", "--offline"),
    ("explain", ADDRESS),
    ("explain", "ngstr"),
    ("explain", ADDRESS, "--json"),
    ("--dry-run",),
    ("--dry-run", "--json"),
    ("--catch-up",),
    ("undo",),
    ("undo", "7"),
    ("audit",),
    ("audit", "--json"),
    ("retry",),
    ("approve", "--yes"),
    ("login", "sales"),
    ("forget", "nobody@example.com", "--yes"),
    ("init", "--no-input", "--email", "a@example.com", "--company", "x", "--output", "new/c.yaml"),
    ("sandbox", "--store", "crm.db", "board"),
)
WITH_SERVERS = {"demo", "inspect"}  # these stay until they are stopped, or start servers

FORKS = """
import importlib, json, os, pkgutil, sys
import encodings.idna, encodings.latin_1, encodings.ascii
import daemon
from daemon.cli import main
for _, name, _ in pkgutil.walk_packages(daemon.__path__, "daemon."):
    if not name.startswith(("daemon.sandbox.imap", "daemon.__main__")):
        importlib.import_module(name)
where, closed, calls = json.loads(sys.argv[1])
for number, words in enumerate(calls):
    child = os.fork()
    if child == 0:
        for stream, fd in (("err", 2), ("out", 1)):
            new = os.open(f"{where}/{number}.{stream}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            if closed and fd == 1:
                away, new = os.pipe()
                os.close(away)
            os.dup2(new, fd)
        sys.argv = ["mail2deal", *words]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Said:
    """What one call ended with."""

    status: int
    out: bytes
    err: bytes


@dataclass(frozen=True)
class Place:
    """A configured home with a ledger that holds one sender."""

    home: Path

    def calls(
        self,
        *,
        ledger: Path | None = None,
        closed: bool = False,
        **environment: str,
    ) -> dict[tuple[str, ...], Said]:
        """What every call said and ended with, its output in a file, or in a closed pipe."""
        where = self.home / "said"
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        config = self.home / "config.yaml"
        if ledger is not None:
            changed = yaml.safe_load(config.read_text()) | {"ledger": str(ledger)}
            config = self.home / "changed.yaml"
            config.write_text(yaml.safe_dump(changed))
            config.chmod(0o600)
        given = [["--config", str(config), *call] for call in CALLS]
        done = subprocess.run(
            [sys.executable, "-c", FORKS, json.dumps([str(where), closed, given])],
            cwd=self.home,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)} | environment,
            capture_output=True,
            check=True,
            timeout=900,
        )
        return {
            call: Said(
                int(status),
                (where / f"{number}.out").read_bytes(),
                (where / f"{number}.err").read_bytes(),
            )
            for number, (call, status) in enumerate(zip(CALLS, done.stdout.split(), strict=True))
        }


@pytest.fixture(scope="module")
def place(dovecot_server: ImapServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("place")
    dovecot_server.add_user("every@ours.example", "secret")
    post = Post(dovecot_server, "every@ours.example", "secret")
    mail = (
        f"From: {NAME} <{ADDRESS}>\r\nTo: every@ours.example\r\nSubject: {SUBJECT}\r\n"
        "Message-ID: <1@department.example>\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\nHello, what does it cost?\r\n"
    )
    post.deliver(mail.encode())
    settings = Settings(plan="ultimate", burst=False)
    with (
        closing(Sandbox(home / "crm.db", settings=settings)) as sandbox,
        Server(sandbox) as server,
    ):
        mailbox = {
            "name": "sales",
            "host": dovecot_server.host,
            "port": dovecot_server.port,
            "tls": "none",
            "username": post.user,
            "password": "secret",
            "since": "2020-01-01",
        }
        config = {
            "mailboxes": [mailbox],
            "pipedrive": {"base_url": server.url, "token": DEFAULT_TOKEN, "plan": "ultimate"},
            "us": {"domains": ["ours.example"]},
            "log": {"level": "warning"},
            "ledger": str(home / "ledger.db"),
        }
        (home / "config.yaml").write_text(yaml.safe_dump(config))
        (home / "config.yaml").chmod(0o600)
        command = [sys.executable, "-m", "daemon", "--config", str(home / "config.yaml")]
        subprocess.run([*command, "--catch-up"], check=True, capture_output=True, timeout=120)
        yield Place(home)


def test_every_command_is_called() -> None:
    assert {call[0] for call in CALLS} | WITH_SERVERS >= set(main.commands)


def sound(all_said: dict[tuple[str, ...], Said]) -> None:
    """No traceback; an exit status of ours, with a word about it where it isn't 0."""
    for call, said in all_said.items():
        assert b"Traceback" not in said.out + said.err, (call, said.err.decode())
        assert said.status in {0, 1, 2, 75}, (call, said)
        if said.status in {2, 75}:
            assert said.err.strip() or b"to do before" in said.out, (call, said)


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("latin-1", marks=pytest.mark.long)])
def test_a_terminal_of_few_characters_shows_what_it_can(place: Place, encoding: str) -> None:
    all_said = place.calls(PYTHONIOENCODING=encoding, LC_ALL="C")

    sound(all_said)
    for call, said in all_said.items():
        (said.out + said.err).decode(encoding)
        if "--json" in call:
            json.loads(said.out)
    assert NAME in str(json.loads(all_said["explain", ADDRESS, "--json"].out))
    assert ADDRESS.encode() in all_said["explain", ADDRESS].out
    assert b"ok " in all_said["check",].out


@pytest.mark.long
def test_a_reader_that_has_gone_away_is_no_fault(place: Place) -> None:
    sound(place.calls(closed=True))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["empty", "text", "directory"])
def test_a_ledger_that_is_none_is_told(place: Place, tmp_path: Path, kind: str) -> None:
    ledger = tmp_path / "ledger.db"
    if kind == "empty":
        ledger.touch()
    elif kind == "text":
        ledger.write_text("This is no database at all. " * 99)
    elif kind == "directory":
        ledger.mkdir()

    all_said = place.calls(ledger=ledger)

    sound(all_said)
    if kind != "empty":
        for call in (("status",), ("undo",), ("audit",), ("--catch-up",)):
            assert str(ledger) in all_said[call].err.decode(), (call, all_said[call])
