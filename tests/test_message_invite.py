"""Invitations: what iTIP says, times in any zone, and calendars made to hurt."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Timezone
from icalendar.timezone import tzp

from daemon.message.invite import ATTENDEE_LIMIT, EVENT_LIMIT, CalendarPart, Invite
from daemon.message.itip import invites
from daemon.message.parse import parse
from daemon.message.zone import named_zone, observance, to_utc

# ruff: noqa: DTZ001  local times of calendars are naive

MOMENTS = st.datetimes(min_value=datetime(1995, 1, 1), max_value=datetime(2036, 12, 31))


def calendar(*lines: str, method: str = "METHOD:REQUEST", before: str = "") -> bytes:
    event = ["BEGIN:VEVENT", "UID:u@x", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", method, before, *event, "END:VCALENDAR", ""]).encode()


def only(octets: bytes) -> Invite:
    (invite,) = invites([CalendarPart(octets)])
    return invite


def zone_lines(*observances: str) -> str:
    return "\r\n".join(["BEGIN:VTIMEZONE", "TZID:Made Up", *observances, "END:VTIMEZONE"])


@pytest.mark.parametrize(
    ("line", "starts_at"),
    [
        ("DTSTART:20261201T090000Z", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("DTSTART:20261201T090000", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("DTSTART;VALUE=DATE:20261201", datetime(2026, 12, 1, tzinfo=UTC)),
        ("DTSTART:20261201", datetime(2026, 12, 1, tzinfo=UTC)),
        ("DTSTART;TZID=Europe/Berlin:20261201T090000", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("DTSTART;TZID=Europe/Berlin:20260701T090000", datetime(2026, 7, 1, 7, tzinfo=UTC)),
        ('DTSTART;TZID="Europe/Berlin":20260701T090000', datetime(2026, 7, 1, 7, tzinfo=UTC)),
        ("dtstart;tzid=Pacific Standard Time:20260701T090000", datetime(2026, 7, 1, 16, tzinfo=UTC)),
        ("DTSTART;TZID=/x.org/20260101_1/Asia/Tokyo:20260701T090000", datetime(2026, 7, 1, 0, tzinfo=UTC)),
        ('DTSTART;TZID="(UTC+05:30) Chennai, Kolkata":20260701T090000', datetime(2026, 7, 1, 3, 30, tzinfo=UTC)),
        ("DTSTART;TZID=Nowhere:20260701T090000", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("DTSTART;TZID=Europe:20260701T090000", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("DTSTART;TZID=../../etc/passwd:20260701T090000", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("DTSTART;TZID=Europe/Berlin:20260701T090000Z", datetime(2026, 7, 1, 9, tzinfo=UTC)),
        ("DTSTART;TZID=Asia/Tokyo:00010101T000000", None),
        ("DTSTART;TZID=America/New_York:99991231T235959", None),
        ("DTSTART:20261301T090000Z", None),
        ("DTSTART:tomorrow", None),
        ("DTSTART;VALUE=PERIOD:20261201T090000Z/PT1H", None),
        ("DTSTART:", None),
    ],
)  # fmt: skip
def test_a_start_is_aware_utc_or_none(line: str, starts_at: datetime | None) -> None:
    assert only(calendar(line)).starts_at == starts_at


@pytest.mark.parametrize(
    ("lines", "ends_at"),
    [
        (["DTSTART:20261201T090000Z", "DTEND:20261201T100000Z"], datetime(2026, 12, 1, 10, tzinfo=UTC)),
        (["DTSTART:20261201T090000Z", "DURATION:PT90M"], datetime(2026, 12, 1, 10, 30, tzinfo=UTC)),
        (["DTSTART;VALUE=DATE:20261201"], datetime(2026, 12, 2, tzinfo=UTC)),
        (["DTSTART;VALUE=DATE:99991231"], None),
        (["DTSTART:20261201T090000Z"], None),
        (["DTSTART:20261201T090000Z", "DURATION:P999999999D"], None),
        (["DTSTART:20261201T090000Z", "DURATION:soon"], None),
        (["DTEND:20261201T090000Z"], datetime(2026, 12, 1, 9, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_an_end_is_given_or_follows_from_the_duration(
    lines: list[str], ends_at: datetime | None
) -> None:
    assert only(calendar(*lines)).ends_at == ends_at


@pytest.mark.parametrize(
    ("value", "sequence"),
    [
        ("3", 3),
        ("-1", 0),
        ("2147483647", 2**31 - 1),
        ("9" * 30, 0),
        ("two", 0),
        ("", 0),
        ("1.5", 0),
    ],
)
def test_a_sequence_fits_a_column(value: str, sequence: int) -> None:
    assert only(calendar(f"SEQUENCE:{value}")).sequence == sequence


@pytest.mark.parametrize(
    ("line", "attendees"),
    [
        ("ATTENDEE;PARTSTAT=accepted:MAILTO:Ada+x@ACME.example", (("ada@acme.example", "ACCEPTED"),)),
        ("ATTENDEE:mailto:ada@acme.example", (("ada@acme.example", "NEEDS-ACTION"),)),
        ('ATTENDEE;CN="L; Ada:x,y";PARTSTAT=DECLINED:mailto:a@b.example', (("a@b.example", "DECLINED"),)),
        ("ATTENDEE;EMAIL=a@b.example;PARTSTAT=TENTATIVE:urn:uuid:1", (("a@b.example", "TENTATIVE"),)),
        ("ATTENDEE:mailto:a@b.example?subject=x", (("a@b.example", "NEEDS-ACTION"),)),
        ("ATTENDEE:invalid:nomail", ()),
        ('ATTENDEE;EMAIL="a@b.example";PARTSTAT=ACCEPTED:mailto:2_GEYDQ@imip.me.com', (("a@b.example", "ACCEPTED"),)),
        ("ATTENDEE;PARTSTAT=ACCEPTED:mailto:2_GEYDQ@imip.me.com", ()),
        ("ATTENDEE;EMAIL=x@y.example;PARTSTAT=ACCEPTED:mailto:a@b.example", (("a@b.example", "ACCEPTED"),)),
        ("ATTENDEE;CUTYPE=ROOM:mailto:c_188@resource.calendar.google.com", ()),
        ("ATTENDEE:mailto:", ()),
        ("ATTENDEE;PARTSTAT=ACCEPTED", ()),
        ("ATTENDEE:mailto:a@b.example\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:A@B.example", (("a@b.example", "NEEDS-ACTION"),)),
    ],
)  # fmt: skip
def test_attendees_are_sender_keys_with_their_answer(
    line: str, attendees: tuple[tuple[str, str], ...]
) -> None:
    assert only(calendar(line)).attendees == attendees


@pytest.mark.parametrize(
    ("line", "organizer"),
    [
        ("ORGANIZER:mailto:Ada@acme.example", "ada@acme.example"),
        (
            'ORGANIZER;CN="Ada";EMAIL="ada@acme.example":mailto:2_HEZ@imip.me.com',
            "ada@acme.example",
        ),
        ("ORGANIZER;CN=Team:mailto:c_x7@group.calendar.google.com", None),
        ("ORGANIZER:mailto:abc@import.calendar.google.com", None),
        ("ORGANIZER:invalid:nomail", None),
        ("ORGANIZER:mailto:IMCEAEX-_O=ACME_OU=X_CN=ADA@acme.example", None),
        ("ORGANIZER:mailto:unknownorganizer@calendar.google.com", None),
    ],
)
def test_an_organizer_is_a_person_or_nobody(line: str, organizer: str | None) -> None:
    assert only(calendar(line)).organizer == organizer


@pytest.mark.parametrize(
    ("kind", "inside", "method"),
    [
        ('text/calendar; charset="UTF-8"; method=REQUEST', "X-NO:METHOD", "REQUEST"),
        ("text/calendar; method=reply; charset=utf-8", "X-NO:METHOD", "REPLY"),
        ("text/calendar; method=REQUEST;; charset=UTF-8", "X-NO:METHOD", "REQUEST"),
        ("text/calendar", "METHOD:CANCEL", "CANCEL"),
        ("text/calendar; method=REQUEST", "METHOD:CANCEL", "CANCEL"),
        ("text/calendar", "X-NO:METHOD", ""),
        ('application/octet-stream; name="invite.ics"', "METHOD:REQUEST", "REQUEST"),
        ('application/octet-stream; name="INVITE.ICS"; method=REQUEST', "X-NO:METHOD", ""),
        ("application/octet-stream; name=plan.pdf", "METHOD:REQUEST", None),
    ],
)
def test_a_part_is_an_invitation_by_its_type_its_name_and_its_method(
    kind: str, inside: str, method: str | None
) -> None:
    raw = f"From: a@b.example\r\nContent-Type: {kind}\r\n\r\n".encode()
    found = parse(raw + calendar(method=inside), size=1).invites
    assert [one.method for one in found] == ([] if method is None else [method])


def test_an_offset_of_zero_is_an_offset() -> None:
    zone = zone_lines(
        *("BEGIN:STANDARD", "DTSTART:20270101T000000", "TZOFFSETFROM:+0000", "TZOFFSETTO:+0300"),
        "END:STANDARD",
    )
    invite = only(calendar("DTSTART;TZID=Made Up:20261201T090000", before=zone))
    assert invite.starts_at == datetime(2026, 12, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("octets", "count"),
    [
        (b"", 0),
        (b"BEGIN:VCALENDAR", 0),
        (b"BEGIN:VEVENT\nUID:1\nEND:VEVENT", 0),
        (calendar().replace(b"UID:u@x", b"UID: "), 0),
        (calendar().replace(b"END:VCALENDAR", b""), 1),
        (calendar().replace(b"END:VEVENT", b"").replace(b"END:VCALENDAR", b""), 1),
        (b"\xef\xbb\xbf" + calendar(), 1),
        (calendar().replace(b"\r\n", b"\n"), 1),
        (calendar().replace(b"\r\n", b"\r"), 1),
        (calendar() * 2, 1),
        (b"rubbish\x00\xff\n" + calendar(), 1),
        (calendar("BEGIN:VALARM", "UID:alarm", "END:VALARM"), 1),
        (calendar("no colon", ":", ";:", "X;Y", "END:VTODO"), 1),
    ],
)
def test_a_calendar_is_read_as_far_as_it_goes(octets: bytes, count: int) -> None:
    found = invites([CalendarPart(octets)])
    assert [invite.uid for invite in found] == ["u@x"] * count


def test_a_calendar_without_a_method_is_no_itip_message() -> None:
    assert only(calendar(method="VERSION:2.0")).method == ""
    assert only(calendar(method="method:Reply")).method == "REPLY"


def test_a_folded_line_is_unfolded_before_it_is_decoded() -> None:
    octets = calendar("SUMMARY:Gespräch").replace("ä".encode(), b"\xc3\r\n \xa4")
    assert only(octets).summary == "Gespräch"


def test_a_summary_is_one_safe_line() -> None:
    assert only(calendar("SUMMARY:a\\nb\\, c\x1b[31m\u202ed" + "x" * 5_000)).summary.startswith(
        "a b, cd"
    )
    assert len(only(calendar("SUMMARY:" + "x" * 5_000)).summary) == 998


def test_an_occurrence_is_told_apart_by_its_time_in_utc() -> None:
    octets = calendar("RECURRENCE-ID;TZID=Europe/Berlin:20261201T100000")
    assert only(octets).recurrence_id == "2026-12-01T09:00:00Z"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "octets",
    [
        calendar(*["RRULE:FREQ=SECONDLY;COUNT=999999999"] * 1_000),
        calendar(*["RDATE:" + ",".join(["20261201T090000Z"] * 100)] * 1_000),
        calendar("SUMMARY:" + "\r\n x" * 200_000),
        calendar("SUMMARY:" + "\\," * 500_000),
        calendar(*['ATTENDEE;CN="' * 100 + ":x"] * 500),
        calendar("ATTENDEE" + ";X=" * 500 + ":mailto:a@b.example"),
        b"BEGIN:VCALENDAR\n" * 100_000,
        b"BEGIN:VCALENDAR\n" * 7 + b"END:X\n" * 100_000,
        b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nUID:1\nEND:VEVENT\n" * 50_000,
        calendar("DTSTART;TZID=Made Up:20260101T000000", before=zone_lines(*["BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=SECONDLY\r\nRDATE:" + "20200101T000000," * 100 + "\r\nEND:STANDARD"] * 200)),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_calendar_made_to_hurt_is_bounded(octets: bytes) -> None:
    assert len(invites([CalendarPart(octets)])) <= EVENT_LIMIT


def test_attendees_and_events_are_bounded() -> None:
    many = [f"ATTENDEE:mailto:a{i}@x.example" for i in range(2 * ATTENDEE_LIMIT)]
    assert len(only(calendar(*many)).attendees) == ATTENDEE_LIMIT
    events = b"".join(b"BEGIN:VEVENT\nUID:%d\nEND:VEVENT\n" % i for i in range(200))
    assert len(invites([CalendarPart(b"BEGIN:VCALENDAR\n" + events)])) == EVENT_LIMIT


def test_a_zone_defined_in_one_mail_is_unknown_in_the_next() -> None:
    definition = zone_lines(
        "BEGIN:STANDARD", "DTSTART:16010101T000000", "TZOFFSETTO:+0500", "END:STANDARD"
    )
    line = "DTSTART;TZID=Made Up:20260101T100000"
    assert only(calendar(line, before=definition)).starts_at == datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert only(calendar(line)).starts_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert tzp.timezone("Made Up") is None


@pytest.mark.parametrize(
    ("name", "month_rules"),
    [
        ("Europe/Berlin", ("-1SU;BYMONTH=3", "-1SU;BYMONTH=10", "02:00", "03:00", "+0100", "+0200")),
        ("America/New_York", ("2SU;BYMONTH=3", "1SU;BYMONTH=11", "02:00", "02:00", "-0500", "-0400")),
        ("Australia/Sydney", ("1SU;BYMONTH=10", "1SU;BYMONTH=4", "02:00", "03:00", "+1000", "+1100")),
    ],
)  # fmt: skip
@settings(deadline=None, max_examples=60)
@given(
    moment=st.datetimes(min_value=datetime(2009, 1, 1), max_value=datetime(2036, 12, 31)).map(
        lambda moment: moment.replace(microsecond=0)
    )
)
def test_yearly_rules_give_the_offsets_of_the_zone_they_describe(
    name: str, month_rules: tuple[str, ...], moment: datetime
) -> None:
    daylight, standard, to_daylight, to_standard, winter, summer = month_rules
    definition = tuple(
        observance(
            [
                ("DTSTART", f"16010101T{hour.replace(':', '')}00"),
                ("TZOFFSETFROM", before),
                ("TZOFFSETTO", after),
                ("RRULE", f"FREQ=YEARLY;BYDAY={rule}"),
            ]
        )
        for rule, hour, before, after in (
            (daylight, to_daylight, winter, summer),
            (standard, to_standard, summer, winter),
        )
    )
    zone = ZoneInfo(name)
    offsets = {moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    found = to_utc(moment, "Nobody's Zone", tuple(o for o in definition if o))
    assert found is not None
    assert moment - found.replace(tzinfo=None) in offsets


@settings(deadline=None, max_examples=25)
@given(
    name=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Auckland"]),
    moment=st.datetimes(min_value=datetime(1996, 1, 1), max_value=datetime(2036, 12, 31)),
)
def test_a_definition_that_icalendar_writes_gives_the_offsets_of_its_zone(
    name: str, moment: datetime
) -> None:
    written = Timezone.from_tzid(name)
    renamed = written.to_ical().replace(b"TZID:" + name.encode(), b"TZID:Made Up").decode()
    local = f"{moment:%Y%m%dT%H%M%S}"
    found = only(calendar(f"DTSTART;TZID=Made Up:{local}", before=renamed)).starts_at
    offsets = {moment.replace(tzinfo=ZoneInfo(name), fold=fold).utcoffset() for fold in (0, 1)}
    assert found is not None
    assert moment.replace(microsecond=0) - found.replace(tzinfo=None) in offsets


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("TZOFFSETTO", "+0100")],
        [("DTSTART", "20260101T000000")],
        [("DTSTART", "20260101T000000"), ("TZOFFSETTO", "+9900")],
        [("DTSTART", "20269901T000000"), ("TZOFFSETTO", "+0100")],
    ],
)
def test_an_observance_without_its_start_or_offset_is_none(lines: list[tuple[str, str]]) -> None:
    assert observance(lines) is None


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=YEARLY;BYMONTH=x",
        "FREQ=YEARLY;BYDAY=9SU",
        "FREQ=YEARLY;BYDAY=5SU;BYMONTH=2",
        "FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2",
        "FREQ=YEARLY;UNTIL=19700101T000000Z;BYDAY=1SU",
        "FREQ=MINUTELY",
        "=;;=;FREQ",
    ],
)
def test_a_rule_that_never_fits_leaves_the_offset_before_it(rule: str) -> None:
    found = observance(
        [("DTSTART", "20300101T000000"), ("TZOFFSETFROM", "+0200"), ("TZOFFSETTO", "+0100"), ("RRULE", rule)]
    )  # fmt: skip
    assert found is not None
    assert to_utc(datetime(2026, 7, 1, 12), "", (found,)) == datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert to_utc(datetime(2026, 7, 1, 12), "Nowhere", (found,)) == datetime(
        2026, 7, 1, 10, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("name", "offset"),
    [("W. Europe Standard Time", 1), ("UTC", 0), ("Etc/GMT+5", -5), ("GMT-3", -3), ("(UTC+09:00) Osaka", 9)],
)  # fmt: skip
def test_a_zone_is_known_by_many_names(name: str, offset: int) -> None:
    zone = named_zone(name)
    assert zone is not None
    assert zone.utcoffset(datetime(2026, 1, 1)) == timedelta(hours=offset)


CALENDAR_LINES = st.sampled_from(
    ["BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "BEGIN:STANDARD",
     "END:STANDARD", "METHOD:REQUEST", "UID:1", "TZID:Z", "DTSTART;TZID=Z:20260101T000000", "DTSTART:20260101", "TZOFFSETTO:+0100",
     "RRULE:FREQ=YEARLY;BYDAY=1SU", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b.c", "ORGANIZER;X", "SEQUENCE:9", "DURATION:P1D", " folded"]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(CALENDAR_LINES | st.text(max_size=30), max_size=25), st.binary(max_size=40))
def test_any_calendar_gives_invites_and_never_an_error(lines: list[str], rubbish: bytes) -> None:
    octets = "\r\n".join(lines).encode("utf-8", "replace") + rubbish
    for invite in invites([CalendarPart(octets), CalendarPart(rubbish)]):
        assert invite.uid
        for moment in (invite.starts_at, invite.ends_at, invite.dtstamp):
            assert moment is None or moment.tzinfo is UTC


@settings(deadline=None, max_examples=60)
@given(MOMENTS, st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]))
def test_times_are_those_that_icalendar_itself_reads(moment: datetime, zone: str) -> None:
    octets = calendar(f"DTSTART;TZID={zone}:{moment:%Y%m%dT%H%M%S}")
    event = Calendar.from_ical(octets).walk("VEVENT")[0]
    assert only(octets).starts_at == event.decoded("DTSTART").astimezone(UTC)
