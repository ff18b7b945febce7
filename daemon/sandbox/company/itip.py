"""iTIP objects as calendars write them (RFC 5545, RFC 5546), and the MIME around them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from daemon.sandbox.company import render
from daemon.sandbox.company.facts import InviteFacts

BERLIN = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE"""


def calendar(invite: InviteFacts, *, local: bool = False) -> bytes:
    """The invite as a VCALENDAR with CRLF, folded at 75; `local` writes times in Europe/Berlin."""
    status = {"CANCEL": "STATUS:CANCELLED"}.get(invite.method, "STATUS:CONFIRMED")
    lines = [
        "BEGIN:VCALENDAR",
        "PRODID:-//Larkfield//Calendar 1//EN",
        "VERSION:2.0",
        f"METHOD:{invite.method}",
        *(BERLIN.splitlines() if local else ()),
        "BEGIN:VEVENT",
        f"UID:{invite.uid}",
        f"SEQUENCE:{invite.sequence}",
        f"DTSTAMP:{_utc(invite.dtstamp)}",
        _time("DTSTART", invite.starts_at, local=local),
        _time("DTEND", invite.ends_at, local=local),
        f"SUMMARY:{_text(invite.summary)}",
        f"ORGANIZER:mailto:{invite.organizer}",
        *(_attendee(key, partstat, invite.method) for key, partstat in invite.attendees),
        status,
        "BEGIN:VALARM\nTRIGGER:-PT15M\nACTION:DISPLAY\nDESCRIPTION:Reminder\nEND:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(_folded(line) for whole in lines for line in whole.split("\n")).encode()


def mail_part(invite: InviteFacts, text: str, style: str) -> render.Part:
    """The calendar as mail clients send it.

    `bare` is text/calendar alone, `alternative` has text beside it, `google` an attached
    application/ics copy besides, `attached` only a named attachment of type text/calendar.
    """
    data = calendar(invite, local=style == "alternative")
    kind = f"text/calendar; charset=utf-8; method={invite.method}"
    if style == "bare":
        return render.part(kind, data, "8bit")
    leaf = render.part(kind, data, "base64" if style == "google" else "8bit")
    if style == "attached":
        disposition = 'Content-Disposition: attachment; filename="invite.ics"'
        named = render.part(f'{kind}; name="invite.ics"', data, "base64", disposition)
        return render.multipart("mixed", [render.plain(text), named])
    both = render.multipart("alternative", [render.plain(text), render.html(text), leaf])
    if style == "google":
        return render.multipart(
            "mixed", [both, render.attachment("invite.ics", "application/ics", data)]
        )
    return both


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _time(name: str, at: datetime, *, local: bool) -> str:
    if local:
        return f"{name};TZID=Europe/Berlin:{at.astimezone(ZoneInfo('Europe/Berlin')):%Y%m%dT%H%M%S}"
    return f"{name}:{_utc(at)}"


def _attendee(key: str, partstat: str, method: str) -> str:
    rsvp = ";RSVP=TRUE" if method == "REQUEST" else ""
    return f"ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT={partstat}{rsvp}:mailto:{key}"


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> str:
    rest, lines = line, []
    while len(rest.encode()) > 75:  # noqa: PLR2004 - octets, RFC 5545 section 3.1
        cut = 60
        lines.append(rest[:cut])
        rest = " " + rest[cut:]
    return "\r\n".join([*lines, rest])
