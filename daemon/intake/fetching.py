"""A folder's messages in portions, many of them fetched ahead of need and by two connections.

Promises: every UID that is wanted comes once; when a line is cut, what it has brought comes before
the cause. A second connection only ever helps: one that the server refuses, or cuts, is done
without, and what it had taken over is fetched by the first. It judges and writes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from daemon.errors import Problem
from daemon.intake.parsing import Job
from daemon.intake.prefetch import Prefetch, Source
from daemon.log import event
from daemon.mailbox.imap import Batches, Fetched, Mailbox, Unfetched, in_batches

_PORTION = 200  # messages that are handed over at once …
_PORTION_BYTES = 1 << 19  # … and about so many bytes
_AHEAD = 4  # portions that are fetched ahead of need
WORTH_A_SECOND = 2000  # messages for which another connection pays

Ready = Callable[[], bool]


@dataclass(slots=True)
class Batch:
    """Some fetched messages, sorted: to parse, below the folder's floor, not to be had."""

    found: list[tuple[int, datetime]] = field(default_factory=list)  # UID and arrival
    jobs: list[Job] = field(default_factory=list)  # of each found
    below: list[tuple[int, None]] = field(default_factory=list)
    unreadable: list[Unfetched] = field(default_factory=list)

    def uids(self) -> Iterator[int]:
        """Whose messages these are."""
        yield from (uid for uid, _ in self.found)
        yield from (uid for uid, _ in self.below)
        yield from (one.uid for one in self.unreadable)


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to fetch of the folder that is open, and how."""

    folder: str
    uidvalidity: int
    wanted: Sequence[int]
    floor: datetime | None  # a message that arrived before is below
    now: datetime  # the arrival of what the server gives none for
    most: int  # messages in a portion
    ahead: bool  # by a thread, while the caller does something else
    another: Callable[[], Mailbox] | None  # opens a second connection to the same mailbox


@contextmanager
def portions(mailbox: Mailbox, order: FetchRequest) -> Iterator[tuple[Iterable[Batch], Ready]]:
    """What is ordered, as it comes, and whether more of it is there without waiting."""
    if not order.ahead:
        yield _portions(mailbox.fetch(order.wanted), order), lambda: True
        return
    another = order.another if len(order.wanted) >= WORTH_A_SECOND else None
    uids = in_batches(order.wanted, lines=2 if another else 1)
    sources = [Source(_portions(mailbox.fetch(uids), order), mailbox.cut)]
    if another is not None:
        helper = _Helper(another, order, uids)
        sources.append(Source(_portions(helper, order), helper.cut))
    with Prefetch(sources, _AHEAD) as ahead:
        yield _all(ahead, mailbox, order), ahead.ready


def _all(ahead: Iterable[Batch], mailbox: Mailbox, order: FetchRequest) -> Iterator[Batch]:
    left = set(order.wanted)
    for portion in ahead:
        left.difference_update(portion.uids())
        yield portion
    if left:  # a second connection was lost with these
        yield from _portions(mailbox.fetch(sorted(left, reverse=True)), order)


class _Helper(Iterable[Fetched]):
    """A second connection, which fetches from the same list what it can."""

    def __init__(self, connect: Callable[[], Mailbox], order: FetchRequest, uids: Batches) -> None:
        self._connect = connect
        self._order = order
        self._uids = uids
        self._mailbox: Mailbox | None = None

    def __iter__(self) -> Iterator[Fetched]:
        try:
            with self._connect() as self._mailbox:
                status = self._mailbox.examine(self._order.folder)
                if status.uidvalidity == self._order.uidvalidity:
                    found = self._mailbox.fetch(self._uids)
                    # What doesn't come is the first one's to try, and to give up.
                    yield from (one for one in found if isinstance(one, Fetched))
        except Problem as problem:
            event("fetching.second_connection_lost", folder=self._order.folder, error=problem)

    def cut(self) -> None:
        """Have a read fail that doesn't end."""
        if self._mailbox is not None:
            self._mailbox.cut()


def _portions(items: Iterable[Fetched | Unfetched], order: FetchRequest) -> Iterator[Batch]:
    some: list[Fetched | Unfetched] = []
    total = 0
    try:
        for item in items:
            some.append(item)
            total += len(item.raw) if isinstance(item, Fetched) else 0
            if len(some) == min(order.most, _PORTION) or total >= _PORTION_BYTES:
                yield _sorted(some, order)
                some, total = [], 0
    except Problem:
        yield _sorted(some, order)
        raise
    yield _sorted(some, order)


def _sorted(items: Iterable[Fetched | Unfetched], order: FetchRequest) -> Batch:
    portion = Batch()
    for item in items:
        if isinstance(item, Unfetched):
            portion.unreadable.append(item)
            continue
        arrived_at = (item.internal_date or order.now).astimezone(UTC)
        if order.floor is not None and arrived_at < order.floor:
            portion.below.append((item.uid, None))
            continue
        portion.found.append((item.uid, arrived_at))
        portion.jobs.append(Job(item.raw, item.size, item.thread))
    return portion
