import pytest
from calendars import (
    one,
    stands,
    they_answer,
    they_cancel,
    they_invite,
    they_said,
    we_answer,
    we_cancel,
    we_invite,
    we_said,
)
from letters import ADA, US, WE, at, invite

from daemon.rules.meeting import Meeting, Statement, meetings

BOB = "bob@ours.example"
STRANGER = "carol@elsewhere.example"
ADA_AT_WORK = "ada.l@acme.example"
BOSS = "boss@acme.example"


OURS: dict[str, tuple[tuple[str, bool], list[Statement]]] = {
    "invited, no answer yet": (("invited", False), [we_invite()]),
    "accepted": (("accepted", True), [we_invite(), they_answer("ACCEPTED")]),
    "accepted, in lower case": (("accepted", True), [we_invite(), they_answer("accepted")]),
    "tentative": (("tentative", True), [we_invite(), they_answer("TENTATIVE")]),
    "declined": (("declined", False), [we_invite(), they_answer("DECLINED")]),
    "delegated": (("invited", False), [we_invite(), they_answer("DELEGATED")]),
    "accepted by Exchange, which names no organizer": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED", organizer=None)],
    ),
    "declined by Exchange": (
        ("declined", False),
        [we_invite(), they_answer("DECLINED", organizer=None)],
    ),
    "we invited her by another address": (
        ("accepted", True),
        [we_invite(attendees=((ADA_AT_WORK, "NEEDS-ACTION"),)), they_answer("ACCEPTED")],
    ),
    "a colleague whom we invited delegates to her": (
        ("accepted", True),
        [
            we_said(1, invite("REQUEST", attendees=((BOSS, "NEEDS-ACTION"),)), to=BOSS),
            they_answer("ACCEPTED"),
        ],
    ),
    "invited in the name of a shared calendar of ours": (
        ("accepted", True),
        [we_invite(organizer=None), they_answer("ACCEPTED", organizer=None)],
    ),
    "accepted, then declined": (
        ("declined", False),
        [we_invite(), they_answer("ACCEPTED", 2), they_answer("DECLINED", 3)],
    ),
    "declined, then accepted": (
        ("accepted", True),
        [we_invite(), they_answer("DECLINED", 2), they_answer("ACCEPTED", 3)],
    ),
    "the newer answer has the newer stamp, though it was sent earlier": (
        ("declined", False),
        [
            we_invite(),
            they_answer("ACCEPTED", 3, dtstamp=at(1)),
            they_answer("DECLINED", 2, dtstamp=at(2)),
        ],
    ),
    "an answer to the newer version wins": (
        ("accepted", True),
        [
            we_invite(),
            they_answer("ACCEPTED", 2, sequence=1),
            they_answer("DECLINED", 3, sequence=0),
        ],
    ),
    "accepted, then moved": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED"), we_invite(3, sequence=1)],
    ),
    "cancelled before an answer": (("cancelled", False), [we_invite(), we_cancel()]),
    "accepted, then cancelled": (
        ("cancelled", False),
        [we_invite(), they_answer("ACCEPTED"), we_cancel(sequence=1)],
    ),
    "accepted, cancelled with the same sequence": (
        ("cancelled", False),
        [we_invite(), they_answer("ACCEPTED"), we_cancel()],
    ),
    "accepted, cancelled, the invitation not seen": (
        ("cancelled", False),
        [they_answer("ACCEPTED"), we_cancel()],
    ),
    "cancelled, then invited again": (
        ("accepted", True),
        [
            we_cancel(3, sequence=1),
            we_invite(4, sequence=2),
            they_answer("ACCEPTED", 5, sequence=2),
        ],
    ),
    "an older cancellation with the same sequence": (
        ("accepted", True),
        [
            we_cancel(9, dtstamp=at(1)),
            we_invite(1, dtstamp=at(2)),
            they_answer("ACCEPTED", 5),
        ],
    ),
    "an invitation and its cancellation of the same moment": (
        ("cancelled", False),
        [we_invite(1, dtstamp=at(1)), we_cancel(1, dtstamp=at(1)), they_answer("ACCEPTED", 2)],
    ),
    "cancelled, invited again, and cancelled for good": (
        ("cancelled", False),
        [we_cancel(2, sequence=1), we_invite(3, sequence=2), we_cancel(4, sequence=3)],
    ),
    "they can't cancel ours": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED"), they_cancel(organizer=WE, sequence=5)],
    ),
    "they can't move ours": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED"), they_invite(5, organizer=WE, sequence=5)],
    ),
    "a counter-proposal accepts nothing": (
        ("invited", False),
        [we_invite(), they_said(2, invite("COUNTER", attendees=((ADA, "ACCEPTED"),)))],
    ),
    "another address of ours is the organizer": (
        ("accepted", True),
        [we_invite(organizer=BOB), they_answer("ACCEPTED", organizer=BOB)],
    ),
    "they answer from an alias": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED", attendees=((ADA_AT_WORK, "ACCEPTED"),))],
    ),
    "an answer that lists everybody counts for its sender only": (
        ("declined", False),
        [
            we_invite(),
            they_answer("", attendees=(("x@acme.example", "ACCEPTED"), (ADA, "DECLINED"))),
        ],
    ),
}


@pytest.mark.parametrize(("expected", "statements"), OURS.values(), ids=OURS.keys())
@pytest.mark.parametrize("written_to", [False, True])
def test_an_invitation_of_ours_is_a_meeting_once_they_accept(
    expected: tuple[str, bool], statements: list[Statement], written_to: bool
) -> None:
    assert stands(*statements, written_to=written_to) == expected


THEIRS: dict[str, tuple[bool, tuple[str, bool], list[Statement]]] = {
    "a stranger's invitation": (False, ("invited", False), [they_invite()]),
    "an invitation by somebody we wrote to": (True, ("invited", True), [they_invite()]),
    "accepted by us": (False, ("accepted", True), [they_invite(), we_answer("ACCEPTED")]),
    "tentative": (False, ("tentative", True), [they_invite(), we_answer("TENTATIVE")]),
    "declined by us": (True, ("declined", False), [they_invite(), we_answer("DECLINED")]),
    "accepted, then declined by us": (
        True,
        ("declined", False),
        [they_invite(), we_answer("ACCEPTED", 2), we_answer("DECLINED", 3)],
    ),
    "one of us accepts, another declines": (
        False,
        ("accepted", True),
        [
            they_invite(),
            we_answer("ACCEPTED", 2, attendees=((WE, "ACCEPTED"),)),
            we_answer("DECLINED", 3, attendees=((BOB, "DECLINED"),)),
        ],
    ),
    "accepted by us, the invitation deleted before we read it": (
        False,
        ("accepted", True),
        [we_answer("ACCEPTED")],
    ),
    "an answer of ours that says nothing yet": (
        True,
        ("invited", True),
        [they_invite(), we_answer("NEEDS-ACTION")],
    ),
    "cancelled": (True, ("cancelled", False), [they_invite(), they_cancel()]),
    "accepted, then cancelled": (
        True,
        ("cancelled", False),
        [they_invite(), we_answer("ACCEPTED"), they_cancel(sequence=1)],
    ),
    "cancelled, the invitation not seen": (True, ("cancelled", False), [they_cancel()]),
    "moved after a cancellation": (
        True,
        ("invited", True),
        [they_invite(), they_cancel(2, sequence=1), they_invite(3, sequence=2)],
    ),
    "we can't cancel theirs": (
        False,
        ("accepted", True),
        [they_invite(), we_answer("ACCEPTED"), we_cancel(organizer=ADA, sequence=4)],
    ),
    "her assistant organizes, she sends": (
        True,
        ("invited", True),
        [they_invite(organizer=BOSS)],
    ),
    "her assistant organizes, we accept": (
        False,
        ("accepted", True),
        [they_invite(organizer=BOSS), we_answer("ACCEPTED", organizer=BOSS)],
    ),
    "our Exchange accepts and names no organizer": (
        False,
        ("accepted", True),
        [they_invite(), we_answer("ACCEPTED", organizer=None)],
    ),
    "a shared calendar organizes": (True, ("invited", True), [they_invite(organizer=None)]),
    "their own answer accepts nothing in our name": (
        False,
        ("invited", False),
        [they_invite(), they_answer("ACCEPTED", organizer=ADA, attendees=((WE, "ACCEPTED"),))],
    ),
}


@pytest.mark.parametrize(("written", "expected", "statements"), THEIRS.values(), ids=THEIRS.keys())
def test_an_invitation_of_theirs_is_a_meeting_once_we_accept_or_had_written(
    written: bool, expected: tuple[str, bool], statements: list[Statement]
) -> None:
    assert stands(*statements, written_to=written) == expected


@pytest.mark.parametrize(
    "statement",
    [
        they_invite(organizer=STRANGER),
        they_invite(organizer=WE),
        they_answer("ACCEPTED", organizer=STRANGER),
        they_answer("ACCEPTED", authenticated=False),
        they_answer("ACCEPTED", organizer=None, authenticated=False),
        they_answer("ACCEPTED", attendees=()),
        they_answer("ACCEPTED", attendees=((STRANGER, "ACCEPTED"), (BOB, "ACCEPTED"))),
        we_invite(organizer=STRANGER),
        they_invite(uid=""),
        they_said(1, invite("", organizer=ADA)),
        they_said(1, invite("PUBLISH", organizer=ADA)),
    ],
)
def test_what_nobody_may_say_makes_no_meeting(statement: Statement) -> None:
    assert stands(statement, written_to=True) is None


@pytest.mark.parametrize("organizer", [WE, None])
@pytest.mark.parametrize(
    ("written_to", "authenticated", "counts"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_an_answer_to_what_we_never_sent_counts_only_from_whom_we_wrote_to(
    organizer: str | None,
    written_to: bool,
    authenticated: bool,
    counts: bool,
) -> None:
    answer = they_answer("ACCEPTED", organizer=organizer, authenticated=authenticated)
    assert stands(answer, written_to=written_to) == (("accepted", True) if counts else None)


def test_a_stranger_who_got_hold_of_a_uid_accepts_nothing() -> None:
    ours = we_said(1, invite("REQUEST", attendees=((STRANGER, "NEEDS-ACTION"),)), to=STRANGER)
    assert one(ours, they_answer("ACCEPTED")) == one(ours)
    assert stands(ours, they_answer("ACCEPTED"), written_to=True) == ("accepted", True)


def test_the_uid_of_somebody_elses_meeting_makes_none_with_a_stranger() -> None:
    accepted = we_said(
        2, invite("REPLY", organizer=STRANGER, attendees=((WE, "ACCEPTED"),)), to=STRANGER
    )
    assert stands(they_invite(), accepted) == ("invited", False)
    assert stands(they_invite(organizer=STRANGER), accepted) is None


def test_a_stranger_who_claims_our_uid_changes_nothing() -> None:
    ours = [we_invite(), they_answer("ACCEPTED")]
    theirs = [they_invite(5, sequence=9, summary="Spam"), they_cancel(6, sequence=10)]
    assert one(*ours, *theirs, written_to=True) == one(*ours)


def test_a_stranger_who_claims_the_uid_of_an_open_invitation_changes_nothing_either() -> None:
    assert one(we_invite(), they_invite(5, sequence=9, summary="Spam")) == one(we_invite())


def test_a_series_is_described_by_itself_and_not_by_a_moved_occurrence() -> None:
    meeting = one(we_invite(), we_invite(3, recurrence_id="r1", sequence=1, starts_at=at(60)))
    assert meeting is not None
    assert meeting.starts_at == at(48)


def test_a_meeting_is_described_by_its_newest_invitation() -> None:
    meeting = one(
        we_invite(1, summary="Lunch"),
        we_invite(3, sequence=1, summary="Dinner", starts_at=at(60), ends_at=at(62)),
        they_answer("ACCEPTED", 2, summary="Accepted: Lunch"),
    )
    assert meeting == Meeting(
        uid="lunch@cal",
        summary="Dinner",
        starts_at=at(60),
        ends_at=at(62),
        counts=True,
        status="accepted",
        organizer="us",
        sequence=1,
        answers_key="k3",
    )


def test_without_an_invitation_the_newest_answer_that_has_a_time_describes_it() -> None:
    meeting = one(
        they_answer("TENTATIVE", 2, summary="Lunch"),
        they_answer("ACCEPTED", 3, summary="", starts_at=None, ends_at=None),
        written_to=True,
    )
    assert meeting is not None
    assert (meeting.summary, meeting.starts_at, meeting.status) == ("Lunch", at(48), "accepted")
    assert meeting.answers_key == "k3"


def test_a_cancellation_is_what_last_changed_a_cancelled_meeting() -> None:
    meeting = one(we_invite(1), they_answer("ACCEPTED", 9), we_cancel(3, sequence=1))
    assert meeting is not None
    assert (meeting.answers_key, meeting.sequence) == ("k3", 1)


def test_meetings_are_listed_by_start_and_those_without_one_first() -> None:
    found = meetings(
        ADA,
        [
            we_invite(uid="late", starts_at=at(9)),
            we_invite(uid="early", starts_at=at(3)),
            we_invite(uid="some day", starts_at=None),
        ],
        US,
        written_to=False,
    )
    assert [m.uid for m in found] == ["some day", "early", "late"]
