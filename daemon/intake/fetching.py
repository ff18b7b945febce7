"""A folder's messages in batches, read ahead and over two connections where there are many.

Every wanted UID comes once. When a line is lost, what it has brought comes first; then the rest is
read over a new line, but the messages that were asked for in that moment are put aside as suspects:
`isolate` reads these last, in smaller and smaller requests, until the one message on which the
server fails is alone and given up. A second connection only ever helps: one that the server
refuses, or cuts, is done without. Nothing is judged or written here.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from queue import Empty, Queue
from threading import Event

from daemon.errors import Problem, RetryLater
from daemon.intake.parsing import Job
from daemon.ledger.sightings import Sighting
from daemon.log import event
from daemon.mailbox.imap import Batches, Fetched, Mailbox, Unfetched

_BATCH = 200  # messages that are handed over at once …
_BATCH_BYTES = 1 << 19  # … and about so many bytes
_AHEAD = 8  # batches that are fetched ahead of need: as many come while one transaction is written
_PATIENCE = 3.0  # seconds for what a connection is reading when nobody wants it any more
_SMALLER = 8  # into so many requests one is split whose line was lost
_MOST_LOSSES = 24  # lines lost in one pass over a folder; the next pass continues
WORTH_A_SECOND = 2000  # messages for which another connection pays


@dataclass(slots=True)
class Batch:
    """Some fetched messages, sorted: to parse, older than the folder's oldest date, failed."""

    found: list[tuple[int, datetime]] = field(default_factory=list)  # UID and arrival
    jobs: list[Job] = field(default_factory=list)  # of each found
    below: list[Sighting] = field(default_factory=list)
    unreadable: list[Unfetched] = field(default_factory=list)

    def uids(self) -> Iterator[int]:
        """Whose messages these are."""
        yield from (uid for uid, _ in self.found)
        yield from (one.uid for one in self.below)
        yield from (one.uid for one in self.unreadable)


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to fetch of the folder that is open, and how."""

    folder: str
    uidvalidity: int
    wanted: Sequence[int]
    floor: datetime | None  # a message that arrived before is below
    floor_uid: int | None  # but not one with this UID or a higher one
    now: datetime  # the arrival of what the server gives none for
    most: int  # messages in a batch
    at_once: int | None = None  # messages in a command, where the server can't do more
    ahead: bool = False  # by a thread, while the caller does something else
    another: Callable[[], Mailbox] | None = None  # opens a second connection to the same mailbox


@dataclass(slots=True)
class Suspects:
    """Messages of one folder that were under way when a line was lost."""

    groups: deque[tuple[int, ...]] = field(default_factory=deque)
    # UIDs that broke the line even alone: asked for without their structure, then without pieces.
    plain: set[int] = field(default_factory=set)
    unpieced: set[int] = field(default_factory=set)
    pieces_blameless: bool = False  # a line was lost without them as well
    losses: int = 0
    tell: Callable[[RetryLater], object] = lambda _: None  # of each line that was lost

    def lost(self, mailbox: Mailbox, request: FetchRequest, problem: RetryLater) -> None:
        """Open the line anew after a loss; raises `problem` where that can't help."""
        self.losses += 1
        if not mailbox.closed or problem.after is not None or self.losses > _MOST_LOSSES:
            raise problem
        self.tell(problem)
        mailbox.reconnect()
        if mailbox.examine(request.folder).uidvalidity != request.uidvalidity:
            raise problem


def batches(
    mailbox: Mailbox, request: FetchRequest, suspects: Suspects
) -> Generator[Batch, None, None]:
    """What is wanted, as it comes, but for the messages that are put aside as suspects."""
    left = dict.fromkeys(request.wanted)
    while left:
        part = replace(request, wanted=tuple(left))
        did_without = mailbox.account.ladder.broken().keys()
        try:
            for batch in _ahead(mailbox, part) if request.ahead else _fetch(mailbox, part):
                for uid in batch.uids():
                    left.pop(uid, None)
                yield batch
        except RetryLater as problem:
            blamed = tuple(uid for uid in mailbox.under_way if uid in left)
            if not blamed:
                raise
            suspects.lost(mailbox, request, problem)
            if mailbox.account.ladder.broken().keys() - did_without:
                continue  # the same in a simpler form
            suspects.groups.extend(_split(blamed))
            for uid in blamed:
                del left[uid]
            if isinstance(problem.__cause__, TimeoutError):
                request = replace(request, at_once=max(1, len(blamed) // _SMALLER))
        # What is left otherwise was taken over by a second connection that was lost.
        request = replace(request, another=None)


def isolate(mailbox: Mailbox, request: FetchRequest, suspects: Suspects) -> Iterator[Batch]:
    """The suspects, in smaller and smaller requests; one that breaks it alone is given up."""
    groups = suspects.groups
    while groups:
        left = dict.fromkeys(groups.popleft())
        part = replace(request, wanted=tuple(left))
        plain, unpieced = suspects.plain.issuperset(left), suspects.unpieced.issuperset(left)
        items = mailbox.fetch(part.wanted, one_at_a_time=True, plain=plain, partial=not unpieced)
        try:
            for batch in _sorted(items, part):
                for uid in batch.uids():
                    left.pop(uid, None)
                yield batch
        except RetryLater as problem:
            suspects.lost(mailbox, request, problem)
            suspects.pieces_blameless |= unpieced
            if unpieced or (plain and suspects.pieces_blameless):
                reason = problem.message
                yield Batch(unreadable=[Unfetched(uid, reason, cost_the_line=True) for uid in left])
            elif len(left) == 1:
                (suspects.unpieced if plain else suspects.plain).update(left)
                groups.appendleft(tuple(left))
            else:
                groups.extendleft(reversed(_split(tuple(left))))


def _split(uids: tuple[int, ...]) -> list[tuple[int, ...]]:
    size = max(1, len(uids) // _SMALLER)
    return [uids[start : start + size] for start in range(0, len(uids), size)]


def _ahead(mailbox: Mailbox, request: FetchRequest) -> Iterator[Batch]:
    """What threads fetch ahead, each over its connection, until all is there or one has failed."""
    another = request.another if len(request.wanted) >= WORTH_A_SECOND else None
    uids = mailbox.batches(request.wanted, lines=2 if another else 1, most=request.at_once)
    helper = _Helper(another, request, uids) if another else None
    sources = [_sorted(mailbox.fetch(uids), request)]
    if helper:
        sources.append(_sorted(helper, request))
    queue: Queue[Batch | None] = Queue(_AHEAD)
    left = Event()  # nobody wants more

    def fill(source: Generator[Batch, None, None]) -> None:
        try:
            with closing(source):
                while not left.is_set() and (batch := next(source, None)) is not None:
                    queue.put(batch)
        finally:
            queue.put(None)

    with ThreadPoolExecutor(len(sources), "ahead") as pool:
        # In the caller's context: a sign of life given there is one of the caller's.
        threads = [pool.submit(copy_context().run, fill, source) for source in sources]
        running = len(threads)
        try:
            while running:
                batch = queue.get()
                if batch is None:
                    running -= 1
                else:
                    yield batch
        finally:
            left.set()
            while running:
                try:
                    running -= queue.get(timeout=_PATIENCE) is None
                except Empty:
                    mailbox.interrupt()
                    if helper:
                        helper.interrupt()
        for thread in threads:
            thread.result()


class _Helper(Iterable[Fetched]):
    """A second connection, which fetches from the same list what it can."""

    def __init__(
        self, connect: Callable[[], Mailbox], request: FetchRequest, uids: Batches
    ) -> None:
        self._connect = connect
        self._request = request
        self._uids = uids
        self._mailbox: Mailbox | None = None

    def __iter__(self) -> Iterator[Fetched]:
        try:
            with self._connect() as self._mailbox:
                status = self._mailbox.examine(self._request.folder)
                if status.uidvalidity == self._request.uidvalidity:
                    found = self._mailbox.fetch(self._uids)
                    # What it can't have is left to the first one.
                    yield from (one for one in found if isinstance(one, Fetched))
        except Problem as problem:
            event("fetching.second_connection_lost", folder=self._request.folder, error=problem)

    def interrupt(self) -> None:
        """Have a read fail that doesn't end."""
        if self._mailbox is not None:
            self._mailbox.interrupt()


def _fetch(mailbox: Mailbox, request: FetchRequest) -> Iterator[Batch]:
    return _sorted(mailbox.fetch(mailbox.batches(request.wanted, most=request.at_once)), request)


def _sorted(
    items: Iterable[Fetched | Unfetched], request: FetchRequest
) -> Generator[Batch, None, None]:
    """Batches of what comes; before a problem, what came before it."""
    batch, size = Batch(), 0
    try:
        for count, item in enumerate(items, start=1):
            size += _add(batch, item, request)
            if count % min(request.most, _BATCH) == 0 or size >= _BATCH_BYTES:
                yield batch
                batch, size = Batch(), 0
    except Problem:
        yield batch
        raise
    yield batch


def _add(batch: Batch, item: Fetched | Unfetched, request: FetchRequest) -> int:
    """Put a message where it belongs; its bytes."""
    if isinstance(item, Unfetched):
        batch.unreadable.append(item)
        return 0
    arrived_at = (item.internal_date or request.now).astimezone(UTC)
    came_later = request.floor_uid is not None and item.uid >= request.floor_uid
    if request.floor is not None and arrived_at < request.floor and not came_later:
        batch.below.append(Sighting(item.uid, None, item.size, arrived_at))
    else:
        batch.found.append((item.uid, arrived_at))
        batch.jobs.append(Job(item.raw, item.size, item.thread))
    return len(item.raw)
