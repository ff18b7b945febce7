"""FLOW mailbox → message → ledger: what is new in each folder, read once, counted once.

    roles → what is new → read → parse → one transaction a batch (messages, sightings, states)

A UID is recorded only together with its message and the state of the senders that it touches. So
a crash at any point loses nothing and doubles nothing: what isn't recorded is new the next time.
It needs no Pipedrive, and never changes anything in a mailbox.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from daemon.errors import LedgerProblem, Problem, RetryLater
from daemon.intake import scoring
from daemon.intake.fetching import Batch, FetchRequest, Ready, portions
from daemon.intake.parsing import Answer, Job, Parser
from daemon.intake.scoring import IncomingMessage, ScoringSettings
from daemon.ledger.folders import FolderRow
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.imap import FolderStatus, Mailbox, Unfetched
from daemon.rules import backoff
from daemon.rules.organization import warm_up

_FULL_SCAN_EVERY = timedelta(days=1)
_LIST_EVERY = 3600.0  # seconds; a folder that is missing makes it look at once
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

    reading: ScoringSettings
    name: str  # of the mailbox, in the configuration
    floor: datetime | None  # where folders begin that we see for the first time
    now: Callable[[], datetime]
    # Takes ids of folders that were polled and had nothing new, to be written later, many at once.
    quiet: Callable[[Sequence[int], datetime], None] | None = None
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda *_: None  # folder, done, total
    worth_a_process: int | None = 1000  # new mails of a folder; see `parsing.Parser`
    much: bool = False  # whether far more than a few mails are expected
    another: Callable[[], Mailbox] | None = None  # a second connection, for folders with many


def poll(mailbox: Mailbox, ledger: Ledger, run: Pass) -> Tally:
    """Take in what is new in all folders of a mailbox.

    A folder that fails is noted in the ledger and in `Tally.problems`; the others go on. Raises
    what ends the whole mailbox: AuthProblem, ConfigProblem, or RetryLater when the line is cut.
    """
    with Parser(run.reading.snippet_chars, run.worth_a_process) as parser:
        if run.much:
            parser.start()
            warm_up()  # while the process comes up
        return _poll(mailbox, ledger, run, parser)


def _poll(mailbox: Mailbox, ledger: Ledger, run: Pass, parser: Parser) -> Tally:
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
    coming = _Coming(mailbox, ledger, run, [f for f in folders if f not in idle])
    steps = parser.run(coming, lambda one: one.jobs, lambda one: one.total, coming.ready)
    _write_down(ledger, run, steps, tally)
    if coming.ended_by is not None:
        raise coming.ended_by
    return tally


def _folders(mailbox: Mailbox, ledger: Ledger, run: Pass) -> list[FolderRow]:
    """The mailbox's folders in the ledger, which are brought in line with those of the server."""
    roles = mailbox.folders(max_age=_LIST_EVERY)
    known = ledger.folders.of(run.name)
    if {(one.name, one.role) for one in known} == set(roles):
        return known
    with ledger.transaction("folders"):
        ledger.folders.ensure(run.name, roles, run.floor)
        ledger.set(f"reply_detection:{run.name}", any(role == "sent" for _, role in roles))
    return ledger.folders.of(run.name)


def _nothing_new(
    folder: FolderRow, status: FolderStatus | None, ledger: Ledger, now: datetime
) -> bool:
    return (
        status is not None
        and (status.uidvalidity, status.uidnext) == (folder.uidvalidity, folder.uidnext)
        and folder.scanned_at is not None
        and now - folder.scanned_at < _FULL_SCAN_EVERY
        and not ledger.folders.due_quarantine(folder.id, status.uidvalidity, now)
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """Something of one folder on its way to the ledger: some of its messages, or its end."""

    folder: FolderRow
    total: int  # messages that are wanted of it
    portion: Batch | None = None
    end: "_Read | Problem | None" = None

    @property
    def jobs(self) -> Sequence[Job]:
        return self.portion.jobs if self.portion else ()


@dataclass(frozen=True, slots=True)
class _Read:
    """What to remember of a folder that was read to its end; `whole`: from its beginning."""

    status: FolderStatus
    whole: bool


class _Coming(Iterable[_Step]):
    """All that is new in some folders, one after the other.

    A folder is opened as soon as the one before it is fetched: that one's messages may still have
    to be parsed and written, and the line shall not wait for it.
    """

    def __init__(
        self, mailbox: Mailbox, ledger: Ledger, run: Pass, folders: Sequence[FolderRow]
    ) -> None:
        self.ended_by: Problem | None = None  # of the whole mailbox: no other folder was tried
        self._mailbox = mailbox
        self._ledger = ledger
        self._run = run
        self._folders = folders
        self._open: FolderRow  # in its present epoch
        self._ready: Ready = lambda: True

    def ready(self) -> bool:
        """Whether the next step needs no waiting for the server."""
        return self._ready()

    def __iter__(self) -> Iterator[_Step]:
        for folder in self._folders:
            if self._run.stopping():
                return
            self._open = folder
            try:
                yield from self._of(folder)
            except LedgerProblem:
                raise
            except Problem as problem:
                patience = isinstance(problem, RetryLater) and problem.after is not None
                if self._mailbox.closed or patience:
                    self.ended_by = problem  # the next folder would only make it worse
                yield _Step(self._open, 0, end=problem)
                if self.ended_by is not None:
                    return

    def _of(self, folder: FolderRow) -> Iterator[_Step]:
        """One folder, newest first."""
        mailbox, ledger, run = self._mailbox, self._ledger, self._run
        status = mailbox.examine(folder.name)
        if folder.uidvalidity != status.uidvalidity:
            if folder.uidvalidity is not None:
                event("intake.new_epoch", mailbox=run.name, folder=folder.name)
            with ledger.transaction("epoch"):
                ledger.folders.begin_epoch(folder, status.uidvalidity)
            folder = replace(folder, uidvalidity=status.uidvalidity, uidnext=None, scanned_at=None)
            self._open = folder
        whole = folder.scanned_at is None or run.now() - folder.scanned_at >= _FULL_SCAN_EVERY
        first = 1 if whole else folder.uidnext or 1
        present = mailbox.uids(since=folder.floor.date() if folder.floor else None, first=first)
        new = set(present) - ledger.folders.known_uids(folder.id, status.uidvalidity, first)
        new.update(_to_retry(mailbox, ledger, folder, status.uidvalidity, run.now()))
        wanted = sorted(new, reverse=True)
        order = FetchRequest(
            folder=folder.name,
            uidvalidity=status.uidvalidity,
            wanted=wanted,
            floor=folder.floor,
            now=run.now(),
            most=run.reading.batch,
            ahead=run.worth_a_process is not None and len(wanted) >= run.worth_a_process,
            another=run.another,
        )
        with portions(mailbox, order) as (some, self._ready):
            for portion in some:
                yield _Step(folder, len(wanted), portion)
        self._ready = lambda: True
        yield _Step(folder, len(wanted), end=_Read(status, whole))


def _write_down(
    ledger: Ledger, run: Pass, steps: Iterable[tuple[_Step, Sequence[Answer]]], tally: Tally
) -> None:
    """Write what comes, a transaction a batch; of a folder that failed, all that came before."""
    batch, done, before = _Batch(), 0, tally.new
    for step, answers in steps:
        if step.portion is not None:
            batch.take(step.portion, answers)
            if batch.count < run.reading.batch and batch.size < _BATCH_BYTES:
                continue
        _record(ledger, run, step.folder, batch, tally)
        done += batch.count
        if batch.count:
            run.progress(step.folder.name, done, step.total)
        batch = _Batch()
        if step.end is not None:
            _note_end(ledger, run, step, tally, new=tally.new - before)
            done, before = 0, tally.new
        if run.stopping():
            return


def _note_end(ledger: Ledger, run: Pass, step: _Step, tally: Tally, *, new: int) -> None:
    """Note that a folder was read to its end, or why it wasn't and when it is tried again."""
    folder = step.folder
    if isinstance(step.end, Problem):
        tally.problems.append(step.end)
        event("intake.folder_failed", mailbox=run.name, folder=folder.name, error=step.end)
        due = run.now() + timedelta(seconds=backoff.pause(backoff.FOLDER, folder.failures + 1))
        with ledger.transaction("folder failed"):
            ledger.folders.failed(run.name, folder.name, str(step.end), due)
        return
    assert step.end is not None  # noqa: S101 - said by the caller
    with ledger.transaction("polled"):
        ledger.folders.polled(
            folder.id,
            run.now(),
            uidnext=step.end.status.uidnext,
            highestmodseq=step.end.status.highestmodseq,
            scanned=step.end.whole,
        )
    if step.total:
        event("intake.folder", mailbox=run.name, folder=folder.name, read=step.total, new=new)


def _to_retry(
    mailbox: Mailbox, ledger: Ledger, folder: FolderRow, uidvalidity: int, now: datetime
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

    seen: list[IncomingMessage] = field(default_factory=list)
    below: list[tuple[int, None]] = field(default_factory=list)
    unreadable: list[Unfetched] = field(default_factory=list)
    size: int = 0  # bytes that were fetched

    @property
    def count(self) -> int:
        return len(self.seen) + len(self.below) + len(self.unreadable)

    def take(self, portion: Batch, answers: Sequence[Answer]) -> None:
        """Take what was fetched, with what the parser says of it."""
        for (uid, arrived_at), answer in zip(portion.found, answers, strict=True):
            if isinstance(answer, str):
                self.unreadable.append(Unfetched(uid, answer))
            else:
                self.seen.append(IncomingMessage(uid, arrived_at, answer))
        self.below += portion.below
        self.unreadable += portion.unreadable
        self.size += sum(len(job.raw) for job in portion.jobs)


def _record(ledger: Ledger, run: Pass, folder: FolderRow, batch: _Batch, tally: Tally) -> None:
    """Write all of a batch in one transaction."""
    if not batch.count:
        return
    now, uidvalidity = run.now(), folder.uidvalidity
    assert uidvalidity is not None  # noqa: S101 - it is open
    with ledger.transaction("batch", repeatable=True):
        new = scoring.add(ledger, run.reading, folder.id, folder.role, uidvalidity, batch.seen)
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
