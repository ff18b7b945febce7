"""Converts local times of calendars to UTC, by IANA names, Windows names and VTIMEZONE definitions.

A definition is evaluated only for the moment in question, from the yearly rules that mail programs
write; nothing is expanded, cached or shared between mails. (icalendar would expand a rule of any
frequency, and would keep a zone under its name for all later mails.)
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Lines = list[tuple[str, str]]  # the content lines of one component: upper-case name, value

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,2}")
_OFFSET_IN_NAME = re.compile(r"(?:UTC|GMT) ?([+-])([0-9]{1,2}):?([0-5][0-9])?\b", re.IGNORECASE)
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-5][0-9])([0-5][0-9])?")
_LOCAL = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})")
_NTH_DAY = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)")
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_RDATES_LIMIT = 200  # dates of one observance that are looked at


@dataclass(frozen=True, slots=True)
class Observance:
    """STANDARD or DAYLIGHT of a VTIMEZONE (RFC 5545 section 3.6.5)."""

    offset: timedelta
    offset_before: timedelta
    start: datetime  # local, naive
    rule: dict[str, str] | None  # FREQ=YEARLY only
    dates: tuple[datetime, ...]

    def last_onset(self, moment: datetime) -> datetime | None:
        """When this observance last began at or before a local moment, None if never."""
        if self.rule is not None:
            dates = [_onset(self.rule, self.start, year) for year in (moment.year, moment.year - 1)]
            found = [date for date in dates if date is not None]
        else:
            found = [self.start, *self.dates]
        return max((date for date in found if self.start <= date <= moment), default=None)


def to_utc(moment: datetime, zone_name: str, definition: tuple[Observance, ...]) -> datetime | None:
    """A moment of a calendar as UTC, None outside of years 1 to 9999.

    A local time without a zone, or with one that nobody knows, is taken as UTC.
    """
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        zone = named_zone(zone_name) if zone_name else UTC
        if zone is not None:
            return moment.replace(tzinfo=zone).astimezone(UTC)
        return (moment - _offset_at(moment, definition)).replace(tzinfo=UTC)
    except OverflowError:
        return None


def named_zone(name: str) -> tzinfo | None:
    """The zone that a TZID names: IANA, Windows, vendor-prefixed IANA, or an offset in words."""
    name = name.strip().strip('"')
    from icalendar.timezone.windows_to_olson import (  # noqa: PLC0415 - as in invite.py
        WINDOWS_TO_OLSON,
    )

    name = WINDOWS_TO_OLSON.get(name, name)
    parts = name.strip("/").split("/")
    for i in range(max(0, len(parts) - 3), len(parts)):
        tail = "/".join(parts[i:])
        if _ZONE_NAME.fullmatch(tail):
            try:
                return ZoneInfo(tail)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue  # such as "Europe", which is a directory
    match = _OFFSET_IN_NAME.search(name[:200])
    if match:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset < timedelta(hours=24):
            return timezone(-offset if match[1] == "-" else offset)
    return None


def observance(lines: Lines) -> Observance | None:
    """Read STANDARD or DAYLIGHT from its content lines, None if it isn't usable."""
    values = dict(reversed(lines))
    start = _local(values.get("DTSTART", ""))
    offset = _offset(values.get("TZOFFSETTO", ""))
    if start is None or offset is None:
        return None
    rule = dict(
        item.split("=", 1) for item in values.get("RRULE", "").upper().split(";") if "=" in item
    )
    before = _offset(values.get("TZOFFSETFROM", ""))
    found = (
        _local(date)
        for name, value in lines
        if name == "RDATE"
        for date in value.split(",")[:_RDATES_LIMIT]
    )
    return Observance(
        offset=offset,
        offset_before=offset if before is None else before,
        start=start,
        rule=rule if rule.get("FREQ") == "YEARLY" else None,
        dates=tuple(date for date in found if date is not None)[:_RDATES_LIMIT],
    )


def _offset_at(moment: datetime, definition: tuple[Observance, ...]) -> timedelta:
    """The offset in force at a local moment: that of the observance that began last."""
    begun = [(onset, o.offset) for o in definition if (onset := o.last_onset(moment)) is not None]
    if begun:
        return max(begun)[1]
    return min(definition, key=lambda o: o.start).offset_before if definition else timedelta(0)


def _onset(rule: dict[str, str], start: datetime, year: int) -> datetime | None:
    """When a yearly rule falls in one year: BYMONTH with BYDAY, and BYMONTHDAY to choose from."""
    until = _local(rule.get("UNTIL", "").removesuffix("Z"))
    try:
        month = int(rule.get("BYMONTH", str(start.month)))
        first_weekday, length = calendar.monthrange(year, month)
        days = {int(day) for day in rule["BYMONTHDAY"].split(",")} if "BYMONTHDAY" in rule else None
        if "BYDAY" not in rule:
            chosen = sorted(days)[:1] if days else [start.day]
        else:
            match = _NTH_DAY.fullmatch(rule["BYDAY"])
            if match is None:
                return None
            first = (_DAYS.index(match[2]) - first_weekday) % 7 + 1
            chosen = [day for day in range(first, length + 1, 7) if days is None or day in days]
            nth = int(match[1] or 1)
            chosen = [chosen[nth - 1 if nth > 0 else nth]]
        onset = start.replace(year=year, month=month, day=chosen[0])
    except (ValueError, IndexError):
        return None  # no such day in this year, or no rule that a mail program writes
    return onset if until is None or onset <= until else None


def _offset(value: str) -> timedelta | None:
    match = _OFFSET.fullmatch(value.strip())
    if match is None or int(match[2]) > 23:  # noqa: PLR2004  hours of a day
        return None
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]), seconds=int(match[4] or 0))
    return -offset if match[1] == "-" else offset


def _local(value: str) -> datetime | None:
    match = _LOCAL.match(value.strip())
    try:
        return datetime(*(int(number) for number in match.groups())) if match else None  # type: ignore[arg-type]  # noqa: DTZ001  six numbers; local by definition
    except ValueError:
        return None
