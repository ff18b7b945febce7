from dataclasses import replace
from typing import Any

import pytest
from letters import ADA, invite, ours, state, theirs

from daemon.rules.classify import Class, Rules, classify_sender
from daemon.rules.correspondence import Correspondence
from daemon.rules.sender import SenderState

RULES = Rules()
NOTHING = state()
ASKED = invite("REQUEST")
ACCEPTED = invite("REPLY", attendees=((ADA, "ACCEPTED"),))


def sender(messages: int = 0, replies: int = 0, meetings: int = 0) -> SenderState:
    return replace(NOTHING, msg_count=messages, replies=replies, meetings=meetings)


MISSION: dict[str, tuple[str, str, list[Correspondence]]] = {
    "nothing": ("ignore", "no message that counts", []),
    "newsletters only": (
        "ignore",
        "no message that counts",
        [theirs(n, evidence="list-unsubscribe") for n in range(9)],
    ),
    "we wrote, they didn't": ("ignore", "no message that counts", [ours(1), ours(2)]),
    "one message": ("lead", "1 message", [theirs(1)]),
    "one message and nine newsletters": (
        "lead",
        "1 message",
        [theirs(1), *(theirs(n, evidence="list-id") for n in range(2, 11))],
    ),
    "four messages": ("lead", "4 messages", [theirs(n) for n in range(4)]),
    "five messages": ("person_with_deal", "5 messages", [theirs(n) for n in range(5)]),
    "we answered their one message": (
        "person_with_deal",
        "1 reply",
        [theirs(1), ours(2, answers=[1])],
    ),
    "they answered ours": ("person_with_deal", "1 reply", [ours(1), theirs(2, answers=[1])]),
    "a forged thread": ("lead", "1 message", [theirs(1, answers=["forged@ours.example"])]),
    "an out-of-office answer to ours": (
        "ignore",
        "no message that counts",
        [ours(1), theirs(2, answers=[1], evidence="auto-reply")],
    ),
    "a role address wrote nine times": (
        "ignore",
        "no message that counts",
        [theirs(n, evidence="role-address") for n in range(9)],
    ),
    "a role address that we answered": (
        "person_with_deal",
        "1 reply",
        [theirs(1, evidence="role-address"), ours(2, answers=[1])],
    ),
    "they accepted a meeting": (
        "person_with_deal",
        "1 meeting",
        [ours(0, invites=(ASKED,)), theirs(1, evidence="itip-reply", invites=(ACCEPTED,))],
    ),
    "a stranger's invitation": (
        "lead",
        "1 message",
        [theirs(1, invites=(invite("REQUEST", organizer=ADA),))],
    ),
    "all at once": (
        "person_with_deal",
        "5 messages, 2 replies, 1 meeting",
        [
            theirs(1),
            ours(2, answers=[1]),
            theirs(3, answers=[2]),
            theirs(4),
            theirs(5),
            theirs(6),
            ours(8, invites=(ASKED,)),
            theirs(9, evidence="itip-reply", invites=(ACCEPTED,)),
        ],
    ),
}


@pytest.mark.parametrize(("name", "reason", "messages"), MISSION.values(), ids=MISSION.keys())
def test_engagement_makes_a_deal_and_any_message_a_lead(
    name: str, reason: str, messages: list[Correspondence]
) -> None:
    assert classify_sender(state(*messages), RULES) == (name, reason)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 0, 0), ("lead", "in Pipedrive before us, 1 of 10 messages")),
        ((9, 0, 0), ("lead", "in Pipedrive before us, 9 of 10 messages")),
        ((9, 3, 1), ("person_with_deal", "in Pipedrive before us, 3 replies, 1 meeting")),
        ((1, 1, 0), ("person_with_deal", "in Pipedrive before us, 1 reply")),
        ((10, 0, 0), ("person_with_deal", "in Pipedrive before us, 10 messages")),
        (
            (12, 3, 1),
            ("person_with_deal", "in Pipedrive before us, 12 messages, 3 replies, 1 meeting"),
        ),
        ((0, 0, 1), ("person_with_deal", "in Pipedrive before us, 1 meeting")),
        ((0, 0, 0), ("ignore", "no message that counts")),
    ],
)
def test_a_person_who_was_there_before_us_takes_ten_messages_or_engages_like_anybody(
    counts: tuple[int, int, int], expected: tuple[str, str]
) -> None:
    assert classify_sender(sender(*counts), RULES, known_before=True) == expected


@pytest.mark.parametrize(
    ("never", "counts", "expected"),
    [
        (("messages",), (50, 0, 0), ("lead", "in Pipedrive before us, 50 messages")),
        (("replies", "meetings"), (9, 3, 1), ("lead", "in Pipedrive before us, 9 of 10 messages")),
        (("replies",), (1, 3, 1), ("person_with_deal", "in Pipedrive before us, 1 meeting")),
        (("replies", "meetings"), (0, 0, 1), ("lead", "in Pipedrive before us, 0 of 10 messages")),
    ],
)
def test_what_never_promotes_a_person_doesnt(
    never: tuple[str, ...], counts: tuple[int, int, int], expected: tuple[str, str]
) -> None:
    thresholds: dict[str, Any] = {f"promote_at_{name}": None for name in never}
    rules = replace(RULES, **thresholds)
    assert classify_sender(sender(*counts), rules, known_before=True) == expected


@pytest.mark.parametrize("known_before", [False, True])
@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((1, 0, 0), ("lead", "1 message")),
        ((5, 0, 0), ("person_with_deal", "5 messages")),
        ((1, 1, 0), ("person_with_deal", "1 reply")),
        ((0, 0, 0), ("ignore", "no message that counts")),
    ],
)
def test_a_person_with_a_deal_is_classified_like_anybody(
    known_before: bool, counts: tuple[int, int, int], expected: tuple[str, str]
) -> None:
    state = sender(*counts)
    assert classify_sender(state, RULES, known_before=known_before, has_deal=True) == expected


def test_without_configuration_the_rules_are_those_of_the_mission() -> None:
    assert Rules() == Rules(
        deal_at_messages=5,
        deal_at_replies=1,
        deal_at_meetings=1,
        promote_at_messages=10,
        reopen=False,
    )


def test_the_thresholds_come_from_the_configuration() -> None:
    rules = Rules(deal_at_messages=3, deal_at_replies=2, deal_at_meetings=2, promote_at_messages=4)
    assert classify_sender(sender(2, 1, 1), rules) == ("lead", "2 messages")
    assert classify_sender(sender(3, 1, 1), rules) == ("person_with_deal", "3 messages")
    assert classify_sender(sender(2, 2, 1), rules) == ("person_with_deal", "2 replies")
    assert classify_sender(sender(2, 1, 2), rules) == ("person_with_deal", "2 meetings")
    promoted = classify_sender(sender(4), rules, known_before=True)
    assert promoted == Class("person_with_deal", "in Pipedrive before us, 4 messages")


def test_a_threshold_that_is_never_makes_no_deal() -> None:
    rules = Rules(deal_at_messages=None, deal_at_replies=None, deal_at_meetings=2)
    assert classify_sender(sender(50, 9, 1), rules).name == "lead"
    assert classify_sender(sender(50, 9, 2), rules).name == "person_with_deal"


@pytest.mark.parametrize(
    "name", ["deal_at_messages", "deal_at_replies", "deal_at_meetings", "promote_at_replies"]
)
def test_a_threshold_that_everybody_has_crossed_is_refused(name: str) -> None:
    threshold: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        replace(RULES, **threshold)


def test_more_engagement_never_lowers_a_class() -> None:
    order = ["ignore", "lead", "person_with_deal"]
    numbers = range(12)
    for known_before in (False, True):
        for replies in (0, 1):
            classes = [
                classify_sender(sender(n, replies), RULES, known_before=known_before)
                for n in numbers
            ]
            ranks = [order.index(c.name) for c in classes]
            assert ranks == sorted(ranks)
