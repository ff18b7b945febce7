"""What the sender wrote, apart from the mails quoted around it and from the signature.

Mail programs mark a quotation by `>`, introduce it ("On ... wrote:"), or put a block of header
fields above it, in the language of whoever answers. An introduction is recognised by its shape: it
ends with a colon and names a date and an address, or has a verb of writing in one of many
languages. What is quoted without marks goes on to the end of the text.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from daemon.message.data import word_lists

# ruff: noqa: RUF001  marks of other scripts

_WRAPPED = 4  # lines over which an introduction may be wrapped
_LINE_LIMIT = 300  # characters of a line that are compared
_EMPTY_LINES = 12  # that may stand between an introduction and what it introduces
_BLOCK_LINES = 8  # of a header block, empty ones included
_BLOCK_FIELDS = 3  # a header block has at least these many
_REMAINDER_LIMIT = 30  # characters that a mail program wraps off the end of a quoted line
_LONG_LINE = 60  # characters of a line from which something may have been wrapped off
_SIGNATURE_LINE_LIMIT = 80  # characters of the line that a phone puts below a text

_HEAD = 3  # letters of a word
_DEVICE_LINE_LIMIT = 45  # characters of a line that only names a device
_DEVICE = re.compile(
    r"\b(?:iphone|ipad|android|samsung|galaxy|huawei|xiaomi"
    r"|outlook (?:for|für|pour|para|per|voor|til|för|dla|pro))\b",
    re.IGNORECASE,
)

_ADDRESS = re.compile(
    r"[<\[(]?(?:mailto:)?[^\s<>()\[\]\"',;:]{1,64}@[^\s<>()\[\]\"',;:]{2,190}[>\])]?"
)
_TIME = re.compile(
    r"(?<![0-9])[0-2]?[0-9][.:h时點点시時][0-5][0-9]|(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])|[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}"
)
_ENDS = (":", "：", "：")
_RULE = re.compile(r"([-_=*~—–#]{2,20}) ?(\S.{1,90}?\S) ?[-_=*~—–#>]{2,20}:?")
_RULE_MARKS = frozenset("-_=*~—–#")
_LONG_RULE = re.compile(r"_{20,200}")
_FIELD = re.compile(
    r"[*_]{0,2}([^\s:：*_][^:：*_]{0,29}?)[*_]{0,2} {0,2}[:：][*_]{0,2}(?: |$|(?=\S))"
)
_ARROW = re.compile(r"(?:[>|»›] ?)+")
_QUOTE_MARKS = (">", "»", "›", "| ")
_GAP = re.compile(r"\n{3,}")


class Words(NamedTuple):
    """The text of a mail in two parts."""

    own: str  # what the sender wrote
    quoted: str  # what the mail quotes, without marks, in the order in which it stands


def split_words(lines: Sequence[str], enough: int) -> Words:
    """Folded lines as the sender's own words and the quoted ones; signatures are in neither.

    Once the own words have `enough` characters more of them are left out.
    """
    own: list[str] = []
    quoted: list[str] = []
    for is_own, line in _apart(lines):
        if not is_own:
            quoted.append(line)
        elif enough >= 0:
            own.append(line)
            enough -= len(line)
    return Words(_joined(own), _joined(quoted))


def has_own_words(lines: Sequence[str]) -> bool:
    """Whether the sender wrote any of these folded lines."""
    return any(is_own and line for is_own, line in _apart(lines))


def _apart(lines: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """The lines but those of signatures and introductions, and whether the sender wrote each."""
    at = _after_pgp_header(lines)
    in_signature = False
    marked = [*map(_is_marked, lines), False]
    may_begin = _may_begin(lines)
    end = len(lines)
    while at < end:
        line = lines[at]
        if marked[at]:
            yield False, _ARROW.sub("", line, count=1)
            in_signature = False
            at += 1
        elif at in may_begin and (span := _quotation_begins(lines, at)):
            at += span
            in_signature = False
            if not _next_is_marked(lines, at):
                yield from ((False, one) for one in lines[at:])  # unmarked, so up to the end
                break
        elif in_signature or (marked[at + 1] and _is_remainder(lines, at)):
            at += 1
        elif _begins_signature(line) or _names_a_device(lines, at):
            in_signature = True
            at += 1
        else:
            yield True, line
            at += 1


def _joined(lines: list[str]) -> str:
    text = "\n".join(lines).strip()
    return _GAP.sub("\n\n", text) if "\n\n\n" in text else text


def _is_marked(line: str) -> bool:
    return line.startswith(_QUOTE_MARKS)


def _next_is_marked(lines: Sequence[str], at: int) -> bool:
    """Whether the next line with something on it is marked as quoted."""
    following = lines[at : at + _EMPTY_LINES]
    return _is_marked(next((line for line in following if line), ""))


def _is_remainder(lines: Sequence[str], at: int) -> bool:
    """Whether a line is the end of the quoted one above, which a mail program has wrapped."""
    return (
        0 < at < len(lines) - 1
        and 0 < len(lines[at]) <= _REMAINDER_LIMIT
        and _is_marked(lines[at + 1])
        and _is_marked(lines[at - 1])
        and len(lines[at - 1]) >= _LONG_LINE
    )


def _may_begin(lines: Sequence[str]) -> set[int]:
    """Where a quotation may begin: at a ruled line, or so that a colon stands soon after."""
    found: set[int] = set()
    for at, line in enumerate(lines):
        if ":" in line or "：" in line:
            found.update(range(at - _WRAPPED + 1, at + 1))
        elif line[:1] in _RULE_MARKS:
            found.add(at)
    return found


def _quotation_begins(lines: Sequence[str], at: int) -> int:
    """How many lines from here only introduce a quotation, 0 if none begins here."""
    line = lines[at]
    if not line:
        return 0
    if (line[0] in _RULE_MARKS or line.endswith(_ENDS)) and _is_rule(line):
        return 1
    if span := _introduction(lines, at):
        return span
    return int((":" in line or "：" in line) and _begins_header_block(lines, at))


def _is_rule(line: str) -> bool:
    """Whether a line separates what follows: -----Original Message-----, in any language."""
    if len(line) > _LINE_LIMIT:
        return False
    if _LONG_RULE.fullmatch(line):
        return True
    if match := _RULE.fullmatch(line):
        named = _says(match[2], "separator") or _introduces(match[2], marked=False)
        return named or (len(match[1]) >= 5 and match[1][0] == "-" and " " in match[2])  # noqa: PLR2004 dashes
    return line.endswith(_ENDS) and len(line) < 100 and _says(line, "announcement")  # noqa: PLR2004


def _introduction(lines: Sequence[str], at: int) -> int:
    """How many lines from here introduce a quotation ("On ... wrote:"), 0 if they don't."""
    for span, last in enumerate(lines[at : at + _WRAPPED], 1):
        if not last:
            return 0
        if not last.endswith(_ENDS):
            continue
        wrapped = lines[at : at + span]
        whole = " ".join(wrapped)
        if len(whole) > _LINE_LIMIT or not _introduces(
            whole, marked=_next_is_marked(lines, at + span)
        ):
            continue
        if span > 1 and not _opens(wrapped[0]) and not wrapped[1].startswith(("<", "(<")):
            # The line before an introduction isn't a part of it, if the rest is complete.
            shorter = " ".join(wrapped[1:])
            if _TIME.search(shorter) and _introduces(shorter, marked=False):
                return 0
        return span
    return 0


def _introduces(line: str, *, marked: bool) -> bool:
    """Whether a line that ends with a colon introduces a quotation; `marked`: one follows."""
    address = _ADDRESS.search(line) is not None
    if address and _TIME.search(line):
        return True
    if not _says(line, "wrote"):
        return marked and address
    return address or marked or _TIME.search(line) is not None or _opens(line)


def _opens(line: str) -> bool:
    """Whether a line begins as an introduction does: On, Am, Le, or a weekday or date at once."""
    first = line.partition(" ")[0].rstrip(",.").casefold()
    return any(char.isdigit() for char in line) and (
        first in word_lists("quotes")["opening"] or first[:1].isdigit() or line[:60].count(",") > 1
    )


def _begins_header_block(lines: Sequence[str], at: int) -> bool:
    """Whether a block of header fields begins here, as Outlook and others put it above a mail."""
    first = _field(lines[at])
    if first not in {"from", "date", "subject"}:
        return False
    kinds = [first]
    address = "@" in lines[at]
    for line in lines[at + 1 : at + _BLOCK_LINES]:
        kind = _field(line)
        if kind and kind not in kinds:
            kinds.append(kind)
            address = address or "@" in line
        elif line and not kind and "@" not in line and not line.startswith(";") and len(kinds) > 1:
            break
    if "from" not in kinds or len(kinds) < 2:  # noqa: PLR2004 a From and one more
        return False
    if len(kinds) >= _BLOCK_FIELDS:
        return address or "subject" in kinds or kinds[:2] == ["from", "date"]
    return address and kinds == ["from", "date"]


def _field(line: str) -> str:
    """Which header field a line is, as from, date, to or subject; "" for any other line."""
    match = _FIELD.match(line[:_LINE_LIMIT])
    return _labels().get(match[1].casefold().strip(), "") if match else ""


def _begins_signature(line: str) -> bool:
    """Whether a line is `-- `, or what phones and programs put below a text: Sent from my ..."""
    if line == "--" or line.startswith("-----BEGIN PGP SIGNATURE-----"):
        return True
    if not line or len(line) > _SIGNATURE_LINE_LIMIT:
        return False
    beginnings, heads = _signature_beginnings()
    folded = line.lstrip("*_ ").casefold()
    return folded[:_HEAD] in heads and folded.startswith(beginnings)


def _names_a_device(lines: Sequence[str], at: int) -> bool:
    """Whether a line alone below the text, in whatever language, says which device it is from."""
    line = lines[at]
    if len(line) > _DEVICE_LINE_LIMIT or (at and lines[at - 1]) or not _DEVICE.search(line):
        return False
    end = min(at + 1 + _EMPTY_LINES, len(lines))
    following = next((n for n in range(at + 1, end) if lines[n]), None)
    return (
        following is None
        or _is_marked(lines[following])
        or bool(_quotation_begins(lines, following))
    )


def _after_pgp_header(lines: Sequence[str]) -> int:
    """Where the text begins: after the armor header of a signed one (RFC 9580 section 7)."""
    if not lines or lines[0] != "-----BEGIN PGP SIGNED MESSAGE-----" or "" not in lines:
        return 0
    return lines.index("")


def _says(line: str, kind: str) -> bool:
    """Whether a line has one of these words."""
    folded = line.casefold()
    return any(_begins_in(folded, word) for word in word_lists("quotes")[kind] if word in folded)


def _begins_in(text: str, word: str) -> bool:
    """Whether a word begins somewhere in a text; scripts beyond ASCII may join words."""
    at = text.find(word)
    while at > 0 and word[0].isascii() and _is_letter(text[at - 1]):
        at = text.find(word, at + 1)
    return at >= 0


def _is_letter(char: str) -> bool:
    return char.isalnum() and not char.isdecimal()


@cache
def _signature_beginnings() -> tuple[tuple[str, ...], frozenset[str]]:
    """The words with which a line may begin, and their first letters, which rule out most lines."""
    words = tuple(sorted(word_lists("quotes")["signature"]))
    return words, frozenset(word[:_HEAD] for word in words)


@cache
def _labels() -> dict[str, str]:
    return {
        label: kind
        for kind in ("to", "subject", "date", "from")
        for label in word_lists("quotes")[kind]
    }
