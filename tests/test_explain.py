from typing import Any

import pytest
from hypothesis import given
from letters import ADA, WE, at, conversations, facts, invite, ours, state, theirs

from daemon.message.address import Address
from daemon.message.nature import Weighed
from daemon.message.verdict import Judgement, Verdict
from daemon.rules.classify import Class, Rules, classify_sender
from daemon.rules.correspondence import Correspondence
from daemon.rules.explain import REASONS, Explanation, MessageLine, explain

RULES = Rules()
ADA_ = Address("Ada", ADA)


def explained(*letters: Correspondence, rules: Rules = RULES, **facts: Any) -> Explanation:
    count = facts.pop("count", "received")
    talk = state(*letters, count=count)
    class_ = classify_sender(talk, rules, **facts)
    subjects = {letter.key: f"about {letter.key}" for letter in letters}
    return explain(talk, letters, subjects, rules, class_, count=count, **facts)


def newsletters(number: int) -> list[Correspondence]:
    return [theirs(n, evidence="list-unsubscribe") for n in range(100, 100 + number)]


def messages(number: int) -> list[Correspondence]:
    return [theirs(n) for n in range(200, 200 + number)]


NUMBERS: dict[str, tuple[Explanation, Class, str, tuple[str, ...]]] = {
    "ignored": (
        explained(theirs(1, evidence="bounce")),
        Class("ignore", "no message that counts"),
        "a lead takes 1 message that counts, and there is none",
        ("1 message: lead", "5 messages, or 1 reply, or 1 meeting: person_with_deal"),
    ),
    "a lead": (
        explained(theirs(1)),
        Class("lead", "1 message"),
        (
            "any message that counts makes a lead; a deal takes more: "
            "1 message (5 needed), or 0 replies (1 needed), or 0 meetings (1 needed)"
        ),
        ("4 more messages, or 1 reply, or 1 meeting: person_with_deal",),
    ),
    "a lead, one message short": (
        explained(*messages(4)),
        Class("lead", "4 messages"),
        (
            "any message that counts makes a lead; a deal takes more: "
            "4 messages (5 needed), or 0 replies (1 needed), or 0 meetings (1 needed)"
        ),
        ("1 more message, or 1 reply, or 1 meeting: person_with_deal",),
    ),
    "a lead by stricter rules": (
        explained(theirs(1), ours(2, answers=[1]), rules=Rules(deal_at_replies=3)),
        Class("lead", "1 message"),
        (
            "any message that counts makes a lead; a deal takes more: "
            "1 message (5 needed), or 1 reply (3 needed), or 0 meetings (1 needed)"
        ),
        ("4 more messages, or 2 more replies, or 1 meeting: person_with_deal",),
    ),
    "a deal": (
        explained(theirs(1), ours(2, answers=[1])),
        Class("person_with_deal", "1 reply"),
        "any one of these makes a deal: 1 message (5 needed), or 1 reply (1 needed), or 0 meetings (1 needed)",
        (),
    ),
    "known before": (
        explained(*messages(9), known_before=True),
        Class("lead", "in Pipedrive before us, 9 of 10 messages"),
        (
            "in Pipedrive before us, without a deal: a deal takes "
            "9 messages (10 needed), or 0 replies (1 needed), or 0 meetings (1 needed)"
        ),
        ("1 more message, or 1 reply, or 1 meeting: person_with_deal",),
    ),
    "known before, promoted": (
        explained(*messages(10), known_before=True),
        Class("person_with_deal", "in Pipedrive before us, 10 messages"),
        (
            "in Pipedrive before us, without a deal: a deal takes "
            "10 messages (10 needed), or 0 replies (1 needed), or 0 meetings (1 needed)"
        ),
        (),
    ),
    "known before, with a deal": (
        explained(*messages(5), known_before=True, has_deal=True),
        Class("person_with_deal", "5 messages"),
        "any one of these makes a deal: 5 messages (5 needed), or 0 replies (1 needed), or 0 meetings (1 needed)",
        (),
    ),
    "a role address": (
        explained(theirs(1, evidence="role-address"), theirs(2, evidence="role-address")),
        Class("ignore", "no message that counts"),
        "a lead takes 1 message that counts, and there is none",
        (
            "1 message: lead",
            "5 messages, or 1 reply, or 1 meeting: person_with_deal",
            "a reply between us: 2 messages from this role address would count",
        ),
    ),
    "newsletters": (
        explained(*newsletters(3)),
        Class("ignore", "no message that counts"),
        "a lead takes 1 message that counts, and there is none",
        (
            "1 message: lead",
            "5 messages, or 1 reply, or 1 meeting: person_with_deal",
            "an answer of theirs to a mail that we sent to this address: it would count",
        ),
    ),
    "an invitation of ours, open": (
        explained(theirs(1), ours(2, invites=(invite("REQUEST"),))),
        Class("lead", "1 message"),
        (
            "any message that counts makes a lead; a deal takes more: "
            "1 message (5 needed), or 0 replies (1 needed), or 0 meetings (1 needed)"
        ),
        (
            "4 more messages, or 1 reply, or 1 meeting: person_with_deal",
            "their acceptance of our invitation: 1 meeting",
        ),
    ),
    "an invitation of theirs, open": (
        explained(theirs(1, invites=(invite("REQUEST", organizer=ADA),))),
        Class("lead", "1 message"),
        (
            "any message that counts makes a lead; a deal takes more: "
            "1 message (5 needed), or 0 replies (1 needed), or 0 meetings (1 needed)"
        ),
        (
            "4 more messages, or 1 reply, or 1 meeting: person_with_deal",
            "our acceptance of their invitation, or a mail of ours to them: 1 meeting",
        ),
    ),
    "an invitation of theirs, known before": (
        explained(theirs(1, invites=(invite("REQUEST", organizer=ADA),)), known_before=True),
        Class("lead", "in Pipedrive before us, 1 of 10 messages"),
        (
            "in Pipedrive before us, without a deal: a deal takes "
            "1 message (10 needed), or 0 replies (1 needed), or 0 meetings (1 needed)"
        ),
        (
            "9 more messages, or 1 reply, or 1 meeting: person_with_deal",
            "our acceptance of their invitation, or a mail of ours to them: 1 meeting",
        ),
    ),
}


@pytest.mark.parametrize(
    ("explanation", "class_", "rule", "changes"), NUMBERS.values(), ids=NUMBERS.keys()
)
def test_the_rule_that_fired_and_what_would_change_the_class(
    explanation: Explanation, class_: Class, rule: str, changes: tuple[str, ...]
) -> None:
    assert explanation.class_ == class_
    assert explanation.rule == rule
    assert explanation.changes == changes
    reached = any(threshold.have >= threshold.need for threshold in explanation.thresholds)
    assert reached == (class_.name == "person_with_deal")


def test_the_sender_is_named_with_its_organization() -> None:
    explanation = explained(theirs(1, name="Ada Lovelace"))
    assert (explanation.address, explanation.name) == (ADA, "Ada Lovelace")
    assert explanation.organization == "acme.example"


def test_the_timeline_is_in_order_of_time_whatever_the_order_of_reading() -> None:
    letters = [theirs(3), ours(2, answers=[1]), theirs(1), theirs(4, hours=3)]
    keys = [line.key for line in explained(*letters).timeline]
    assert keys == ["k001", "k002", "k003", "k004"]


def test_a_line_says_when_and_which_way_and_about_what() -> None:
    (line,) = explained(theirs(1)).timeline
    assert line == MessageLine(
        key="k001",
        sent_at=at(1),
        direction="received",
        subject="about k001",
        verdict=Verdict("contact", "human"),
        counts=True,
        why="counts as a message: written by a person",
    )


def test_a_message_without_a_subject_has_an_empty_one() -> None:
    talk = state(theirs(1))
    (line,) = explain(talk, [theirs(1)], {}, RULES, classify_sender(talk, RULES)).timeline
    assert line.subject == ""


LINES: dict[str, tuple[bool, str, str, list[Correspondence]]] = {
    "a message": (True, "contact", "counts as a message: written by a person", [theirs(1)]),
    "an answer of theirs": (
        True,
        "contact",
        "counts as a message and a reply: written by a person",
        [theirs(1, answers=[2]), ours(2, hours=0)],
    ),
    "a mail of ours": (False, "contact", "doesn't count: sent by us", [ours(1)]),
    "an answer of ours": (
        True,
        "contact",
        "counts as a reply: sent by us",
        [ours(1, answers=[2]), theirs(2)],
    ),
    "a lifted newsletter": (
        True,
        "contact",
        "counts as a message and a reply: it answers a mail that we sent to this address",
        [theirs(1, answers=[2], evidence="list-id"), ours(2)],
    ),
    "a lifted role address": (
        True,
        "contact",
        "counts as a message: from a role address, but there was a reply between us",
        [theirs(1, evidence="role-address"), ours(2, answers=[1])],
    ),
}


@pytest.mark.parametrize(("counts", "kind", "why", "letters"), LINES.values(), ids=LINES.keys())
def test_a_line_says_if_the_message_counts_and_why(
    counts: bool, kind: str, why: str, letters: list[Correspondence]
) -> None:
    line = next(line for line in explained(*letters).timeline if line.key == "k001")
    assert (line.counts, line.verdict.kind, line.why) == (counts, kind, why)


def test_a_mail_of_ours_counts_where_exchanged_mail_does() -> None:
    (line,) = explained(ours(1), count="exchanged").timeline
    assert (line.counts, line.why) == (True, "counts as a message: sent by us")


@pytest.mark.parametrize("reason", [
    "dmarc-fail", "bounce", "empty-return-path", "auto-reply", "auto-submitted", "precedence-bulk",
    "verp", "itip-reply", "itip-counter", "itip-cancel", "list-id", "list-unsubscribe",
    "no-reply-address", "role-address",
])  # fmt: skip
def test_evidence_says_what_it_is(reason: str) -> None:
    (line,) = explained(theirs(1, evidence=reason)).timeline
    assert not line.counts
    assert line.why == f"doesn't count: {REASONS[reason]}"


@pytest.mark.parametrize("reason", ["too-many-recipients", "our-auto-reply"])
def test_evidence_of_ours_says_what_it_is(reason: str) -> None:
    (line,) = explained(ours(1, evidence=reason)).timeline
    assert (line.counts, line.why) == (False, f"doesn't count: {REASONS[reason]}")


def test_a_reason_without_a_sentence_speaks_for_itself() -> None:
    (line,) = explained(theirs(1, evidence="of-a-later-version")).timeline
    assert line.why == "doesn't count: of-a-later-version"


WORDS = "We can deliver three pumps in the second week of May."


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (theirs(2, answers=[1]), "counts as a message and a reply: written by a person"),
        (
            theirs(2, facts=facts(quoted=WORDS)),
            "counts as a message and a reply (it quotes our words): written by a person",
        ),
    ],
)
def test_a_reply_says_what_proves_it(answer: Correspondence, why: str) -> None:
    line = explained(ours(1, facts=facts(said=WORDS)), answer).timeline[-1]
    assert line.why == why


REQUEST, CANCEL = invite("REQUEST"), invite("CANCEL", sequence=1)
THEIR_REQUEST = invite("REQUEST", organizer=ADA)
THEIR_CANCEL = invite("CANCEL", organizer=ADA, sequence=1)


def they_answer(partstat: str) -> Correspondence:
    said = invite("REPLY", attendees=((ADA, partstat),))
    return theirs(2, evidence="itip-reply", invites=(said,))


def we_invite() -> Correspondence:
    return ours(1, invites=(REQUEST,))


def we_answer(partstat: str) -> Correspondence:
    said = invite("REPLY", organizer=ADA, attendees=((WE, partstat),))
    return ours(2, evidence="itip-reply", invites=(said,))


MEETINGS: list[tuple[str, list[Correspondence]]] = [
    ("counts: they accepted our invitation", [we_invite(), they_answer("ACCEPTED")]),
    ("counts: they accepted our invitation tentatively", [we_invite(), they_answer("TENTATIVE")]),
    ("doesn't count: they haven't accepted our invitation", [ours(1, invites=(REQUEST,))]),
    ("doesn't count: they declined our invitation", [we_invite(), they_answer("DECLINED")]),
    (
        "doesn't count: we cancelled it",
        [
            we_invite(),
            they_answer("ACCEPTED"),
            ours(3, evidence="itip-cancel", invites=(CANCEL,)),
        ],
    ),
    (
        "counts: we accepted their invitation",
        [theirs(1, invites=(THEIR_REQUEST,)), we_answer("ACCEPTED")],
    ),
    (
        "counts: we accepted their invitation tentatively",
        [theirs(1, invites=(THEIR_REQUEST,)), we_answer("TENTATIVE")],
    ),
    (
        "counts: they invited us, and we have written to them",
        [theirs(1, invites=(THEIR_REQUEST,)), ours(3)],
    ),
    (
        "doesn't count: we neither accepted it nor ever wrote to them",
        [theirs(1, invites=(THEIR_REQUEST,))],
    ),
    (
        "doesn't count: we declined their invitation",
        [theirs(1, invites=(THEIR_REQUEST,)), we_answer("DECLINED"), ours(3)],
    ),
    (
        "doesn't count: they cancelled it",
        [
            theirs(1, invites=(THEIR_REQUEST,)),
            theirs(3, evidence="itip-cancel", invites=(THEIR_CANCEL,)),
        ],
    ),
]


@pytest.mark.parametrize(("why", "letters"), MEETINGS, ids=[why for why, _ in MEETINGS])
def test_a_meeting_says_why_it_counts_or_not(why: str, letters: list[Correspondence]) -> None:
    (met,) = explained(*letters).meetings
    assert met.why == why
    assert met.meeting.summary == "Lunch"


@given(conversations())
def test_every_conversation_can_be_explained_and_the_explanation_adds_up(
    letters: list[Correspondence],
) -> None:
    talk = state(*letters)
    explanation = explained(*letters)
    assert len(explanation.timeline) == len(letters)
    counted = [line for line in explanation.timeline if line.why.startswith("counts as a message")]
    assert len(counted) == talk.msg_count
    assert (
        sum("a reply" in line.why.partition(":")[0] for line in explanation.timeline)
        == talk.replies
    )
    assert sum(met.why.startswith("counts") for met in explanation.meetings) == talk.meetings


def test_a_line_says_who_wrote_it_and_what_decided() -> None:
    letter = theirs(1, evidence="says-why")
    talk = state(letter)
    weighed = (Weighed("says-why", 65), Weighed("verp", 20), Weighed("subject-news", 40))
    judgement = Judgement("received", (ADA_,), letter.verdict, "form", "form-of-ours", weighed)
    told = explain(
        talk,
        [letter],
        {},
        RULES,
        classify_sender(talk, RULES),
        judgements={letter.key: judgement},
    )
    (line,) = told.timeline
    assert line.author == "a form of ours handed it on"
    assert line.why == "doesn't count: it says why one gets it"
    assert line.signals == weighed
