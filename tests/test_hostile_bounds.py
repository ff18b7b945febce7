"""The worst mails we can think of: each is read, or refused, within 2 s of CPU and 100 MB.

Measured in a forked child, as CPU time and growth of its resident memory, so a busy machine
doesn't matter.
"""

import logging
import os
import resource
import struct
import time
from collections.abc import Callable

import pytest
from postbox import WE, calendar

from daemon.errors import Unreadable
from daemon.log import event
from daemon.message.fields import WANTED
from daemon.message.parse import parse
from daemon.message.verdict import Us, judge
from daemon.rules.marks import marked

US = Us(addresses=frozenset({WE}), domains=frozenset({"ours.example"}))
MEGABYTE = 1024 * 1024
BASIC = b"From: Ada <ada@acme.example>\r\nTo: sales@ours.example\r\nSubject: hi\r\n"


def html(body: bytes) -> bytes:
    return BASIC + b"Content-Type: text/html; charset=utf-8\r\n\r\n" + body


def invitation(body: bytes) -> bytes:
    return BASIC + b"Content-Type: text/calendar; method=REQUEST\r\n\r\n" + body


def handed_on(line: bytes) -> bytes:
    """A mail in which an author is looked for, with one line over and over."""
    head = (
        b"From: Site <no-reply@ours.example>\r\nTo: sales@ours.example\r\n"
        b"Reply-To: ada@acme.example\r\nSubject: Fwd: hi\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return head + (line + b"\r\n") * (MEGABYTE // len(line))


def nested(depth: int) -> bytes:
    start = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n'
    parts = [start % (level, level) for level in range(depth)]
    return b"".join((BASIC, *parts, b"Content-Type: text/plain\r\n\r\nhello\r\n"))


WORST: dict[str, Callable[[], bytes]] = {
    "one header of 50 MB": lambda: BASIC + b"X-Big: " + b"a" * (50 * MEGABYTE) + b"\r\n\r\nhi",
    "a subject of 50 MB": lambda: b"Subject: " + b"a " * (25 * MEGABYTE) + b"\r\n" + BASIC + b"\r\nhi",
    "a Message-ID that nearly fits": lambda: BASIC
    + b"Message-ID: <"
    + b"0123456789." * 100_000
    + b"JavaMail.\r\n\r\nhi",
    "numbers like those of cases": lambda: BASIC + b"\r\n" + b"ABC-1234," * (5 * MEGABYTE // 9),
    "a million headers": lambda: BASIC + b"X-Small: yes\r\n" * 1_000_000 + b"\r\nhi",
    "100,000 recipients": lambda: BASIC
    + b"Cc: "
    + b",\r\n ".join(b"P%d <p%d@firm%d.example>" % (n, n, n % 99) for n in range(100_000))
    + b"\r\n\r\nhi",
    "10,000 nested parts": lambda: nested(10_000),
    "10,000 nested messages": lambda: BASIC
    + b"Content-Type: message/rfc822\r\n\r\n" * 10_000
    + b"\r\nhi",
    "100,000 parts side by side": lambda: BASIC
    + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    + b"--b\r\n\r\nx\r\n" * 100_000
    + b"--b--\r\n",
    "labels without values": lambda: handed_on(b"Name:"),
    "labels and addresses": lambda: handed_on(b"Email: ada@acme.example"),
    "forwarded fields in a row": lambda: handed_on(b"Von: a@b.example " * 60),
    "forwarded headers": lambda: handed_on(b"From: a@b.example\r\nDate: x\r\nTo: y\r\nSubject: z"),
    "separators": lambda: handed_on(b"-----Original Message-----"),
    "spaces before a label": lambda: handed_on(b" " * 1_000 + b"Name" + b" " * 1_000 + b"@"),
    "dots behind a label": lambda: handed_on(b"Name " + b"." * 2_000 + b"@"),
    "addresses without end": lambda: handed_on(b"a.b@c.d" * 300),
    "numbers without end": lambda: handed_on(b"+49 (0) 1 " * 200),
    "names without end": lambda: handed_on(b"Ada van der Lovelace " * 100 + b"@"),
    "brackets without end": lambda: handed_on(b"a (b " * 400 + b"@"),
    "tags in a form": lambda: html(b"<td>Name</td><td " * 60_000),
    "styles in a form": lambda: html(b"<style>" * 40_000 + b"a@b.example"),
    "200,000 open tags": lambda: html(b"<div><b>" * 100_000 + b"hello"),
    "entities in entities": lambda: html(b"&amp;" * 1_000_000),
    "a table of a million cells": lambda: html(b"<table><tr>" + b"<td>1</td>" * 1_000_000),
    "a doctype with a billion laughs": lambda: html(
        b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><p>&c;</p>'
    ),
    "a style of 10 MB": lambda: html(b"<style>" + b"a{}" * (3 * MEGABYTE) + b"</style>hi"),
    "a calendar of 100,000 events": lambda: invitation(
        calendar("REQUEST", "m", organizer="a@x.example", attendee=WE).replace(
            b"END:VEVENT\r\n", b"END:VEVENT\r\n" + b"BEGIN:VEVENT\r\nUID:m\r\nEND:VEVENT\r\n" * 100_000
        )
    ),
    "an event with 100,000 attendees": lambda: invitation(
        calendar("REQUEST", "m", organizer="a@x.example", attendee=WE).replace(
            b"END:VEVENT", b"ATTENDEE:mailto:p@x.example\r\n" * 100_000 + b"END:VEVENT"
        )
    ),
    "an event that repeats for ever": lambda: invitation(
        calendar("REQUEST", "m", organizer="a@x.example", attendee=WE).replace(
            b"END:VEVENT", b"RRULE:FREQ=SECONDLY;COUNT=999999999\r\nEND:VEVENT"
        )
    ),
    "10,000 nested calendars": lambda: invitation(b"BEGIN:VCALENDAR\r\n" * 10_000),
    "a summary of 10 MB": lambda: invitation(
        calendar("REQUEST", "m", organizer="a@x.example", attendee=WE).replace(
            b"SUMMARY:Kickoff", b"SUMMARY:" + b"x" * (10 * MEGABYTE)
        )
    ),
    "brackets for a regular expression": lambda: b"Subject: " + b"Re: [(" * 100_000 + b"\r\n" + BASIC + b"\r\nhi",
    "spaces for a regular expression": lambda: BASIC + b"\r\n" + b" \t" * 500_000 + b"x",
    "comments in comments": lambda: BASIC + b"Auto-Submitted: " + b"(" * 500_000 + b"\r\n\r\nhi",
    "a date of comments": lambda: BASIC + b"Date: Mon, 2 Mar 2026 " + b"(" * 500_000 + b"\r\n\r\nhi",
    "encoded words": lambda: b"Subject: " + b"=?utf-8?q?=C3=A4?= " * 200_000 + b"\r\n" + BASIC + b"\r\nhi",
    "half encoded words": lambda: b"Subject: " + b"=?utf-8?q?" * 200_000 + b"\r\n" + BASIC + b"\r\nhi",
    "a million quotes": lambda: BASIC + b"\r\n" + b">" * 1_000_000 + b"\r\n" + b"> x\r\n" * 200_000,
    "100,000 signatures": lambda: BASIC + b"\r\n" + b"-- \r\nAda\r\n" * 100_000,
    "on somebody wrote": lambda: BASIC + b"\r\n" + b"On Mon, Ada wrote:\r\n" * 100_000,
    "a million references": lambda: BASIC + b"References: " + b"<a@b> " * 1_000_000 + b"\r\n\r\nhi",
    "an address of quotes": lambda: b'From: "' + b'\\"' * 500_000 + b'" <ada@acme.example>\r\n\r\nhi',
    "groups in groups": lambda: b"From: ada@acme.example\r\nTo: " + b"g:" * 300_000 + b"\r\n\r\nhi",
    "base64 of 30 MB": lambda: BASIC
    + b"Content-Transfer-Encoding: base64\r\n\r\n"
    + b"QUFB" * (7 * MEGABYTE),
    "a boundary of a megabyte": lambda: BASIC
    + b'Content-Type: multipart/mixed; boundary="' + b"b" * MEGABYTE + b'"\r\n\r\n--b',
}  # fmt: skip


def measured(work: Callable[[], object]) -> tuple[float, float, bool]:
    """CPU seconds, megabytes and whether it ended well, of work in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        before, started, well = _peak(), time.process_time(), 0
        try:
            work()
            well = 1
        finally:
            took, grown = time.process_time() - started, _peak() - before
            os.write(writing, struct.pack("ddi", took, grown, well))
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        took, grown, well = struct.unpack("ddi", pipe.read())
    os.waitpid(child, 0)
    return took, grown, bool(well)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("name", WORST)
def test_the_worst_mails_end_in_time_and_space(name: str) -> None:
    raw = WORST[name]()

    def read() -> None:
        try:
            message = parse(raw, size=1 << 30)
        except Unreadable:
            return
        for in_sent in (False, True):
            judge(message, in_sent=in_sent, us=US)
        assert len(message.subject) <= 998
        assert len(message.snippet) <= 500
        assert len(message.to) <= 1000
        assert len(message.answers) <= 32
        assert len(message.invites) <= 1000

    seconds, megabytes, well = measured(read)
    assert well
    assert seconds < 2
    assert megabytes < 100


PUMPED = (
    " ",
    ".",
    "<",
    '"',
    "(",
    ";",
    "a",
    "a ",
    "a@",
    "=?",
    "\r\n ",
    ";a=",
    "a@b.c,",
    "Re: ",
    "a=b; ",
)


@pytest.mark.parametrize("name", WANTED)
def test_no_header_field_costs_more_than_its_length(name: str) -> None:
    """Every field that is read, with every piece that an expression could stumble over."""
    around = (
        f"{line}\r\n" for line in BASIC.decode().split("\r\n") if not line.startswith(f"{name}:")
    )
    rest = "".join(around).strip() + "\r\n\r\nhi"

    for piece in PUMPED:
        raw = f"{name}: {piece * (200_000 // len(piece))}x\r\n{rest}".encode()
        started = time.process_time()
        judge(parse(raw, size=len(raw)), in_sent=False, us=US)
        assert time.process_time() - started < 1, piece


HOSTILE = "a\r\nevent.forged key=1\x1b[31m\x07\u2028b\x85c\x00"


def test_nothing_in_a_mail_makes_a_second_log_line_or_a_control_sequence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="mail2deal"):
        event("intake.test", subject=HOSTILE, sender=HOSTILE)
    (record,) = caplog.records
    line = record.getMessage()
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_nothing_in_a_mail_is_markup_in_a_note() -> None:
    raw = (
        BASIC
        + b"\r\n<script>alert(1)</script><img src=x onerror=y> & m2d:0123456789ab [mail2deal:fake]\r\n"
    )
    text = marked(parse(raw, size=1).snippet, "0" * 32)["note"]
    assert "<script" not in text
    assert "<img" not in text
    assert text.endswith("<br><br>m2d:000000000000")
    assert "[mail2deal:" not in text
    assert text.count("m2d:") == 1
