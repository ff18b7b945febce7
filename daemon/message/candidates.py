"""Who else than its From may have written a mail, and what it says about that person. Pure.

Facts of one mail, whoever "we" are: which of the candidates is believed is the decision of
`author`, which knows that. Both are small and bounded, and stored with the message.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from daemon.message.address import Address

# Where a candidate was found.
Way = Literal["group", "reply-to", "form", "text", "forward", "attached", "envelope"]
CANDIDATE_LIMIT = 8  # of one mail; a forwarded thread names many
FACT_LIMIT = 8
VALUE_LIMIT = 200  # characters of one fact

CERTIFIED_FILE = "postacert.eml"  # the original in Italian certified mail, whatever its type

# Marks of a mail by its words: a program hands on a visitor's; a form's copy for the visitor.
HANDS_ON = "hands-on"
COPY = "form-copy"

# What a mail can say about its author, beside the address.
FactKind = Literal["name", "phone", "title", "company"]


class Candidate(NamedTuple):
    """An address that may be the author's, and the date of the original where there is one."""

    way: Way
    address: Address
    date: datetime | None = None


class Fact(NamedTuple):
    """One thing that a mail says about its author; `way` is "from" for a signature of its own."""

    kind: FactKind
    value: str
    way: str


def bounded(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The first few candidates, each address once a way."""
    kept = {(one.way, one.address.key): one for one in reversed(list(candidates))}
    return tuple(reversed(kept.values()))[:CANDIDATE_LIMIT]
