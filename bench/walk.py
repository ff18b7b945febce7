"""The way of one mail through the running service: what it costs beside the network.

The real service with its real ledger, a Dovecot that tells of new mail by IDLE, a sandbox Pipedrive
over HTTP. From the arrival of a mail until nothing is left to do, everything is counted that no
faster machine makes less of: statements and transactions of SQLite, functions and files of ours.

    python bench/walk.py [--everything] [--statements]

--everything switches on what is off by default; --statements also prints each statement and how
often it ran.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any
from unittest.mock import patch

import yaml

from daemon.ledger import store
from daemon.ledger.connection import LedgerConnection
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer, start_imap
from daemon.service.daemon import Daemon

_OURS = str(Path(store.__file__).parent.parent)
_QUIET = 3.0  # seconds without a statement: the service has nothing left to do
_PATIENCE = 60.0
_USER, _PASSWORD, _WE = "sales", "secret", "sales@ours.example"


@dataclass(slots=True)
class Walk:
    """What one mail has set going."""

    name: str
    statements: Counter[str] = field(default_factory=Counter)
    functions: set[tuple[str, str]] = field(default_factory=set)

    @property
    def transactions(self) -> int:
        """How many transactions were begun."""
        return sum(n for sql, n in self.statements.items() if sql.startswith("BEGIN"))

    @property
    def files(self) -> int:
        """How many of our files took part."""
        return len({file for file, _ in self.functions})

    def line(self) -> str:
        """One line of the table in RESULTS.md."""
        numbers = (self.statements.total(), self.transactions, len(self.functions), self.files)
        return f"| {self.name} | {' | '.join(map(str, numbers))} |"


class Counting:
    """Sees every statement and every call of ours, and keeps them while a walk is on."""

    def __init__(self) -> None:
        self.walk: Walk | None = None
        self.last = time.monotonic()  # when a statement was last executed
        self.done = 0  # changes that Pipedrive has taken

    def statement(self, sql: str, times: int = 1) -> None:
        """SQLite is asked for this."""
        self.last = time.monotonic()
        if sql.startswith("UPDATE journal SET state = 'done'"):
            self.done += times
        if self.walk is not None and times:
            self.walk.statements[" ".join(sql.split())] += times

    def call(self, frame: FrameType, event: str, _: object) -> None:
        """A function is entered."""
        if self.walk is not None and event == "call":
            code = frame.f_code
            if code.co_filename.startswith(_OURS):
                self.walk.functions.add((code.co_filename, code.co_qualname))

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Watch all connections to a ledger and all threads that are opened in the block."""
        watcher = self

        class Watched(LedgerConnection):
            def execute(self, sql: str, values: Any = (), /) -> Any:
                watcher.statement(sql)
                return super().execute(sql, values)

            def executemany(self, sql: str, rows: Iterable[Any], /) -> Any:
                several = list(rows)
                watcher.statement(sql, len(several))
                return super().executemany(sql, several)

            def commit(self) -> None:
                watcher.statement("COMMIT")
                super().commit()

        threading.setprofile(self.call)
        try:
            with patch.object(store, "LedgerConnection", Watched):
                yield
        finally:
            threading.setprofile(None)


def _letter(sender: str, to: str, number: int, answers: int | None = None) -> bytes:
    answered = f"In-Reply-To: <{answers}@walk.example>\r\n" if answers else ""
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: Offer {number}\r\n{answered}"
        f"Message-ID: <{number}@walk.example>\r\nDate: {format_datetime(datetime.now(UTC))}\r\n"
        "\r\nCould we talk about the offer?\r\n"
    ).encode()


# All that a configuration can switch on that concerns these mails.
EVERYTHING: Mapping[str, Any] = {
    "activities": {"follow_up": "2d"},
    "bounces": {"label": "Cold lead", "marketing": True},
    "fields": {"our_response_hours": True},
    "deals": {"per": "conversation", "participants": True},
    "people": {"cc": "all"},
    "routes": [
        {
            "name": "all",
            "owner": ["ada@example.com", "bob@example.com"],
            "labels": {"lead": ["Hot"], "deal": ["Hot"], "person": ["Hot lead"]},
        }
    ],
    "events": [{"name": "chat", "command": ["/bin/true"]}],
}


def _config(home: Path, imap: ImapServer, url: str, more: Mapping[str, Any]) -> Path:
    document = {
        "mailboxes": [
            {
                "name": "sales",
                "host": imap.host,
                "port": imap.port,
                "tls": "none",
                "username": _USER,
                "password": _PASSWORD,
            }
        ],
        "pipedrive": {"base_url": url, "token": DEFAULT_TOKEN, "plan": "ultimate"},
        "us": {"domains": ["ours.example"]},
        "poll": {"every": "1h"},
        "ledger": str(home / "ledger.db"),
        **more,
    }
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    path.chmod(0o600)
    return path


def walks(more: Mapping[str, Any] = MappingProxyType({})) -> list[Walk]:
    """Three mails, one after the other; called in the main thread, as a service is.

    `more`: further sections of the configuration.
    """
    found: list[Walk] = []
    failures: list[BaseException] = []
    counting = Counting()
    with (
        tempfile.TemporaryDirectory(prefix="m2d-walk-") as folder,
        start_imap("dovecot", users={_USER: _PASSWORD}) as imap,
        closing(Sandbox(Path(folder) / "crm.db", settings=Settings(plan="ultimate"))) as sandbox,
        Server(sandbox) as server,
        counting.everywhere(),
    ):
        imap.create_folder(_USER, "Sent")
        daemon = Daemon(_config(Path(folder), imap, server.url, more))

        def beside() -> None:
            try:
                found.extend(_three(daemon, imap, counting))
            except BaseException as error:  # noqa: BLE001 - raised again in the main thread
                failures.append(error)
            finally:
                daemon.service.stop()

        script = threading.Thread(target=beside)
        script.start()
        daemon.service.run(daemon.work())
        script.join()
    if failures:
        raise failures[0]
    return found


def _three(daemon: Daemon, imap: ImapServer, counting: Counting) -> Iterator[Walk]:
    known, new = "ada@known.example", "eve@new.example"

    def arrives(sender: str, number: int) -> None:
        imap.deliver(_USER, "INBOX", _letter(sender, _WE, number))

    def answered() -> None:
        imap.deliver(_USER, "Sent", _letter(_WE, known, 4, answers=1))
        daemon.service.poll_soon("sales")  # as a server would that tells of every folder

    _rests(counting)
    before = counting.done
    arrives(known, 1)
    _rests(counting, done=before)
    for name, work in (
        ("one mail of a known sender", lambda: arrives(known, 2)),
        ("a new sender: organization, person, lead, activity", lambda: arrives(new, 3)),
        ("a reply that makes a deal", answered),
    ):
        yield _walk(name, work, counting)


def _walk(name: str, work: Callable[[], object], counting: Counting) -> Walk:
    counting.walk, before = Walk(name), counting.done
    walk = counting.walk
    work()
    _rests(counting, done=before)
    counting.walk = None
    return walk


def _rests(counting: Counting, done: int = -1) -> None:
    """Wait until the service has done nothing with its ledger for so many seconds.

    And until more changes are `done` than that: a busy machine may be late to begin.
    """
    counting.last = start = time.monotonic()
    while counting.done <= done or time.monotonic() - counting.last < _QUIET:
        time.sleep(0.05)
        if time.monotonic() - start > _PATIENCE:
            raise SystemExit("the service doesn't come to rest")


def main(arguments: list[str]) -> None:
    """Print the table."""
    print("| from the arrival of | statements | transactions | functions | files |")
    print("| --- | --- | --- | --- | --- |")
    for walk in walks(EVERYTHING if "--everything" in arguments else {}):
        print(walk.line(), flush=True)
        if "--statements" in arguments:
            for sql, count in walk.statements.most_common():
                print(f"{count:6}  {sql[:200]}")


if __name__ == "__main__":
    main(sys.argv[1:])
