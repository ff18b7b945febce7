"""BODYSTRUCTURE: which shape a message has, and which parts of it are worth their bytes.

Pure. Reads what servers really send (RFC 3501 section 7.4.2, with NIL in any place); what can't be
understood is None, and the caller fetches a bounded beginning of the whole message instead. Servers
disagree about the structure of broken mails, so a part that turns out empty means the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from daemon.message import bounce
from daemon.message.candidates import CERTIFIED_FILE

# What a parsed parenthesised list is made of: bytes for atoms and strings, None for NIL.
Tree = bytes | None | list["Tree"]

PLAIN_BYTES = 32 << 10  # of a text/plain part: a snippet, and the quote it may stand below
HTML_BYTES = 64 << 10  # of a text/html part: style sheets come first
CALENDAR_BYTES = 256 << 10  # an invitation cut short can't be read at all
REPORT_BYTES = 2 * bounce.READ_BYTES  # of either part, so that what is read is whole
ATTACHED_BYTES = 16 << 10  # of an attached mail: its header, and the beginning of its text
CALENDARS = frozenset({"text/calendar", "application/ics"})
MOST_CALENDARS = 4
DEEPEST = 30
MOST_PARTS = 200
LONGEST_BOUNDARY = 70  # RFC 2046 section 5.1.1

Parameters = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One MIME part; `section` is its number for BODY[...], empty for a multipart at the root."""

    section: str
    type: str
    subtype: str
    parameters: Parameters
    encoding: str
    size: int
    disposition: str
    disposition_parameters: Parameters
    children: tuple["BodyPart", ...]

    @property
    def media(self) -> str:
        """`type/subtype` in lower case."""
        return f"{self.type}/{self.subtype}"

    @property
    def attached(self) -> bool:
        """Whether it is an attachment: said to be one, or named and not said to be inline."""
        if self.disposition in {"attachment", "inline"}:
            return self.disposition == "attachment"
        names = self.parameters + self.disposition_parameters
        return any(name.startswith(("name", "filename")) for name, _ in names)

    @property
    def is_calendar(self) -> bool:
        """Whether it is a calendar: by its type, or by its file name where that says nothing."""
        if self.media in CALENDARS:
            return True
        return self.type == "application" and self._file_name.endswith(".ics")

    @property
    def is_mail(self) -> bool:
        """Whether it is a mail: by its type, or as the original in certified mail by its name."""
        return self.media == "message/rfc822" or self._file_name == CERTIFIED_FILE

    @property
    def _file_name(self) -> str:
        named = dict(self.disposition_parameters).get("filename")
        return (named or dict(self.parameters).get("name") or "").lower()

    def is_sound(self) -> bool:
        """Whether a server could tell the parts apart; without a boundary it makes them up."""
        if self.type != "multipart":
            return bool(self.type and self.subtype)
        boundary = dict(self.parameters).get("boundary", "")
        return 0 < len(boundary) <= LONGEST_BOUNDARY and all(
            one.is_sound() for one in self.children
        )

    def leaves(self) -> Iterator["BodyPart"]:
        """The parts that aren't multiparts, in order; what is inside message/rfc822 isn't ours."""
        if self.type != "multipart":
            yield self
        for child in self.children:
            yield from child.leaves()


class Want(NamedTuple):
    """A part to fetch: its section, and how many bytes of it at most."""

    section: str
    limit: int


class FetchPlan(NamedTuple):
    """What to fetch of a message: parts at once, and a text to ask for if the first is blank."""

    wants: tuple[Want, ...]
    text: str | None
    second: Want | None


def read_structure(tree: Tree) -> BodyPart | None:
    """The message's parts, or None if the server's answer doesn't make sense."""
    try:
        return _part(tree, "", 0, [0])
    except (ValueError, IndexError, TypeError, AttributeError):
        return None


def plan(root: BodyPart) -> FetchPlan:
    """The first readable text, plain before HTML, the calendars, and a mail that is handed on.

    No other attachment is asked for; of a mail that a bounce returns, only its header.
    """
    leaves = tuple(root.leaves())
    plain = _first(leaves, "plain")
    html = _first(leaves, "html")
    calendars = [one for one in leaves if one.is_calendar]
    wants = [Want(one.section, CALENDAR_BYTES) for one in calendars[:MOST_CALENDARS] if one.size]
    if root.subtype == "report":
        wants += _report(leaves)
    else:
        handed = next((one for one in leaves if one.is_mail and one.size), None)
        wants += [Want(handed.section, ATTACHED_BYTES)] if handed else []
    text, second = (plain, html) if plain else (html, None)
    if text is None or not text.size:
        text, second = second, None
    if text is not None and text.size:
        wants.insert(0, _want(text))
    return FetchPlan(
        wants=tuple(wants),
        text=text.section if text else None,
        second=_want(second) if second and second.size else None,
    )


def _report(leaves: tuple[BodyPart, ...]) -> Iterator[Want]:
    """What a delivery report (RFC 3464) says of whom, and the beginning of what it returns."""
    for kinds in (bounce.STATUS_KINDS, bounce.RETURNED_KINDS):
        part = next((one for one in leaves if one.media in kinds and one.size), None)
        if part is not None:
            yield Want(part.section, REPORT_BYTES)


def _first(leaves: tuple[BodyPart, ...], subtype: str) -> BodyPart | None:
    for one in leaves:
        if one.subtype == subtype and one.type == "text" and not one.attached:
            return one
    return None


def _want(part: BodyPart) -> Want:
    return Want(part.section, PLAIN_BYTES if part.subtype == "plain" else HTML_BYTES)


def _part(tree: Tree, section: str, depth: int, seen: list[int]) -> BodyPart:
    seen[0] += 1
    if not isinstance(tree, list) or not tree or depth > DEEPEST or seen[0] > MOST_PARTS:
        raise ValueError("not a body")
    if isinstance(tree[0], list):
        return _multipart(tree, section, depth, seen)
    kind, subtype = _word(tree[0]), _word(tree[1])
    # message/rfc822 has envelope, structure and lines before the extension data, text has lines.
    after = 10 if (kind, subtype) == ("message", "rfc822") else 8 if kind == "text" else 7
    disposition, parameters = _disposition(tree, after + 1)
    return BodyPart(
        section=section or "1",
        type=kind,
        subtype=subtype,
        parameters=_parameters(tree[2]),
        encoding=_word(tree[5]),
        size=int(_text(tree[6]) or "0"),
        disposition=disposition,
        disposition_parameters=parameters,
        children=(),
    )


def _multipart(tree: list[Tree], section: str, depth: int, seen: list[int]) -> BodyPart:
    parts: list[BodyPart] = []
    for one in tree:
        if not isinstance(one, list):
            break
        number = str(len(parts) + 1)
        parts.append(_part(one, f"{section}.{number}" if section else number, depth + 1, seen))
    subtype = len(parts)
    disposition, parameters = _disposition(tree, subtype + 2)
    return BodyPart(
        section=section,
        type="multipart",
        subtype=_word(tree[subtype]),
        parameters=_parameters(tree[subtype + 1]) if len(tree) > subtype + 1 else (),
        encoding="",
        size=0,
        disposition=disposition,
        disposition_parameters=parameters,
        children=tuple(parts),
    )


def _parameters(tree: Tree) -> Parameters:
    if not isinstance(tree, list):
        return ()
    pairs = zip(tree[::2], tree[1::2], strict=False)
    return tuple((_word(name), _text(value)) for name, value in pairs)


def _disposition(tree: list[Tree], index: int) -> tuple[str, Parameters]:
    value = tree[index] if len(tree) > index else None
    if not isinstance(value, list) or not value:
        return "", ()
    return _word(value[0]), _parameters(value[1] if len(value) > 1 else None)


def _text(value: Tree) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _word(value: Tree) -> str:
    return _lower(value) if isinstance(value, bytes) else ""


@lru_cache(maxsize=1024)  # types, encodings and names of parameters: a few, over and over
def _lower(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip().lower()
