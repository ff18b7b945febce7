"""BODYSTRUCTURE by its shape: mails are alike, so most structures needn't be parsed a second time.

Pure. What differs between two mails of one kind (sizes, boundaries, Content-IDs) doesn't matter to
what is fetched of them, but whether a size is 0. It is put aside, and what remains is the key under
which parts and plan are kept, for the last kinds that were met.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from daemon.mailbox.connection import Response
from daemon.mailbox.fetch_response import BROKEN, last_list
from daemon.mailbox.structure import LONGEST_BOUNDARY, BodyPart, FetchPlan, plan, read_structure

_ITEM = b" BODYSTRUCTURE ("
_ID = re.compile(rb'"<[^"]*>"')
_BOUNDARY = re.compile(rb'"boundary" "[^"]{1,%d}"' % LONGEST_BOUNDARY, re.IGNORECASE)
_SIZE = re.compile(rb"(?<![^\s(])[1-9]\d*(?![^\s)])")


class Described(NamedTuple):
    """The parts of a message and what to fetch of it; every size but 0 is 1."""

    root: BodyPart
    plan: FetchPlan


def take_structure(response: Response) -> Described | None:
    """Take the structure out of a FETCH response that ends with it; None leaves all as it is."""
    # Only after a literal: then no text of a mail comes before it.
    at = response[-1].find(_ITEM) if len(response) > 1 else -1
    if at < 0:
        return None
    shape = _shape(response[-1][at + len(_ITEM) - 1 :])
    described = _described(shape) if shape else None
    if described is not None:
        response[-1] = response[-1][:at] + b")"
    return described


def _shape(text: bytes) -> bytes | None:
    """A structure without what doesn't matter; None for one that must be read with care."""
    if b"\\" in text or text.count(b'"') % 2:
        return None
    text = _BOUNDARY.sub(b'"boundary" "b"', _ID.sub(b'"<>"', text))
    pieces = text.split(b'"')  # outside and inside of quotes, in turn
    pieces[::2] = _SIZE.sub(b"1", b'"'.join(pieces[::2])).split(b'"')
    return b'"'.join(pieces)


@lru_cache(maxsize=256)
def _described(shape: bytes) -> Described | None:
    tree = last_list(shape)
    root = None if tree is BROKEN else read_structure(tree)
    return Described(root, plan(root)) if root else None
