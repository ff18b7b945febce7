"""Whether a folder was put back to an earlier state, and under which UIDs other mail lies now.

A UID belongs to one message for ever (RFC 3501, 2.3.1.1), but a folder that is restored from a
backup, or a server that loses its index, gives UIDs out again. The mail under them would never be
read. What the server counts shows it, size and INTERNALDATE do, and the newest messages' headers.
"""

from collections.abc import Iterator, Sequence

from daemon.errors import Unreadable
from daemon.ledger.folders import FolderRow
from daemon.ledger.sightings import Sighting
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.cursor import batches
from daemon.mailbox.imap import FolderStatus, Mailbox, Place
from daemon.message.parse import parse

# UIDs are given out again from the end on; so many headers are one command.
_NEWEST = 250
_PAGE = 10_000  # messages in memory at once


def went_back(folder: FolderRow, status: FolderStatus) -> str | None:
    """What in the counters can't be, unless the folder was put back to an earlier state."""
    if folder.uidnext is None or folder.uidvalidity != status.uidvalidity:
        return None
    if status.uidnext < folder.uidnext:
        return "UIDNEXT went down"
    if folder.modseq is not None and status.modseq is not None and status.modseq < folder.modseq:
        return "HIGHESTMODSEQ went down"
    came = status.uidnext - folder.uidnext
    if folder.messages is not None and status.messages > folder.messages + came:
        return "there are more messages than UIDs were given out"
    return None


def other_mail(
    mailbox: Mailbox, ledger: Ledger, folder: FolderRow, here: Sequence[int]
) -> list[int]:
    """Of these UIDs of the open folder, ascending, those where another mail lies than was seen.

    The header is compared of the newest ones, and of all behind the first that differs in size or
    INTERNALDATE. What lies in quarantine isn't asked for: the line may be lost over it each time.
    Changes nothing.
    """
    at = folder.id, folder.uidvalidity or 0
    found: set[int] = set()
    for seen in _pages(ledger, folder, here):
        found.update(ledger.sightings.differing(*at, _sizes(mailbox.places(seen))))
    first = min({*here[-_NEWEST:][:1], *found}, default=0)
    behind = [uid for uid in here if uid >= first and uid not in found]
    for seen in _pages(ledger, folder, behind):
        keys = dict(_keys(mailbox.places(seen, header=True)))
        found.update(ledger.sightings.strangers(*at, keys))
    return sorted(found)


def forget_other_mail(
    mailbox: Mailbox, ledger: Ledger, folder: FolderRow, here: Sequence[int]
) -> list[int]:
    """The same; what was seen there is forgotten, so that it is read."""
    at = folder.id, folder.uidvalidity or 0
    if ledger.sightings.unsized(*at):
        for seen in _pages(ledger, folder, here):
            there = list(_sizes(mailbox.places(seen)))
            with ledger.transaction("places"):
                ledger.sightings.note_sizes(*at, there)
    if found := other_mail(mailbox, ledger, folder, here):
        with ledger.transaction("places"):
            ledger.sightings.forget(*at, found)
        count = len(found)
        event("intake.uids_reused", mailbox=folder.mailbox, folder=folder.name, messages=count)
    return found


def _pages(ledger: Ledger, folder: FolderRow, here: Sequence[int]) -> Iterator[list[int]]:
    """Those that were seen and read, so many at once that they take little memory."""
    at = folder.id, folder.uidvalidity or 0
    for some in batches(here, _PAGE):
        seen = ledger.sightings.seen_uids(*at, some[0], some[-1])
        if page := [uid for uid in some if uid in seen]:
            yield page


def _sizes(places: Iterator[Place]) -> Iterator[Sighting]:
    return (Sighting(one.uid, None, one.size, one.internal_date) for one in places)


def _keys(places: Iterator[Place]) -> Iterator[tuple[int, str]]:
    """The message keys of the mails that lie there, by UID; of those with a header to read."""
    for place in places:
        if place.header and place.size is not None:
            try:
                yield place.uid, parse(place.header, size=place.size).key
            except Unreadable:  # it tells nothing
                continue
