"""Proofs that rest on mails to others, in a real ledger and in whatever order it read them."""

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.intake.rebuilding import rebuild
from daemon.intake.scoring import IncomingMessage, add
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.message.parse import parse
from daemon.message.verdict import Us
from daemon.rules.classify import Rules
from daemon.rules.organization import public_providers

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
READING = ScoringSettings(
    us=Us(domains=frozenset({"us.example"})), rules=Rules(), public=public_providers()
)
ROOT = bytes(range(22))
OUTLOOK = base64.b64encode(ROOT).decode()
OUTLOOK_ANSWER = base64.b64encode(ROOT + b"12345").decode()


def mail(number: int, sender: str, to: str, *fields: str, calendar: str = "") -> bytes:
    kind = 'text/calendar; method=X; charset="utf-8"' if calendar else "text/plain"
    head = [
        f"From: {sender}",
        f"To: {to}",
        f"Subject: Mail {number}",
        f"Date: {START + timedelta(hours=number):%a, %d %b %Y %H:%M:%S} +0000",
        f"Message-ID: <m{number}@mail.example>",
        *fields,
        f"Content-Type: {kind}",
    ]
    return ("\r\n".join(head) + f"\r\n\r\n{calendar or 'Hello'}\r\n").encode()


def calendar(method: str, *lines: str) -> str:
    event = ["BEGIN:VEVENT", "UID:u1", "DTSTART:20260310T090000Z", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", f"METHOD:{method}", *event, "END:VCALENDAR"])


WE = "mia@us.example"
SENT, RECEIVED = "sent", "inbox"
MAILS = [
    (SENT, mail(1, WE, "boss@acme.example", calendar=calendar("REQUEST", f"ORGANIZER:mailto:{WE}", "ATTENDEE:mailto:boss@acme.example"))),
    (RECEIVED, mail(2, "bob@acme.example", WE, calendar=calendar("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@acme.example"))),
    (RECEIVED, mail(3, "carol@acme.example", WE, "In-Reply-To: <m1@mail.example>")),
    (SENT, mail(4, WE, "boss@firm.example", f"Thread-Index: {OUTLOOK}")),
    (RECEIVED, mail(5, "ed@firm.example", WE, f"Thread-Index: {OUTLOOK_ANSWER}")),
    (RECEIVED, mail(6, "ann@shop.example", WE, "Cc: zoe@gmail.com")),
    (SENT, mail(7, WE, "ann@shop.example", "In-Reply-To: <m6@mail.example>", "X-Microsoft-Original-Message-ID: <first@us.example>")),
    (RECEIVED, mail(8, "zoe@gmail.com", WE, "In-Reply-To: <first@us.example>")),
    (RECEIVED, mail(9, "fox@stranger.example", WE, "In-Reply-To: <m7@mail.example>")),
    (RECEIVED, mail(10, "fox@stranger.example", WE, calendar=calendar("REPLY", f"ORGANIZER:mailto:{WE}", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:fox@stranger.example"))),
]  # fmt: skip
EXPECTED = {
    "bob@acme.example": (0, 1),
    "carol@acme.example": (1, 0),
    "ed@firm.example": (1, 0),
    "ann@shop.example": (1, 0),
    "zoe@gmail.com": (1, 0),
    "fox@stranger.example": (0, 0),
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger


def read(ledger: Ledger, mails: list[tuple[str, bytes]]) -> dict[str, tuple[int, int]]:
    with ledger.transaction("test"):
        ledger.folders.ensure("sales", [("INBOX", RECEIVED), ("Sent", SENT)], None)
    folders = {folder.role: folder.id for folder in ledger.folders.of("sales")}
    for uid, (role, raw) in enumerate(mails, 1):
        seen = [IncomingMessage(uid, START + timedelta(days=9), parse(raw, size=len(raw)))]
        with ledger.transaction("test"):
            add(ledger, READING, folders[role], role, 1, seen)
    return states(ledger)


def states(ledger: Ledger) -> dict[str, tuple[int, int]]:
    rows = ledger.rows("SELECT address, replies, meetings FROM senders")
    found = {row["address"]: (row["replies"], row["meetings"]) for row in rows}
    return {address: found[address] for address in EXPECTED}


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_reading_changes_no_proof(ledger: Ledger, seed: int) -> None:
    mails = list(MAILS)
    random.Random(seed).shuffle(mails)
    assert read(ledger, mails) == EXPECTED


def test_a_rebuild_finds_the_same(ledger: Ledger) -> None:
    read(ledger, MAILS)
    assert rebuild(ledger, READING) == 0
    assert states(ledger) == EXPECTED
