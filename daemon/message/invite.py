"""Meetings as mail carries them: iTIP (RFC 5546) in text/calendar parts (RFC 6047).

This says what an invitation is; `itip` reads it out of a calendar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

CALENDAR_LIMIT = 1 << 19  # bytes of one calendar that are read
EVENT_LIMIT = 50  # of one calendar: a series with its exceptions
ATTENDEE_LIMIT = 500  # of one event


@dataclass(frozen=True, slots=True)
class Invite:
    """What one iTIP message says about one meeting."""

    method: str  # REQUEST, REPLY, CANCEL, COUNTER, ...; "" for a calendar that is no iTIP message
    uid: str
    sequence: int
    dtstamp: datetime | None
    organizer: str | None  # sender key; None: not said, or a calendar rather than a person
    attendees: tuple[tuple[str, str], ...]  # (sender key, PARTSTAT)
    starts_at: datetime | None
    ends_at: datetime | None
    summary: str
    recurrence_id: str | None
    all_day: bool = False  # it starts on a day, not at a time; `starts_at` is that day's midnight


class CalendarPart(NamedTuple):
    """One calendar part: its text, and the method that its Content-Type names, "" if none."""

    octets: bytes  # UTF-8
    method: str = ""


def invites(calendars: Sequence[CalendarPart]) -> tuple[Invite, ...]:
    """The meetings in these calendars, each statement once. Never raises."""
    from daemon.message.itip import read_calendars  # noqa: PLC0415 - icalendar is 10 MB

    return read_calendars(calendars)
