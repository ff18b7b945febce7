"""What an activity says, purely: mails once, meetings as they stand."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.rules.activities import Mail, MeetingView, email, meeting, meeting_key, participants

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
    change = email(Mail("k", "Hi", at, ("a@x.com", "b@x.com")), note="n")

    assert (change.fields["due_date"], change.fields["due_time"]) == ("2026-02-28", "20:02:03")
    assert change.fields["done"] is True
    assert change.sender == "a@x.com"


@pytest.mark.parametrize(("subject", "shown"), [("", "(no subject)"), ("x" * 300, "x" * 255)])
def test_a_subject_is_always_there_and_never_too_long(subject: str, shown: str) -> None:
    assert email(Mail("k", subject, NOW, ("a@x.com",)), note="").fields["subject"] == shown


def test_a_meeting_that_never_counted_makes_nothing() -> None:
    assert meeting(view(participants=()), None, note="", now=NOW) is None


def test_a_meeting_that_stays_as_it_is_makes_nothing() -> None:
    made = meeting(view(), None, note="n", now=NOW)
    assert made is not None
    assert meeting(view(), made.fields, note="n", now=NOW) is None


def test_a_meeting_that_moves_says_only_what_changes() -> None:
    made = meeting(view(), None, note="n", now=NOW)
    assert made is not None

    moved = meeting(
        view(starts_at=SOON + timedelta(days=1), ends_at=None), made.fields, note="n", now=NOW
    )

    assert moved is not None
    assert moved.action == "update"
    assert set(moved.fields) == {"due_date", "participants"}


@pytest.mark.parametrize("status", ["cancelled", "declined"])
def test_a_meeting_that_no_longer_counts_is_marked_once(status: str) -> None:
    made = meeting(view(), None, note="n", now=NOW)
    assert made is not None
    gone = view(participants=(), status=status)

    marked = meeting(gone, made.fields, note="n", now=NOW)

    assert marked is not None
    assert marked.fields["subject"] == f"{status.capitalize()}: Lunch"
    assert meeting(gone, {**made.fields, **marked.fields}, note="n", now=NOW) is None


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
    made = meeting(view(ends_at=SOON + length), None, note="", now=NOW)

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
