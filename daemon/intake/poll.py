"""FLOW mailbox → message → ledger: what is new in each folder, read once, counted once.

    folders → what is new → fetch → parse → one transaction a batch (messages, sightings, states)

A UID is recorded only together with its message and the state of the senders that it touches. So
a crash at any point loses nothing and counts nothing twice: what isn't recorded is new the next
time. It needs no Pipedrive, and never changes anything in a mailbox.
"""

from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

from daemon.errors import LedgerProblem, Problem, RetryLater
from daemon.intake.fetching import Batch, FetchRequest, Suspects, batches, isolate
from daemon.intake.parsing import Parser
from daemon.intake.rereading import read_again
from daemon.intake.restored import forget_other_mail, went_back
from daemon.intake.writing import FolderEnd, Pass, Step, Tally, Writer
from daemon.ledger.folders import FolderRow
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.imap import FolderRole, FolderStatus, Mailbox, Unfetched
from daemon.rules.organization import warm_up

__all__ = ["Pass", "Tally", "poll"]

_FULL_SCAN_EVERY = timedelta(days=1)
# Replicas of one server may differ in what comes next, again and again.
_RESTORED_SCAN_WITHIN = timedelta(hours=1)
_RESTORED_TAIL = 1000  # UIDs that are compared at once: other mails may have come under them
_CLOCKS_DIFFER = timedelta(hours=1)  # by less a folder may begin after the clock was set back
_LONGEST_REST = timedelta(hours=9)
_LIST_EVERY = 3600.0  # seconds; a folder that is missing makes it look at once


def poll(mailbox: Mailbox, ledger: Ledger, run: Pass) -> Tally:
    """Take in what is new in all folders of a mailbox.

    A folder that fails is noted in the ledger and in `Tally.problems`; the others go on. Raises
    what ends the whole mailbox: AuthProblem, ConfigProblem, or RetryLater when the server is away.
    """
    with Parser(run.scoring.snippet_chars, run.worth_a_process) as parser:
        if run.bulk:
            parser.start()
            warm_up()  # while the process comes up
        return _poll(mailbox, ledger, run, parser)


def _poll(mailbox: Mailbox, ledger: Ledger, run: Pass, parser: Parser) -> Tally:
    """Fetch → parse → write: the next messages are fetched while these are parsed and written."""
    writer = Writer(ledger, run)
    waiting: deque[Step] = deque()
    ended_by: Problem | None = None
    with closing(_incoming(mailbox, ledger, run)) as steps:
        try:
            for step in steps:
                parser.put(step.batch.jobs, total=step.total)
                waiting.append(step)
                is_long = run.worth_a_process is not None and step.total >= run.worth_a_process
                # At its end the next folder is opened first: that one's mails come while we write.
                while not (is_long and step.end) and parser.is_ready():
                    writer.take(waiting.popleft(), parser.get())
                if run.stopping():
                    return writer.tally
        except LedgerProblem:
            raise
        except Problem as problem:
            ended_by = problem
    while waiting:
        writer.take(waiting.popleft(), parser.get())
    writer.flush()
    if ended_by is not None:
        raise ended_by
    return writer.tally


def _changed(
    mailbox: Mailbox, ledger: Ledger, run: Pass
) -> list[tuple[FolderRow, FolderStatus | None]]:
    """The folders that are due and may have something new, with what STATUS said of each.

    The others are noted as polled.
    """
    now = run.now()
    known = _folders(mailbox, ledger, run)
    if any(one.floor is not None and one.floor > now + _CLOCKS_DIFFER for one in known):
        with ledger.transaction("clock"):
            ledger.clock.clamp(now)
        known = ledger.folders.of(run.name)
    folders = [
        one
        for one in known
        # What lies farther ahead was said by a clock that was wrong.
        if one.next_due is None or not now < one.next_due <= now + _LONGEST_REST
    ]
    statuses = mailbox.status([folder.name for folder in folders])
    idle = [f for f in folders if _nothing_new(f, statuses.get(f.name), now)]
    healthy = [f.id for f in idle if not f.failures] if run.quiet else []
    if run.quiet and healthy:
        run.quiet(healthy, now)
    if len(healthy) < len(idle):
        with ledger.transaction("polled"):
            ledger.folders.seen_nothing_new({f.id: now for f in idle if f.id not in healthy})
    return [(folder, statuses.get(folder.name)) for folder in folders if folder not in idle]


def _folders(mailbox: Mailbox, ledger: Ledger, run: Pass) -> list[FolderRow]:
    """The mailbox's folders in the ledger, which are brought in line with those of the server."""
    roles = mailbox.folders(max_age=_LIST_EVERY)
    known = ledger.folders.of(run.name)
    if run.account is not None and (not known or any(f.account != run.account for f in known)):
        with ledger.transaction("account"):
            if ledger.folders.belong(run.name, run.account, run.configured):
                event("intake.another_account", mailbox=run.name, account=run.account)
        known = ledger.folders.of(run.name)
    if {(one.name, one.role) for one in known} == set(roles):
        return known
    renamed = _renamed(mailbox, known, roles)
    with ledger.transaction("folders"):
        for folder, name in renamed:
            ledger.folders.rename(folder, name)
            event("intake.folder_renamed", mailbox=run.name, folder=folder.name, now=name)
        ledger.folders.ensure(run.name, roles, run.floor, run.account)
        there = (one for one in roles if one.name not in mailbox.missing)
        ledger.set(f"reply_detection:{run.name}", any(one.role == "sent" for one in there))
    return ledger.folders.of(run.name)


def _renamed(
    mailbox: Mailbox, known: Sequence[FolderRow], roles: Sequence[FolderRole]
) -> list[tuple[FolderRow, str]]:
    """Folders that the server calls otherwise now: the same MAILBOXID, else the same UIDVALIDITY.

    A UIDVALIDITY that others have too proves nothing.
    """
    names = {role.name for role in roles}
    gone = [folder for folder in known if folder.name not in names and folder.uidvalidity]
    new = names - {folder.name for folder in known} - mailbox.missing.keys()
    if not gone or not new:
        return []
    there = list(_opened(mailbox, sorted(new)))
    before = Counter(folder.uidvalidity for folder in known)
    after = Counter(status.uidvalidity for status in there)
    found: list[tuple[FolderRow, str]] = []
    for status in there:
        for folder in gone:
            ids = (status.object_id, folder.object_id)
            alone = before[status.uidvalidity] == after[status.uidvalidity] == 1
            alike = alone and status.uidvalidity == folder.uidvalidity
            grown = status.uidnext >= (folder.uidnext or 1)
            if (None not in ids and ids[0] == ids[1]) or (None in ids and alike and grown):
                found.append((folder, status.name))
                gone.remove(folder)
                break
    return found


def _opened(mailbox: Mailbox, names: Sequence[str]) -> Iterator[FolderStatus]:
    """What these folders say when they are opened; the trouble of one is for its own poll."""
    for name in names:
        try:
            yield mailbox.examine(name)
        except Problem as problem:
            if isinstance(problem, RetryLater) and problem.after is not None:
                raise
            if mailbox.closed:
                mailbox.reconnect()


def _nothing_new(folder: FolderRow, status: FolderStatus | None, now: datetime) -> bool:
    return (
        status is not None
        and (status.uidvalidity, status.uidnext) == (folder.uidvalidity, folder.uidnext)
        and not went_back(folder, status)
        and folder.scanned_at is not None
        and now - folder.scanned_at < _FULL_SCAN_EVERY
        and not (folder.retry_at and folder.retry_at <= now)
    )


def _incoming(mailbox: Mailbox, ledger: Ledger, run: Pass) -> Generator[Step, None, None]:
    """All that is new, folder after folder, and last the messages that broke a line."""
    put_aside: list[_OpenFolder] = []
    for row, counted in _changed(mailbox, ledger, run):
        folder = _OpenFolder(mailbox, ledger, run, row, counted)
        yield from _guarded(folder, folder.new())
        if folder.suspects.groups:
            put_aside.append(folder)
        if run.stopping():
            return
    for folder in put_aside:
        yield from _guarded(folder, folder.put_aside())
    yield from read_again(mailbox, ledger, run)


def _guarded(folder: "_OpenFolder", steps: Iterator[Step]) -> Iterator[Step]:
    """The steps of one folder, whose trouble is its own; raises what ends the whole mailbox."""
    mailbox = folder.mailbox
    try:
        yield from steps
    except LedgerProblem:
        raise
    except Problem as problem:
        folder.suspects.groups.clear()
        yield Step(folder.row, end=problem)
        if isinstance(problem, RetryLater) and problem.after is not None:
            raise  # the next folder would only make it worse
        if mailbox.closed:
            mailbox.reconnect()


class _OpenFolder:
    """One folder while it is read; `row` is in the present epoch once it is open."""

    def __init__(
        self,
        mailbox: Mailbox,
        ledger: Ledger,
        run: Pass,
        row: FolderRow,
        counted: FolderStatus | None,
    ) -> None:
        self.mailbox = mailbox
        self.row = row
        self.suspects = Suspects(tell=self._lost)
        self._ledger = ledger
        self._run = run
        self._counted = counted
        self._request: FetchRequest
        self._end: FolderEnd

    def new(self) -> Iterator[Step]:
        """What is new, newest first; its end, unless messages were put aside."""
        status = self._open()
        wanted, whole = self._wanted(status)
        folder, run = self.row, self._run
        self._end = FolderEnd(status, whole, self._counted)
        self._request = FetchRequest(
            folder=folder.name,
            uidvalidity=status.uidvalidity,
            wanted=wanted,
            floor=folder.floor,
            floor_uid=folder.floor_uid,
            now=run.now(),
            most=run.scoring.batch,
            ahead=run.worth_a_process is not None and len(wanted) >= run.worth_a_process,
            another=run.another,
        )
        yield from self._steps(batches(self.mailbox, self._request, self.suspects))

    def _wanted(self, status: FolderStatus) -> tuple[list[int], bool]:
        """The UIDs to fetch, newest first, and whether the whole folder was looked through.

        What else is known of the UIDs of a large folder takes no memory while they are fetched.
        """
        folder, ledger, now = self.row, self._ledger, self._run.now()
        whole = folder.scanned_at is None or now - folder.scanned_at >= _FULL_SCAN_EVERY
        first = 1 if whole else folder.uidnext or 1
        if restored := went_back(folder, status):
            self._see_again(status, restored)
        if restored and not whole:
            first = max(1, status.uidnext - _RESTORED_TAIL)
        since = None if folder.floor is None or folder.floor_uid else folder.floor.date()
        present = self.mailbox.uids(since=since, first=first)
        known = ledger.sightings.known_uids(folder.id, status.uidvalidity, first)
        if whole or restored:
            here = [uid for uid in present if uid in known]
            known.difference_update(forget_other_mail(self.mailbox, ledger, folder, here))
        new = {uid for uid in present if uid not in known}
        new.update(_to_retry(self.mailbox, ledger, folder, status.uidvalidity, now))
        return sorted(new, reverse=True), whole

    def put_aside(self) -> Iterator[Step]:
        """The messages that were put aside because a line was lost over them, and the end."""
        if self._open().uidvalidity == self._request.uidvalidity:
            yield from self._steps(isolate(self.mailbox, self._request, self.suspects))

    def _open(self) -> FolderStatus:
        status, row = self.mailbox.examine(self.row.name), self.row
        other = row.object_id and status.object_id and row.object_id != status.object_id
        if row.uidvalidity == status.uidvalidity and not other:
            self.row = replace(row, resets=0)
            return status
        if row.uidvalidity is not None:
            event("intake.new_epoch", mailbox=self._run.name, folder=row.name)
        with self._ledger.transaction("epoch"):
            self._ledger.folders.begin_epoch(row, status.uidvalidity, status.object_id)
        resets = row.resets + (row.uidvalidity is not None)
        self.row = replace(
            row, uidvalidity=status.uidvalidity, uidnext=None, scanned_at=None, resets=resets
        )
        return status

    def _see_again(self, status: FolderStatus, why: str) -> None:
        """A folder was restored, perhaps; or replicas of a server count differently.

        Or the server derives UIDNEXT from the last message, which was deleted. The UIDs from there
        on belong to mail that is yet to come; the folder is looked through within the hour.
        """
        event("intake.went_back", mailbox=self._run.name, folder=self.row.name, why=why)
        with self._ledger.transaction("went back"):
            scanned = self._run.now() - _FULL_SCAN_EVERY + _RESTORED_SCAN_WITHIN
            at = self.row.id, status.uidvalidity
            self._ledger.sightings.forget_from(*at, status.uidnext)
            self._ledger.folders.scan_again(self.row.id, scanned)

    def _lost(self, problem: RetryLater) -> None:
        """Say in the ledger what holds this folder up, until it is read to its end."""
        with self._ledger.transaction("line lost"):
            self._ledger.folders.held_up(self.row.id, str(problem))
        event("intake.line_lost", mailbox=self._run.name, folder=self.row.name, error=problem)

    def _steps(self, batches: Iterator[Batch]) -> Iterator[Step]:
        total = len(self._request.wanted)
        refused: list[Unfetched] = []
        for batch in batches:
            refused += (one for one in batch.unreadable if not one.cost_the_line)
            batch.unreadable = [one for one in batch.unreadable if one.cost_the_line]
            yield Step(self.row, total, batch)
        if refused:
            # What was expunged between our questions isn't unreadable.
            there = set(self.mailbox.uids(first=min(one.uid for one in refused)))
            still = [one for one in refused if one.uid in there]
            yield Step(self.row, total, Batch(unreadable=still))
        if not self.suspects.groups:
            yield Step(self.row, total, end=self._end)


def _to_retry(
    mailbox: Mailbox, ledger: Ledger, folder: FolderRow, uidvalidity: int, now: datetime
) -> list[int]:
    """Quarantined UIDs whose next try has come; those that the folder has lost are let go."""
    if folder.retry_at is None or folder.retry_at > now:
        return []
    due = ledger.quarantine.due(folder.id, uidvalidity, now)
    there = set(mailbox.uids(first=min(due)))
    with ledger.transaction("quarantine"):
        ledger.quarantine.end(folder.id, uidvalidity, [uid for uid in due if uid not in there])
    return [uid for uid in due if uid in there]
