"""Hostile text/calendar and text/html bodies, named by their defect, for `hostile`."""

LAUGHS = "".join(
    f'<!ENTITY l{n} "{"".join(f"&l{n - 1};" for _ in range(10))}">' for n in range(1, 10)
)


def calendar(*lines: str, head: str = "UID:u@x", method: str = "REQUEST") -> bytes:
    """A calendar with one event that has these lines beside a UID, a time and two people."""
    event = (
        "BEGIN:VCALENDAR", "VERSION:2.0", f"METHOD:{method}", "BEGIN:VEVENT", head,
        "DTSTAMP:20260302T090000Z", "DTSTART:20260310T090000Z",
        "ORGANIZER:mailto:mallory@evil.example", "ATTENDEE:mailto:ada.marlow@larkfield.example",
        *lines, "END:VEVENT", "END:VCALENDAR",
    )  # fmt: skip
    return "\r\n".join(event).encode("utf-8", "surrogatepass")


def _zone(rule: str) -> bytes:
    zone = (
        "BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "BEGIN:VTIMEZONE", "TZID:Evil",
        "BEGIN:STANDARD", "DTSTART:16010101T000000", f"RRULE:{rule}", "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200", "END:STANDARD", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:z@x",
        "DTSTAMP:20260302T090000Z", "DTSTART;TZID=Evil:20260310T090000",
        "ORGANIZER:mailto:mallory@evil.example", "END:VEVENT", "END:VCALENDAR",
    )  # fmt: skip
    return "\r\n".join(zone).encode()


CALENDARS: dict[str, bytes] = {
    "ics-empty": b"",
    "ics-cut": calendar()[:120],
    "ics-no-uid": calendar(head="X-A:b"),
    "ics-uid-twice": calendar("UID:other@x"),
    "ics-uid-huge": calendar(head="UID:" + "u" * 100_000),
    "ics-uid-control": calendar(head="UID:u\x00\x1b[2J"),
    "ics-method-garbage": calendar(method="\x1b[31mREPLY;DROP"),
    "ics-sequence-huge": calendar("SEQUENCE:" + "9" * 400),
    "ics-sequence-negative": calendar("SEQUENCE:-5"),
    "ics-sequence-text": calendar("SEQUENCE:first"),
    "ics-date-zero": calendar("DTEND:00000000T000000Z", "RECURRENCE-ID:99999999T999999Z"),
    "ics-date-year-1": calendar("DTEND;TZID=Pacific/Kiritimati:00010101T000000"),
    "ics-duration-huge": calendar("DURATION:P99999999999999W"),
    "ics-tzid-path": calendar("DTEND;TZID=../../../../etc/passwd:20260310T100000"),
    "ics-tzid-nul": calendar("DTEND;TZID=Europe/Berlin\x00:20260310T100000"),
    "ics-rrule-secondly": calendar("RRULE:FREQ=SECONDLY;COUNT=999999999"),
    "ics-zone-secondly": _zone("FREQ=SECONDLY;UNTIL=99991231T235959Z"),
    "ics-zone-garbage": _zone("FREQ=NEVER;BYDAY=32XX"),
    "ics-attendee-garbage": calendar("ATTENDEE;PARTSTAT=ACCEPTED;CN=\x1b[31m:tel:+49", "ATTENDEE:"),
    "ics-attendee-crlf": calendar("ATTENDEE:mailto:a%0D%0ABcc:b@c.example"),
    "ics-two-organizers": calendar("ORGANIZER:mailto:ada.marlow@larkfield.example"),
    "ics-summary-escapes": calendar("SUMMARY:\x1b[31m\\n\\nBcc: x\u202e\u2066"),
    "ics-line-huge": calendar("DESCRIPTION:" + "x" * 200_000),
    "ics-folds": calendar("DESCRIPTION:a" + "\r\n b" * 20_000),
    "ics-8bit": b"\xff\xfe" + calendar("SUMMARY:x").replace(b"x", b"\xff"),
    "ics-utf16": calendar().decode().encode("utf-16"),
    "ics-unbalanced": b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\nEND:VCALENDAR\r\nEND:VCALENDAR",
    "ics-attach-base64": calendar("ATTACH;ENCODING=BASE64;VALUE=BINARY:%%%"),
}
PAGES: dict[str, bytes] = {
    "html-laughs": f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><p>&l9;</p>'.encode(),
    "html-external": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>&x;</p>',
    "html-empty": b"",
    "html-only-tags": b"<html><head></head><body></body></html>",
    "html-open": b"<html><body><p>Hello <b>there <i>you <a href='",
    "html-nul": b"<p>a\x00b\x00</p>",
    "html-control": b"<p>&#27;[31m&#7;&#x9b;&#0;&#x110000;&#xd800;&#x202e;</p>",
    "html-script": b"<script>while(1);</script><style>p{}</style><p>Hello</p><script>",
    "html-comment-open": b"<p>Hello</p><!-- never closed " + b"-" * 1000,
    "html-cdata": b"<![CDATA[<p>x</p>]]><p>Hello</p>",
    "html-colspan": b"<table><tr><td colspan=999999999 rowspan=999999999>x</td></tr></table>",
    "html-padding": b'<p style="padding-left: 99999999em; margin-top: 9999999em">x</p>',
    "html-list-start": b"<ol start=999999999999999999999><li>x</ol><ol start=-1e400><li>y</ol>",
    "html-charset-lies": b'<meta charset="utf-16"><meta charset="rot13"><p>Gr\xfc\xdfe</p>',
    "html-attribute-huge": b"<p title='" + b"x" * 200_000 + b"'>Hello</p>",
    "html-attributes": b"<p" + b" a=b" * 20_000 + b">Hello</p>",
    "html-conditional": b"<!--[if mso]><p>Outlook</p><![endif]--><p>Hello</p>",
    "html-base64-image": b"<img src='data:image/png;base64," + b"A" * 100_000 + b"'><p>Hello</p>",
    "html-frameset": b"<frameset><frame src=x></frameset><noframes>Hello</noframes>",
    "html-entities-cut": b"<p>&nbsp &amp &#x &# &unknown; &</p>",
}
HEAVY_PAGES: dict[str, bytes] = {
    "html-deep": b"<div>" * 100_000 + b"Hello",
    "html-deep-tables": b"<table><tr><td>" * 5_000 + b"Hello",
    "html-deep-quotes": b"<blockquote>" * 20_000 + b"Hello",
    "html-deep-lists": b"<ul><li>" * 20_000 + b"Hello",
    "html-angles": b"<" * 1_000_000,
    "html-cells": b"<table>" + b"<tr>" + b"<td>x</td>" * 50_000 + b"</tr></table>",
    "html-breaks": b"<br>" * 300_000,
    "html-megabytes": b"<p>" + b"word " * 600_000 + b"</p>",
    "html-entities": b"&amp;" * 300_000,
}
HEAVY_CALENDARS: dict[str, bytes] = {
    "ics-many-events": b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n"
    + b"BEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260310T090000Z\r\nEND:VEVENT\r\n" * 10_000
    + b"END:VCALENDAR",
    "ics-deep": b"BEGIN:VEVENT\r\n" * 10_000 + b"END:VEVENT\r\n" * 10_000,
    "ics-many-attendees": calendar(*(f"ATTENDEE:mailto:p{n}@many.example" for n in range(20_000))),
    "ics-many-zones": b"BEGIN:VCALENDAR\r\n"
    + _zone("FREQ=YEARLY").replace(b"BEGIN:VCALENDAR\r\n", b"").replace(b"END:VCALENDAR", b"") * 500
    + b"\r\nEND:VCALENDAR",
    "ics-params": calendar("X-A" + ";P=v" * 50_000 + ":x"),
}
