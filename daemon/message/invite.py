"""Meetings as mail carries them: iTIP (RFC 5546) in text/calendar parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Invite:
    """What one iTIP message says about one meeting."""

    method: str  # REQUEST, REPLY, CANCEL, COUNTER, ...; "" for a calendar that is no iTIP message
    uid: str
    sequence: int
    dtstamp: datetime | None
    organizer: str | None  # sender key
    attendees: tuple[tuple[str, str], ...]  # (sender key, PARTSTAT)
    starts_at: datetime | None
    ends_at: datetime | None
    summary: str
    recurrence_id: str | None


def invites(calendars: Sequence[bytes]) -> tuple[Invite, ...]:
    """The meetings in these calendars; a calendar that can't be read gives none."""
    del calendars
    return ()
