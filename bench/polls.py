"""Mailboxes with nothing new: round trips, milliseconds and CPU a poll, memory of 1,000 of them.

Each mailbox has two folders and keeps one TLS connection. A poll is the one that the service makes:
the connection's counters, compared with the ledger; what it found is written later, for many at
once, as the service does. Client and server share this machine.

    python bench/polls.py [MAILBOXES [ROUNDS]]
"""

import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from measure import ratio, rss_of_session, run
from postoffice import PASSWORD, post_office

from daemon.intake.poll import Pass, poll
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.mailbox.connection import Connection
from daemon.mailbox.imap import Account, Mailbox
from daemon.message.verdict import Us
from daemon.rules.classify import Rules
from daemon.rules.organization import public_providers

CONNECTING = 16  # threads that open the connections
POLLING = 4  # threads that poll, as a service on 2 cores has
MAIL = b"From: ada@x.example\r\nTo: sales@y.example\r\nMessage-ID: <1@x.example>\r\n\r\nHi\r\n"


def now() -> datetime:
    return datetime.now(UTC)


class Poller:
    """All mailboxes of one process and their ledger."""

    def __init__(self, port: int, certificate: str, count: int, home: Path) -> None:
        self.home = home
        self.scoring = ScoringSettings(Us(), Rules(), public_providers())
        Ledger.open(home / "ledger.db").close()
        accounts = [
            Account(f"box{n}", "127.0.0.1", f"box{n}", lambda: PASSWORD, port, ca_file=certificate)
            for n in range(count)
        ]
        with ThreadPoolExecutor(CONNECTING) as pool:
            self.boxes = list(pool.map(Mailbox.connect, accounts))

    def poll(self, boxes: Sequence[Mailbox], times: int) -> int:
        """Poll these so many times; how many mails were seen."""
        found = 0
        quiet: list[int] = []
        with Ledger.open(self.home / "ledger.db") as ledger:
            for _ in range(times):
                for box in boxes:
                    name = box.account.name
                    one = Pass(
                        self.scoring, name, None, now, quiet=lambda ids, _: quiet.extend(ids)
                    )
                    found += poll(box, ledger, one).new
                with ledger.transaction("polled"):
                    ledger.folders.seen_nothing_new(dict.fromkeys(quiet, now()))
                quiet.clear()
        return found

    def round(self, times: int = 1) -> int:
        """Poll all of them so many times; how many mails were seen."""
        shares = [self.boxes[n::POLLING] for n in range(POLLING)]
        with ThreadPoolExecutor(POLLING) as pool:
            return sum(pool.map(lambda share: self.poll(share, times), shares))


def client(port: int, certificate: str, count: int, times: int, home: Path) -> None:
    poller = Poller(port, certificate, count, home)
    assert poller.round() == count  # noqa: S101 - one mail each, the first time
    poller.round()  # closes the folders that were open for it
    commands = _count_commands()
    wall, cpu = time.monotonic(), time.process_time()
    assert poller.round(times) == 0  # noqa: S101 - then nothing new
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(len(commands), wall, cpu, peak)


def _count_commands() -> list[bytes]:
    sent: list[bytes] = []
    send: Any = Connection.send

    def noting(self: Connection, line: bytes, *more: Any) -> Any:
        sent.append(line)
        return send(self, line, *more)

    Connection.send = noting  # type: ignore[method-assign] # to count its round trips
    return sent


def main(arguments: list[str]) -> None:
    count = int(arguments[0]) if arguments else 1000
    times = int(arguments[1]) if len(arguments) > 1 else 10
    with post_office(tls=True, connections=count + 50) as office:
        server = office.server
        for n in range(count):
            server.add_user(f"box{n}", PASSWORD)
            server.deliver(f"box{n}", "INBOX", MAIL.replace(b"<1@", b"<%d@" % n))
        here = [sys.executable, __file__, "client", str(server.tls_port), str(server.ca_file)]
        cost = run([*here, str(count), str(times), str(office.home)], server=server.process.pid)
        memory = rss_of_session(server.process.pid)
    commands, wall, cpu, rss = map(float, cost.said.split())
    polls = count * times
    print(f"{count} mailboxes of two folders, {POLLING} threads, nothing new, {times} rounds")
    print(f"  {commands / polls:.2f} round trips, {wall / polls * 1e3 * POLLING:.2f} ms,")
    print(f"  {cpu / polls * 1e3:.3f} ms CPU a poll, {polls / wall * 60:,.0f} polls a minute")
    print(f"  client {rss / 1e6:.0f} MB, server at the end {memory / 1e6:.0f} MB")
    ratio("polls: round trips a mailbox, nothing new", commands / polls, at_most=1)
    ratio("polls: % of a core at 10,000 a minute", cpu / polls * 10_000 / 60 * 100, at_most=50)
    ratio(f"polls: MB RSS with {count} kept TLS connections", rss / 1e6, at_most=120)


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        given = sys.argv[2:]
        client(int(given[0]), given[1], int(given[2]), int(given[3]), Path(given[4]))
    else:
        main(sys.argv[1:])
