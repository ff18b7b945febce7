"""Which meetings one sender has, from the facts of the invitations it shares with us."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from daemon.sandbox.company import InviteFacts


@dataclass(frozen=True, slots=True)
class Attended:
    """One iTIP UID; `starts_at` is what the latest REQUEST says, None where none was seen."""

    uid: str
    counts: bool
    starts_at: datetime | None


def meetings(
    invites: Iterable[tuple[InviteFacts, bool]],
    sender: str,
    invited: Iterable[tuple[InviteFacts, frozenset[str]]],
    *,
    is_us: Callable[[str], bool],
    written_to: bool,
) -> tuple[Attended, ...]:
    """One entry for each UID among `invites`, pairs of an object and whether it is theirs.

    `invited`: what our calendars sent, with its recipients. An answer to an invitation that we
    didn't send counts only from whom we wrote to; our server authenticates all of these mails.
    """
    known = {
        i.uid
        for i, to in invited
        if _below(sender, {*to, *(attendee for attendee, _ in i.attendees)})
    }
    invites = [
        (i, theirs)
        for i, theirs in invites
        if not (theirs and i.method == "REPLY" and is_us(i.organizer))
        or i.uid in known
        or written_to
    ]
    by_uid: dict[str, list[tuple[InviteFacts, bool]]] = {}
    for invite, theirs in invites:
        by_uid.setdefault(invite.uid, []).append((invite, theirs))
    return tuple(
        _meeting(uid, seen, sender, is_us=is_us, written_to=written_to)
        for uid, seen in sorted(by_uid.items())
    )


def _meeting(
    uid: str,
    seen: list[tuple[InviteFacts, bool]],
    sender: str,
    *,
    is_us: Callable[[str], bool],
    written_to: bool,
) -> Attended:
    organizer_is_us = is_us(seen[0][0].organizer)
    by_organizer = [i for i, theirs in seen if theirs != organizer_is_us]
    request = _latest(i for i in by_organizer if i.method == "REQUEST")
    cancel = _latest(i for i in by_organizer if i.method == "CANCEL")
    starts_at = request.starts_at if request else None
    if cancel and (request is None or _stamp(cancel) >= _stamp(request)):
        return Attended(uid, counts=False, starts_at=starts_at)

    if organizer_is_us:
        answer = _answer(seen, lambda key: key == sender, theirs=True)
        counts = answer in {"ACCEPTED", "TENTATIVE"}
    elif seen[0][0].organizer == sender and request:
        answer = _answer(seen, is_us, theirs=False)
        counts = answer in {"ACCEPTED", "TENTATIVE"} or (answer != "DECLINED" and written_to)
    else:
        counts = False
    return Attended(uid, counts=counts, starts_at=starts_at)


def _below(sender: str, invited: Iterable[str]) -> bool:
    """Whether somebody at the sender's domain was invited."""
    return sender.partition("@")[2] in {key.partition("@")[2] for key in invited}


def _answer(
    seen: list[tuple[InviteFacts, bool]], of: Callable[[str], bool], *, theirs: bool
) -> str | None:
    """PARTSTAT in the latest REPLY of that side, None without one."""
    reply = _latest(i for i, t in seen if i.method == "REPLY" and t == theirs)
    return next((partstat for key, partstat in reply.attendees if of(key)), None) if reply else None


def _latest(invites: Iterable[InviteFacts]) -> InviteFacts | None:
    return max(invites, key=_stamp, default=None)


def _stamp(invite: InviteFacts) -> tuple[int, datetime]:
    return invite.sequence, invite.dtstamp
