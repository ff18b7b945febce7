"""Appointments of which a booking page tells us in words, read as the meetings that they are.

Calendly and its like write the appointment into our calendar themselves; their mail has no iTIP
part. So the day and the time are read from its first lines, in the languages of the list. Whose
appointment it is, and whether that proves anything, is for others to say.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache

from daemon.message.data import word_lists
from daemon.message.invite import Invite
from daemon.message.zone import named_zone

# Methods of what is no iTIP message.
BOOKED, UNBOOKED = "BOOKED", "UNBOOKED"
_LINES = 40  # that are looked at
_CHARS = 160  # of one line
_REACH = 4  # lines from a day to its time
_HEAD_LINES = 4  # in which a mail says that it is about an appointment
_TITLE_CHARS = 200
_ZONES = {  # abbreviations that mean one zone only; minutes east of Greenwich
    **dict.fromkeys(("CEST", "MESZ", "EET", "SAST"), 120),
    **dict.fromkeys(("CET", "MEZ", "BST", "WEST"), 60),
    **dict.fromkeys(("UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("EEST", "MSK", "TRT"), 180),
    **dict.fromkeys(("EDT",), -240),
    **dict.fromkeys(("EST", "CDT"), -300),
    **dict.fromkeys(("MDT",), -360),
    **dict.fromkeys(("PDT",), -420),
    **dict.fromkeys(("PST",), -480),
    **dict.fromkeys(("JST", "KST"), 540),
}
_DAY = r"(3[01]|[12][0-9]|0?[1-9])"
_MONTH = r"(1[0-2]|0?[1-9])"
_YEAR = r"(20[0-9]{2})(?![0-9])"
_WORD = r"([^\W\d_]{3,12})"
_TIME = re.compile(
    r"(?<![0-9:.])([01]?[0-9]|2[0-3])[:.h]([0-5][0-9])(?![0-9.])\s{0,2}([ap]\.?m\b)?",
    re.IGNORECASE,
)
_ISO_DATE = re.compile(rf"(?<![0-9])(20[0-9]{{2}})[-./年]{_MONTH}[-./月]{_DAY}(?![0-9])")
_DOTTED_DATE = re.compile(rf"(?<![0-9]){_DAY}\.\s?{_MONTH}\.\s?{_YEAR}")
_DAY_FIRST = re.compile(
    rf"(?<![0-9:.]){_DAY}(?:st|nd|rd|th|er|º)?\.?\s{{1,3}}(?:de\s|di\s)?{_WORD}\.?,?"
    rf"\s{{1,3}}(?:de\s|del\s)?{_YEAR}"
)
_MONTH_FIRST = re.compile(rf"{_WORD}\.?\s{{1,3}}{_DAY}(?:st|nd|rd|th)?,?\s{{1,3}}{_YEAR}")
_OFFSET = re.compile(r"(?:UTC|GMT)\s?([+-])\s?([0-9]{1,2})(?::?([0-5][0-9]))?")
_ZONE_NAME = re.compile(
    r"\b((?:Africa|America|Asia|Atlantic|Australia|Europe|Pacific)/[A-Za-z_]{2,30})"
)
_ABBREVIATION = re.compile(r"\b([A-Z]{3,4})\b")


def is_about_one(subject: str, lines: Sequence[str]) -> bool:
    """Whether a mail may tell of an appointment, by its subject or its first lines."""
    return bool(_kind(subject, lines))


def booked(subject: str, lines: Sequence[str], people: Iterable[str]) -> Invite | None:
    """The appointment of which a booking page tells, or its cancellation; None without a time.

    `lines`: the text; `people`: sender keys that it may be with. The UID is the same for all mails
    about one appointment. A time without a zone is taken as UTC.
    """
    kind = _kind(subject, lines)
    starts_at = _moment([subject, *lines]) if kind else None
    if starts_at is None:
        return None
    who = " ".join(sorted(people))
    uid = hashlib.sha256(f"{who}\0{starts_at.isoformat()}".encode()).hexdigest()[:32]
    return Invite(
        method=UNBOOKED if kind == "cancelled" else BOOKED,
        uid=f"booking-{uid}",
        sequence=0,
        dtstamp=None,
        organizer=None,
        attendees=(),
        starts_at=starts_at,
        ends_at=None,
        summary=subject[:_TITLE_CHARS],
        recurrence_id=None,
    )


def _kind(subject: str, lines: Sequence[str]) -> str:
    head = [line for line in lines if line][:_HEAD_LINES]
    text = " ".join([subject, *head])[: 4 * _CHARS].casefold()
    return next((kind for kind in ("cancelled", "booked") if _pattern(kind).search(text)), "")


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    words = sorted(word_lists("bookings")[kind], key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words)))


def _moment(lines: Sequence[str]) -> datetime | None:
    """The first day that stands with a time on its line, or soon after it."""
    for at, line in enumerate(lines[:_LINES]):
        day = _day(line[:_CHARS])
        if day is None:
            continue
        for text in _with_label(lines, at):
            clock = _clock(text)
            if clock is not None:
                zone = _zone(f"{line[:_CHARS]} {text}") or UTC
                return datetime(*day, *clock, tzinfo=zone).astimezone(UTC)
    return None


def _with_label(lines: Sequence[str], at: int) -> Iterator[str]:
    """The line of a day and the next that has digits: a label may stand between the two."""
    yield lines[at][:_CHARS]
    for text in (line[:_CHARS] for line in lines[at + 1 : at + _REACH]):
        yield text
        if any(map(str.isdigit, text)):
            return


def _day(text: str) -> tuple[int, int, int] | None:
    """Year, month and day, as far as they are written without a doubt."""
    folded = text.casefold()
    found = None
    if match := _ISO_DATE.search(folded):
        found = int(match[1]), int(match[2]), int(match[3])
    elif match := _DOTTED_DATE.search(folded):
        found = int(match[3]), int(match[2]), int(match[1])
    elif (match := _DAY_FIRST.search(folded)) and (month := _month(match[2])):
        found = int(match[3]), month, int(match[1])
    elif (match := _MONTH_FIRST.search(folded)) and (month := _month(match[1])):
        found = int(match[3]), month, int(match[2])
    if found is None:
        return None
    try:
        datetime(*found, tzinfo=UTC)
    except ValueError:
        return None  # 31 June
    return found


def _month(word: str) -> int:
    return _months().get(word.rstrip("."), 0)


@cache
def _months() -> dict[str, int]:
    lists = word_lists("bookings")
    return {word: number for number in range(1, 13) for word in lists[str(number)]}


@cache
def _zones() -> list[tuple[str, frozenset[str]]]:
    return [(kind, words) for kind, words in word_lists("bookings").items() if "/" in kind]


def _clock(text: str) -> tuple[int, int] | None:
    # A dotted date isn't a time.
    match = _TIME.search(_DOTTED_DATE.sub(" ", text))
    if match is None:
        return None
    hour, half = int(match[1]), (match[3] or "").lower()[:1]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour, int(match[2])


def _zone(text: str) -> tzinfo | None:
    """The zone that a text names: an IANA name, an offset, or an abbreviation of one meaning."""
    if match := _ZONE_NAME.search(text):
        return named_zone(match[1])
    if match := _OFFSET.search(text):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset < timedelta(hours=24):
            return timezone(offset if match[1] == "+" else -offset)
    for match in _ABBREVIATION.finditer(text):
        if match[1] in _ZONES:
            return timezone(timedelta(minutes=_ZONES[match[1]]))
    folded = text.casefold()
    return next(
        (named_zone(zone) for zone, words in _zones() if any(w in folded for w in words)), None
    )
