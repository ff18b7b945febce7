"""From the bytes of one mail to a Message: what it says, no matter where it was seen.

Hostile input gives a Message or `Unreadable`, in bounded time and memory; nothing else ever. It
doesn't decide what a mail may do (that is `verdict`), and keeps no body but the snippet.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from daemon.errors import Unreadable
from daemon.message import body, mime
from daemon.message.address import Address
from daemon.message.booking import booked, is_about_one
from daemon.message.bounce import NO_BOUNCE, Bounced, bounce
from daemon.message.candidates import Candidate, Fact
from daemon.message.charset import ESCAPED, codec, decode
from daemon.message.fields import (
    BLOCK_LIMIT,
    Fields,
    Pairs,
    body_start,
    first,
    has_any,
    in_order,
)
from daemon.message.finding import Found, Parts, find
from daemon.message.header import Header, lenient_date, read
from daemon.message.header_signals import answers, header_signals
from daemon.message.invite import CalendarPart, Invite, common_name
from daemon.message.letter import is_casual, is_signed
from daemon.message.own_server import server_signals
from daemon.message.quote import Words
from daemon.message.subject import base_subject
from daemon.message.text import one_line
from daemon.message.text_signals import (
    before_quote,
    end_of,
    speaks_of,
    subject_signals,
    text_signals,
)
from daemon.message.traces import HASHED, NO_TRACES, Traces, text_hash, traces

__all__ = ["Address", "Message", "bounded_date", "parse"]

# Grows when `parse` finds more: what an older version has read is read again. The ledger's index of
# such messages has it, so a migration comes with it.
PARSER = 1

LINE_LIMIT = 998  # characters of a Message-ID, RFC 5322 section 2.1.1
RECIPIENT_LIMIT = 1_000
ANSWERS_LIMIT = 32
_REFERENCES_LIMIT = 32_768  # characters of References that are read, from the end
_TEXT_LIMIT = 65_536  # bytes of a plain text part
_HTML_LIMIT = 262_144  # bytes of an HTML part: styles come first
_CALENDAR_LIMIT = 1 << 20  # bytes of a calendar part, encoded
_CALENDARS = 4  # parts of one message

_CALENDAR_KINDS = frozenset({"text/calendar", "application/ics"})
_CALENDAR_NAME = ".ics"  # of a part that some programs send as application/octet-stream
_OPAQUE_KINDS = frozenset(
    {"multipart/encrypted", "application/pgp-encrypted"}
    | {"application/pkcs7-mime", "application/x-pkcs7-mime"}
)

# Where Microsoft, Gmail and Brevo keep a Message-ID that they replace on the way out.
_ORIGINAL_IDS = (
    "x-microsoft-original-message-id",
    "x-google-original-message-id",
    "origin-messageid",
)
_STAMP = 200  # characters at the end of a Received that hold its date
# What a header can say so clearly that no word of the text is looked at.
_DECIDED = frozenset({"report", "bounce", "auto-reply", "empty-return-path", "challenge"})

_MESSAGE_ID = re.compile(r"<([^<>]{1,4096})>")
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


class Message(NamedTuple):
    """What one mail says, no matter where it was seen."""

    key: str  # message key: 32 hexadecimal digits
    message_id: str | None
    answers: tuple[str, ...]  # Message-IDs of In-Reply-To, then of References from the last
    from_: Address | None
    to: tuple[Address, ...]  # To, Cc and Bcc, each key once
    subject: str
    date: datetime | None  # the Date header
    snippet: str
    signals: tuple[str, ...]
    invites: tuple[Invite, ...]
    opaque: bool  # S/MIME or PGP hides the text
    thread: str | None  # the server's thread id
    size: int  # RFC822.SIZE
    recipients_count: int
    traces: Traces = NO_TRACES  # what beside Message-IDs ties it to others
    candidates: tuple[Candidate, ...] = ()  # who else than From may have written it
    facts: tuple[Fact, ...] = ()  # what it says about its author
    relayed_at: datetime | None = None  # when the last relay took it, by its Received
    bounced: tuple[Bounced, ...] = ()  # recipients to whom delivery failed permanently
    text_hash: str = ""  # of the letters and digits it begins with, "" for none; see `traces`


def parse(raw: bytes, *, size: int, thread: str | None = None, snippet_chars: int = 500) -> Message:
    """Read one mail (RFC 5322); raises `Unreadable` for what isn't one."""
    try:
        return _message(raw, size, thread, snippet_chars)
    except (Unreadable, ImportError):  # a package that is missing isn't the mail's fault
        raise
    except Exception as error:
        # The stated boundary: whatever a parser makes of hostile bytes concerns this mail only.
        raise Unreadable(
            f"{type(error).__name__} while parsing: {one_line(str(error), 200)}"
        ) from error


def bounded_date(date: datetime | None, arrived_at: datetime) -> datetime:
    """The Date header where it can be true: from 1990 to a day after arrival; else arrival."""
    if date is None or date < _OLDEST or date - arrived_at > timedelta(days=1):
        return arrived_at
    return date


def _message(raw: bytes, size: int, thread: str | None, snippet_chars: int) -> Message:
    start = body_start(raw, 0, len(raw))
    block = raw[: min(start, BLOCK_LIMIT)]
    pairs, fields = in_order(block)
    if not fields and not has_any(block):
        raise Unreadable("no header field" if raw.strip() else "empty")
    kind, leaves = mime.leaves(raw, fields, start)
    reading = read(fields)
    author = reading.author
    to: dict[str, Address] = {}
    for recipient in reading.recipients:
        to.setdefault(recipient.key, recipient)
    message_id = _own_id(first(fields, "message-id"))
    kinds = frozenset((kind, *(leaf.kind for leaf in leaves)))
    plain, html = _texts(leaves)
    opaque = _is_opaque(raw, kinds, plain)
    parts = Parts(raw, leaves, plain, html)
    found = find(fields, reading, parts) if not opaque else Found()
    limit = 0 if opaque else snippet_chars
    # As many as it takes to tell mails apart, also where the ledger keeps fewer or none.
    words = Words("", "") if opaque else _words(parts, max(limit, HASHED))
    signals = _header_says(pairs, fields, reading, kinds) | found.signals
    if not opaque and signals.isdisjoint(_DECIDED):
        signals |= _text_says(parts, words.own, found.words)
        if author and speaks_of(words.own, author.name):
            signals.add("speaks-of-author")
        if author and is_signed(_letter(parts, words.own), author.name, author.domain):
            signals.add("signed")
        if is_casual(reading.subject, words.own):
            signals.add("casual")
    returned = NO_BOUNCE
    if "bounce" in signals:
        returned = bounce(raw, fields, leaves, words.own)
    hashed = _snippet(words, found.words, reading.subject, HASHED)
    calendars = _calendars(raw, leaves)
    return Message(
        key=_key(fields, message_id, author, reading.subject, size),
        message_id=message_id,
        answers=_answers(fields, returned.message_id),
        bounced=returned.recipients,
        from_=_named(author, calendars),
        candidates=tuple(found.candidates),
        facts=tuple(found.facts),
        to=tuple(to.values())[:RECIPIENT_LIMIT],
        subject=reading.subject,
        date=reading.date,
        snippet=hashed if limit == HASHED else _snippet(words, found.words, reading.subject, limit),
        signals=tuple(sorted(signals)),
        invites=_invites(calendars) or _booked(reading, found, words),
        opaque=opaque,
        thread=thread,
        size=size,
        recipients_count=len(to) + reading.unread,
        traces=traces(fields, _original_id(fields), words if limit else Words("", "")),
        text_hash=text_hash(hashed),
        relayed_at=_relayed_at(fields),
    )


def _invites(calendars: list[CalendarPart]) -> tuple[Invite, ...]:
    if not calendars:
        return ()
    from daemon.message.itip import invites  # noqa: PLC0415 - icalendar is 10 MB

    return invites(calendars)


def _relayed_at(fields: Fields) -> datetime | None:
    """The stamp of the last relay on the way, RFC 5321 section 4.4."""
    return lenient_date(first(fields, "received", None)[-_STAMP:].rpartition(";")[2].strip())


def _own_id(value: str) -> str | None:
    """A Message-ID without its angle brackets and white space, None if there is none."""
    match = _MESSAGE_ID.search(value)
    return _bare_id(match[1] if match else value.strip("<>"))


def _bare_id(value: str) -> str | None:
    if len(value) <= LINE_LIMIT and value.isascii() and value.isprintable() and " " not in value:
        return value or None
    return "".join(one_line(value, 2 * LINE_LIMIT).split())[:LINE_LIMIT] or None


def _original_id(fields: Fields) -> str | None:
    """The Message-ID that the mail had before its relay gave it another."""
    return next((_own_id(value) for name in _ORIGINAL_IDS if (value := first(fields, name))), None)


def _answers(fields: Fields, returned: str) -> tuple[str, ...]:
    """The Message-IDs this mail answers: what it returns, In-Reply-To, References from the last."""
    ids: list[str] = [returned]
    for value in fields.get("in-reply-to", ()):
        named = _MESSAGE_ID.findall(value[:_REFERENCES_LIMIT])
        # Web pages of mailing lists leave out the angle brackets.
        ids.extend(named or [one for one in value[:LINE_LIMIT].split() if "@" in one[1:-1]][:1])
    references = " ".join(fields.get("references", ()))[-_REFERENCES_LIMIT:]
    ids.extend(reversed(_MESSAGE_ID.findall(references)))
    bare = dict.fromkeys(found for value in ids if (found := _bare_id(value)))
    return tuple(bare)[:ANSWERS_LIMIT]


def _key(
    fields: Fields, message_id: str | None, author: Address | None, subject: str, size: int
) -> str:
    """The message key: the same for the same mail, however its header was folded."""
    date = " ".join(first(fields, "date", LINE_LIMIT).split())
    who = author.key if author else ""
    identity = (message_id, who, date, subject) if message_id else (who, date, subject, str(size))
    text = "\0".join(("id" if message_id else "no-id", *identity))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _texts(leaves: tuple[mime.MimePart, ...]) -> tuple[mime.MimePart | None, mime.MimePart | None]:
    """The first plain and the first HTML part that are the mail's text and no attachment."""
    plain = html = None
    for leaf in leaves:
        if leaf.kind == "text/plain" and plain is None and not leaf.attached:
            plain = leaf
        elif leaf.kind == "text/html" and html is None and not leaf.attached:
            html = leaf
    return plain, html


def _words(parts: Parts, limit: int) -> Words:
    """The sender's words and the quoted ones: of the plain text, else of the HTML."""
    found = body.words(parts.text(parts.plain, _TEXT_LIMIT), None, limit)
    if parts.html and not found.own:
        read = body.words(None, parts.text(parts.html, _HTML_LIMIT), limit)
        if read.own or not found.quoted:
            found = read
    return found


def _snippet(words: Words, handed: str, subject: str, limit: int) -> str:
    """The author's own words; of a mail that only hands on another (`handed`), that one's."""
    if limit <= 0:
        return ""
    if handed and (text := body.snippet(handed, None, limit)):
        return text
    text = words.own
    if not text and base_subject(subject).is_forward:
        text = words.quoted
    return body.shortened(text, limit)


def _header_says(pairs: Pairs, fields: Fields, reading: Header, kinds: frozenset[str]) -> set[str]:
    """The signals of the header and the subject."""
    signals = set(header_signals(fields, reading.author, reading.subject, kinds))
    signals.update(server_signals(pairs, fields, reading.author))
    if signals.isdisjoint(_DECIDED):
        signals.update(subject_signals(reading.subject, answers=answers(fields)))
    else:
        signals.discard("no-client")
    return signals


def _text_says(parts: Parts, own: str, handed: str) -> set[str]:
    """The signals of the author's words, and of the end of the text where they don't reach it."""
    if handed:
        return set(text_signals(body.words(handed, None, HASHED).own, ""))
    text = parts.text(parts.plain, _TEXT_LIMIT)
    markup = "" if text.strip() else parts.text(parts.html, _HTML_LIMIT)
    return set(text_signals(own, end_of(text, markup, own)))


def _letter(parts: Parts, own: str) -> str:
    """A text up to what it quotes, with its line ends; the author's words where there is none."""
    return before_quote(parts.text(parts.plain, _TEXT_LIMIT)) or own


def _calendars(raw: bytes, leaves: tuple[mime.MimePart, ...]) -> list[CalendarPart]:
    parts = [leaf for leaf in leaves if _is_calendar(leaf)][:_CALENDARS]
    return [_calendar(raw, part) for part in parts]


def _named(author: Address | None, calendars: list[CalendarPart]) -> Address | None:
    """The author by the name that a calendar of the mail has for it, where From has none."""
    if author is None or author.name or not calendars:
        return author
    return Address(common_name(calendars, author.address), author.address)


def _booked(header: Header, found: Found, words: Words) -> tuple[Invite, ...]:
    """The appointment of which a booking page tells, where somebody else's mail is handed on."""
    lines = words.own.split("\n")
    if not found.candidates or not is_about_one(header.subject, lines):
        return ()
    people = {one.address.key for one in found.candidates}
    invite = booked(header.subject, lines, people)
    return (invite,) if invite else ()


def _is_calendar(part: mime.MimePart) -> bool:
    return part.kind in _CALENDAR_KINDS or (
        part.kind.startswith("application/") and part.name.lower().endswith(_CALENDAR_NAME)
    )


def _calendar(raw: bytes, part: mime.MimePart) -> CalendarPart:
    octets = mime.content(raw, part, _CALENDAR_LIMIT)
    name = codec(part.parameters.get("charset", "")) or "utf-8"
    if name != "utf-8" and not (octets.isascii() and name not in ESCAPED):
        octets = decode(octets, name).encode("utf-8", "replace")
    # Only the standard's own type has a method parameter (RFC 5545 section 8.1).
    named = part.parameters.get("method", "") if part.kind == "text/calendar" else ""
    return CalendarPart(octets, named)


def _is_opaque(raw: bytes, kinds: frozenset[str], plain: mime.MimePart | None) -> bool:
    if not kinds.isdisjoint(_OPAQUE_KINDS):
        return True
    return plain is not None and _armored(raw, plain)


def _armored(raw: bytes, plain: mime.MimePart) -> bool:
    """Whether the text itself is PGP-encrypted (RFC 9580 section 6.2)."""
    end = min(plain.end, plain.start + 1_000)
    return raw.find(b"-----BEGIN PGP MESSAGE-----", plain.start, end) >= 0
