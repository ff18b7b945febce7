"""One folder that is large: the first look, polls after it, the daily scan, other UIDs.

A Dovecot has a mailbox with all mails in its inbox, small ones, ten of each sender. Told are, each
by ours in a process of its own:

- the backfill of `--catch-up --intake-only`: linear, in memory that doesn't grow;
- polls of the service after it, with nothing new and with one mail: the same at any size;
- the look through the whole folder that the service takes once a day: linear;
- the folder with another UIDVALIDITY, when every mail is matched again: linear.

    python bench/folder.py [MAILS ...]
"""

import contextlib
import math
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from company import table
from desk import Desk
from imapclient import IMAPClient
from measure import grown, ratio, run
from postoffice import PASSWORD, PostOffice, post_office

SIZES = (2_000, 20_000)
PER_SENDER = 10
TIMES = 7
USER = "large"
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def mail(number: int) -> bytes:
    """One small mail, of the sender whose turn it is."""
    who = f"p{number // PER_SENDER}@firm{number // PER_SENDER // 3}.example.org"
    at = NOW - timedelta(minutes=number)
    return (
        f"From: Person {number // PER_SENDER} <{who}>\r\nTo: sales@ours.example\r\n"
        f"Subject: Offer {number}\r\nMessage-ID: <{number}@{who}>\r\n"
        f"Date: {at:%a, %d %b %Y %H:%M:%S} +0000\r\n\r\nHello, this is question {number}.\r\n"
    ).encode()


def filled(office: PostOffice, count: int) -> None:
    """Give the mailbox its inbox of so many mails."""
    office.server.add_user(USER, PASSWORD)
    mails: Iterator[tuple[bytes, datetime]] = (
        (mail(number), NOW - timedelta(minutes=number)) for number in reversed(range(count))
    )
    office.server.deliver_many(USER, "INBOX", mails)
    office.folders[USER] = ["INBOX"]


def configured(office: PostOffice, ledger: Path) -> Path:
    """A configuration for it."""
    path = office.config(USER, ledger)
    document = yaml.safe_load(path.read_text()) | {
        "us": {"domains": ["ours.example"]},
        "poll": {"idle": False},
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def later(config: Path, port: int, maildir: Path, leader: int) -> dict[str, float]:
    """What the service does with the folder that it knows; in a fresh process."""
    found: dict[str, float] = {}
    with Desk.open(config) as desk:
        desk.poll()  # connects, and looks through the folder once
        desk.later(seconds=10)

        def came() -> None:
            assert desk.poll() == 1  # noqa: S101 - what was appended

        def nothing() -> None:
            assert desk.poll() == 0  # noqa: S101 - nothing is new

        found["a poll, nothing new, CPU ms"] = 1e3 * statistics.median(
            desk.cpu(nothing) for _ in range(TIMES)
        )
        arrivals = []
        with IMAPClient("127.0.0.1", port=port, ssl=False) as mine:
            mine.login(USER, PASSWORD)
            for number in range(TIMES):
                mine.append("INBOX", mail(-PER_SENDER - number))
                arrivals.append(desk.cpu(came))
        found["a poll, one new mail, CPU ms"] = 1e3 * statistics.median(arrivals)
        desk.later(days=1)
        found |= scanned("the daily scan", desk)
        before = epochs(desk)
        desk.reconnect()
        renumber(maildir, leader)
        found |= scanned("another UIDVALIDITY", desk)
        if len(epochs(desk)) != 1 or epochs(desk) == before:
            raise SystemExit(f"sightings are of {before}, then {epochs(desk)}")
    return found


def epochs(desk: Desk) -> set[int]:
    """The UIDVALIDITY that messages were seen with."""
    return {row["uidvalidity"] for row in desk.ledger.rows("SELECT uidvalidity FROM sightings")}


def scanned(what: str, desk: Desk) -> dict[str, float]:
    """What it costs to look through the whole folder."""
    start = time.monotonic()
    memory: list[float] = []
    cpu = desk.cpu(lambda: memory.append(grown(desk.poll)[1]))
    seconds = time.monotonic() - start
    for row in desk.ledger.rows("SELECT name, last_error FROM folders WHERE failures"):
        raise SystemExit(f"{what} failed after {seconds:.0f} s: {row['name']}: {row['last_error']}")
    return {f"{what}, CPU ms": 1e3 * cpu, f"{what}, s": seconds, f"{what}, MB": memory[0]}


def renumber(maildir: Path, leader: int) -> None:
    """Have Dovecot forget the folder's UIDs, as where a mailbox is moved by copying its mails."""
    time.sleep(1.1)  # a UIDVALIDITY is a second
    for process in Path("/proc").glob("[0-9]*"):  # a session would write down what it knows
        with contextlib.suppress(OSError):
            name = (process / "comm").read_text().strip()
            if name == "imap" and os.getpgid(int(process.name)) == leader:
                os.kill(int(process.name), signal.SIGKILL)
    for path in maildir.glob("dovecot*"):
        if path.name.startswith(("dovecot-uidlist", "dovecot.index")):
            path.unlink()


def folder(count: int) -> dict[str, float]:
    """What a folder of so many mails costs."""
    with post_office() as office, tempfile.TemporaryDirectory(prefix="m2d-bench-") as home:
        filled(office, count)
        config = configured(office, Path(home) / "ledger.db")
        command = [sys.executable, "-m", "daemon", "--config", str(config)]
        cost = run([*command, "--catch-up", "--intake-only"], timeout=3600)
        messages = counted(config)
        if messages != count:
            raise SystemExit(f"{messages} of {count} messages are in the ledger")
        size = config.with_suffix(".db").stat().st_size
        print(f"{count:,} mails read, {size / count:,.0f} bytes of ledger a mail", flush=True)
        maildir = office.server.home / "mail" / USER / "Maildir"
        server = office.server
        more = ["later", str(config), str(server.port), str(maildir), str(server.process.pid)]
        again = [sys.executable, __file__, *more]
        said = subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True).stdout
        lines = (line.split("\t") for line in said.splitlines())
        if counted(config) != count + TIMES:
            raise SystemExit("another UIDVALIDITY changed what is counted")
        return {
            "first read, CPU s": cost.cpu,
            "first read, s": cost.seconds,
            "first read, MB of all processes": cost.rss / 1e6,
            **{name: float(value) for name, value in lines},
        }


def counted(config: Path) -> int:
    """How many messages the ledger knows."""
    with closing(sqlite3.connect(config.with_suffix(".db"))) as db:
        number: int = db.execute("SELECT count(*) FROM messages").fetchone()[0]
    return number


def main(arguments: list[str]) -> None:
    """Measure each size."""
    if arguments[:1] == ["later"]:
        _, config, port, maildir, leader = arguments
        found = later(Path(config), int(port), Path(maildir), int(leader))
        for name, value in found.items():
            print(f"{name}\t{value}")
        return
    sizes = tuple(map(int, arguments)) or SIZES
    powers = table("mails in one folder", {size: folder(size) for size in sizes})
    flat = math.log10(2)  # twice as much each decade
    for what, most in (
        ("first read, CPU s", 1.1),
        ("first read, MB of all processes", flat),
        ("a poll, nothing new, CPU ms", flat),
        ("a poll, one new mail, CPU ms", flat),
        ("the daily scan, CPU ms", 1.1),
        ("another UIDVALIDITY, CPU ms", 1.1),
    ):
        ratio(f"folder: {what}, exponent", powers[what], at_most=most)


if __name__ == "__main__":
    main(sys.argv[1:])
