"""The header fields that take decoding: addresses, the subject, the date.

mail-parser reads them. Because it parses every field that it is given, whatever is asked of it, it
is given a small message of just the fields that aren't in plain form; those that are, most of them,
are read here with the same result (a property that the tests hold up). Its known gaps are closed
on both sides of it: charsets go by the names that Python knows, raw 8-bit becomes encoded words,
lists with semicolons and names with commas are read again leniently, dates by the stdlib.
"""

import base64
import email.utils
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from email.header import decode_header

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
# Header fields by the names under which mail-parser reads addresses.
_ADDRESS_FIELDS = {
    "From": (("from",), _FROM_LIMIT),
    "Reply-To": (("x-original-sender", "x-original-from", "reply-to"), _FROM_LIMIT),
    "To": (("to",), _RECIPIENTS_LIMIT),
    "Cc": (("cc",), _RECIPIENTS_LIMIT),
    "Bcc": (("bcc",), _RECIPIENTS_LIMIT),
}

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_SPEC = rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_WORD = r"=\?[A-Za-z0-9_-]+\?[bBqQ]\?[^?\s()<>\"\\]*\?="
_PLAIN_MAILBOX = re.compile(
    rf" *(?:(?:\"([A-Za-z0-9 .,'_&/+!-]*)\"|([A-Za-z0-9 .'_&/+!-]*)|({_WORD}(?: +{_WORD})*))"
    rf" *<({_SPEC})>|({_SPEC})) *(,|$)"
)
_PLAIN_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(0?[1-9]|[12][0-9]|3[01])"
    r" (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (19[0-9]{2}|20[0-9]{2})"
    r" ([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]) ([+-])([01][0-9])([0-5][0-9])"
    r"(?: \([A-Z]{1,5}\))?"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_YEAR_0 = re.compile(r"(?<![\w:+-])0[0-9]{3}(?![0-9])")
_ODD_ZONE = re.compile(r" (?:GMT|UTC|UT|Z)? ?([+-][0-9]{2}):?([0-9]{2})\b")  # GMT+0100, +01:00
_CHARSET = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,40})?\?(?=[bBqQ]\?)")
_RAW_8BIT = re.compile(r"[^\x00-\x7f]+(?: +[^\x00-\x7f]+)*")
_TOKEN = re.compile(r"\"((?:[^\"\\]|\\.){0,500})\"|<([^<>]{0,500})>|([,;])|([^\",;<>]+)|[\"<>]")


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says, decoded."""

    author: Address | None
    group: Address | None  # the first of X-Original-Sender, X-Original-From, Reply-To
    recipients: tuple[Address, ...]  # of To, Cc and Bcc, as they come
    unread: int  # recipients beyond what was read
    subject: str
    date: datetime | None


@dataclass(slots=True)
class _Decoded:
    """Decoded values by the names under which mail-parser is given them."""

    addresses: dict[str, list[Address]]
    subject: str
    date: datetime | None


def read(fields: Fields, *, plainly: bool = True) -> Header:
    """Decode the fields of a header; what can't be decoded is left out.

    `plainly=False` gives all of them to mail-parser: the same result, more slowly.
    """
    raw, unread = _raw(fields)
    decoded, hard = _read_plainly(raw) if plainly else (_Decoded({}, "", None), raw)
    if hard:
        _read_with_mail_parser(hard, decoded)
    authors = decoded.addresses.get("From", [])
    groups = decoded.addresses.get("Reply-To", [])
    return Header(
        author=authors[0] if authors else None,
        group=groups[0] if groups else None,
        recipients=tuple(
            a for name in ("To", "Cc", "Bcc") for a in decoded.addresses.get(name, ())
        ),
        unread=unread,
        subject=one_line(decoded.subject, SUBJECT_LIMIT),
        date=decoded.date,
    )


def plain_addresses(value: str) -> list[Address] | None:
    """The addresses of a list in plain form, None if mail-parser has to read it."""
    found: list[Address] = []
    at = 0
    while True:
        match = _PLAIN_MAILBOX.match(value, at)
        if match is None:
            return None
        quoted, phrase, words, angled, bare, comma = match.groups()
        name = quoted or phrase or ""
        if words or "=?" in name:
            decoded = plain_subject(words or name)
            if decoded is None or not decoded.isprintable():
                return None
            name = decoded
        address = mailbox(name, angled or bare)
        if address is not None:
            found.append(address)
        if not comma:
            return found
        at = match.end()


def plain_subject(value: str) -> str | None:
    """A subject without encoded words or with well-formed ones, None for anything else."""
    if not value.isascii():
        return None
    if "=?" not in value:
        return value
    try:
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii")
            for part, charset in decode_header(value)
        ).strip()
    except (HeaderParseError, UnicodeError, LookupError, ValueError):
        return None


def plain_date(value: str) -> datetime | None:
    """A date in the form that RFC 5322 section 3.3 wants to be generated, None for any other."""
    match = _PLAIN_DATE.fullmatch(value)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        local = datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=UTC,
        )
    except ValueError:
        return None  # 30 February
    return local + offset if sign == "-" else local - offset


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


def _read_plainly(raw: dict[str, str]) -> tuple[_Decoded, dict[str, str]]:
    """What is in plain form, decoded, and what isn't."""
    decoded = _Decoded({}, "", None)
    hard: dict[str, str] = {}
    for name, value in raw.items():
        if name == "Subject":
            subject = plain_subject(value)
            if subject is None:
                hard[name] = value
            else:
                decoded.subject = subject
        elif name == "Date":
            decoded.date = plain_date(value)
            if decoded.date is None:
                hard[name] = value
        else:
            addresses = plain_addresses(value)
            if addresses is None:
                hard[name] = value
            else:
                decoded.addresses[name] = addresses
    return decoded, hard


def _read_with_mail_parser(hard: dict[str, str], decoded: _Decoded) -> None:
    """Decode with mail-parser, and again by other means what it couldn't."""
    given = dict(hard)
    if "Subject" in given:
        given["Subject"] = _RAW_8BIT.sub(_as_encoded_word, given["Subject"])
    lines = "".join(f"{name}: {value}\n" for name, value in given.items())
    import mailparser  # noqa: PLC0415 - 11 MB, for whoever reads a header that isn't in plain form

    mail = mailparser.parse_from_bytes(lines.encode("utf-8", "replace") + b"\n")
    lost = {defect["header"] for defect in mail.address_header_defects if not defect["recovered"]}
    found = {
        "From": mail.from_,
        "Reply-To": mail.reply_to,
        "To": mail.to,
        "Cc": mail.cc,
        "Bcc": mail.bcc,
    }
    for name, value in hard.items():
        if name == "Subject":
            decoded.subject = mail.subject
        elif name == "Date":
            decoded.date = mail.date or _lenient_date(value)
        else:
            pairs = _lenient_addresses(value) if name.lower() in lost else found[name]
            decoded.addresses[name] = [
                a for pair in pairs if (a := mailbox(_display_name(pair[0]), pair[1]))
            ]


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


def _lenient_date(value: str) -> datetime | None:
    """A date as the stdlib reads it, else as ISO 8601; without a zone it is UTC."""
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


def _known_charsets(value: str) -> str:
    """Encoded words (RFC 2047) with their charsets by the names of the codecs that read them."""
    if "=?" not in value:
        return value
    return _CHARSET.sub(lambda match: f"=?{codec(match[1]) or 'utf-8'}?", value)


def _as_encoded_word(match: re.Match[str]) -> str:
    return f"=?utf-8?b?{base64.b64encode(match[0].encode()).decode()}?="


def _display_name(name: str) -> str:
    """A name whose encoded words were put in quotes, as many programs do against RFC 2047."""
    return (plain_subject(name) or name) if "=?" in name else name
