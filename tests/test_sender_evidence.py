"""Evidence that turns out to come from a person."""

import pytest
from letters import ours, state, theirs

from daemon.message.verdict import Verdict
from daemon.rules.correspondence import Correspondence


@pytest.mark.parametrize("reason", ["no-reply-address", "list-unsubscribe", "list-id", "verp"])
def test_machine_mail_that_answers_our_mail_to_that_address_counts(reason: str) -> None:
    talk = state(ours(1), theirs(2, answers=[1], evidence=reason), theirs(3, evidence=reason))
    assert dict(talk.verdicts)["k002"] == Verdict("contact", "answers-us")
    assert dict(talk.verdicts)["k003"] == Verdict("evidence", reason)
    assert (talk.msg_count, talk.replies) == (1, 1)


@pytest.mark.parametrize(
    ("reason", "count"),
    [("no-reply-address", 0), ("list-id", 0), ("list-unsubscribe", 1), ("verp", 1)],
)
def test_what_answers_our_mail_to_a_colleague_counts_if_a_relay_only_carried_it(
    reason: str, count: int
) -> None:
    talk = state(theirs(2, answers=[1], evidence=reason), also_ours={1: 0.5})
    assert (talk.msg_count, talk.replies) == (count, count)


NOT_OURS = {
    "their own mail": theirs(1),
    "a circular of ours": ours(1, evidence="too-many-recipients"),
    "an auto-reply of ours": ours(1, evidence="our-auto-reply"),
}


@pytest.mark.parametrize("answered", NOT_OURS.values(), ids=NOT_OURS.keys())
def test_machine_mail_counts_only_if_it_answers_what_a_person_of_ours_wrote(
    answered: Correspondence,
) -> None:
    talk = state(answered, theirs(2, answers=[1], evidence="list-id"))
    assert dict(talk.verdicts)["k002"] == Verdict("evidence", "list-id")


@pytest.mark.parametrize(
    "reason",
    [
        "auto-reply",
        "auto-submitted",
        "bounce",
        "precedence-bulk",
        "dmarc-fail",
        "itip-reply",
    ],
)
def test_no_answer_lifts_what_a_machine_said(reason: str) -> None:
    assert state(ours(1), theirs(2, answers=[1], evidence=reason)).msg_count == 0


def test_a_role_address_counts_nothing_before_a_reply() -> None:
    talk = state(*(theirs(n, evidence="role-address") for n in range(1, 9)), ours(9))
    assert (talk.msg_count, talk.replies) == (0, 0)


ROLE_REPLIES = {
    "their answer to ours": [ours(3), theirs(4, answers=[3], evidence="role-address")],
    "our answer to theirs": [ours(4, answers=[1])],
    "an answer that was a list mail": [ours(3), theirs(4, answers=[3], evidence="list-id")],
    "an answer that is a contact": [ours(3), theirs(4, answers=[3])],
}


@pytest.mark.parametrize("reply", ROLE_REPLIES.values(), ids=ROLE_REPLIES.keys())
def test_all_mail_of_a_role_address_counts_after_a_reply(reply: list[Correspondence]) -> None:
    talk = state(theirs(1, evidence="role-address"), theirs(2, evidence="role-address"), *reply)
    received = sum(m.direction == "received" for m in reply)
    assert (talk.msg_count, talk.replies) == (2 + received, 1)
    assert dict(talk.verdicts)["k001"] == Verdict("contact", "role-after-reply")


def test_an_auto_reply_opens_no_role_address() -> None:
    talk = state(
        theirs(1, evidence="role-address"), ours(2), theirs(3, answers=[2], evidence="auto-reply")
    )
    assert talk.msg_count == 0


LIFTED = {
    "a strong trace, by their answer": ("campaign", [ours(1), theirs(2, answers=[1], evidence="campaign")], "answers-us"),
    "a strong trace, not by ours": ("campaign", [theirs(1, evidence="campaign"), ours(2, answers=[1])], None),
    "a weak trace, by ours": ("says-why", [theirs(1, evidence="says-why"), ours(2, answers=[1])], "answered-by-us"),
    "a pitch, by ours": ("says-pitch", [theirs(1, evidence="says-pitch"), ours(2, answers=[1])], "answered-by-us"),
    "spam, by their answer": ("server-spam", [ours(1), theirs(2, answers=[1], evidence="server-spam")], "answers-us"),
    "forged, never": ("dmarc-fail", [ours(1), theirs(2, answers=[1], evidence="dmarc-fail")], None),
    "an absence note, never": ("says-absent", [ours(1), theirs(2, answers=[1], evidence="says-absent")], None),
    "an acknowledgement, never": ("says-received", [ours(1), theirs(2, answers=[1], evidence="says-received")], None),
}  # fmt: skip


@pytest.mark.parametrize(("reason", "talk", "lifted"), LIFTED.values(), ids=LIFTED.keys())
def test_correspondence_lifts_what_its_reason_allows(
    reason: str, talk: list[Correspondence], lifted: str | None
) -> None:
    theirs_ = next(m.key for m in talk if m.direction == "received")
    expected = Verdict("contact", lifted) if lifted else Verdict("evidence", reason)
    assert dict(state(*talk).verdicts)[theirs_] == expected
