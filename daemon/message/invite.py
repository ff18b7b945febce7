"""Meetings as mail carries them: iTIP (RFC 5546) in text/calendar parts (RFC 6047).

This says what an invitation is; `itip` reads it out of a calendar.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from daemon.message.address import NAME_LIMIT
from daemon.message.text import one_line

_FOLD = re.compile(r"\r?\n[ \t]")
_PERSON = re.compile(
    r"^(?:ORGANIZER|ATTENDEE)((?:;[^\r\n:;]{1,500}){1,20}):mailto:([^\r\n]{3,254})\r?$",
    re.IGNORECASE | re.MULTILINE,
)
_CN = re.compile(r";CN=(?:\"([^\"]{1,200})\"|([^;\"]{1,200}))", re.IGNORECASE)
CALENDAR_LIMIT = 1 << 19  # bytes of one calendar that are read
EVENT_LIMIT = 50  # of one calendar: a series with its exceptions
ATTENDEE_LIMIT = 500  # of one event


class Invite(NamedTuple):
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


def common_name(calendars: Sequence[CalendarPart], address: str) -> str:
    """How a calendar calls who has this address, by CN (RFC 5545, 3.2.2); "" if it doesn't."""
    for calendar in calendars:
        text = calendar.octets[:CALENDAR_LIMIT].decode("utf-8", "replace")
        for line in _PERSON.finditer(_FOLD.sub("", text)):
            name = _CN.search(line[1]) if line[2].lower() == address else None
            if name is not None:
                return one_line(name[1] or name[2], NAME_LIMIT)
    return ""
