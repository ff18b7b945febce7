"""FETCH responses read fast: only the items that we ask for, in the two shapes that servers send.

Pure: one response of the wire in, the items of one message out. imapclient's parser is a general
lexer that looks at every character in Python and lets one strange message spoil a batch; this one
uses one regular expression per token, and gives what it could read of a message up to the point
where it couldn't. Unsolicited responses simply lack the items that were asked for. A test holds it
equal to imapclient's parser. RFC 3501 section 7.4.2 and 9.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from daemon.mailbox.connection import Response
from daemon.mailbox.structure import Tree

_FETCH = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)
_KEY = re.compile(rb'\s*([^\s()\[\]"{}<>]+)(?:\[([^\]]*)\])?(?:<\d+(?:\.\d+)?>)?\s*')
_TOKEN = re.compile(rb'\s*(?:([()]|[^\s()"]+)|"((?:[^"\\]|\\.)*)")', re.DOTALL)
# The answer that most servers give to our first question, when its structure is taken out.
_USUAL = re.compile(
    rb'UID (\d{1,18}) INTERNALDATE "([^"\\]*)" RFC822\.SIZE (\d{1,18})'
    rb" BODY\[HEADER\.FIELDS \("
)
_NAMES_END = b")] "  # behind the names of all fields that we asked for, which servers repeat
_USUAL_RESTS = ([b")"], [b" BODY[1]<0> ", b")"])  # its texts behind the header fields
_SHORT = 3  # texts and literals of the first of these
_DIGITS = re.compile(rb"\d{1,18}")  # what SQLite holds
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_DATE = re.compile(rb"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_YEARS = range(1990, 2100)  # as for the Date header, no mail is older
_MONTHS = {
    name: number
    for number, name in enumerate(
        b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1
    )
}

# The items of one message: b"UID", b"RFC822.SIZE", …, and b"[SECTION]" for a BODY[SECTION].
Items = dict[bytes, Tree]


def read_fetch(response: Response) -> Items | None:
    """The items of one FETCH response; None if it is another response.

    BODY[HEADER.FIELDS (…)] becomes `[HEADER]`, whatever way the server spells the fields.
    """
    begin = _FETCH.match(response[0])
    if not begin:
        return None
    items: Items
    text = response[0]
    usual = _USUAL.match(text, begin.end()) if response[2::2] in _USUAL_RESTS else None
    if usual and text.find(_NAMES_END, usual.end()) == len(text) - len(_NAMES_END):
        uid, date, size = usual.groups()
        items = {b"UID": uid, b"INTERNALDATE": date, b"RFC822.SIZE": size, b"[HEADER]": response[1]}
        if len(response) > _SHORT:
            items[b"[1]"] = response[3]
        return items
    items = {}
    cursor = _Cursor(response, begin.end())
    while (key := cursor.key()) is not None:
        value = cursor.value()
        if value is BROKEN:
            break
        items[key] = value
    return items


def number(value: Tree) -> int | None:
    """The value of an item that is a number, else None."""
    return int(value) if isinstance(value, bytes) and _DIGITS.fullmatch(value) else None


def thread_id(value: Tree) -> str | None:
    """X-GM-THRID is a number, THREADID (RFC 8474) a list of one or NIL."""
    one = value[0] if isinstance(value, list) and value else value
    return one.decode("ascii", "replace") if isinstance(one, bytes) and one else None


def internal_date(value: Tree) -> datetime | None:
    """INTERNALDATE as aware UTC; None for what isn't a date, or can't be one of a mail.

    Servers send year 0, the beginning of their clock and worse.
    """
    found = _DATE.match(value) if isinstance(value, bytes) else None
    if not found:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        zone = timezone(-offset if sign == b"-" else offset)
        clock = (int(hour), int(minute), int(second))
        local = datetime(int(year), _MONTHS[month.lower()], int(day), *clock, tzinfo=zone)
        arrived = local.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None
    return arrived if arrived.year in _YEARS else None


# Marks, told from values by identity.
BROKEN: Tree = [b"can't be read any further"]
_OPEN: Tree = [b"("]
_CLOSE: Tree = [b")"]
_NIL = frozenset({b"NIL", b"nil", b"Nil"})


def last_list(text: bytes) -> Tree:
    """The list that ends a response, `(…))`, in one sweep: BODYSTRUCTURE, where the time goes.

    BROKEN for anything but that plain shape; the careful way then has its turn.
    """
    if b"\\" in text or text.count(b'"') % 2:
        return BROKEN
    root: list[Tree] = []
    opened = [root]
    for atom, string in _TOKEN.findall(text):
        if not atom:
            opened[-1].append(string)
        elif atom == b"(":
            inner: list[Tree] = []
            opened[-1].append(inner)
            opened.append(inner)
        elif atom != b")":
            opened[-1].append(None if atom in _NIL else atom)
        elif opened:
            opened.pop()
        if not opened:
            break
    return root[0] if not opened and len(root) == 1 and text.endswith(b"))") else BROKEN


class _Cursor:
    """A place in a response: in text number `index`, at `at`; literals lie between the texts."""

    __slots__ = ("at", "index", "response", "text")

    def __init__(self, response: Response, at: int) -> None:
        self.response = response
        self.index = 0
        self.text = response[0]
        self.at = at

    def key(self) -> bytes | None:
        """The next item's name; None at the end."""
        found = _KEY.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        name, section = found.groups()
        if section is None:
            return name.upper()
        section = section.upper()
        return b"[HEADER]" if section.startswith(b"HEADER") else b"[" + section + b"]"

    def value(self) -> Tree:
        """The next value: bytes, None for NIL, a list; BROKEN where there is none."""
        if self.index + 1 == len(self.response) and self.text.startswith(b"(", self.at):
            tree = last_list(self.text[self.at :])
            if tree is not BROKEN:
                self.at = len(self.text)
                return tree
        opened: list[list[Tree]] = []
        while (one := self._token()) is not BROKEN:
            if one is _OPEN:
                opened.append([])
                continue
            if one is _CLOSE:
                if not opened:
                    break
                one = opened.pop()
            if not opened:
                return one
            opened[-1].append(one)
        return BROKEN

    def _token(self) -> Tree:
        """One parenthesis or one value, be it in the text or the literal behind it."""
        found = _TOKEN.match(self.text, self.at)
        if not found:
            return BROKEN if self.text[self.at :].strip() else self._literal()
        self.at = found.end()
        atom, string = found.groups()
        if string is not None:
            return _ESCAPED.sub(rb"\1", string) if b"\\" in string else string
        if atom == b"(":
            return _OPEN
        if atom == b")":
            return _CLOSE
        return None if atom in _NIL else atom

    def _literal(self) -> Tree:
        if self.index + 2 >= len(self.response):
            return BROKEN
        literal = self.response[self.index + 1]
        self.index += 2
        self.text, self.at = self.response[self.index], 0
        return literal
