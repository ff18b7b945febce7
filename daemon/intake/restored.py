"""Whether a folder was put back to an earlier state, and under which UIDs other mail lies now.

A UID belongs to one message for ever (RFC 3501, 2.3.1.1), but a folder that is restored from a
backup, or a server that loses its index, gives UIDs out again. The mail under them would never be
read. What the server counts shows it, size and INTERNALDATE do, and the newest messages' headers.
"""

from collections.abc import Callable, Iterator, Sequence

from daemon.errors import Problem, RetryLater, Unreadable
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
_MOST_LOSSES = 3  # commands that may fail before the rest isn't compared

Tell = Callable[[Problem], object]


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
    mailbox: Mailbox, ledger: Ledger, folder: FolderRow, here: Sequence[int], tell: Tell
) -> list[int]:
    """Of these UIDs of the open folder, ascending, those where another mail lies than was seen.

    The header is compared of the newest ones, and of all behind the first that differs in size or
    INTERNALDATE. What lies in quarantine isn't asked for: the line may be lost over it each time.
    `tell` is told why some can't be compared; they are left as they are. Changes nothing.
    """
    look = _Comparison(mailbox, folder, tell)
    at = folder.id, folder.uidvalidity or 0
    found: set[int] = set()
    for seen in _pages(ledger, folder, here):
        found.update(ledger.sightings.differing(*at, _sizes(look.places(seen))))
    first = min({*here[-_NEWEST:][:1], *found}, default=0)
    behind = [uid for uid in here if uid >= first and uid not in found]
    for seen in _pages(ledger, folder, behind):
        keys = dict(_keys(look.places(seen, header=True)))
        found.update(ledger.sightings.strangers(*at, keys))
    return sorted(found)


def forget_other_mail(
    mailbox: Mailbox, ledger: Ledger, folder: FolderRow, here: Sequence[int]
) -> list[int]:
    """The same; what was seen there is forgotten, so that it is read."""
    box, name = folder.mailbox, folder.name

    def tell(problem: Problem) -> None:
        event("intake.not_compared", mailbox=box, folder=name, error=problem)

    at = folder.id, folder.uidvalidity or 0
    if ledger.sightings.unsized(*at):
        for seen in _pages(ledger, folder, here):
            there = list(_sizes(_Comparison(mailbox, folder, tell).places(seen)))
            with ledger.transaction("places"):
                ledger.sightings.note_sizes(*at, there)
    if found := other_mail(mailbox, ledger, folder, here, tell):
        with ledger.transaction("places"):
            ledger.sightings.forget(*at, found)
        event("intake.uids_reused", mailbox=box, folder=name, messages=len(found))
    return found


class _Comparison:
    """Asks for what lies under UIDs; a message that costs the line, or is refused, costs no other.

    Each command is tried twice, as Dovecot ends a process whose index of a large folder has reached
    its vsz_limit. What fails again was read once, so it isn't put into quarantine.
    """

    def __init__(self, mailbox: Mailbox, folder: FolderRow, tell: Tell) -> None:
        self._mailbox, self._folder, self._tell = mailbox, folder, tell
        self._losses = 0

    def places(self, uids: Sequence[int], *, header: bool = False) -> Iterator[Place]:
        """Those that can be had; of a command that fails what had come before."""
        for some in batches(uids, _NEWEST):
            for is_last_try in (False, True):
                if self._losses > _MOST_LOSSES:
                    return
                try:
                    yield from self._mailbox.places(some, header=header)
                    break
                except Problem as problem:
                    self._failed(problem, is_last_try=is_last_try)

    def _failed(self, problem: Problem, *, is_last_try: bool) -> None:
        if isinstance(problem, RetryLater) and problem.after is not None:
            raise problem
        is_back = not self._mailbox.closed or self._is_back()
        if is_last_try or not is_back:
            self._losses = self._losses + 1 if is_back else _MOST_LOSSES + 1
            self._tell(problem)

    def _is_back(self) -> bool:
        self._mailbox.reconnect()
        return self._mailbox.examine(self._folder.name).uidvalidity == self._folder.uidvalidity


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
