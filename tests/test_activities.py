"""What an activity says, purely: mails once, meetings as they stand."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.rules.activities import MailView, MeetingView, email, meeting, meeting_key, participants

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = datetime(2026, 3, 5, 9, 5, tzinfo=UTC)


def view(**fields: object) -> MeetingView:
    given = {
        "uid": "u1",
        "summary": "Lunch",
        "starts_at": SOON,
        "ends_at": SOON + timedelta(hours=1),
        "status": "accepted",
        "participants": ("a@x.com",),
    }
    return MeetingView(**{**given, **fields})  # type: ignore[arg-type]


def test_a_mail_is_done_at_its_own_time_in_utc() -> None:
    at = datetime(2026, 3, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=5)))
    change = email(MailView("k", "Hi", at, ("a@x.com", "b@x.com")), text="n")

    assert (change.fields["due_date"], change.fields["due_time"]) == ("2026-02-28", "20:02:03")
    assert change.fields["done"] is True
    assert change.sender == "a@x.com"


@pytest.mark.parametrize(("subject", "shown"), [("", "(no subject)"), ("x" * 300, "x" * 255)])
def test_a_subject_is_always_there_and_never_too_long(subject: str, shown: str) -> None:
    assert email(MailView("k", subject, NOW, ("a@x.com",)), text="").fields["subject"] == shown


def test_a_meeting_that_never_counted_makes_nothing() -> None:
    assert meeting(view(participants=()), None, now=NOW) is None


def test_a_meeting_that_stays_as_it_is_makes_nothing() -> None:
    made = meeting(view(), None, now=NOW)
    assert made is not None
    assert meeting(view(), made.fields, now=NOW) is None


def test_a_meeting_that_moves_says_only_what_changes() -> None:
    made = meeting(view(), None, now=NOW)
    assert made is not None

    moved = meeting(view(starts_at=SOON + timedelta(days=1), ends_at=None), made.fields, now=NOW)

    assert moved is not None
    assert moved.action == "update"
    assert set(moved.fields) == {"due_date", "participants"}


@pytest.mark.parametrize("status", ["cancelled", "declined"])
def test_a_meeting_that_no_longer_counts_is_marked_once(status: str) -> None:
    made = meeting(view(), None, now=NOW)
    assert made is not None
    gone = view(participants=(), status=status)

    marked = meeting(gone, made.fields, now=NOW)

    assert marked is not None
    assert marked.fields["subject"] == f"{status.capitalize()}: Lunch"
    assert meeting(gone, {**made.fields, **marked.fields}, now=NOW) is None


@pytest.mark.parametrize(
    ("length", "duration"),
    [
        (timedelta(minutes=90), "01:30:00"),
        (timedelta(0), None),
        (timedelta(days=2), None),
        (-timedelta(hours=1), None),
    ],
)
def test_only_a_sane_duration_is_said(length: timedelta, duration: str | None) -> None:
    made = meeting(view(ends_at=SOON + length), None, now=NOW)

    assert made is not None
    assert made.fields.get("duration") == duration


def test_a_meetings_key_is_short_whatever_its_uid_is() -> None:
    assert len(meeting_key("x" * 5000)) == 40


ADDRESSES = st.lists(st.sampled_from("abcdef"), unique=True)


@given(
    ADDRESSES,
    ADDRESSES,
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["ignore", "lead"])),
)
def test_participants_are_known_parties_in_the_order_of_the_mail(
    recipients: list[str], parties: list[str], classes: dict[str, str]
) -> None:
    named = participants(recipients, parties, classes)

    assert set(named) == {p for p in parties if classes.get(p) == "lead"}
    listed = [p for p in named if p in recipients]
    assert listed == [r for r in recipients if r in named]
    assert list(named[: len(listed)]) == listed


def test_an_all_day_meeting_has_a_day_and_no_time() -> None:
    day = datetime(2026, 3, 12, tzinfo=UTC)
    made = meeting(
        view(starts_at=day, ends_at=day + timedelta(days=1), all_day=True), None, now=NOW
    )
    assert made is not None
    assert made.fields["due_date"] == "2026-03-12"  # the day before in New York if it had a time
    assert not {"due_time", "duration"} & made.fields.keys()


def test_a_time_that_was_written_becomes_noon_and_a_day_gets_a_time() -> None:
    timed = meeting(view(), None, now=NOW)
    assert timed is not None
    day = view(starts_at=datetime(2026, 3, 12, tzinfo=UTC), ends_at=None, all_day=True)
    changed = meeting(day, timed.fields, now=NOW)
    assert changed is not None
    assert (changed.fields["due_date"], changed.fields["due_time"]) == ("2026-03-12", "12:00:00")
    assert meeting(day, {**timed.fields, **changed.fields}, now=NOW) is None
    whole = meeting(day, None, now=NOW)
    assert whole is not None
    again = meeting(view(), whole.fields, now=NOW)
    assert again is not None
    assert again.fields["due_time"] == SOON.strftime("%H:%M:%S")
