"""Mails of which an earlier version kept less than we do, read again from the mailbox.

The newest first, a limited number in a pass. They are handled like any other mail, so in the end
the ledger holds what it would hold if this version had read them all. A message that is in no
folder any more keeps what is known of it. If a folder fails, its rest waits for the next pass.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from daemon.errors import LedgerProblem, Problem
from daemon.intake.fetching import Batch, FetchRequest, Suspects, batches
from daemon.intake.writing import Pass, Step
from daemon.ledger.folders import FolderRow
from daemon.ledger.rereading import EarlierMail
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.imap import Mailbox

_AT_ONCE = 1000  # places that are looked up together


def read_again(mailbox: Mailbox, ledger: Ledger, run: Pass) -> Iterator[Step]:
    """The next `run.again` mails of the mailbox that an earlier version has read."""
    left, last = run.again, None
    total = min(left, ledger.rereading.left()) if left else 0
    if not total:
        return
    while left > 0 and not run.stopping() and not mailbox.closed:
        places = ledger.rereading.places(run.name, min(left, _AT_ONCE), last)
        if not places:
            break
        last, left = places[-1], left - len(places)
        by_folder: dict[int, list[EarlierMail]] = defaultdict(list)
        for place in places:
            by_folder[place.folder].append(place)
        # They are known, so it doesn't matter how old they are.
        folders = {
            row.id: replace(row, floor=None, floor_uid=None) for row in ledger.folders.of(run.name)
        }
        for folder, some in by_folder.items():
            if not mailbox.closed:
                for batch in _of_folder(mailbox, ledger, run, folders[folder], some):
                    yield Step(folders[folder], total, batch, again=True)
    if last is None:
        with ledger.transaction("nowhere"):
            ledger.rereading.give_up()


def _of_folder(
    mailbox: Mailbox, ledger: Ledger, run: Pass, row: FolderRow, places: Sequence[EarlierMail]
) -> Iterator[Batch]:
    suspects = Suspects()
    try:
        status = mailbox.examine(row.name)
        if status.uidvalidity != row.uidvalidity:
            return  # the next poll reads all of it
        there = set(mailbox.uids(first=min(place.uid for place in places)))
        wanted = {place.uid for place in places}
        _gone(ledger, row, sorted(wanted - there))
        request = FetchRequest(
            folder=row.name,
            uidvalidity=status.uidvalidity,
            wanted=sorted(wanted & there, reverse=True),
            floor=None,
            floor_uid=None,
            now=run.now(),
            most=run.scoring.batch,
        )
        for batch in batches(mailbox, request, suspects):
            _gone(ledger, row, [one.uid for one in batch.unreadable])
            batch.unreadable = []
            yield batch
        # It breaks the line now, but was read once: what is known of it stays.
        _gone(ledger, row, [uid for group in suspects.groups for uid in group])
    except LedgerProblem:
        raise
    except Problem as problem:
        event("intake.not_read_again", mailbox=run.name, folder=row.name, error=problem)


def _gone(ledger: Ledger, row: FolderRow, uids: Sequence[int]) -> None:
    if uids and row.uidvalidity is not None:
        with ledger.transaction("gone"):
            ledger.rereading.gone(row.id, row.uidvalidity, uids)
