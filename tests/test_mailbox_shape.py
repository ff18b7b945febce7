"""A structure known by its shape is what reading it with care gives, but for sizes and boundaries."""

from dataclasses import replace

import pytest

from daemon.mailbox.fetch_response import read_fetch
from daemon.mailbox.structure import BodyPart, plan, read_structure
from daemon.mailbox.structure_cache import take_structure

PLAIN = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" %d 3 NIL NIL NIL NIL)'
HTML = b'("text" "html" ("charset" "windows 1252") "<a%d@x>" NIL "base64" %d 9 NIL NIL NIL NIL)'
FILE = (
    b'("application" "pdf" ("name" "plan 12 of 20 (%s).pdf") NIL NIL "base64" %d NIL'
    b' ("attachment" ("filename" "plan 12 of 20.pdf")) NIL NIL)'
)


def mixed(boundary: bytes, *parts: bytes) -> bytes:
    return b'(%s "mixed" ("boundary" "%s") NIL NIL NIL)' % (b"".join(parts), boundary)


STRUCTURES = [
    PLAIN % 0,
    PLAIN % 7,
    PLAIN % 4_000_000,
    HTML % (1, 5),
    mixed(b"one", PLAIN % 12, HTML % (2, 0)),
    mixed(b"another", PLAIN % 0, HTML % (3, 77), FILE % (b"a", 99)),
    mixed(b"x" * 70, PLAIN % 1),
    mixed(b"x" * 71, PLAIN % 1),
    mixed(b"", PLAIN % 1),
    mixed(b"outer", mixed(b"inner", PLAIN % 3, HTML % (9, 3)), FILE % (b"b", 8)),
    mixed(b"one", FILE % (b" BODYSTRUCTURE (", 8)),
    mixed(b"boundary", b'("text" "calendar" ("method" "REQUEST") NIL NIL "8-bit" 20 3)'),
    b'("text" "plain" ("boundary" "boundary") NIL NIL 8-bit 12 3)',
    b'("TEXT" "PLAIN" NIL NIL NIL NIL 12 3)',
]


def alike(part: BodyPart) -> BodyPart:
    """A part without what its shape leaves out."""
    names = tuple(
        (name, "b" if name == "boundary" and 0 < len(value) <= 70 else value)
        for name, value in part.parameters
    )
    children = tuple(alike(child) for child in part.children)
    return replace(part, size=min(part.size, 1), parameters=names, children=children)


def response(structure: bytes) -> list[bytes]:
    return [
        b"* 3 FETCH (UID 5 BODY[HEADER] ",
        b"Subject: x\r\n\r\n",
        b" BODYSTRUCTURE %s)" % structure,
    ]


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("again", ["first", "second"])
def test_it_is_what_reading_with_care_gives(structure: bytes, again: str) -> None:
    items = read_fetch(response(structure)) or {}
    careful = read_structure(items[b"BODYSTRUCTURE"])
    assert careful is not None
    given = response(structure)
    known = take_structure(given)

    assert known is not None, again
    assert alike(known.root) == alike(careful)
    assert known.root.is_sound() == careful.is_sound()
    assert known.plan == plan(careful)
    del items[b"BODYSTRUCTURE"]
    assert read_fetch(given) == items


@pytest.mark.parametrize(
    "last",
    [
        b' BODYSTRUCTURE ("text" "pl\\"ain" NIL NIL NIL "7bit" 3 1))',  # to be read with care
        b' BODYSTRUCTURE ("text" "plain NIL NIL NIL "7bit" 3 1))',
        b' BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 3 1) UID 5)',  # not the last item
        b' BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 3 1',
        b" BODYSTRUCTURE (()))",
        b" BODYSTRUCTURE NIL)",
        b")",
    ],
)
def test_anything_else_is_left_as_it_is(last: bytes) -> None:
    given = [b"* 3 FETCH (BODY[HEADER] ", b"x", last]

    assert take_structure(given) is None
    assert given[-1] == last


def test_nothing_is_taken_where_a_mails_text_may_come_before_it() -> None:
    line = b'* 3 FETCH (BODY[HEADER] "Subject: a BODYSTRUCTURE (b" BODYSTRUCTURE (%s))' % PLAIN

    assert take_structure([line]) is None
