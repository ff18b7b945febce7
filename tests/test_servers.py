"""The main job on real Courier, Cyrus and GNU imap4d: the oracle's records, and nothing changed.

Run by `make test-servers`, which unpacks the servers.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from company_kit import NOW, Crm, reading
from cyrus_server import Cyrus
from oracle import expect
from other_servers import OtherServer, available
from snapshots import snapshot
from test_end_to_end import assert_records, states, wanted_states

from daemon.intake.poll import Pass, Tally, poll
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Account, Mailbox
from daemon.sandbox.company import Scenario, demo


def letter(number: int) -> bytes:
    """One mail, as long as any other."""
    return (
        f"From: Ada <ada{number}@x.example>\r\nTo: sales@example.com\r\nSubject: hello\r\n"
        f"Message-ID: <uid{number}@x.example>\r\n\r\nhello\r\n"
    ).encode()


@dataclass
class Place:
    """The demo's mail on one of the servers."""

    scenario: Scenario
    server: Cyrus | OtherServer

    def account(self) -> Account:
        inboxes = tuple(name for name, role in self.scenario.roles if role == "inbox")
        return Account(
            name="sales",
            host=self.server.host,
            port=self.server.port,
            tls="none",
            username="sales",
            password=lambda: "secret",
            inbox=inboxes,
        )

    def read(self, ledger: Ledger, now: datetime = NOW) -> Tally:
        run = Pass(reading(self.scenario), "sales", None, lambda: now)
        with Mailbox.connect(self.account()) as mailbox:
            return poll(mailbox, ledger, run)


def running(kind: str, home: Path) -> Cyrus | OtherServer:
    if not available(kind):
        pytest.skip("MAIL2DEAL_SERVERS names no folder with this server: make test-servers")
    return Cyrus() if kind == "cyrus" else OtherServer(kind, home)


@pytest.fixture(params=["courier", "cyrus", "imap4d"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    scenario = demo(now=NOW)
    with running(request.param, tmp_path) as server:
        for name, _ in scenario.roles:
            for mail in scenario.folder(name, "sales"):
                server.deliver(name, mail.raw, mail.internal_date)
        yield Place(scenario, server)


def test_the_records_are_the_oracles_and_nothing_is_changed(
    place: Place, crm: Callable[..., Crm], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place.server.open_as_a_mail_program_does()
    before = place.server.state()
    with Ledger.open(tmp_path_factory.mktemp("ledger") / "ledger.db") as ledger:
        tally = place.read(ledger)
        assert (tally.problems, tally.quarantined) == ([], 0)
        expected = expect(place.scenario)
        assert states(ledger) == wanted_states(expected)
        made = crm()
        made.sync(ledger, place.scenario).sync()
        assert_records(snapshot(made.sandbox), expected)
        assert place.server.state() == before
        again = place.read(ledger)
        assert (again.new, again.again, again.problems) == (0, 0, [])
        seen = len(place.server.commands)
        place.read(ledger)
        quiet = b"".join(place.server.commands[seen:]).upper()
    assert b"SEARCH" not in quiet
    assert quiet.count(b"FETCH") <= 1


def test_what_nobody_has_seen_stays_recent_and_unseen(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By files or flags, counters and MODSEQ; EXAMINE may not change them (RFC 3501, 6.3.2).

    Courier itself moves what is new into `cur` at EXAMINE, with no flag set: there only that counts.
    """
    place.server.open_as_a_mail_program_does()
    for number in range(3):
        place.server.deliver_unseen("INBOX", letter(number), NOW)
    before = place.server.state()
    with Ledger.open(tmp_path_factory.mktemp("ledger") / "ledger.db") as ledger:
        place.read(ledger)
        rows = ledger.rows("SELECT 1 FROM messages WHERE from_address LIKE 'ada_@x.example'")
    assert len(rows) == 3
    after = place.server.state()
    if isinstance(place.server, OtherServer) and place.server.kind == "courier":
        before = {re.sub(r"new/(.*)", r"cur/\1:2,", name): raw for name, raw in before.items()}
    assert after == before


def test_check_and_the_folders(place: Place) -> None:
    with Mailbox.connect(place.account()) as mailbox:
        roles = mailbox.folders()
        assert not mailbox.missing
        for role in roles:
            assert mailbox.examine(role.name).messages == len(
                place.scenario.folder(role.name.removeprefix("INBOX."), "sales")
            )
            assert mailbox.newest() is not None


@pytest.mark.parametrize("place", ["courier", "imap4d"], indirect=True)
def test_a_mailbox_that_nobody_has_opened_counts_nothing_twice(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """These servers make up a UIDVALIDITY by the clock, until somebody opens a folder for writing."""
    with Ledger.open(tmp_path_factory.mktemp("ledger") / "ledger.db") as ledger:
        place.read(ledger)
        (once,) = ledger.rows("SELECT count(*) AS n FROM sightings")
        for _ in range(6):
            time.sleep(1.1)  # their clock has seconds
            assert place.read(ledger).new == 0
        (now,) = ledger.rows("SELECT count(*) AS n FROM sightings")
        assert now["n"] <= 3 * once["n"]
        assert states(ledger) == wanted_states(expect(place.scenario))


@pytest.mark.parametrize("place", ["courier", "imap4d"], indirect=True)
def test_a_uid_that_is_given_out_again_is_read(
    place: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Courier forgets UIDs that it gave out under EXAMINE: after a deletion another mail has one."""
    place.server.open_as_a_mail_program_does()
    now = [NOW]
    with Ledger.open(tmp_path_factory.mktemp("ledger") / "ledger.db") as ledger:
        place.read(ledger)
        first = place.server.deliver("INBOX", letter(1), NOW)
        assert place.read(ledger).new == 1
        assert first is not None
        first.unlink()
        place.server.deliver("INBOX", letter(2), NOW + timedelta(hours=1))
        for _ in range(3):  # the daily scan compares size and arrival
            now[0] += timedelta(days=1, hours=1)
            place.read(ledger, now[0])
        rows = ledger.rows(
            "SELECT from_address AS a FROM messages WHERE from_address LIKE 'ada_@x.%'"
        )
    assert {row["a"] for row in rows} == {"ada1@x.example", "ada2@x.example"}
