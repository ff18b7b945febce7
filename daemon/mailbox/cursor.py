"""What to look at in a folder and what to fetch of it, from counters and sets of UIDs.

Pure: the state of the server and what the ledger remembers in, a decision out. New is what the
server has and the ledger hasn't, never what lies above a watermark: UIDs have gaps, messages come
late and a fetch may leave some out. The watermark only says how much of the folder to compare.
RFC 3501 section 2.3.1.1 (UIDVALIDITY, UIDNEXT).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

WHOLE_EVERY = timedelta(days=1)
_FIRST_YEAR = 1971
MARGIN_DAYS = 2  # SINCE compares the server's own day, whatever its time zone


@dataclass(frozen=True, slots=True)
class Memory:
    """What the ledger remembers of a folder: counters of the last good look, and its time."""

    uidvalidity: int
    uidnext: int
    messages: int
    highestmodseq: int | None
    whole_at: datetime | None


class Look(NamedTuple):
    """How much of a folder to compare: nothing, UIDs from `first` on, or all of it after a reset.

    `reset` means that the UIDs known so far belong to another folder of the same name.
    """

    kind: Literal["nothing", "new", "whole", "reset"]
    first: int
    reason: str


def look(  # noqa: PLR0911 - a table of cases, first that fits
    memory: Memory | None,
    *,
    uidvalidity: int,
    uidnext: int,
    messages: int,
    highestmodseq: int | None,
    now: datetime,
) -> Look:
    """Decide from the counters of STATUS or EXAMINE how much of the folder to compare."""
    if memory is None:
        return Look("whole", 1, "first look")
    if uidvalidity != memory.uidvalidity:
        return Look("reset", 1, f"UIDVALIDITY {memory.uidvalidity} became {uidvalidity}")
    if uidnext < memory.uidnext:
        # Impossible under one UIDVALIDITY, but servers restored from a backup do it.
        return Look("whole", 1, f"UIDNEXT went back from {memory.uidnext} to {uidnext}")
    if memory.whole_at is None or now - memory.whole_at >= WHOLE_EVERY:
        return Look("whole", 1, "daily comparison")
    if uidnext > memory.uidnext:
        return Look("new", memory.uidnext, f"UIDNEXT {memory.uidnext} became {uidnext}")
    if messages > memory.messages:
        # Some servers raise UIDNEXT late; then only the count tells.
        return Look("whole", 1, f"{memory.messages} messages became {messages}")
    same = "same counters" if highestmodseq == memory.highestmodseq else "only flags changed"
    return Look("nothing", uidnext, same)


def missing(on_server: Iterable[int], known: Collection[int]) -> tuple[int, ...]:
    """UIDs that the server has and the ledger hasn't, newest first."""
    held = known if isinstance(known, set | frozenset) else frozenset(known)
    return tuple(sorted({uid for uid in on_server if uid not in held}, reverse=True))


def search_from(since: date | None) -> date | None:
    """The day to ask the server for, so that no time zone makes it leave out a mail of `since`.

    None for a day before there was any mail: not every server reads such a year.
    """
    if since is None or since.year < _FIRST_YEAR:
        return None
    return since - timedelta(days=MARGIN_DAYS)


def windows(messages: int, width: int) -> Iterator[tuple[int, int]]:
    """Sequence numbers 1 to `messages` in ranges of at most `width`, highest first.

    Highest first because an expunge between two questions moves later messages down: into ranges
    that are still to be asked, never out of them.
    """
    for high in range(messages, 0, -width):
        yield max(1, high - width + 1), high


def batches(uids: Sequence[int], count: int) -> Iterator[tuple[int, ...]]:
    """UIDs in their order, at most `count` at once."""
    for start in range(0, len(uids), count):
        yield tuple(uids[start : start + count])


def uid_set(uids: Iterable[int]) -> str:
    """The shortest set that names these UIDs and no other: `3:5,9` (RFC 3501, sequence-set)."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in runs)


def expand(text: str, *, limit: int) -> list[int]:
    """The UIDs of a set; raises ValueError for one that isn't a set or names more than `limit`."""
    uids: list[int] = []
    for item in text.split(","):
        low, _, high = item.partition(":")
        first, last = sorted((int(low), int(high or low)))
        if len(uids) + last - first >= limit:
            raise ValueError(f"more than {limit} UIDs")
        uids.extend(range(first, last + 1))
    return uids
