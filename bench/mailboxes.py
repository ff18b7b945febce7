"""Many mailboxes with many folders, all of which change at once, and when all of it is read.

The real service in a process of its own, a Dovecot, a sandbox over HTTP. Every mailbox has ten
folders. Once the service has looked at all of them, a mail comes into each folder of each mailbox,
from one of a hundred senders. Told are the seconds until the ledger has half of them, 99 of 100 and
all, counted from when the last one was delivered, and what the service uses meanwhile, pushing
included: CPU, memory, open files, threads. It polls every 15 seconds, with its usual 100
connections, some of them in IDLE.

    python bench/mailboxes.py [MAILBOXES ...]
"""

import math
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml
from company import table
from day import look
from latency import US
from measure import ratio, session_cpu
from postoffice import PASSWORD, SENT, PostOffice, post_office

from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

SIZES = (10, 100)
FOLDERS = ("INBOX", *(f"Folder {number}" for number in range(8)), SENT)
SENDERS = 100
EVERY = 15  # seconds from poll to poll
LOOK = 0.25
PATIENCE = 900.0


def mail(box: int, folder: str, number: int) -> bytes:
    """One mail; `number` is told by its Message-ID."""
    sender = f"p{number % SENDERS}@firm{number % SENDERS // 3}.example.org"
    who, to = (US, sender) if folder == SENT else (sender, US)
    at = datetime.now(UTC)
    return (
        f"From: <{who}>\r\nTo: <{to}>\r\nSubject: Question {number} to {box}\r\n"
        f"Message-ID: <{number}@{who}>\r\nDate: {at:%a, %d %b %Y %H:%M:%S} +0000\r\n\r\nHi\r\n"
    ).encode()


def configured(home: Path, office: PostOffice, server: Server, count: int) -> Path:
    """A configuration of so many mailboxes."""
    usual = {"host": "127.0.0.1", "port": office.server.port, "tls": "none", "password": PASSWORD}
    folders = {"inbox": [name for name in FOLDERS if name != SENT]}
    document = {
        "mailboxes": [
            {"name": f"box{n}", "username": f"box{n}", "folders": folders, **usual}
            for n in range(count)
        ],
        "pipedrive": {"base_url": server.url, "token": DEFAULT_TOKEN, "plan": "ultimate"},
        "us": {"domains": ["ours.example"]},
        "poll": {"every": f"{EVERY}s"},
        "ledger": str(home / "ledger.db"),
    }
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    path.chmod(0o600)
    return path


@dataclass
class Watched:
    """A running service and its ledger, looked at again and again."""

    service: "subprocess.Popen[bytes]"
    ledger: Path
    most: dict[str, float] = field(default_factory=dict)

    def count(self, question: str) -> int:
        """The number that a question of the ledger gives, 0 before there is one."""
        try:
            with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as db:
                return int(db.execute(question).fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def until(self, question: str, goal: int, each: Callable[[int], object]) -> float:
        """Ask until the answer is the goal, handing on each answer; when that was."""
        end = time.monotonic() + PATIENCE
        while (found := self.count(question)) < goal:
            each(found)
            if time.monotonic() > end:
                raise SystemExit(f"{found} of {goal}: {question}")
            if self.ledger.exists():
                self._weigh()
            time.sleep(LOOK)
        each(found)
        return time.monotonic()

    def _weigh(self) -> None:
        seen = look(self.service.pid, 0, self.ledger, Path("/dev/null"))
        for name, value in (
            ("RSS, MB", seen.rss / 1e6),
            ("open files", seen.files),
            ("threads", seen.threads),
        ):
            self.most[name] = max(value, self.most.get(name, 0.0))


@contextmanager
def running(config: Path, log: Path) -> Iterator[Watched]:
    """The service, until the block ends."""
    command = [sys.executable, "-m", "daemon", "--config", str(config)]
    with (
        log.open("w") as written,
        subprocess.Popen(
            command, stdout=written, stderr=written, start_new_session=True
        ) as service,
    ):
        try:
            yield Watched(service, config.with_name("ledger.db"))
        finally:
            service.terminate()
            service.wait()


def changed(count: int) -> dict[str, float]:
    """What it takes to read all of so many mailboxes."""
    with (
        post_office(connections=count + 50) as office,
        tempfile.TemporaryDirectory(prefix="m2d-bench-") as folder,
        closing(Sandbox(Path(folder) / "crm.db", settings=Settings(plan="ultimate"))) as sandbox,
        Server(sandbox) as server,
    ):
        for box in range(count):
            office.server.add_user(f"box{box}", PASSWORD)
            for name in FOLDERS:
                office.server.create_folder(f"box{box}", name)
        config = configured(Path(folder), office, server, count)
        start = time.monotonic()
        with running(config, Path(folder) / "log") as watched:
            all_of_them = count * len(FOLDERS)
            polled = "SELECT count(*) FROM folders WHERE polled_at IS NOT NULL"
            first = watched.until(polled, all_of_them, lambda _: None) - start
            number = 0
            for name in FOLDERS:
                for box in range(count):
                    number += 1
                    office.server.deliver(f"box{box}", name, mail(box, name, number))
            came, cpu = time.monotonic(), session_cpu(watched.service.pid)
            times: dict[float, float] = {}

            def note(found: int) -> None:
                for share in (0.5, 0.99, 1.0):
                    if found >= share * all_of_them:
                        times.setdefault(share, time.monotonic() - came)

            watched.until("SELECT count(*) FROM messages", all_of_them, note)
            cpu = session_cpu(watched.service.pid) - cpu
            return {
                "first look at all folders, s": first,
                "half of the mails are read, s": times[0.5],
                "99 of 100, s": times[0.99],
                "all, s": times[1.0],
                "CPU ms a mail": cpu / all_of_them * 1e3,
                **watched.most,
                "requests that wrote by then": len(sandbox.writes()),
            }


def main(arguments: list[str]) -> None:
    """Measure each size."""
    sizes = tuple(map(int, arguments)) or SIZES
    powers = table("mailboxes of ten folders", {size: changed(size) for size in sizes})
    flat = math.log10(2)  # twice as much each decade
    ratio("mailboxes: until all is read, exponent", powers["all, s"], at_most=1.1)
    ratio("mailboxes: CPU a mail, exponent", powers["CPU ms a mail"], at_most=flat)
    ratio("mailboxes: RSS, exponent", powers["RSS, MB"], at_most=flat)


if __name__ == "__main__":
    main(sys.argv[1:])
