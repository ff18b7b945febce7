"""The header fields that take decoding, read by mail-parser: addresses, the subject, the date.

mail-parser parses every field that it is given, so it is given a message of these fields only,
each cut to a bounded length. What it gets wrong is corrected before and after: charsets are
renamed to the codecs that Python has, raw 8-bit subjects become encoded words, and address lists
or dates that it rejects are read again leniently.
"""

import base64
import email.message
import email.utils
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from email.header import decode_header
from operator import attrgetter
from typing import TYPE_CHECKING

from daemon.message.address import Address, mailbox
from daemon.message.charset import codec
from daemon.message.fields import Fields, first, joined, without_comments
from daemon.message.text import one_line

if TYPE_CHECKING:
    from mailparser import MailParser

# mail-parser warns of what it recovers, and quotes the mail in it.
logging.getLogger("mailparser").setLevel(logging.CRITICAL)

SUBJECT_LIMIT = 998  # characters, RFC 5322 section 2.1.1
_FROM_LIMIT = 4_096  # characters of a From that are read, in one field
_RECIPIENTS_LIMIT = 65_536  # the same of To, Cc and Bcc each
_RAW_SUBJECT_LIMIT = 8_192
_DATE_LIMIT = 200
_FEW = 4  # addresses of Reply-To that are kept; a form names the visitor and the site
# Header fields by the names under which mail-parser reads addresses.
_ADDRESS_FIELDS = {
    "From": (("from",), _FROM_LIMIT),
    "Reply-To": (("reply-to",), _FROM_LIMIT),
    # mail-parser has no name of its own for what groups keep of a From that they rewrite.
    "Delivered-To": (("x-original-sender", "x-original-from"), _FROM_LIMIT),
    "To": (("to",), _RECIPIENTS_LIMIT),
    "Cc": (("cc",), _RECIPIENTS_LIMIT),
    "Bcc": (("bcc",), _RECIPIENTS_LIMIT),
}

# The same by the attributes of what it has parsed; it computes each when it is asked for.
_ATTRIBUTES: dict[str, Callable[["MailParser"], list[tuple[str, str]]]] = {
    "From": attrgetter("from_"),
    "Reply-To": attrgetter("reply_to"),
    "Delivered-To": attrgetter("delivered_to"),
    "To": attrgetter("to"),
    "Cc": attrgetter("cc"),
    "Bcc": attrgetter("bcc"),
}

_YEAR_0 = re.compile(r"(?<![\w:+-])0[0-9]{3}(?![0-9])")
# What nearly all programs write, RFC 5322 section 3.3; the rest is left to the standard library.
_USUAL_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?([0-3]?[0-9]) "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ((?:19|20)[0-9]{2}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([01][0-9]|2[0-3])([0-5][0-9])(?: \([A-Z]{1,5}\))?",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ODD_ZONE = re.compile(r" (?:GMT|UTC|UT|Z)? ?([+-][0-9]{2}):?([0-9]{2})\b")  # GMT+0100, +01:00
_CHARSET = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,40})?\?(?=[bBqQ]\?)")
_RAW_8BIT = re.compile(r"[^\x00-\x7f]+(?: +[^\x00-\x7f]+)*")
_TOKEN = re.compile(r"\"((?:[^\"\\]|\\.){0,500})\"|<([^<>]{0,500})>|([,;])|([^\",;<>]+)|[\"<>]")


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says, decoded."""

    author: Address | None
    originals: tuple[Address, ...]  # X-Original-Sender, X-Original-From: whom a group hands on
    reply_to: tuple[Address, ...]
    recipients: tuple[Address, ...]  # of To, Cc and Bcc, as they come
    unread: int  # recipients beyond what was read
    subject: str
    date: datetime | None


def read(fields: Fields) -> Header:
    """Decode the fields of a header with mail-parser; what can't be decoded is left out."""
    raw, unread = _raw(fields)
    mail = _parsed(raw)
    lost = {defect["header"] for defect in mail.address_header_defects if not defect["recovered"]}
    addresses = {
        name: _addresses(
            _lenient_addresses(value) if name.lower() in lost else _ATTRIBUTES[name](mail)
        )
        for name, value in raw.items()
        if name in _ATTRIBUTES
    }
    return Header(
        author=next(iter(addresses.get("From", ())), None),
        originals=tuple(addresses.get("Delivered-To", ())[:_FEW]),
        reply_to=tuple(addresses.get("Reply-To", ())[:_FEW]),
        recipients=tuple(a for name in ("To", "Cc", "Bcc") for a in addresses.get(name, ())),
        unread=unread,
        subject=one_line(mail.subject, SUBJECT_LIMIT),
        date=(mail.date or lenient_date(raw["Date"])) if "Date" in raw else None,
    )


def _raw(fields: Fields) -> tuple[dict[str, str], int]:
    """The values to decode by their names for mail-parser, and how many recipients are beyond."""
    raw: dict[str, str] = {}
    unread = 0
    for name, (names, limit) in _ADDRESS_FIELDS.items():
        value = joined(fields, names)
        if value:
            kept = value if len(value) <= limit else value[:limit].rpartition(",")[0]
            unread += value.count("@", len(kept)) if name in {"To", "Cc", "Bcc"} else 0
            raw[name] = _known_charsets(" ".join(kept.split()))
    if subject := first(fields, "subject"):
        raw["Subject"] = _known_charsets(" ".join(subject[:_RAW_SUBJECT_LIMIT].split()))
    if date := first(fields, "date"):
        raw["Date"] = " ".join(date[:_DATE_LIMIT].split())
    return raw, unread


def _parsed(raw: dict[str, str]) -> "MailParser":
    """The fields as mail-parser reads them.

    It reads raw 8-bit text in a Subject byte by byte, so that reaches it as encoded words.
    """
    import mailparser  # noqa: PLC0415 - 11 MB that only a process which parses mail needs

    message = email.message.Message()
    for name, value in raw.items():
        if not value.isascii() and name == "Subject":
            value = _RAW_8BIT.sub(_as_encoded_word, value)  # noqa: PLW2901 - corrected
        # As the standard library keeps the octets of a header that isn't ASCII.
        message[name] = value.encode("utf-8", "replace").decode("ascii", "surrogateescape")
    message.set_payload("")
    return mailparser.MailParser(message)


def _addresses(pairs: Iterable[tuple[str, str]]) -> list[Address]:
    """Pairs of name and addr-spec as addresses, without those that mail can't be sent to."""
    return [a for name, spec in pairs if (a := mailbox(_display_name(name), spec))]


def _lenient_addresses(value: str) -> Iterator[tuple[str, str]]:
    """Names and addresses of a list that breaks the grammar: semicolons, commas in names."""
    name = ""
    angled = False
    for quoted, spec, separator, text in _TOKEN.findall(f"{without_comments(value)},"):
        if spec:
            yield name.strip(), spec
            name, angled = "", True
        elif quoted or text:
            name += quoted or text
        elif separator and angled:
            name, angled = "", False
        elif separator and "@" in name:
            yield "", (name.rpartition(":")[2].split() or [""])[-1]
            name = ""
        elif separator:
            name += separator


def lenient_date(value: str) -> datetime | None:
    """A date as the stdlib reads it, else as ISO 8601; without a zone it is UTC."""
    if usual := _USUAL_DATE.fullmatch(value):
        return _usual_date(usual)
    if _YEAR_0.search(value):
        return None  # the stdlib would take 0026 for 2026
    value = _ODD_ZONE.sub(r" \1\2", value)
    for reader in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = reader(value)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _usual_date(match: re.Match[str]) -> datetime | None:
    """The date that the parts of a usual one name, None for the 31st of June."""
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    east = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        named = _MONTHS.index(month) + 1
        date = datetime(int(year), named, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return date - east if sign == "+" else date + east


def _known_charsets(value: str) -> str:
    """Encoded words (RFC 2047) with their charsets by the names of the codecs that read them."""
    if "=?" not in value:
        return value
    return _CHARSET.sub(lambda match: f"=?{codec(match[1]) or 'utf-8'}?", value)


def _as_encoded_word(match: re.Match[str]) -> str:
    return f"=?utf-8?b?{base64.b64encode(match[0].encode()).decode()}?="


def _display_name(name: str) -> str:
    """A name whose encoded words were put in quotes, as many programs do against RFC 2047."""
    if "=?" not in name or not name.isascii():
        return name
    try:
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii")
            for part, charset in decode_header(name)
        ).strip()
    except (HeaderParseError, UnicodeError, LookupError, ValueError):
        return name
