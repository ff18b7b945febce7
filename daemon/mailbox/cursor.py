"""What of a folder to ask for: days, windows of messages, batches and sets of UIDs.

Pure. UIDs have gaps, messages come late and a fetch may leave some out, so nothing here is a
watermark: what is new is what the server has and the ledger hasn't, and the ledger says that.
RFC 3501 section 2.3.1 and 9.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from threading import Lock

_FIRST_YEAR = 1971
MARGIN_DAYS = 2  # SINCE compares the server's own day, whatever its time zone


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


class Batches(Iterator[tuple[int, ...]]):
    """UIDs in their order, each once, a batch at a time; several connections may take from one."""

    def __init__(
        self, uids: Sequence[int], size: int, lines: int = 1, *, room: int = 4_000
    ) -> None:
        """`size`: UIDs in a batch, of `room` bytes with commas; `lines`: connections that take."""
        distinct = tuple(dict.fromkeys(uids))
        self.count = len(distinct)
        self.lines = lines
        self.size = size  # may be made smaller at any time
        self._room = room
        self._left = deque(distinct)
        self._lock = Lock()

    def __next__(self) -> tuple[int, ...]:
        with self._lock:
            if not self._left:
                raise StopIteration
            batch: list[int] = []
            length = len(str(self._left[0]))
            while self._left and len(batch) < self.size and (length <= self._room or not batch):
                batch.append(self._left.popleft())
                length += 1 + len(str(self._left[0])) if self._left else 0
            return tuple(batch)


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
