"""What the activities of a sender should say: one for each message, one for each meeting. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from daemon.rules.case import RANK_FRESH, activity_rank
from daemon.rules.correspondence import Undelivered
from daemon.rules.marks import marked
from daemon.rules.records import Change, Fields

_SUBJECT_CHARS = 255
_DAY = 24 * 3600
_NOON = "12:00:00"


@dataclass(frozen=True, slots=True)
class MailView:
    """A contact message as an activity shows it; `participants` are sender keys, primary first."""

    key: str
    subject: str
    sent_at: datetime
    participants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MeetingView:
    """A meeting with all the senders who have records: who it counts for, and how it stands."""

    uid: str
    summary: str
    starts_at: datetime | None
    ends_at: datetime | None
    status: str
    participants: tuple[str, ...]  # for whom it counts
    all_day: bool = False


def email(mail: MailView, *, text: str, fresh_since: datetime | None = None) -> Change:
    """The activity of a message: type email, done, at its own time in UTC, with its text."""
    due = mail.sent_at.astimezone(UTC)
    fields = {
        "type": "email",
        "subject": mail.subject[:_SUBJECT_CHARS] or "(no subject)",
        "due_date": due.strftime("%Y-%m-%d"),
        "due_time": due.strftime("%H:%M:%S"),
        "done": True,
        **marked(text, mail.key),
        "participants": list(mail.participants),
    }
    rank = activity_rank(due, fresh_since)
    return Change("activity", mail.key, "create", fields, rank, mail.participants[0])


def undelivered(address: str, bounce: Undelivered) -> Change:
    """The activity that notes that no mail arrives there: one until a mail of theirs comes."""
    last = bounce.last_received.astimezone(UTC).isoformat() if bounce.last_received else ""
    digest = hashlib.sha256(f"{address}\0{last}".encode()).hexdigest()[:32]
    due, key = bounce.at.astimezone(UTC), f"undelivered-{digest}"
    fields = {
        "type": "email",
        "subject": f"Undeliverable: {address}"[:_SUBJECT_CHARS],
        "due_date": due.strftime("%Y-%m-%d"),
        "due_time": due.strftime("%H:%M:%S"),
        "done": True,
        **marked(f"A mail to {address} came back for good, with the status {bounce.status}.", key),
        "participants": [address],
    }
    return Change("activity", key, "create", fields, activity_rank(due), address)


def meeting_key(uid: str) -> str:
    """The record key of a meeting's activity."""
    return "meeting-" + hashlib.sha256(uid.encode()).hexdigest()[:32]


def meeting(
    view: MeetingView,
    written: Fields | None,
    *,
    now: datetime,
    fresh_since: datetime | None = None,
) -> Change | None:
    """The activity of a meeting, or what changes in it; None if there is nothing to do.

    `written` is what its activity says already. A meeting that no longer counts is marked in its
    subject and keeps its participants; one that never counted makes no activity.
    """
    if not view.participants and written is None:
        return None
    wanted = _meeting_fields(view, written or {})
    if not view.participants:
        assert written is not None  # noqa: S101 - the case above
        plain = view.summary[:_SUBJECT_CHARS] or "Meeting"
        wanted = {"subject": f"{view.status.capitalize()}: {plain}"[:_SUBJECT_CHARS]}
    due, rank = view.starts_at or now, activity_rank(now)
    if fresh_since is not None and due >= fresh_since:
        rank = RANK_FRESH + rank
    key = meeting_key(view.uid)
    sender = view.participants[0] if view.participants else (written or {})["participants"][0]
    if written is None:
        done = (view.ends_at or due) <= now
        fields = wanted | {"type": "meeting", "done": done, **marked("", key)}
        return Change("activity", key, "create", fields, rank, sender)
    changed = {name: value for name, value in wanted.items() if written.get(name) != value}
    if not changed:
        return None
    changed["participants"] = wanted.get("participants", written["participants"])
    return Change("activity", key, "update", changed, rank, sender)


def _meeting_fields(view: MeetingView, written: Fields) -> dict[str, Any]:
    """A day without a time is the same day for everybody; a time is shown in each user's zone.

    Nothing documented takes a time away again: one that was there becomes noon in UTC, which is on
    that day from Honolulu to Auckland.
    """
    fields: dict[str, Any] = {
        "subject": view.summary[:_SUBJECT_CHARS] or "Meeting",
        "participants": list(view.participants),
    }
    if view.starts_at is not None:
        fields["due_date"] = view.starts_at.strftime("%Y-%m-%d")
        if view.all_day:
            return fields | ({"due_time": _NOON} if written.get("due_time") else {})
        fields["due_time"] = view.starts_at.strftime("%H:%M:%S")
        seconds = int((view.ends_at - view.starts_at).total_seconds()) if view.ends_at else 0
        if 0 < seconds < _DAY:  # Pipedrive's duration is HH:MM:SS, within a day
            fields["duration"] = f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:00"
    return fields


def participants(
    recipients: Sequence[str], parties: Iterable[str], classes: Mapping[str, str]
) -> tuple[str, ...]:
    """Senders with a record among a message's parties, in the order of its recipients."""
    order = {address: position for position, address in enumerate(recipients)}
    listed = [p for p in parties if classes.get(p, "ignore") != "ignore"]
    return tuple(sorted(listed, key=lambda p: (order.get(p, len(order)), p)))
