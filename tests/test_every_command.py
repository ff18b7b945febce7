"""Every command in situations that a person can be in: never a traceback, always a word.

One process a situation loads the program, then each command runs in a fork of it, so that the whole
table takes seconds.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
import gc, importlib, json, os, pkgutil, sys
import encodings.idna, encodings.latin_1, encodings.ascii, encodings.punycode
import daemon
from daemon.cli import main
for _, name, _ in pkgutil.walk_packages(daemon.__path__, "daemon."):
    if not name.startswith(("daemon.sandbox.imap", "daemon.__main__")):
        importlib.import_module(name)
where, out, user, calls = json.loads(sys.argv[1])
gc.freeze()  # else each child copies what it looks through
statuses = []
for number, words in enumerate(calls):
    child = os.fork()
    if child == 0:
        for stream, fd in (("err", 2), ("out", 1)):
            new = os.open(f"{where}/{number}.{stream}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            if fd == 2 or out == "file":
                os.dup2(new, fd)
            elif out == "gone":
                away, new = os.pipe()
                os.close(away)
                os.dup2(new, fd)
            elif out == "full":
                os.dup2(os.open("/dev/full", os.O_WRONLY), fd)
        if user:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        sys.argv = ["mail2deal", *words]
        main()
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with open(f"{where}/statuses", "w") as file:
    json.dump(statuses, file)
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
        config: Path | None = None,
        out: Literal["file", "gone", "full", "none"] = "file",
        user: int | None = None,
        **environment: str,
    ) -> dict[tuple[str, ...], Said]:
        """What every call said and ended with.

        Its output goes to a file, to a pipe that nobody reads, to a full disk or nowhere.
        """
        where = self.home / "said"
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        if config is None:
            config = self.home / "config.yaml"
        if ledger is not None:
            changed = yaml.safe_load(config.read_text()) | {"ledger": str(ledger)}
            config = self.home / "changed.yaml"
            config.write_text(yaml.safe_dump(changed))
            config.chmod(0o600)
            if user is not None:
                os.chown(config, user, user)
        given = [["--config", str(config), *call] for call in CALLS]
        forks = [sys.executable, "-c", FORKS, json.dumps([str(where), out, user, given])]
        subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *forks] if out == "none" else forks,
            cwd=self.home,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)} | environment,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=900,
        )
        statuses = json.loads((where / "statuses").read_text())
        return {
            call: Said(
                status,
                (where / f"{number}.out").read_bytes(),
                (where / f"{number}.err").read_bytes(),
            )
            for number, (call, status) in enumerate(zip(CALLS, statuses, strict=True))
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
@pytest.mark.parametrize("out", ["gone", "none"])
def test_nobody_who_reads_is_no_fault(place: Place, out: Literal["gone", "none"]) -> None:
    sound(place.calls(out=out))


@pytest.mark.long
def test_output_that_finds_no_room_is_told(place: Place) -> None:
    all_said = place.calls(out="full")

    sound(all_said)
    for call in (("-h",), ("--version",), ("status",), ("explain", ADDRESS, "--json")):
        assert all_said[call].status == 75, (call, all_said[call])
        assert b"finds no room" in all_said[call].err


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("ours", ["nothing", "configuration"])
def test_files_of_another_user_are_told(place: Place, ours: str) -> None:
    nobody = 65534
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders let nobody else in
        ledger = Path(name, "ledger.db")
        shutil.copy(place.home / "ledger.db", ledger)
        ledger.chmod(0o600)
        config = Path(name, "config.yaml")
        known = yaml.safe_load((place.home / "config.yaml").read_text())
        config.write_text(yaml.safe_dump(known | {"ledger": str(ledger)}))
        config.chmod(0o600)
        Path(name).chmod(0o755)
        if ours == "configuration":
            os.chown(config, nobody, nobody)

        all_said = place.calls(config=config, user=nobody)

    sound(all_said)
    for call in (("status",), ("undo",), ("audit",), ("explain", ADDRESS)):
        said = all_said[call]
        assert said.status == 2, (call, said)
        named = ledger if ours == "configuration" else config
        assert str(named) in said.err.decode()
        assert "run it with sudo" in said.err.decode()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["missing", "empty", "text", "directory", "half"])
def test_a_ledger_that_is_none_is_told(place: Place, tmp_path: Path, kind: str) -> None:
    ledger = tmp_path / "ledger.db"
    if kind == "empty":
        ledger.touch()
    elif kind == "text":
        ledger.write_text("This is no database at all. " * 99)
    elif kind == "directory":
        ledger.mkdir()
    elif kind == "half":
        whole = (place.home / "ledger.db").read_bytes()
        ledger.write_bytes(whole[: len(whole) // 2])

    all_said = place.calls(ledger=ledger)

    sound(all_said)
    if kind == "missing":
        assert b"there is no ledger yet" in all_said["status",].err
    elif kind != "empty":
        for call in (("status",), ("undo",), ("audit",), ("--catch-up",)):
            assert str(ledger) in all_said[call].err.decode(), (call, all_said[call])
