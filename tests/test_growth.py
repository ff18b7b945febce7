"""A long history with one message more: the same as computed from all of it, in any order."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.intake.rebuilding import rebuild
from daemon.intake.scoring import IncomingMessage, add
from daemon.intake.states import ScoringSettings, state_of
from daemon.ledger.store import Ledger
from daemon.message.parse import parse
from daemon.message.verdict import Us
from daemon.rules import sender as sender_rules
from daemon.rules.classify import Rules
from daemon.rules.organization import public_providers

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
READING = ScoringSettings(
    us=Us(domains=frozenset({"us.example"}), authserv_ids=frozenset({"mx.us.example"})),
    rules=Rules(),
    public=public_providers(),
)
WE = "Mia Wolf <mia@us.example>"
WORDS = "We would ship the seventeen pallets from Trondheim before the holidays begin in December"
KINDS = ("plain", "plain", "plain", "bulk", "calendar", "quoting", "subject")
ADDRESSES = ("bo@acme.example", "info@acme.example", "news@acme.example")

INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VEVENT
UID:u{}
ORGANIZER:mailto:{}
DTSTART:20260310T090000Z
ATTENDEE:mailto:mia@us.example
END:VEVENT
END:VCALENDAR"""


@dataclass(frozen=True)
class Letter:
    """One mail between us and the sender whose history grows."""

    number: int
    ours: bool
    hour: int
    answers: tuple[int, ...]
    kind: str  # see KINDS
    thread: str | None

    def raw(self, address: str) -> bytes:
        them = f"Bo Bang <{address}>" if self.number % 3 else address
        # Some of ours go to others: to a colleague of theirs, or to somebody else.
        others = {"quoting": "Al Berg <al@acme.example>", "subject": "Cy Dahl <cy@else.example>"}
        sender, to = (WE, others.get(self.kind, them)) if self.ours else (them, WE)
        head = [
            f"From: {sender}",
            f"To: {to}",
            f"Subject: {'Re: pallets' if self.kind == 'subject' else 'pallets'}",
            f"Date: {START + timedelta(hours=self.hour):%a, %d %b %Y %H:%M:%S} +0000",
            f"Message-ID: <m{self.number}@mail.example>",
        ]
        if self.answers:
            head.append("References: " + " ".join(f"<m{n}@mail.example>" for n in self.answers))
        if self.kind == "bulk":
            head += ["Precedence: bulk", "List-Unsubscribe: <mailto:x@y.example>"]
        if self.kind == "subject":
            head.insert(0, "Authentication-Results: mx.us.example; dmarc=pass")
            head.insert(0, "Received: from a.example by mx.us.example; 2 Mar 2026 09:00:00 +0000")
        text = f"{WORDS}\r\n\r\nBo Bang\r\nPhone: +49 30 12345{self.number:03}"
        if self.kind == "quoting":
            text = f"Yes, please.\r\n\r\n> {WORDS}"
        if self.kind == "calendar":
            head.append("Content-Type: text/calendar; method=REQUEST")
            text = INVITATION.format(self.number % 4, address).replace("\n", "\r\n")
        return ("\r\n".join(head) + f"\r\n\r\n{text}\r\n").encode()


@st.composite
def histories(draw: st.DrawFn) -> list[Letter]:
    count = draw(st.integers(2, 12))
    letters = [
        Letter(
            number=number,
            ours=draw(st.integers(0, 3)) == 0,
            # Mostly in order, some dated back.
            hour=max(0, 10 * number - draw(st.sampled_from([0, 0, 0, 5, 15, 200]))),
            answers=tuple(draw(st.lists(st.integers(0, count), max_size=2, unique=True))),
            kind=draw(st.sampled_from(KINDS)),
            thread=draw(st.sampled_from([None, None, "t1", "t2"])),
        )
        for number in range(count)
    ]
    return letters if draw(st.booleans()) else draw(st.permutations(letters))


def read(ledger: Ledger, address: str, letters: list[Letter]) -> None:
    with ledger.transaction("test"):
        ledger.folders.ensure("sales", [("INBOX", "inbox"), ("Sent", "sent")], None)
    folders = {folder.role: folder.id for folder in ledger.folders.of("sales")}
    for one in letters:
        raw = one.raw(address)
        message = parse(raw, size=len(raw), thread=one.thread)
        role = "sent" if one.ours else "inbox"
        seen = [IncomingMessage(one.number + 1, START + timedelta(days=40), message)]
        with ledger.transaction("test"):
            add(ledger, READING, folders[role], role, 1, seen)


def told(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """All that the ledger says of senders, but how often it was written."""
    columns = {
        "senders": "address, name, domain, organization, msg_count, sent_count, replies, meetings,"
        " thread_count, first_contact, last_contact, avg_response_hours, class, reason, mailbox,"
        " carried, digest",
        "correspondence": "*",
        "meetings": "*",
        "sender_facts": "*",
    }
    return {
        table: [tuple(row) for row in ledger.rows(f"SELECT {some} FROM {table} ORDER BY 1, 2")]
        for table, some in columns.items()
    }


def anew(ledger: Ledger) -> None:
    with ledger.transaction("test"):
        ledger.states.distrust()
    rebuild(ledger, READING)


@settings(max_examples=100, deadline=None)
@given(letters=histories(), address=st.sampled_from(ADDRESSES))
def test_a_history_that_grew_is_the_one_computed_anew(letters: list[Letter], address: str) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory() as home,
        Ledger.open(Path(home) / "ledger.db") as ledger,
    ):
        patch.setattr(sender_rules, "LONG", 2)
        read(ledger, address, letters)
        grew = told(ledger)
        anew(ledger)
        assert grew == told(ledger)
        state = state_of(ledger, READING, [address])
        assert ledger.histories.unanswered(address) == (state.unanswered if state else ())


def letter(number: int, **more: Any) -> Letter:
    usual = {"ours": False, "hour": 10 * number, "answers": (), "kind": "plain", "thread": None}
    return Letter(number, **{**usual, **more})


TALK = [letter(1), letter(2, ours=True, answers=(1,)), letter(3, answers=(2, 1))]


@pytest.mark.parametrize(
    ("last", "replies", "threads"),
    [
        (letter(4), 2, 2),
        (letter(4, answers=(3,)), 2, 1),
        (letter(4, answers=(2, 1)), 3, 1),
        (letter(4, kind="bulk"), 2, 1),
        (letter(4, ours=True), 2, 2),
        (letter(4, ours=True, answers=(3,)), 3, 1),
        (letter(4, ours=True, answers=(1, 2, 3)), 3, 1),
        (letter(4, ours=True, answers=(1,)), 3, 1),
    ],
    ids=[
        "a mail",
        "their own mail taken up",
        "an answer",
        "a circular",
        "a mail of ours",
        "our answer",
        "our answer that names all",
        "our second answer",
    ],
)
def test_one_message_more_does_not_read_the_others(
    last: Letter, replies: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_rules, "LONG", 3)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        read(ledger, ADDRESSES[0], TALK)
        with closing(sqlite3.connect(ledger.path)) as db, db:  # whoever reads the first one is told
            db.execute("UPDATE messages SET verdict = 'ignored' WHERE id = 1")
        read(ledger, ADDRESSES[0], [last])
        row = ledger.rows("SELECT * FROM senders")[0]
        assert (row["replies"], row["thread_count"]) == (replies, threads)
        assert row["msg_count"] == (3 if last.kind == "plain" and not last.ours else 2)


def test_an_answer_of_somebody_we_never_wrote_to_does_not_read_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_rules, "LONG", 2)
    to_a_colleague = letter(2, ours=True, kind="quoting", answers=(1,))
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        read(ledger, ADDRESSES[0], [letter(1), to_a_colleague, letter(3, answers=(2, 1))])
        with closing(sqlite3.connect(ledger.path)) as db, db:  # whoever reads the first one is told
            db.execute("UPDATE messages SET verdict = 'ignored' WHERE id = 1")
        read(ledger, ADDRESSES[0], [letter(4, answers=(2,))])
        (row,) = ledger.rows("SELECT * FROM senders WHERE address = ?", ADDRESSES[0])
        assert (row["msg_count"], row["replies"], row["sent_count"]) == (3, 2, 0)
