"""FLOW mailbox → message → ledger: what is new in each folder, read once, counted once.

    roles → what is new → read → parse → one transaction a batch (messages, sightings, states)

A UID is recorded only together with its message and the state of the senders that it touches. So
a crash at any point loses nothing and doubles nothing: what isn't recorded is new the next time.
It needs no Pipedrive, and never changes anything in a mailbox.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from daemon import reckoning
from daemon.errors import LedgerProblem, Problem, RetryLater
from daemon.fetching import Order, Portion, portions
from daemon.ledger.folders import Folder
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.imap import FolderStatus, Mailbox, Unfetched
from daemon.parsing import Answer, Parser
from daemon.reckoning import Reading, Seen

_FULL_SCAN_EVERY = timedelta(days=1)
_LIST_EVERY = 3600.0  # seconds; a folder that is missing makes it look at once
_FOLDER_RETRY = (timedelta(minutes=1), timedelta(hours=6))  # first wait after a failure, and last
_BATCH_BYTES = 4 << 20  # of small messages, in one transaction


@dataclass(slots=True)
class Tally:
    """What one pass over a mailbox took in."""

    new: int = 0
    sightings: int = 0
    quarantined: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a mailbox needs beside the mailbox and the ledger."""

    reading: Reading
    name: str  # of the mailbox, in the configuration
    floor: datetime | None  # where folders begin that we see for the first time
    now: Callable[[], datetime]
    # Takes ids of folders that were polled and had nothing new, to be written later, many at once.
    quiet: Callable[[Sequence[int], datetime], None] | None = None
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda *_: None  # folder, done, total
    worth_a_process: int | None = 1000  # new mails of a folder; see `parsing.Parser`
    another: Callable[[], Mailbox] | None = None  # a second connection, for folders with many


def poll(mailbox: Mailbox, ledger: Ledger, run: Pass) -> Tally:
    """Take in what is new in all folders of a mailbox.

    A folder that fails is noted in the ledger and in `Tally.problems`; the others go on. Raises
    what ends the whole mailbox: AuthProblem, ConfigProblem, or RetryLater when the line is cut.
    """
    tally = Tally()
    now = run.now()
    active = _folders(mailbox, ledger, run)
    folders = [f for f in active if f.next_due is None or f.next_due <= now]
    statuses = mailbox.status([folder.name for folder in folders])
    idle = [f for f in folders if _nothing_new(f, statuses.get(f.name), ledger, now)]
    healthy = [f.id for f in idle if not f.failures] if run.quiet else []
    if run.quiet and healthy:
        run.quiet(healthy, now)
    if len(healthy) < len(idle):
        with ledger.transaction("polled"):
            ledger.folders.seen_nothing_new([f.id for f in idle if f.id not in healthy], now)
    with Parser(run.reading.snippet_chars, run.worth_a_process) as parser:
        for folder in folders:
            if folder in idle or run.stopping():
                continue
            try:
                _take_in(mailbox, ledger, run, parser, folder, tally)
            except LedgerProblem:
                raise
            except Problem as problem:
                tally.problems.append(problem)
                event("intake.folder_failed", mailbox=run.name, folder=folder.name, error=problem)
                due = run.now() + min(_FOLDER_RETRY[0] * 2**folder.failures, _FOLDER_RETRY[1])
                with ledger.transaction("folder failed"):
                    ledger.folders.failed(run.name, folder.name, str(problem), due)
                if mailbox.closed or _asks_for_patience(problem):
                    raise  # of the whole mailbox: the next folder would only make it worse
    return tally


def _folders(mailbox: Mailbox, ledger: Ledger, run: Pass) -> list[Folder]:
    """The mailbox's folders in the ledger, which are brought in line with those of the server."""
    roles = mailbox.folders(max_age=_LIST_EVERY)
    known = ledger.folders.of(run.name)
    if {(one.name, one.role) for one in known} == set(roles):
        return known
    with ledger.transaction("folders"):
        ledger.folders.ensure(run.name, roles, run.floor)
        ledger.set(f"reply_detection:{run.name}", any(role == "sent" for _, role in roles))
    return ledger.folders.of(run.name)


def _asks_for_patience(problem: Problem) -> bool:
    return isinstance(problem, RetryLater) and problem.after is not None


def _nothing_new(
    folder: Folder, status: FolderStatus | None, ledger: Ledger, now: datetime
) -> bool:
    return (
        status is not None
        and (status.uidvalidity, status.uidnext) == (folder.uidvalidity, folder.uidnext)
        and folder.scanned_at is not None
        and now - folder.scanned_at < _FULL_SCAN_EVERY
        and not ledger.folders.due_quarantine(folder.id, status.uidvalidity, now)
    )


def _take_in(
    mailbox: Mailbox, ledger: Ledger, run: Pass, parser: Parser, folder: Folder, tally: Tally
) -> None:
    """Read one folder to its end, newest first, a transaction a batch."""
    status = mailbox.examine(folder.name)
    if folder.uidvalidity != status.uidvalidity:
        if folder.uidvalidity is not None:
            event("intake.new_epoch", mailbox=run.name, folder=folder.name)
        with ledger.transaction("epoch"):
            ledger.folders.begin_epoch(folder, status.uidvalidity)
        folder = replace(folder, uidvalidity=status.uidvalidity, uidnext=None, scanned_at=None)
    whole = folder.scanned_at is None or run.now() - folder.scanned_at >= _FULL_SCAN_EVERY
    first = 1 if whole else folder.uidnext or 1
    present = mailbox.uids(since=folder.floor.date() if folder.floor else None, first=first)
    new = set(present) - ledger.folders.known_uids(folder.id, status.uidvalidity, first)
    new.update(_to_retry(mailbox, ledger, folder, status.uidvalidity, run.now()))
    wanted = sorted(new, reverse=True)
    order = Order(
        folder=folder.name,
        uidvalidity=status.uidvalidity,
        wanted=wanted,
        floor=folder.floor,
        now=run.now(),
        most=run.reading.batch,
        ahead=run.worth_a_process is not None and len(wanted) >= run.worth_a_process,
        another=run.another,
    )
    before = tally.new
    done = 0
    for batch in _batches(mailbox, run, parser, order):
        _record(ledger, run, folder, status.uidvalidity, batch, tally)
        done += batch.count
        run.progress(folder.name, done, len(wanted))
        if run.stopping():
            return
    with ledger.transaction("polled"):
        ledger.folders.polled(
            folder.id,
            run.now(),
            uidnext=status.uidnext,
            highestmodseq=status.highestmodseq,
            scanned=whole,
        )
    if wanted:
        event(
            "intake.folder",
            mailbox=run.name,
            folder=folder.name,
            read=len(wanted),
            new=tally.new - before,
        )


def _to_retry(
    mailbox: Mailbox, ledger: Ledger, folder: Folder, uidvalidity: int, now: datetime
) -> list[int]:
    """Quarantined UIDs whose next try has come; those that the folder has lost are let go."""
    due = ledger.folders.due_quarantine(folder.id, uidvalidity, now)
    if not due:
        return []
    there = set(mailbox.uids(first=min(due)))
    with ledger.transaction("quarantine"):
        ledger.folders.let_go(folder.id, uidvalidity, [uid for uid in due if uid not in there])
    return [uid for uid in due if uid in there]


@dataclass(slots=True)
class _Batch:
    """What came of some messages: found, below the folder's floor, not to be had."""

    seen: list[Seen] = field(default_factory=list)
    below: list[tuple[int, None]] = field(default_factory=list)
    unreadable: list[Unfetched] = field(default_factory=list)
    size: int = 0  # bytes that were fetched

    @property
    def count(self) -> int:
        return len(self.seen) + len(self.below) + len(self.unreadable)

    def take(self, portion: Portion, answers: Sequence[Answer]) -> None:
        """Take what was fetched, with what the parser says of it."""
        for (uid, arrived_at), answer in zip(portion.found, answers, strict=True):
            if isinstance(answer, str):
                self.unreadable.append(Unfetched(uid, answer))
            else:
                self.seen.append(Seen(uid, arrived_at, answer))
        self.below += portion.below
        self.unreadable += portion.unreadable
        self.size += sum(len(job.raw) for job in portion.jobs)


def _batches(mailbox: Mailbox, run: Pass, parser: Parser, order: Order) -> Iterator[_Batch]:
    """What is ordered, parsed, as much at once as one transaction shall write.

    When the line is cut, what has come before is the last batch; then the cause is raised.
    """
    batch = _Batch()
    with portions(mailbox, order) as (some, ready):
        try:
            for portion, answers in parser.run(some, lambda p: p.jobs, len(order.wanted), ready):
                batch.take(portion, answers)
                if batch.count >= run.reading.batch or batch.size >= _BATCH_BYTES:
                    yield batch
                    batch = _Batch()
        except Problem:
            yield batch
            raise
    yield batch


def _record(
    ledger: Ledger,
    run: Pass,
    folder: Folder,
    uidvalidity: int,
    batch: _Batch,
    tally: Tally,
) -> None:
    """Write all of a batch in one transaction."""
    if not batch.count:
        return
    now = run.now()
    with ledger.transaction("batch", repeatable=True):
        new = reckoning.add(ledger, run.reading, folder.id, folder.role, uidvalidity, batch.seen)
        ledger.folders.see(folder.id, uidvalidity, batch.below)
        for item in batch.unreadable:
            ledger.folders.quarantine(folder.id, uidvalidity, item.uid, item.reason, now)
    for item in batch.unreadable:
        event(
            "intake.quarantined",
            mailbox=run.name,
            folder=folder.name,
            uid=item.uid,
            reason=item.reason,
        )
    tally.new += len(new)
    tally.sightings += len(batch.seen)
    tally.quarantined += len(batch.unreadable)
