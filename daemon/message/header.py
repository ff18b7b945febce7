"""The header fields that take decoding, read by mail-parser: addresses, the subject, the date.

Each field is cut to a bounded length and given to mail-parser's own function for its kind; its
MailParser would read all fields of a message twice over. What it gets wrong is corrected before and
after: charsets are renamed to the codecs that Python has, raw 8-bit subjects become encoded words,
and address lists or dates that it rejects are read again leniently.
"""

import base64
import email.utils
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from email.header import Header as EncodedHeader
from email.header import decode_header
from email.policy import compat32
from functools import lru_cache
from typing import NamedTuple

from daemon.message.address import Address, mailbox
from daemon.message.charset import codec
from daemon.message.fields import Fields, first, joined, without_comments
from daemon.message.text import one_line

# mail-parser warns of what it recovers, and quotes the mail in it.
logging.getLogger("mailparser").setLevel(logging.CRITICAL)

SUBJECT_LIMIT = 998  # characters, RFC 5322 section 2.1.1
_FROM_LIMIT = 4_096  # characters of a From that are read, in one field
_RECIPIENTS_LIMIT = 65_536  # the same of To, Cc and Bcc each
_RAW_SUBJECT_LIMIT = 8_192
_DATE_LIMIT = 200
# Where groups keep the From that they rewrite.
_ORIGINALS = ("x-original-sender", "x-original-from")
_FEW = 4  # addresses of Reply-To that are kept; a form names the visitor and the site
_CACHED_LIMIT = 1_000  # characters of a field with addresses that is kept for the next mail

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


class Header(NamedTuple):
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
    recipients: list[Address] = []
    unread = 0
    for name in ("to", "cc", "bcc"):
        if name not in fields:
            continue
        value = joined(fields, (name,))
        kept = _cut(value, _RECIPIENTS_LIMIT)
        unread += value.count("@", len(kept))
        recipients += _addresses(kept)
    return Header(
        author=next(iter(_senders(fields, "from")), None),
        originals=_senders(fields, *_ORIGINALS)[:_FEW],
        reply_to=_senders(fields, "reply-to")[:_FEW],
        recipients=tuple(recipients),
        unread=unread,
        subject=_subject(first(fields, "subject", _RAW_SUBJECT_LIMIT)),
        date=_date(first(fields, "date")),
    )


def _senders(fields: Fields, *names: str) -> tuple[Address, ...]:
    """The addresses of fields that name one or a few."""
    if fields.keys().isdisjoint(names):
        return ()
    return _addresses(_cut(joined(fields, names), _FROM_LIMIT))


def _cut(value: str, limit: int) -> str:
    """A list of addresses up to the last whole one within a limit."""
    return value if len(value) <= limit else value[:limit].rpartition(",")[0]


def _addresses(value: str) -> tuple[Address, ...]:
    """The addresses of a list, without those that mail can't be sent to."""
    if not value:
        return ()
    return (_read_addresses if len(value) <= _CACHED_LIMIT else _read_addresses.__wrapped__)(value)


@lru_cache(maxsize=4096)  # the same people write to each other again and again
def _read_addresses(value: str) -> tuple[Address, ...]:
    from mailparser.utils import get_addresses  # noqa: PLC0415 - see `_subject`

    value = _known_charsets(" ".join(value.split()))
    defects: list[dict[str, bool]] = []
    pairs = get_addresses(_as_received(value), defects=defects, decode_names=True)
    if any(not defect["recovered"] for defect in defects):
        pairs = _lenient_addresses(value)
    return tuple(a for name, spec in pairs if (a := mailbox(_display_name(name), spec)))


@lru_cache(maxsize=4096)  # a conversation has one subject
def _subject(value: str) -> str:
    """A subject in one line. mail-parser reads raw 8-bit text in it byte by byte."""
    from mailparser.utils import decode_header_part  # noqa: PLC0415 - 11 MB, only where mail is read

    value = _known_charsets(" ".join(value.split()))
    if not value.isascii():
        value = _RAW_8BIT.sub(_as_encoded_word, value)
    return one_line(decode_header_part(value), SUBJECT_LIMIT)


def _date(value: str) -> datetime | None:
    from mailparser.dates import parse_mail_date  # noqa: PLC0415 - see `_subject`

    value = " ".join(value[:_DATE_LIMIT].split())
    if not value:
        return None
    octets = value if value.isascii() else _octets(value)
    date: datetime | None = parse_mail_date(octets).value
    return date or lenient_date(value)


def _as_received(value: str) -> str | EncodedHeader:
    """A field as the standard library hands it on: one that isn't ASCII in its octets."""
    if value.isascii():
        return value
    return compat32.header_fetch_parse("", _octets(value))


def _octets(value: str) -> str:
    """A value in octets as the standard library writes them in text."""
    return value.encode("utf-8", "replace").decode("ascii", "surrogateescape")


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
    if not value or _YEAR_0.search(value):
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
