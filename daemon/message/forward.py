"""The mails that a mail forwards inside its text: who wrote each, when, and what.

A block counts as a forwarded header if it has a sender with an address, and beside that a date or
recipients and one more field; one that a reply quotes looks the same, so the subject or a line
between must say that it was forwarded. Labels are data, in the languages of the usual programs.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.resources import files

from daemon.message.address import Address, mailbox

# ruff: noqa: RUF001  letters and punctuation of other languages

BLOCKS = 4  # forwarded headers of one mail
_BLOCK_LINES = 12
_BLOCKS_TRIED = 30  # lines of one mail that may begin one
_FIELDS_CHARS = 1_000
_FIELDS = 3  # that a forwarded header has at least: the sender, date or recipients, one more
_FIELD = re.compile(
    r"\s*+[*_>]{0,3}\s*+(?P<label>[^\s:：][^:：\n]{0,30}?)\s{0,3}[*_]{0,3}\s?[:：](?P<value>.*)$"
)
_ADDRESS = re.compile(
    r"[<\[(]{1,2}\s?(?:mailto:)?(?P<angled>[^\s<>\[\]()\"]{1,64}@[^\s<>\[\]()\",;]{1,190})\s?[>\])]"
    r"|(?P<bare>[^\s<>\[\]()\",;:]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})"
)
_RULE = re.compile(r"^[\s>]*(?:[-_=*–—]{2,}|.{0,80}[:：]\s*$)")
_PREFIX = re.compile(
    r"\s*(?:\[[^\[\]]{1,40}\]\s*)?([^\s:：\[\]][^:：\[\]]{0,24}?)\s?(?:\[\d{1,3}\]|\(\d{1,3}\))?\s?[:：]"
)
_INTRODUCTION = re.compile(r"[:：]\s*$")


@dataclass(frozen=True, slots=True)
class Forwarded:
    """One forwarded mail: its author, its date where it can be read, and where its text begins."""

    author: Address
    date: datetime | None
    text_at: int  # index of the line


def says_forwarded(subject: str) -> bool:
    """Whether a subject begins as mail programs begin it when they forward."""
    return _first_prefix(subject, "prefix")


def says_answer(subject: str) -> bool:
    """Whether a subject begins as mail programs begin it when they answer."""
    return _first_prefix(subject, "answer") and not says_forwarded(subject)


def forwarded(lines: Sequence[str], subject: str) -> list[Forwarded]:
    """The forwarded mails in these lines, outermost first; none if it says that it is an answer."""
    by_subject = says_forwarded(subject)
    found: list[Forwarded] = []
    announced = by_subject
    at = tried = 0
    while at < len(lines) and len(found) < BLOCKS and tried < _BLOCKS_TRIED:
        announced = announced or _is_separator(lines[at])
        begins = announced and _field(_after_rule(lines[at][:_FIELDS_CHARS])) is not None
        block = _block(lines, at) if begins else None
        tried += begins
        if block:
            found.append(block)
        at = block.text_at if block else at + 1
    if not found and by_subject:
        return _introduced(lines)
    return found


def begins_quotation(lines: Sequence[str], at: int) -> bool:
    """Whether another mail is quoted from this line on, as mail programs introduce it."""
    line = lines[at]
    if line.endswith((":", "：")) and "@" in line and any(char.isdigit() for char in line):
        return True
    if _is_separator(line):
        return True
    field = _field(line) if "@" in line else None
    return field is not None and field[0] == "from" and _block(lines, at) is not None


def _block(lines: Sequence[str], at: int) -> Forwarded | None:
    """The forwarded header that begins at a line, None if none does."""
    values: dict[str, str] = {}
    end = at
    for number, line in enumerate(_unfolded(lines[at : at + _BLOCK_LINES])):
        fields = [field for part in line if (field := _field(part))]
        if fields:
            for kind, value in fields:
                values.setdefault(kind, value)
            end = at + number + 1
        elif not values or not any(part.strip() for part in line):
            break
        elif "@" in line[0]:
            end = at + number + 1  # folded recipients
    author = _author(values["from"]) if "from" in values else None
    if author is None or values.keys().isdisjoint(("date", "to")) or len(values) < _FIELDS:
        return None
    return Forwarded(author, _date(values.get("date", "")), end)


def _field(line: str) -> tuple[str, str] | None:
    """The kind and the value of a field of a forwarded header, None for another line."""
    found = _FIELD.match(line[:400].strip())
    kind = _kind(found["label"]) if found else ""
    return (kind, found["value"]) if found and kind else None


def _unfolded(lines: Sequence[str]) -> Iterator[list[str]]:
    """Each line as the fields that it has: one, but for a first line that has all of them."""
    for number, line in enumerate(lines):
        fields = line[:_FIELDS_CHARS]
        if not number and fields.count(":") + fields.count("：") >= _FIELDS and "@" in fields:
            fields = _after_rule(fields).strip()
            yield [part.strip() for part in _run_together().split(fields)]
            continue
        yield [fields]


def _after_rule(line: str) -> str:
    """What comes after the separator, where a program puts the first field on the same line."""
    head, dashes, rest = line.rpartition("-----")
    return rest if dashes and head.strip(" -") else line


def _introduced(lines: Sequence[str]) -> list[Forwarded]:
    """A forward that begins like an answer: On …, Ada <ada@…> wrote: (Outlook for Mac)."""
    for at, line in enumerate(lines):
        if "@" in line and _INTRODUCTION.search(line) and any(char.isdigit() for char in line):
            author = _author(line)
            if author is not None:
                quoted = line[: line.find(author.address)] if author.address in line else line
                name = re.findall(r"\"([^\"]{1,100})\"", quoted)
                named = mailbox(name[-1] if name else "", author.address)
                return [Forwarded(named or author, None, at + 1)]
    return []


def _author(value: str) -> Address | None:
    found = _ADDRESS.search(value[:500])
    if found is None:
        return None
    name = value[: found.start()].strip(" \t\"'*;,<")
    return mailbox(name, (found["angled"] or found["bare"]).rstrip(".,;'"))


def _date(value: str) -> datetime | None:
    """The date where it is written as RFC 5322 writes it; local spellings differ too much."""
    try:
        date = parsedate_to_datetime(value.strip()[:60])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else None


def _is_separator(line: str) -> bool:
    if len(line) > 2_000 or not _RULE.match(line[:200]):  # noqa: PLR2004 a program's line is short
        return False
    folded = line[:300].strip(" -_=*>\t").casefold()
    if not folded:
        return False
    if any(words in folded for words in _separators(ascii_=True)):
        return True
    return not folded.isascii() and any(words in folded for words in _separators(ascii_=False))


def _first_prefix(subject: str, kind: str) -> bool:
    """Whether the first prefix of a subject is of this kind."""
    begins = subject[:80]
    found = _PREFIX.match(begins) if ":" in begins or "：" in begins else None
    return found is not None and found[1].casefold().strip() in _words(kind)


def _kind(label: str) -> str:
    return _labels().get(" ".join(label.casefold().strip(" *_").split()), "")


@cache
def _run_together() -> re.Pattern[str]:
    """Where a field begins in a line that has all of them without breaks, as Yahoo writes it."""
    labels = sorted((label.capitalize() for label in _labels() if len(label) > 1), key=len)
    return re.compile(rf"(?=(?:{'|'.join(map(re.escape, reversed(labels)))})\s?[:：]\s)")


@cache
def _labels() -> dict[str, str]:
    return {label: kind for kind in ("from", "date", "subject", "to") for label in _words(kind)}


@cache
def _separators(*, ascii_: bool) -> tuple[str, ...]:
    return tuple(words for words in _words("separator") if words.isascii() == ascii_)


@cache
def _words(kind: str) -> frozenset[str]:
    return frozenset(
        " ".join(word.casefold().split())
        for word in _data()[kind]["labels"].replace("\n", "|").split("|")
        if word.strip()
    )


@cache
def _data() -> dict[str, dict[str, str]]:
    text = files("daemon.message.data").joinpath("forward_labels.toml").read_text("utf-8")
    return tomllib.loads(text)
