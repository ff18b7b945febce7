"""Which meetings we have with one sender, from all that both sides' calendars said in mail (iTIP).

Promises: the order in which the mails are given never matters; REQUEST, update, REPLY and CANCEL of
one meeting make one `Meeting` (RFC 5546 section 2.1.4: the UID identifies the meeting, SEQUENCE and
then DTSTAMP order the statements about it). Only the organizer may invite, move and cancel, and
only someone who was invited may answer. Exchange leaves ORGANIZER out of its answers, and anybody
can write our address there, so an answer is believed for its UID: that of an invitation of ours
in Sent. Where our invitation isn't in Sent (Google Calendar sends it itself), the answer must come
from an address that we wrote to, and our own server must have authenticated it.
It doesn't know whether a meeting took place, and doesn't split a series into its occurrences.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from daemon.message.invite import Invite
from daemon.message.verdict import Us

Status = Literal["accepted", "tentative", "invited", "declined", "cancelled"]
Side = Literal["us", "them"]

_STATUS: dict[str, Status] = {
    "ACCEPTED": "accepted",
    "TENTATIVE": "tentative",
    "DECLINED": "declined",
}  # any other PARTSTAT (NEEDS-ACTION, DELEGATED) leaves the invitation open
_BEST_ANSWER: tuple[Status, ...] = ("declined", "invited", "tentative", "accepted")
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Statement(NamedTuple):
    """One iTIP object in one mail: what it says, whether we said it (Sent), and when."""

    invite: Invite
    ours: bool
    sent_at: datetime
    key: str  # of the message
    recipients: frozenset[str] = frozenset()  # sender keys, of one that we sent
    authenticated: bool = False  # our own server said dmarc=pass

    @property
    def age(self) -> tuple[int, datetime]:
        """What makes one statement about a meeting newer than another, whenever it was read."""
        return self.invite.sequence, self.invite.dtstamp or self.sent_at

    @property
    def rank(self) -> tuple[int, datetime, datetime, str]:
        """The same, with ties broken."""
        return *self.age, self.sent_at, self.key


@dataclass(frozen=True, slots=True)
class Meeting:
    """One meeting, by iTIP UID, between us and one sender, as it stands after all statements."""

    uid: str
    summary: str
    starts_at: datetime | None
    ends_at: datetime | None
    counts: bool  # towards the sender's meetings
    status: Status
    organizer: Side
    sequence: int
    answers_key: str  # key of the message that last changed it
    all_day: bool = False


class _Heard(NamedTuple):
    """The statements about one occurrence; None is the series, or a single meeting."""

    requests: list[Statement]
    replies: dict[str, Statement]  # by attendee, the latest
    cancels: list[Statement]
    all: list[Statement]


@dataclass(frozen=True, slots=True)
class _Sender:
    """The sender whose meetings are asked for, as far as its calendar's word depends on it."""

    address: str
    us: Us
    written_to: bool
    is_colleague: Callable[[str], bool]

    def is_theirs(self, address: str) -> bool:
        """Whether an address is the sender's: its own, or an alias at the same organization."""
        return address == self.address or self.is_colleague(address)


def _nobody(_: str) -> bool:
    return False


def meetings(
    address: str,
    statements: Iterable[Statement],
    us: Us,
    *,
    written_to: bool,
    is_colleague: Callable[[str], bool] = _nobody,
) -> tuple[Meeting, ...]:
    """All meetings with the sender `address`, by start, those that don't count included.

    `statements` are those of the sender's mails, and ours about the same UIDs whoever they went to.
    `written_to`: a mail of ours in Sent went to this sender; without one, and without our answer,
    its invitation may be calendar spam and doesn't count.
    `is_colleague`: whether an address is of the same organization as the sender.
    """
    sender = _Sender(address, us, written_to, is_colleague)
    by_uid: defaultdict[str, list[Statement]] = defaultdict(list)
    for statement in statements:
        if statement.invite.uid:
            by_uid[statement.invite.uid].append(statement)
    found = [meeting for about in by_uid.values() if (meeting := _meeting(sender, about))]
    return tuple(sorted(found, key=lambda m: (m.starts_at or _EARLIEST, m.uid)))


def _meeting(sender: _Sender, about: Sequence[Statement]) -> Meeting | None:
    """The one meeting behind a UID; a stranger who claims the UID of ours doesn't hide ours."""
    candidates = []
    sides: tuple[Side, ...] = ("us", "them")
    for side in sides:
        occurrences = _heard(sender, about, side)
        for recurrence, heard in _with_series(occurrences).items():
            meeting = _stands(about[0].invite.uid, side, heard, written_to=sender.written_to)
            weight = (meeting.counts, side == "us", recurrence is None, meeting.sequence)
            candidates.append((weight, meeting.answers_key, recurrence or "", meeting))
    return max(candidates, key=lambda candidate: candidate[:3])[3] if candidates else None


def _heard(sender: _Sender, about: Sequence[Statement], side: Side) -> dict[str | None, _Heard]:
    """The statements by occurrence, without those that their author may not make."""
    spoken = [s for s in about if s.ours == (side == "us") and _may_organize(sender, s)]
    answers = [s for s in about if s.ours != (side == "us") and s.invite.method == "REPLY"]
    occurrences: dict[str | None, _Heard] = {}
    for statement in spoken:
        heard = occurrences.setdefault(statement.invite.recurrence_id, _Heard([], {}, [], []))
        (heard.requests if statement.invite.method == "REQUEST" else heard.cancels).append(
            statement
        )
        heard.all.append(statement)
    for statement in answers:
        attendee = _attendee(statement, sender.address, sender.us)
        is_believed = (
            _answers_them(sender, statement)
            if statement.ours
            else _answers_us(sender, statement, spoken)
        )
        if attendee and is_believed:
            key = statement.invite.recurrence_id
            heard = occurrences.setdefault(key, _Heard([], {}, [], []))
            known = heard.replies.get(attendee)
            if known is None or statement.rank > known.rank:
                heard.replies[attendee] = statement
            heard.all.append(statement)
    return occurrences


def _may_organize(sender: _Sender, statement: Statement) -> bool:
    """Whether whoever sent this may invite to the meeting, move it and cancel it."""
    invite = statement.invite
    if invite.method not in {"REQUEST", "CANCEL"}:
        return False
    if statement.ours:
        return invite.organizer is None or sender.us.is_us(invite.organizer)
    return invite.organizer is None or sender.is_theirs(invite.organizer)


def _answers_us(sender: _Sender, reply: Statement, invitations: Sequence[Statement]) -> bool:
    """Whether their answer is to an invitation of ours, and not one that a stranger made up."""
    organizer = reply.invite.organizer
    if organizer is not None and not sender.us.is_us(organizer):
        return False
    for ours in invitations:
        invited = ours.recipients.union(who for who, _ in ours.invite.attendees)
        if any(sender.is_theirs(who) for who in invited):
            return True
    return sender.written_to and reply.authenticated


def _answers_them(sender: _Sender, reply: Statement) -> bool:
    """Whether our answer, which nobody can forge, is to an invitation of the sender's."""
    organizer = reply.invite.organizer
    if organizer is not None:
        return sender.is_theirs(organizer)
    return any(sender.is_theirs(who) for who in reply.recipients)


def _attendee(reply: Statement, address: str, us: Us) -> str | None:
    """Whose answer a REPLY is: a side's own address, else its only attendee (an alias of it).

    RFC 5546 section 3.2.3: a REPLY has exactly one ATTENDEE, but some have the whole list.
    """
    attendees = [attendee for attendee, _ in reply.invite.attendees]
    own = next((a for a in attendees if (us.is_us(a) if reply.ours else a == address)), None)
    if own or len(attendees) != 1:
        return own
    return attendees[0]


def _with_series(occurrences: dict[str | None, _Heard]) -> dict[str | None, _Heard]:
    """Let each changed occurrence inherit from its series what was said about all of it.

    An occurrence of which only the cancellation is known says nothing about the rest of its series.
    """
    series = occurrences.get(None)
    if occurrences.keys() <= {None}:
        return occurrences
    answered = any(heard.requests or heard.replies for heard in occurrences.values())
    inherited = series or _Heard([], {}, [], [])
    return {
        recurrence: heard
        if recurrence is None
        else _Heard(
            heard.requests + inherited.requests,
            heard.replies or inherited.replies,
            heard.cancels + inherited.cancels,
            heard.all + inherited.all,
        )
        for recurrence, heard in occurrences.items()
        if recurrence is None or heard.requests or heard.replies or not answered
    }


def _stands(uid: str, side: Side, heard: _Heard, *, written_to: bool) -> Meeting:
    """The state of one meeting after all statements."""
    request = max(heard.requests, key=lambda s: s.rank, default=None)
    cancel = max(heard.cancels, key=lambda s: s.rank, default=None)
    answer = max(
        heard.replies.items(),
        key=lambda item: (_BEST_ANSWER.index(_answer(*item)), item[1].rank),
        default=None,
    )
    status: Status = _answer(*answer) if answer else "invited"
    counts = status in {"accepted", "tentative"}
    if side == "them" and status == "invited":
        counts = request is not None and written_to
    changes = [s for s in (request, answer[1] if answer else None) if s]
    if cancel and (request is None or cancel.age >= request.age):
        status, counts, changes = "cancelled", False, [cancel]
    # Without an invitation, the newest answer or cancellation that has a time describes a meeting.
    told = request or max(heard.all, key=lambda s: (s.invite.starts_at is not None, s.rank))
    return Meeting(
        uid=uid,
        summary=told.invite.summary,
        starts_at=told.invite.starts_at,
        ends_at=told.invite.ends_at,
        counts=counts,
        status=status,
        organizer=side,
        sequence=max(s.invite.sequence for s in [told, *changes]),
        answers_key=max(changes, key=lambda s: (s.sent_at, s.key)).key,
        all_day=told.invite.all_day,
    )


def _answer(attendee: str, reply: Statement) -> Status:
    for who, partstat in reply.invite.attendees:
        if who == attendee:
            return _STATUS.get(partstat.upper(), "invited")
    return "invited"
