"""Reads calendar parts (RFC 5545) for what they say of meetings, within bounds.

The icalendar library is given only the lines that describe the meeting itself. Time zones are
worked out by `zone`; recurrence rules are never expanded. A calendar that can't be read gives no
meeting, whatever is wrong with it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from icalendar import Event, vCalAddress, vDDDTypes, vDuration, vInt, vText

from daemon.message.address import key_of
from daemon.message.invite import ATTENDEE_LIMIT, CALENDAR_LIMIT, EVENT_LIMIT, CalendarPart, Invite
from daemon.message.text import one_line
from daemon.message.zone import Observance, observance, to_utc

_EVENT_LINES_LIMIT = ATTENDEE_LIMIT + 50  # of one event
_LINES_LIMIT = 3_000  # of all events of one mail: icalendar takes 0.1 ms a line
_COMPONENT_LIMIT = 500  # of one calendar
_DEPTH_LIMIT = 8
_LINE_LIMIT = 2_000  # characters of one content line
_TEXT_LIMIT = 998  # characters of a UID or a summary
_SEQUENCE_LIMIT = 2**31 - 1

_FOLD = re.compile(rb"(?<!\r)\r*\n[ \t]")
_LINE = re.compile(r"([A-Za-z0-9-]{1,60})([;:])(.*)")
_TZID = re.compile(r";\s*TZID\s*=", re.IGNORECASE)
_EVENT_LINES = frozenset(
    (
        "UID",
        "SEQUENCE",
        "DTSTAMP",
        "ORGANIZER",
        "ATTENDEE",
        "SUMMARY",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RECURRENCE-ID",
    )
)
_PEOPLE = frozenset({"ORGANIZER", "ATTENDEE"})
# Addresses that stand for a calendar, a room or an account: iCloud's tokens, Google's shared and
# imported calendars and rooms, Exchange's encapsulated directory names, placeholders.
_NO_PERSON = re.compile(
    r"@imip\.me\.com$|@(?:[a-z-]{1,30}\.)?calendar\.google\.com$|^imceaex-|\.invalid$|@invalid$"
    r"|^(?:unknown|nobody)@|@unknown(?:organizer)?\b"
)
_PERSONAL = re.compile(
    r";(?:CN|ROLE|RSVP|CUTYPE|DIR|LANGUAGE|MEMBER|X-[A-Z0-9-]{1,60})="
    r"(?:\"[^\"]*\"|[^;:\"]*)(?=[;:])",
    re.IGNORECASE,
)
_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
_TIMES = frozenset({"DTSTART", "DTEND", "RECURRENCE-ID"})

Zones = dict[str, tuple[Observance, ...]]
_Kind = TypeVar("_Kind", vCalAddress, vDDDTypes, vDuration, vInt, vText)


@dataclass(slots=True)
class _Component:
    """One BEGIN ... END: its own content lines and the components in it."""

    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)  # upper-case name, whole line
    inner: list["_Component"] = field(default_factory=list)

    def values(self) -> list[tuple[str, str]]:
        """Names and values, for properties that take no quoted parameters."""
        return [(name, line.partition(":")[2].strip()) for name, line in self.lines]


def invites(calendars: Sequence[CalendarPart]) -> tuple[Invite, ...]:
    """The meetings in these calendars, each statement once. Never raises."""
    found: dict[Invite, None] = {}
    budget = _LINES_LIMIT
    for calendar in calendars:
        for method, event, zones in _events(calendar):
            lines = _wanted(event)
            budget -= len(lines)
            if budget < 0:
                return tuple(found)
            try:
                invite = _invite(method, lines, zones)
            except _UNREADABLE:
                continue  # one event that icalendar can't read; a mail is more than its calendar
            if invite is not None:
                found[invite] = None
    return tuple(found)


def _events(calendar: CalendarPart) -> Iterator[tuple[str, _Component, Zones]]:
    """Each VEVENT of a calendar with the METHOD that it is under and the zones it may name.

    Some programs name the method only in the Content-Type (RFC 6047 section 2.4 wants both).
    """
    root = _tree(_lines(calendar.octets))
    for vcalendar in (component for component in root.inner if component.name == "VCALENDAR"):
        method = dict(reversed(vcalendar.values())).get("METHOD") or calendar.method
        method = one_line(method, 20).upper()
        zones = _zones(vcalendar)
        for event in [inner for inner in vcalendar.inner if inner.name == "VEVENT"][:EVENT_LIMIT]:
            yield method, event, zones


def _lines(octets: bytes) -> Iterator[str]:
    """Content lines, unfolded (RFC 5545 section 3.1) before they are decoded."""
    octets = octets[:CALENDAR_LIMIT].removeprefix(b"\xef\xbb\xbf")
    for line in _FOLD.sub(b"", octets).splitlines():
        if line := line.strip():
            yield line[: 4 * _LINE_LIMIT].decode("utf-8", "replace")[:_LINE_LIMIT]


def _tree(lines: Iterator[str]) -> _Component:
    """The components as they are nested; an END that fits nothing is passed over."""
    root = _Component("")
    stack = [root]
    count = 0
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        name, value = match[1].upper(), match[3].strip().upper()
        if name == "BEGIN":
            count += 1
            if count > _COMPONENT_LIMIT or len(stack) > _DEPTH_LIMIT:
                break
            stack[-1].inner.append(_Component(value))
            stack.append(stack[-1].inner[-1])
        elif name == "END":
            if value in [component.name for component in stack[1:]]:
                while stack.pop().name != value:
                    pass
        else:
            stack[-1].lines.append((name, line))
    return root


def _zones(vcalendar: _Component) -> Zones:
    found: Zones = {}
    for zone in (component for component in vcalendar.inner if component.name == "VTIMEZONE"):
        name = dict(zone.values()).get("TZID", "")
        observances = (observance(inner.values()) for inner in zone.inner)
        found[name] = tuple(o for o in observances if o is not None)
    return found


def _invite(method: str, lines: list[str], zones: Zones) -> Invite | None:
    """One VEVENT as an Invite, None if it has no UID."""
    event = Event.from_ical("\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""]))
    if not isinstance(event, Event):
        return None
    uid = one_line(_text(event, "UID"), _TEXT_LIMIT)
    if not uid:
        return None
    starts_at = _moment(event, "DTSTART", zones)
    recurrence_id = _moment(event, "RECURRENCE-ID", zones)
    sequence = _first(event, "SEQUENCE", vInt)
    organizer = _first(event, "ORGANIZER", vCalAddress)
    return Invite(
        method=method,
        uid=uid,
        sequence=min(max(int(sequence), 0), _SEQUENCE_LIMIT) if sequence is not None else 0,
        dtstamp=_moment(event, "DTSTAMP", zones),
        organizer=_who(organizer) if organizer is not None else None,
        attendees=_attendees(event),
        starts_at=starts_at,
        ends_at=_end(event, starts_at, zones),
        summary=one_line(_text(event, "SUMMARY"), _TEXT_LIMIT),
        recurrence_id=recurrence_id.strftime("%Y-%m-%dT%H:%M:%SZ") if recurrence_id else None,
        all_day=_is_day(event),
    )


def _is_day(event: Event) -> bool:
    """Whether it starts on a DATE, which is the same day everywhere."""
    start = _first(event, "DTSTART", vDDDTypes)
    return start is not None and isinstance(start.dt, date) and not isinstance(start.dt, datetime)


def _wanted(event: _Component) -> list[str]:
    """The lines of a VEVENT that icalendar is given.

    TZID goes by another name, so that icalendar makes naive local times and no zones; of a person
    only the address and the answer are left, because names are where calendars break quoting.
    """
    lines = [(name, line) for name, line in event.lines if name in _EVENT_LINES]
    return [
        _TZID.sub(";X-TZID=", line, count=1)
        if name in _TIMES
        else _PERSONAL.sub("", line)
        if name in _PEOPLE
        else line
        for name, line in lines[:_EVENT_LINES_LIMIT]
    ]


def _first(event: Event, name: str, kind: type[_Kind]) -> _Kind | None:
    """The first value of a property that is of this kind: not broken, not of another type."""
    found = event.get(name)
    values = found if isinstance(found, list) else [found]
    return next((value for value in values if isinstance(value, kind)), None)


def _text(event: Event, name: str) -> str:
    value = _first(event, name, vText)
    return str(value) if value is not None else ""


def _moment(event: Event, name: str, zones: Zones) -> datetime | None:
    """A time as aware UTC; a DATE is its midnight in UTC."""
    value = _first(event, name, vDDDTypes)
    if value is None:
        return None
    if isinstance(value.dt, datetime):
        zone = str(value.params.get("X-TZID", ""))
        return to_utc(value.dt, zone, zones.get(zone, ()))
    if isinstance(value.dt, date):
        return datetime(value.dt.year, value.dt.month, value.dt.day, tzinfo=UTC)
    return None


def _end(event: Event, starts_at: datetime | None, zones: Zones) -> datetime | None:
    """DTEND, else by DURATION, else a day after a DATE (RFC 5545 section 3.6.1), else None."""
    ends_at = _moment(event, "DTEND", zones)
    if ends_at is not None or starts_at is None:
        return ends_at
    duration = _first(event, "DURATION", vDDDTypes) or _first(event, "DURATION", vDuration)
    start = _first(event, "DTSTART", vDDDTypes)
    try:
        if duration is not None and isinstance(duration.dt, timedelta):
            return starts_at + duration.dt
        if start is not None and not isinstance(start.dt, datetime):
            return starts_at + timedelta(days=1)
    except OverflowError:
        return None
    return None


def _attendees(event: Event) -> tuple[tuple[str, str], ...]:
    found = event.get("ATTENDEE")
    values = found if isinstance(found, list) else [found]
    attendees: dict[str, str] = {}
    for value in values[:ATTENDEE_LIMIT]:
        if isinstance(value, vCalAddress) and (who := _who(value)):
            attendees.setdefault(who, _partstat(value))
    return tuple(attendees.items())


def _who(value: vCalAddress) -> str | None:
    """The sender key of a calendar address, None where it is no person's.

    Some calendars put a token there, and the person's address into EMAIL (RFC 7986 section 6.2).
    """
    key = key_of(str(value))
    if key is None or _NO_PERSON.search(key):
        return key_of(str(value.params.get("EMAIL", "")))
    return key


def _partstat(value: vCalAddress) -> str:
    return one_line(str(value.params.get("PARTSTAT", "")), 20).upper() or "NEEDS-ACTION"
