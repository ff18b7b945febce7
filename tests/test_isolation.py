"""One sick message, folder or answer costs itself alone: everything else is read, new mail first."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scripted_imap import DRIP, HANGUP, ScriptedImap, asked, facts, part, whole

from daemon.errors import RetryLater
from daemon.intake import fetching
from daemon.intake.poll import Pass, Tally, poll
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.mailbox import fetch
from daemon.mailbox.imap import Account, Mailbox
from daemon.maintenance.audit import mailbox_gaps
from daemon.message.verdict import Us
from daemon.rules.classify import Rules
from daemon.rules.organization import PublicProviders

NOW = datetime(2026, 3, 3, tzinfo=UTC)
READING = ScoringSettings(
    us=Us(), rules=Rules(), public=PublicProviders(frozenset()), snippet_chars=100
)
LIST = b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\nTAG OK listed\r\n'
MANY = 250


def header(uid: int) -> bytes:
    return (
        b"From: Ada <ada%d@x.example>\r\nTo: sales@example.com\r\nSubject: hello\r\n"
        b"Message-ID: <%d@x.example>\r\n\r\n" % (uid, uid)
    )


class Server(ScriptedImap):
    """Two folders, of which the first has `count` messages; `sick` says how some are answered."""

    def __init__(
        self,
        sick: Callable[[int, str], bytes | None],
        *,
        count: int = MANY,
        **more: object,
    ) -> None:
        super().__init__(**more)  # type: ignore[arg-type] # as a scripted server takes them
        self.sick = sick
        self.count = count
        self.open = ""
        self.logins = 0
        self.answers |= {
            "LOGIN": self.log_in,
            "LIST": LIST,
            "EXAMINE": self.examine,
            "STATUS": self.status,
            "SEARCH": self.search,
            "FETCH": self.fetch,
        }

    def log_in(self, _: bytes) -> bytes:
        self.logins += 1
        return b"TAG OK logged in\r\n"

    def there(self) -> int:
        return self.count if self.open == "INBOX" else 2

    def examine(self, command: bytes) -> bytes:
        self.open = command.split(b" ", 1)[1].strip(b'"').decode()
        said = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT %d] ok\r\n"
        return said % (self.there(), self.there() + 1) + b"TAG OK examined\r\n"

    def status(self, command: bytes) -> bytes:
        name = command.split(b" ")[1]
        count = self.count if b"INBOX" in name else 2
        said = b"* STATUS %s (MESSAGES %d UIDNEXT %d UIDVALIDITY 7)\r\nTAG OK\r\n"
        return said % (name, count, count + 1)

    def search(self, _: bytes) -> bytes:
        numbers = b"".join(b" %d" % uid for uid in range(1, self.there() + 1))
        return b"* SEARCH" + numbers + b"\r\nTAG OK\r\n"

    def fetch(self, command: bytes) -> bytes:
        kind, uids = asked(command)
        said = b""
        for uid in uids:
            sick = self.sick(uid, kind) if self.open == "INBOX" else None
            if sick is not None:
                return said + sick
            if kind == "facts":
                early = b"hi\r\n" if b"BODY.PEEK[1]" in command else None
                said += facts(uid, header=header(uid), early=early)
            else:
                said += part(uid) if kind == "parts" else whole(uid, header(uid) + b"hi\r\n")
        return said + b"TAG OK fetched\r\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger


def taken_in(server: Server, ledger: Ledger, account: Account | None = None) -> Tally:
    with Mailbox.connect(account or server.account(read_timeout=0.4)) as mailbox:
        return poll(mailbox, ledger, Pass(READING, "sales", None, lambda: NOW))


def seen(ledger: Ledger) -> set[tuple[str, int]]:
    rows = ledger.rows("SELECT f.name, s.uid FROM sightings s JOIN folders f ON f.id = s.folder")
    return {(row["name"], row["uid"]) for row in rows}


def quarantined(ledger: Ledger) -> dict[int, str]:
    return {row["uid"]: row["reason"] for row in ledger.quarantine.entries()}


SICK: dict[str, bytes] = {
    "BYE": b"* BYE server error\r\n" + HANGUP,
    "hung up": HANGUP,
    "no answer": b"",
    "a raw line feed in a structure": b'* 1 FETCH (UID 1 BODYSTRUCTURE ("TEXT\n" "PLAIN"))\r\n',
    "a literal shorter than announced": b"* 1 FETCH (UID 1 BODY[] {999999}\r\nshort)\r\nTAG OK\r\n",
    "a literal too large for any mail": b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n",
    "a literal that drips": b"* 1 FETCH (UID 1 BODY[] {65536}\r\n" + DRIP,
    "a line that drips": b"* 1 FETCH (UID 1 BODYSTRUCTURE (" + DRIP,
    "not IMAP": b"<html>502 Bad Gateway</html>\r\n",
}


@pytest.mark.parametrize("said", SICK.values(), ids=SICK)
def test_a_message_that_costs_the_line_lies_in_quarantine_alone(
    said: bytes, ledger: Ledger
) -> None:
    with Server(lambda uid, _: said if uid == 133 else None) as server:
        tally = taken_in(server, ledger)

    assert list(quarantined(ledger)) == [133]
    assert "lost" in quarantined(ledger)[133]
    assert tally.problems == []
    everything = {("INBOX", uid) for uid in range(1, MANY + 1)} - {("INBOX", 133)}
    assert seen(ledger) == everything | {("Sent", 1), ("Sent", 2)}


def test_what_holds_a_folder_up_is_told_while_it_does(ledger: Ledger) -> None:
    told: list[str] = []

    def sick(uid: int, _: str) -> bytes | None:
        if uid != 3:
            return None
        with Ledger.open(ledger.path, readonly=True) as status:
            told.extend(f"{one.name} {one.reason}" for one in status.conditions.problems())
        return b"* 1 FETCH (UID 1 BODY[] {65536}\r\n" + DRIP

    with Server(sick, count=5) as server:
        taken_in(server, ledger)

    assert "sales: INBOX sales: connection lost: no answer in time" in told
    (left,) = ledger.conditions.problems()
    assert (left.part, left.name) == ("quarantine", "sales: INBOX")


def test_several_are_found_in_one_pass_and_the_rest_comes_first(ledger: Ledger) -> None:
    sick = {250, 133, 134, 1}
    with Server(lambda uid, _: HANGUP if uid in sick else None) as server:
        taken_in(server, ledger)
        opened = [one for one in server.commands if one.startswith((b"EXAMINE", b"UID FETCH"))]

    assert set(quarantined(ledger)) == sick
    assert len(seen(ledger)) == MANY - len(sick) + 2
    # Sent was read before the sick ones of INBOX were looked for one by one.
    sent = next(at for at, one in enumerate(opened) if b"Sent" in one)
    alone = next(at for at, one in enumerate(opened) if re.search(rb"FETCH 133 ", one))
    assert sent < alone


def test_a_structure_that_kills_the_server_is_done_without(ledger: Ledger) -> None:
    """Of that message, only its structure is sick: it is read as a whole."""
    with Server(lambda uid, kind: HANGUP if uid == 7 and kind == "facts" else None) as server:
        taken_in(server, ledger)

    assert quarantined(ledger) == {}
    assert ("INBOX", 7) in seen(ledger)


def test_a_pass_that_meets_too_many_keeps_what_it_found_for_the_next(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_MOST_LOSSES", 6)
    sick = set(range(100, 108))
    with Server(lambda uid, _: HANGUP if uid in sick else None, count=200) as server:
        first = taken_in(server, ledger)
        assert first.problems
        assert ("Sent", 1) in seen(ledger)
        for _ in range(12):
            ledger.folders.read_again("sales")
            taken_in(server, ledger)

    assert set(quarantined(ledger)) == sick
    assert len(seen(ledger)) == 200 - len(sick) + 2


def test_a_slow_server_is_asked_for_as_much_as_it_manages(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command for all would take seven times the time after which we leave a silent server."""
    monkeypatch.setattr(fetch, "LONGEST_ANSWER", 0.1)

    class Slow(Server):
        def fetch(self, command: bytes) -> bytes:
            uids = asked(command)[1]
            threading.Event().wait(0.01 * len(uids))
            return super().fetch(command)

    with Slow(lambda *_: None, count=70 * 4) as server:
        account = server.account(read_timeout=0.4)
        tally = taken_in(server, ledger, account)

    assert (tally.problems, quarantined(ledger)) == ([], {})
    assert len(seen(ledger)) == 282
    assert account.ladder.batch is not None
    assert account.ladder.batch <= 10


def test_a_folder_that_is_gone_is_the_only_one_unread(ledger: Ledger) -> None:
    with Server(lambda *_: None, count=3) as server:
        account = server.account(inbox=("Gone", "INBOX"))
        tally = taken_in(server, ledger, account)
        again = taken_in(server, ledger, account)

    assert [problem.message for problem in tally.problems] == ["no folder 'Gone'"]
    assert "there are: INBOX, Sent" in str(tally.problems[0])
    assert len(seen(ledger)) == 5
    assert again.problems == []  # it rests
    rows = {row.name: row.failures for row in ledger.folders.of("sales")}
    assert rows == {"Gone": 1, "INBOX": 0, "Sent": 0}


def test_a_folder_that_cannot_be_opened_costs_no_other(ledger: Ledger) -> None:
    for said in (b"TAG NO [SERVERBUG] corrupt\r\n", b"* BYE crashed\r\n" + HANGUP):
        with Server(lambda *_: None, count=3) as server:
            usual = server.examine

            def examine(
                one: bytes, said: bytes = said, usual: Callable[[bytes], bytes] = usual
            ) -> bytes:
                return said if b"INBOX" in one else usual(one)

            server.answers["EXAMINE"] = examine
            tally = taken_in(server, ledger)
        assert len(tally.problems) == 1
        assert {name for name, _ in seen(ledger)} == {"Sent"}
        ledger.folders.read_again("sales")


def test_what_was_expunged_between_two_questions_is_not_unreadable(ledger: Ledger) -> None:
    with Server(lambda *_: None, count=5) as server:
        usual, search = server.fetch, server.search

        def expunged(command: bytes) -> bytes:
            _, uids = asked(command)
            if server.open == "INBOX":
                server.answers["SEARCH"] = lambda one: (
                    b"* SEARCH 1 2 4 5\r\nTAG OK\r\n" if server.open == "INBOX" else search(one)
                )
            left = ",".join(str(uid) for uid in uids if uid != 3)
            return usual(re.sub(rb"FETCH \S+", b"FETCH " + left.encode(), command))

        server.answers["FETCH"] = expunged
        tally = taken_in(server, ledger)

    assert (tally.problems, tally.quarantined, quarantined(ledger)) == ([], 0, {})
    assert len(seen(ledger)) == 6


def test_a_mailbox_whose_server_is_away_ends_the_pass(ledger: Ledger) -> None:
    with Server(lambda uid, _: HANGUP if uid == 2 else None, count=3) as server:
        server.answers["LOGIN"] = b"TAG OK logged in\r\n"
        account = server.account(read_timeout=0.4)
        with Mailbox.connect(account) as mailbox:
            server.answers["LOGIN"] = b"* BYE maintenance\r\n" + HANGUP
            with pytest.raises(RetryLater, match="maintenance"):
                poll(mailbox, ledger, Pass(READING, "sales", None, lambda: NOW))


def test_a_message_without_arrival_or_size_is_read(ledger: Ledger) -> None:
    def bare(command: bytes) -> bytes:
        return re.sub(rb'INTERNALDATE "[^"]*" |RFC822\.SIZE \d+ ', b"", usual(command))

    with Server(lambda *_: None, count=3) as server:
        usual = server.fetch
        server.answers["FETCH"] = bare
        taken_in(server, ledger)

    assert (len(seen(ledger)), quarantined(ledger)) == (5, {})


@pytest.mark.parametrize("said", [b"TAG NO no such thing\r\n", b"* BYE gone\r\n" + HANGUP])
def test_a_folder_with_a_new_name_that_cannot_be_opened_costs_no_other(
    said: bytes, ledger: Ledger
) -> None:
    with Server(lambda *_: None, count=1) as server:
        taken_in(server, ledger)
        server.answers["LIST"] = LIST.replace(b" Sent", b" Outbox")
        server.answers["EXAMINE"] = lambda c: said if b"Outbox" in c else server.examine(c)
        server.count = 2
        tally = taken_in(server, ledger)

    assert [problem.what for problem in tally.problems]
    assert ("INBOX", 2) in seen(ledger)


@pytest.mark.parametrize(
    "said", [HANGUP, b"TAG NO [SERVERBUG] broken\r\n", b"* BYE broken\r\n" + HANGUP]
)
def test_a_known_message_that_has_gone_bad_keeps_no_new_one_waiting(
    said: bytes, ledger: Ledger
) -> None:
    """It is asked for again in the daily look, with hundreds of others."""
    later = NOW + timedelta(days=1, hours=1)

    def compare(command: bytes) -> bytes:
        if b"BODYSTRUCTURE" in command or b"BODY.PEEK[1]" in command or b"BODY.PEEK[]" in command:
            return server.fetch(command)
        return said if 5 in asked(command)[1] and server.open == "INBOX" else b"TAG OK\r\n"

    with Server(lambda *_: None, count=600) as server:
        assert taken_in(server, ledger).problems == []
        server.answers["FETCH"] = compare
        server.count += 1
        with Mailbox.connect(server.account(read_timeout=0.4)) as mailbox:
            tally = poll(mailbox, ledger, Pass(READING, "sales", None, lambda: later))
        assert (tally.new, tally.problems, quarantined(ledger)) == (1, [], {})
        with Mailbox.connect(server.account(read_timeout=0.4)) as mailbox:
            mailbox.folders()
            gaps = [gap.why for gap in mailbox_gaps(mailbox, ledger, "sales")]
        assert len(gaps) == 1
        assert gaps[0].startswith("not compared as a whole: ")
