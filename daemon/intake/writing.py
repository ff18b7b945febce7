"""What a pass has read, into the ledger: one transaction a batch, and each folder's end."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.errors import Problem
from daemon.intake import scoring
from daemon.intake.fetching import Batch
from daemon.intake.first_mails import asked
from daemon.intake.parsing import Answer
from daemon.intake.scoring import IncomingMessage
from daemon.intake.states import ScoringSettings
from daemon.ledger.folders import FolderRow
from daemon.ledger.sightings import Sighting
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.imap import FolderStatus, Mailbox, Unfetched
from daemon.message.parse import Message
from daemon.rules import backoff

# A mailbox that is moved, or an archive put into a folder, arrives today and is no news. A relay
# that can't deliver tries for five days (RFC 5321, 4.5.4.1).
_LONG_BEFORE = timedelta(days=7)
# A folder with another UIDVALIDITY at each look has to be read as a whole each time.
_MANY_RESETS = 3
_MUCH = 100  # messages of a folder in one poll, which are worth a line of the log
_BATCH_BYTES = 4 << 20  # of small messages, in one transaction
_AGAIN = "read again"  # as progress names what an earlier version has read


@dataclass(slots=True)
class Tally:
    """What one pass over a mailbox took in."""

    new: int = 0
    quarantined: int = 0
    again: int = 0  # messages that were read again
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a mailbox needs beside the mailbox and the ledger."""

    scoring: ScoringSettings
    name: str  # of the mailbox, in the configuration
    floor: datetime | None  # where folders begin that we see for the first time
    now: Callable[[], datetime]
    # Takes ids of folders that were polled and had nothing new, to be written later, many at once.
    quiet: Callable[[Sequence[int], datetime], None] | None = None
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda *_: None  # folder, done, total
    worth_a_process: int | None = 1000  # new mails of a folder; see `parsing.Parser`
    bulk: bool = False  # whether far more than a few mails are expected
    another: Callable[[], Mailbox] | None = None  # a second connection, for folders with many
    account: str | None = None  # `Account.identity`; None: whatever account the name stands for
    configured: frozenset[str] = frozenset()  # the names of all mailboxes
    again: int = 0  # mails at most that an earlier version has read and we read again


@dataclass(frozen=True, slots=True)
class FolderEnd:
    """What to remember of a folder that was read to its end; `whole`: from its beginning.

    `counted` is what STATUS said of it before it was opened.
    """

    status: FolderStatus
    whole: bool
    counted: FolderStatus | None = None

    @property
    def messages(self) -> int:
        """What STATUS and EXAMINE counted at most: a mail may have come between them."""
        counts = (one.messages for one in (self.status, self.counted) if one is not None)
        return max(counts)

    @property
    def modseq(self) -> int | None:
        """The lesser of what they said: servers tell it late in one of them."""
        said = (one.modseq for one in (self.status, self.counted) if one is not None)
        return min((one for one in said if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class Step:
    """Some messages of one folder on their way to the ledger, or the folder's end."""

    folder: FolderRow
    total: int = 0  # messages that are wanted of it
    batch: Batch = field(default_factory=Batch)
    end: FolderEnd | Problem | None = None
    again: bool = False  # the ledger has these, and they are read again


class Writer:
    """Writes what comes, a transaction a batch; of a folder that failed, all that came before."""

    def __init__(self, ledger: Ledger, run: Pass) -> None:
        self.tally = Tally()
        self._ledger = ledger
        self._run = run
        self._folder: FolderRow | None = None
        self._total = 0  # messages that are wanted of it
        self._found = _Found()
        self._done: Counter[int] = Counter()  # messages by folder …
        self._new: Counter[int] = Counter()  # … and those that nobody knew

    def take(self, step: Step, answers: Sequence[Answer]) -> None:
        """Take a step, with what the parser says of its messages."""
        if self._folder is not None and (self._folder.id, self._found.again) != (
            step.folder.id,
            step.again,
        ):
            self._write(self._folder, self._total)
        self._folder, self._total, self._found.again = step.folder, step.total, step.again
        self._found.take(step.batch, answers, step.folder.floor)
        full = self._found.count >= self._run.scoring.batch or self._found.size >= _BATCH_BYTES
        if isinstance(step.end, FolderEnd):
            self._write(step.folder, step.total, step.end)
            self._tell_end(step)
        elif full or step.end is not None:
            self._write(step.folder, step.total)
        if isinstance(step.end, Problem):
            self._note_failure(step.folder, step.end)

    def flush(self) -> None:
        """Write what is left of a folder that has no end yet."""
        if self._folder is not None:
            self._write(self._folder, self._total)

    def _write(self, folder: FolderRow, total: int, end: FolderEnd | None = None) -> None:
        """Write all of a batch in one transaction, with the end of the folder where it was read."""
        run, ledger = self._run, self._ledger
        found, self._found = self._found, _Found()
        if not found.count:
            if end is not None:
                with ledger.transaction("polled", repeatable=True):
                    self._keep_end(folder, end)
            return
        now, uidvalidity = run.now(), folder.uidvalidity
        assert uidvalidity is not None  # noqa: S101 - it is open
        if run.scoring.classify and folder.role != "sent":  # outside the transaction
            found.seen = asked(ledger, run.scoring, found.seen)
        with ledger.transaction("batch", repeatable=True):
            new = scoring.add(
                ledger,
                run.scoring,
                folder.id,
                folder.role,
                uidvalidity,
                found.seen,
                hold=now if found.again else None,
                account=run.account,
            )
            if found.again:  # what can't be read any more stays as it was read
                uids = [item.uid for item in found.unreadable]
                ledger.rereading.gone(folder.id, uidvalidity, uids)
            ledger.sightings.see(folder.id, uidvalidity, found.below)
            for item in found.unreadable if not found.again else ():
                ledger.quarantine.add(folder.id, uidvalidity, item.uid, item.reason, now)
            if end is not None:
                self._keep_end(folder, end)
        if found.again:
            self.tally.again += len(found.seen)
            run.progress(_AGAIN, self.tally.again, total)
            return
        for item in found.unreadable:
            event(
                "intake.quarantined",
                mailbox=run.name,
                folder=folder.name,
                uid=item.uid,
                reason=item.reason,
            )
        self.tally.new += len(new)
        self.tally.quarantined += len(found.unreadable)
        self._done[folder.id] += found.count
        self._new[folder.id] += len(new)
        run.progress(folder.name, self._done[folder.id], total)

    def _note_failure(self, folder: FolderRow, problem: Problem) -> None:
        """Note why a folder wasn't read to its end, and when it is tried again."""
        name = self._run.name
        self.tally.problems.append(problem)
        event("intake.folder_failed", mailbox=name, folder=folder.name, error=problem)
        wait = backoff.pause(backoff.FOLDER, folder.failures + 1)
        with self._ledger.transaction("folder failed"):
            due = self._run.now() + timedelta(seconds=wait)
            self._ledger.folders.failed(name, folder.name, str(problem), due)

    def _keep_end(self, folder: FolderRow, end: FolderEnd) -> None:
        """Keep that a folder was read to its end; inside a transaction."""
        folders, now = self._ledger.folders, self._run.now()
        folders.polled(
            folder.id,
            now,
            uidnext=end.status.uidnext,
            scanned=end.whole,
            object_id=end.status.object_id,
            resets=folder.resets,
            messages=end.messages,
            modseq=end.modseq,
        )
        if folder.resets >= _MANY_RESETS:
            wait = backoff.pause(backoff.FOLDER, folder.resets - _MANY_RESETS + 1)
            why = f"the server gave it another UIDVALIDITY, {folder.resets} times in a row"
            due = now + timedelta(seconds=wait)
            folders.rest(folder.id, f"{why}: read again less often", due)

    def _tell_end(self, step: Step) -> None:
        if step.total:
            event(
                "intake.folder",
                logging.INFO if step.total >= _MUCH else logging.DEBUG,
                mailbox=self._run.name,
                folder=step.folder.name,
                read=step.total,
                new=self._new[step.folder.id],
            )


@dataclass(slots=True)
class _Found:
    """What came of some messages: found, older than the oldest date, not to be had."""

    seen: list[IncomingMessage] = field(default_factory=list)
    below: list[Sighting] = field(default_factory=list)
    unreadable: list[Unfetched] = field(default_factory=list)
    size: int = 0  # bytes that were fetched
    again: bool = False  # the ledger has them already

    @property
    def count(self) -> int:
        return len(self.seen) + len(self.below) + len(self.unreadable)

    def take(self, batch: Batch, answers: Sequence[Answer], floor: datetime | None) -> None:
        """Take what was fetched, with what the parser says of it; `floor` as the folder's."""
        for (uid, arrived_at), answer in zip(batch.found, answers, strict=True):
            if isinstance(answer, str):
                self.unreadable.append(Unfetched(uid, answer))
            elif floor is not None and _written(answer, arrived_at) < floor - _LONG_BEFORE:
                self.below.append(Sighting(uid, None, answer.size, arrived_at))
            else:
                self.seen.append(IncomingMessage(uid, arrived_at, answer))
        self.below += batch.below
        self.unreadable += batch.unreadable
        self.size += sum(len(job.raw) for job in batch.jobs)


def _written(message: Message, arrived_at: datetime) -> datetime:
    """When a mail was written or last on its way, as far as it says so and that can be true."""
    known = [at for at in (message.date, message.relayed_at) if at is not None and at <= arrived_at]
    return max(known, default=arrived_at)
