"""What the ledger keeps of a message has a version, and a change of it raises that."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from labelled_mail import raw_of

from daemon.errors import Unreadable
from daemon.ledger.message_row import MessageRow, to_row
from daemon.message.parse import PARSER, parse
from daemon.message.us import Us
from daemon.message.verdict import judge

HERE = Path(__file__).parent
ARRIVED = datetime(2026, 1, 1, tzinfo=UTC)
US = Us(domains=frozenset({"us.example"}))

HEAD = "Date: Mon, 12 Oct 2026 10:00:00 +0200\nMessage-ID: <1@x.example>\nSubject: Pumps\n"
MADE = (
    # To more people than are kept
    f"From: Ada <ada@x.example>\nTo: {', '.join(f'p{n}@us.example' for n in range(1_001))}\n{HEAD}\n",
    # A colleague's forward, with a signature
    (
        f"From: Bob <bob@us.example>\nTo: sales@us.example\n{HEAD}\n---------- Forwarded message ---------\n"
        "From: Ada Lovelace <ada@x.example>\nDate: Mon, 12 Oct 2026 at 09:00\nSubject: Pumps\n"
        "To: <bob@us.example>\n\nHello\n\nAda Lovelace\nHead of Sales\nX Ltd\nPhone: +44 20 7946 0018\n"
    ),
    # An all-day appointment
    (
        f"From: Ada <ada@x.example>\nTo: bob@us.example\n{HEAD}"
        "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\n"
        "UID:1\nDTSTART;VALUE=DATE:20261012\nORGANIZER:mailto:ada@x.example\n"
        "END:VEVENT\nEND:VCALENDAR\n"
    ),
    # A mail that couldn't be delivered
    (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nTo: bob@us.example\n{HEAD}"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nFailed\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\n"
        "Final-Recipient: rfc822; ada@x.example\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
    ),
)

# By version of the parser: the fields of `messages.facts` and `messages.invites` with their types.
SHAPES = {
    1: {
        "candidates of": ["form", "forward", "group", "reply-to", "text"],
        "facts.bounced": ["[[str]]"],
        "facts.candidates": ["[[null, str]]"],
        "facts.from": ["[str]", "null"],
        "facts.marks": ["[str]"],
        "facts.opaque": ["bool"],
        "facts.recipients_count": ["int"],
        "facts.said": ["[[str]]"],
        "facts.to": ["[[str]]"],
        "facts.words": ["[str]"],
        "invites.all_day": ["bool"],
        "invites.attendees": ["[[str]]", "[]"],
        "invites.dtstamp": ["null", "str"],
        "invites.ends_at": ["str"],
        "invites.method": ["str"],
        "invites.organizer": ["null", "str"],
        "invites.recurrence_id": ["null", "str"],
        "invites.sequence": ["int"],
        "invites.starts_at": ["null", "str"],
        "invites.summary": ["str"],
        "invites.uid": ["str"],
        "said of": ["company", "name", "phone", "title"],
    },
}


def mails() -> Iterator[bytes]:
    """A fixed set of mails that has every kind of what is kept."""
    yield from (path.read_bytes() for path in sorted((HERE / "messages").glob("*.eml")))
    for name in ("machines", "people"):
        cases = yaml.safe_load((HERE / "labelled" / f"{name}.yaml").read_text("utf-8"))["cases"]
        yield from (raw_of(mail) for case in cases for mail in case["mails"])
    yield from (one.replace("\n", "\r\n").encode() for one in MADE)


def kind(value: Any) -> str:
    """The type of a JSON value; of a list those of its items."""
    if isinstance(value, list):
        items = sorted({kind(one) for one in value})
        return f"[{', '.join(items)}]"
    return "null" if value is None else type(value).__name__


def shape() -> dict[str, list[str]]:
    """What stands in the facts and invitations of these mails, in all of them together."""
    found: dict[str, set[str]] = {}
    for raw in mails():
        try:
            message = parse(raw, size=len(raw))
        except Unreadable:
            continue
        judgement = judge(message, in_sent=False, us=US)
        row = to_row(MessageRow(message, ARRIVED, "inbox", in_sent=False, judgement=judgement))
        entries = [("facts", json.loads(str(row["facts"])))]
        entries += [("invites", one) for one in json.loads(str(row["invites"] or "[]"))]
        for column, fields in entries:
            for name, value in fields.items():
                found.setdefault(f"{column}.{name}", set()).add(kind(value))
                if name in {"candidates", "said"}:  # which begin with what they are
                    found.setdefault(f"{name} of", set()).update(one[0] for one in value)
    return {name: sorted(some) for name, some in sorted(found.items())}


def test_a_change_of_what_is_kept_raises_the_parsers_version() -> None:
    assert shape() == SHAPES[PARSER], (
        "what the ledger keeps of a mail has changed: raise PARSER in daemon/message/parse.py, so"
        " that older messages are read again, and add its shape here"
    )
    assert max(SHAPES) == PARSER
