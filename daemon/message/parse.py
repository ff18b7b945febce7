"""From the bytes of one mail to a Message: what it says, no matter where it was seen.

mail-parser reads what is hard to read in a header (addresses, encoded words, dates). It is given a
small message of just those fields, because it parses every header of what it gets, and it is asked
nothing of bodies (`mime` finds the text of a cut-off mail, mail-parser can't). Hostile input gives
a Message or `Unreadable`, in bounded time and memory; nothing else ever.
"""

import email.utils
import hashlib
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import mailparser

from daemon.errors import Unreadable
from daemon.message import body, mime
from daemon.message.address import Address, mailbox
from daemon.message.fields import Fields, body_start, first, has_any, joined, scan
from daemon.message.invite import Invite, invites
from daemon.message.marks import marks
from daemon.message.text import one_line

__all__ = ["Address", "Message", "bounded_date", "parse"]

# mail-parser warns of each text/calendar part, and quotes the mail.
logging.getLogger("mailparser").setLevel(logging.CRITICAL)

LINE_LIMIT = 998  # characters of a subject and of a Message-ID, RFC 5322 section 2.1.1
RECIPIENT_LIMIT = 1_000
ANSWERS_LIMIT = 32
_FROM_LIMIT = 4_096  # characters of a From that are read
_RECIPIENTS_LIMIT = 65_536  # characters of To, Cc and Bcc that are read, each
_SUBJECT_LIMIT = 8_192
_DATE_LIMIT = 200
_REFERENCES_LIMIT = 32_768
_TEXT_LIMIT = 65_536  # bytes of a text part
_CALENDAR_LIMIT = 1 << 20  # bytes of a calendar part, encoded
_CALENDARS = 4  # parts of one message

_MESSAGE_ID = re.compile(r"<([^<>]{1,4096})>")
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """What one mail says, no matter where it was seen."""

    key: str  # message key: 32 hexadecimal digits
    message_id: str | None
    answers: tuple[str, ...]  # Message-IDs of In-Reply-To, then of References from the last
    from_: Address | None
    sender_of_group: Address | None  # who wrote it if From turns out to be ours
    to: tuple[Address, ...]  # To, Cc and Bcc, each key once
    subject: str
    date: datetime | None  # the Date header
    snippet: str
    marks: tuple[str, ...]
    invites: tuple[Invite, ...]
    opaque: bool  # S/MIME or PGP hides the text
    thread: str | None  # the server's thread id
    size: int  # RFC822.SIZE
    recipients_count: int


def parse(raw: bytes, *, size: int, thread: str | None = None, snippet_chars: int = 500) -> Message:
    """Read one mail (RFC 5322); raises `Unreadable` for what isn't one."""
    try:
        return _message(raw, size, thread, snippet_chars)
    except Unreadable:
        raise
    except Exception as error:
        # The stated boundary: whatever a parser makes of hostile bytes concerns this mail only.
        raise Unreadable(
            f"{type(error).__name__} while parsing: {one_line(str(error), 200)}"
        ) from error


def bounded_date(date: datetime | None, arrived_at: datetime) -> datetime:
    """The Date header where it can be true: from 1990 to a day after arrival; else arrival."""
    if date is None or not _OLDEST <= date <= arrived_at + timedelta(days=1):
        return arrived_at
    return date


def _message(raw: bytes, size: int, thread: str | None, snippet_chars: int) -> Message:
    start = body_start(raw, 0, len(raw))
    fields = scan(raw[:start])
    if not fields and not has_any(raw[:start]):
        raise Unreadable("no header field" if raw.strip() else "empty")
    kind, leaves = mime.leaves(raw, fields, start)
    reading = mailparser.parse_from_bytes(_reduced(fields))
    author = next(iter(_addresses(reading.from_)), None)
    group = next(iter(_addresses(reading.reply_to)), None)
    subject = one_line(_string(reading.subject), LINE_LIMIT)
    recipients = [*_addresses(reading.to), *_addresses(reading.cc), *_addresses(reading.bcc)]
    to = tuple({address.key: address for address in reversed(recipients)}.values())[::-1]
    message_id = _own_id(first(fields, "message-id"))
    kinds = frozenset((kind, *(leaf.kind for leaf in leaves)))
    return Message(
        key=_key(fields, message_id, author, subject, size),
        message_id=message_id,
        answers=_answers(fields),
        from_=author,
        sender_of_group=group,
        to=to[:RECIPIENT_LIMIT],
        subject=subject,
        date=_date(reading.date, first(fields, "date")),
        snippet=_snippet(raw, leaves, snippet_chars),
        marks=marks(fields, author, subject, kinds),
        invites=_invites(raw, leaves),
        opaque=_is_opaque(kinds),
        thread=thread,
        size=size,
        recipients_count=len(to),
    )


def _reduced(fields: Fields) -> bytes:
    """The small message that mail-parser is given: each field once, none it needn't see."""
    lines = [
        ("From", first(fields, "from")[:_FROM_LIMIT]),
        (
            "Reply-To",
            joined(fields, ("x-original-sender", "x-original-from", "reply-to"))[:_FROM_LIMIT],
        ),
        ("To", joined(fields, ("to",))[:_RECIPIENTS_LIMIT]),
        ("Cc", joined(fields, ("cc",))[:_RECIPIENTS_LIMIT]),
        ("Bcc", joined(fields, ("bcc",))[:_RECIPIENTS_LIMIT]),
        ("Subject", first(fields, "subject")[:_SUBJECT_LIMIT]),
        ("Date", first(fields, "date")[:_DATE_LIMIT]),
    ]
    return "".join(f"{name}: {value}\n" for name, value in lines if value).encode() + b"\n"


def _addresses(found: list[tuple[str, str]] | str) -> list[Address]:
    if isinstance(found, str):
        return []
    return [address for name, spec in found if (address := mailbox(name, spec))]


def _string(value: str | list[str]) -> str:
    return value if isinstance(value, str) else next(iter(value), "")


def _own_id(value: str) -> str | None:
    """A Message-ID without its angle brackets and white space, None if there is none."""
    match = _MESSAGE_ID.search(value)
    return _bare_id(match[1] if match else value.strip("<>"))


def _bare_id(value: str) -> str | None:
    return "".join(one_line(value, 2 * LINE_LIMIT).split())[:LINE_LIMIT] or None


def _answers(fields: Fields) -> tuple[str, ...]:
    """The Message-IDs this mail answers: In-Reply-To, then References from the last."""
    ids: list[str] = []
    for value in fields.get("in-reply-to", ()):
        ids.extend(_MESSAGE_ID.findall(value[:_REFERENCES_LIMIT]))
    references = " ".join(fields.get("references", ()))[-_REFERENCES_LIMIT:]
    ids.extend(reversed(_MESSAGE_ID.findall(references)))
    bare = dict.fromkeys(found for value in ids if (found := _bare_id(value)))
    return tuple(bare)[:ANSWERS_LIMIT]


def _key(
    fields: Fields, message_id: str | None, author: Address | None, subject: str, size: int
) -> str:
    """The message key: the same for the same mail, however its header was folded."""
    date = " ".join(first(fields, "date")[:LINE_LIMIT].split())
    who = author.key if author else ""
    identity = (message_id, who, date, subject) if message_id else (who, date, subject, str(size))
    text = "\0".join(("id" if message_id else "no-id", *identity))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _date(found: datetime | None, raw: str) -> datetime | None:
    """The Date header as aware UTC: by mail-parser, else the stdlib, else as ISO 8601."""
    if found is not None or not raw:
        return found
    raw = raw[:_DATE_LIMIT]
    for read in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(raw)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _snippet(raw: bytes, leaves: tuple[mime.Part, ...], limit: int) -> str:
    if limit <= 0:
        return ""
    plain = next((leaf for leaf in leaves if leaf.kind == "text/plain" and not leaf.attached), None)
    html = next((leaf for leaf in leaves if leaf.kind == "text/html" and not leaf.attached), None)
    text = body.snippet(mime.text(raw, plain, _TEXT_LIMIT), None, limit) if plain else ""
    if not text and html:
        text = body.snippet(None, mime.text(raw, html, _TEXT_LIMIT), limit)
    return text


def _invites(raw: bytes, leaves: tuple[mime.Part, ...]) -> tuple[Invite, ...]:
    parts = [leaf for leaf in leaves if leaf.kind in {"text/calendar", "application/ics"}]
    return invites([mime.content(raw, part, _CALENDAR_LIMIT) for part in parts[:_CALENDARS]])


def _is_opaque(kinds: frozenset[str]) -> bool:
    return not kinds.isdisjoint(
        {
            "multipart/encrypted",
            "application/pkcs7-mime",
            "application/x-pkcs7-mime",
            "application/pgp-encrypted",
        }
    )
