"""Whether two addresses are one person's, by what a stranger can't forge. Pure.

A name proves nothing: anybody may take it. Who answers, from an address that our own server found
authentic, a mail that we sent to one address alone has read that mail. If they have its name, too,
they are who we wrote to.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable

from daemon.message.address import Address
from daemon.message.nature import nature
from daemon.message.own_server import authenticated
from daemon.message.parse import Message
from daemon.message.us import Us

_WORD = re.compile(r"[^\W\d_]+")
_LONGEST = 200  # characters of a name that are compared
_FULL = 2  # words of a full name, at least


def written_to_alone(ours: Message, us: Us) -> Address | None:
    """The one outside address that a mail of ours went to; None if it went to several."""
    outside = {to.key: to for to in ours.to if not us.is_us(to)}
    return next(iter(outside.values())) if len(outside) == 1 else None


def is_same_person(answer: Message, other: Address, names: Iterable[str], us: Us) -> bool:
    """Whether the author of an answer to a mail that went to `other` alone is the same person.

    `names`: those under which `other` itself has written to us.
    """
    sender = answer.from_
    if sender is None or sender.key == other.key or not _is_persons((sender, other)):
        return False
    if authenticated(answer.signals, us.authserv_ids, us.learned_servers) != "pass":
        return False
    full = _full_name(sender.name)
    return bool(full) and any(_full_name(name) == full for name in names)


def _is_persons(addresses: Collection[Address]) -> bool:
    """Whether these are personal: no machine's, and no role address that several people share."""
    found = [nature((), address, "from") for address in addresses]
    return all(one.reason is None and not one.is_desk for one in found)


def _full_name(name: str) -> frozenset[str]:
    """The words of a first and last name in any order; empty for less than that."""
    decomposed = unicodedata.normalize("NFKD", name[:_LONGEST].casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    words = frozenset(_WORD.findall(plain))
    return words if len(words) >= _FULL and "@" not in name else frozenset()
