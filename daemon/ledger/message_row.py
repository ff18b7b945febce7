"""A message as a row of `messages`, and back: what goes into which column, and into its JSON."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from daemon.ledger.timestamp import instant, instant_or_none, stamp, stamp_or_none
from daemon.message.bounce import Bounced
from daemon.message.candidates import Candidate, Fact
from daemon.message.identity import trace
from daemon.message.invite import Invite
from daemon.message.parse import PARSER, Address, Message, bounded_date
from daemon.message.traces import Traces
from daemon.message.verdict import Judgement, SeenIn


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the ledger has it."""

    id: int
    message: Message
    arrived_at: datetime
    seen_in: SeenIn
    in_sent: bool
    judged: tuple[str | None, str, str]  # direction, verdict and reason
    stale: bool = False  # an earlier version has read it, and we would find more


class Grounds(NamedTuple):
    """All that a message is judged by: the same grounds, the same judgement."""

    seen_in: SeenIn
    facts: str  # JSON, without the fingerprints of its words
    invites: str | None  # JSON
    is_answer: bool

    def message(self) -> Message:
        """A message that says only this."""
        facts = json.loads(self.facts)
        return Message(
            key="",
            message_id=None,
            answers=("",) if self.is_answer else (),
            subject="",
            date=None,
            snippet="",
            thread=None,
            size=0,
            invites=invites_from(self.invites),
            **_said(facts),
        )


# The same as a plain tuple, which takes a tenth of the time to make.
Judgeable = tuple[SeenIn, str, str | None, bool]


class Judged(NamedTuple):
    """A message as it is judged so far."""

    id: int
    stands: tuple[str | None, str, str]  # direction, verdict and reason
    grounds: Grounds


_WORDS = ', "words": ["'  # never first, and in a string its quotation marks would be escaped


def without_words(facts: str) -> str:
    """`messages.facts` without fingerprints of words: long, and nothing is judged by them."""
    start = facts.find(_WORDS)
    return facts if start < 0 else facts[:start] + facts[facts.index('"]', start) + 2 :]


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message to write, with all that the ledger keeps of it."""

    message: Message
    arrived_at: datetime
    seen_in: SeenIn
    in_sent: bool  # as it is judged: `verdict.is_in_sent`
    judgement: Judgement
    other: bool = False  # another copy of what is there, which is to be kept instead


_as_json = json.JSONEncoder(ensure_ascii=False).encode


COLUMNS = (
    *("key", "message_id", "direction", "verdict", "reason", "from_address", "from_name"),
    *("subject", "snippet", "date", "arrived_at", "sent_at", "in_sent", "thread", "size"),
    *("answers", "invites", "facts", "conversation", "original_id", "text_hash", "twin"),
    *("parsed", "seen_in"),
)


def twin(message: Message) -> str | None:
    """What copies of a message have in common: who wrote what when."""
    if message.from_ is None:
        return None
    return trace(message.from_.key, message.subject, message.text_hash) + dated(message.date)


def dated(date: datetime | None) -> str:
    """How a `twin` ends, by the date of the message."""
    return stamp_or_none(date) or ""


def to_row(entry: MessageRow) -> dict[str, object]:
    """The columns of a message, by name."""
    message, judgement = entry.message, entry.judgement
    facts: dict[str, Any] = {"from": _pair(message.from_)}
    if message.to:
        facts["to"] = [_pair(address) for address in message.to]
    if message.recipients_count != len(message.to):
        facts["recipients_count"] = message.recipients_count
    if message.candidates:
        facts["candidates"] = [
            (one.way, *_pair_of(one.address), stamp_or_none(one.date)) for one in message.candidates
        ]
    if message.facts:
        facts["said"] = [(one.kind, one.value, one.way) for one in message.facts]
    if message.traces.said or message.traces.quoted:
        facts["words"] = (message.traces.said, message.traces.quoted)
    if message.signals:
        facts["marks"] = message.signals  # the name of the first release
    if message.bounced:
        facts["bounced"] = message.bounced
    if message.opaque:
        facts["opaque"] = True
    arrived_at, date = stamp(entry.arrived_at), stamp_or_none(message.date)
    is_true = message.date == bounded_date(message.date, entry.arrived_at)
    values = (
        message.key,
        message.message_id,
        judgement.direction,
        *judgement.verdict,
        message.from_.key if message.from_ else None,
        message.from_.name if message.from_ else None,
        message.subject,
        message.snippet,
        date,
        arrived_at,
        date if is_true else arrived_at,
        entry.in_sent,
        message.thread,
        message.size,
        " ".join(message.answers),
        json.dumps([_invite_json(i) for i in message.invites]) if message.invites else None,
        _as_json(facts),
        message.traces.conversation,
        message.traces.original_id,
        message.text_hash,
        twin(message),
        PARSER,
        entry.seen_in,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _pair(address: Address | None) -> tuple[str, str] | None:
    return _pair_of(address) if address else None


def _pair_of(address: Address) -> tuple[str, str]:
    return address.name, address.address


def _candidates(facts: dict[str, Any]) -> tuple[Candidate, ...]:
    """Who else may have written it; up to 1.0 that was one address, of whatever field."""
    if "group" in facts:
        return (Candidate("group", Address(*facts["group"])),)
    return tuple(
        Candidate(way, Address(name, address), instant_or_none(date))
        for way, name, address, date in facts.get("candidates", ())
    )


def _said(facts: dict[str, Any]) -> dict[str, Any]:
    """What the JSON of `messages.facts` says, but for words, as arguments of a Message."""
    to = tuple(Address(*pair) for pair in facts.get("to", ()))
    return {
        "from_": Address(*facts["from"]) if facts["from"] else None,
        "to": to,
        "recipients_count": facts.get("recipients_count", len(to)),
        "candidates": _candidates(facts),
        "facts": tuple(Fact(*one) for one in facts.get("said", ())),
        "signals": tuple(facts.get("marks", ())),
        "bounced": tuple(Bounced(*one) for one in facts.get("bounced", ())),
        "opaque": facts.get("opaque", False),
    }


def stored(row: sqlite3.Row) -> StoredMessage:
    """The message that a row of `messages` holds."""
    facts = json.loads(row["facts"])
    message = Message(
        key=row["key"],
        message_id=row["message_id"],
        answers=tuple(row["answers"].split()),
        subject=row["subject"],
        date=instant_or_none(row["date"]),
        snippet=row["snippet"],
        invites=invites_from(row["invites"]),
        thread=row["thread"],
        size=row["size"],
        traces=Traces(row["conversation"], row["original_id"], *facts.get("words", ())),
        text_hash=row["text_hash"],
        **_said(facts),
    )
    judged = (row["direction"], row["verdict"], row["reason"])
    arrived_at = instant(row["arrived_at"])
    stale = row["parsed"] is not None and row["parsed"] < PARSER
    seen_in, in_sent = row["seen_in"], bool(row["in_sent"])
    return StoredMessage(row["id"], message, arrived_at, seen_in, in_sent, judged, stale)


def _invite_json(invite: Invite) -> dict[str, Any]:
    return {
        "method": invite.method,
        "uid": invite.uid,
        "sequence": invite.sequence,
        "dtstamp": stamp_or_none(invite.dtstamp),
        "organizer": invite.organizer,
        "attendees": invite.attendees,
        "starts_at": stamp_or_none(invite.starts_at),
        "ends_at": stamp_or_none(invite.ends_at),
        "summary": invite.summary,
        "recurrence_id": invite.recurrence_id,
        **({"all_day": True} if invite.all_day else {}),
    }


def invites_from(text: str | None) -> tuple[Invite, ...]:
    """The iTIP parts that a message's `invites` column holds."""
    if text is None:
        return ()
    return tuple(
        Invite(
            method=item["method"],
            uid=item["uid"],
            sequence=item["sequence"],
            dtstamp=instant_or_none(item["dtstamp"]),
            organizer=item["organizer"],
            attendees=tuple((address, status) for address, status in item["attendees"]),
            starts_at=instant_or_none(item["starts_at"]),
            ends_at=instant_or_none(item["ends_at"]),
            summary=item["summary"],
            recurrence_id=item["recurrence_id"],
            all_day=item.get("all_day", False),
        )
        for item in json.loads(text)
    )
