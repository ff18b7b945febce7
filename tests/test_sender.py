import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import ADA, PUBLIC, US, at, conversations, invite, other, ours, state, theirs

from daemon.message.verdict import Verdict
from daemon.rules.correspondence import Correspondence, Unanswered
from daemon.rules.reply import Proof
from daemon.rules.sender import Counting, SenderState, sender_state

FORGED = "never-sent@ours.example"


def test_a_sender_without_messages_has_an_empty_state() -> None:
    assert state() == SenderState(
        address=ADA,
        name="Ada",
        domain="acme.example",
        organization="acme.example",
        msg_count=0,
        sent_count=0,
        replies=0,
        meetings=0,
        thread_count=0,
        first_contact=None,
        last_contact=None,
        avg_response_hours=None,
        verdicts=(),
        meeting_list=(),
    )


def test_a_conversation_is_counted_in_every_respect() -> None:
    talk = state(
        theirs(1, name="Ada"),
        ours(2, answers=[1]),
        theirs(5, answers=[2], name="Ada Lovelace"),
        theirs(9),
    )
    assert talk == SenderState(
        address=ADA,
        name="Ada Lovelace",
        domain="acme.example",
        organization="acme.example",
        msg_count=3,
        sent_count=1,
        replies=2,
        meetings=0,
        thread_count=2,
        first_contact=at(1),
        last_contact=at(9),
        avg_response_hours=3.0,
        verdicts=(
            ("k001", Verdict("contact", "human")),
            ("k002", Verdict("contact", "sent")),
            ("k005", Verdict("contact", "human")),
            ("k009", Verdict("contact", "human")),
        ),
        meeting_list=(),
        reply_keys=("k002", "k005"),
        proofs=(("k005", Proof("id", "k002", at(2))),),
        unanswered=(Unanswered(at(5), "k005", ""), Unanswered(at(9), "k009", "")),
        our_response_hours=1.0,
    )


def test_evidence_and_ignored_mail_counts_nothing() -> None:
    talk = state(
        theirs(1, evidence="auto-reply"),
        ours(2, evidence="too-many-recipients"),
        theirs(3)._replace(verdict=Verdict("ignored", "ignored-domain")),
    )
    assert (talk.msg_count, talk.sent_count, talk.thread_count) == (0, 0, 0)
    assert (talk.first_contact, talk.last_contact) == (None, None)
    assert len(talk.verdicts) == 3


@pytest.mark.parametrize(("count", "messages"), [("received", 2), ("exchanged", 3)])
def test_the_configuration_says_if_our_mail_counts_as_a_message(count: str, messages: int) -> None:
    assert state(theirs(1), theirs(2), ours(3), count=count).msg_count == messages


def test_a_message_given_twice_is_a_bug() -> None:
    with pytest.raises(ValueError, match="twice"):
        state(theirs(1), theirs(1))


# Replies


REPLIES: dict[str, tuple[int, list[Correspondence]]] = {
    "their mails alone": (0, [theirs(1), theirs(2, answers=[1])]),
    "our mails alone": (0, [ours(1), ours(2, answers=[1])]),
    "both wrote, neither answered": (0, [theirs(1), ours(2)]),
    "we answered": (1, [theirs(1), ours(2, answers=[1])]),
    "they answered": (1, [ours(1), theirs(2, answers=[1])]),
    "both answered": (2, [theirs(1), ours(2, answers=[1]), theirs(3, answers=[2])]),
    "they answered twice": (2, [ours(1), theirs(2, answers=[1]), theirs(3, answers=[1])]),
    "the answer was read first": (1, [theirs(2, answers=[1]), ours(1)]),
    "ours is named in References only, far back": (
        1,
        [ours(1), theirs(5, answers=["x@a", "y@b", 1])],
    ),
    "one message names two of ours": (1, [ours(1), ours(2), theirs(3, answers=[1, 2])]),
    "a forged In-Reply-To names a mail that we never sent": (0, [theirs(1, answers=[FORGED])]),
    "a forged one, after we wrote something else": (0, [ours(1), theirs(2, answers=[FORGED])]),
    "an auto-reply of theirs": (0, [ours(1), theirs(2, answers=[1], evidence="auto-reply")]),
    "a bounce of ours": (0, [ours(1), theirs(2, answers=[1], evidence="bounce")]),
    "our auto-reply": (0, [theirs(1), ours(2, answers=[1], evidence="our-auto-reply")]),
    "our mail to many, answered to us": (
        1,
        [ours(1, evidence="too-many-recipients"), theirs(2, answers=[1])],
    ),
    "we answered an auto-reply": (0, [theirs(1, evidence="auto-reply"), ours(2, answers=[1])]),
    "we answered a newsletter": (0, [theirs(1, evidence="list-unsubscribe"), ours(2, answers=[1])]),
    "we followed up on our own mail, whose Message-ID they had claimed": (
        0,
        [ours(1), theirs(2, message_id="1@mail.example"), ours(3, answers=[1])],
    ),
    "mails without a Message-ID": (0, [theirs(1, message_id=None), ours(2, message_id=None)]),
}


@pytest.mark.parametrize(("replies", "messages"), REPLIES.values(), ids=REPLIES.keys())
def test_a_reply_is_human_and_answers_what_really_was_sent(
    replies: int, messages: list[Correspondence]
) -> None:
    assert state(*messages).replies == replies


def test_a_reply_to_a_mail_that_only_they_have_two_of_counts_once() -> None:
    twin = theirs(2, message_id="1@mail.example")
    assert state(theirs(1), twin, ours(3, answers=[1])).replies == 1


# Threads


THREADS: dict[str, tuple[int, list[Correspondence]]] = {
    "one message": (1, [theirs(1)]),
    "two that have nothing in common": (2, [theirs(1), theirs(2)]),
    "question and answer": (1, [theirs(1), ours(2, answers=[1])]),
    "two answers to a mail that we don't have": (1, [theirs(1, answers=["x@a"]), theirs(2, answers=["x@a"])]),
    "a message that joins two threads": (1, [theirs(1), theirs(2), ours(3, answers=[1, 2])]),
    "a message that joins two threads, read first": (1, [ours(3, answers=[1, 2]), theirs(1), theirs(2)]),
    "the server's thread id": (1, [theirs(1, thread="t1"), theirs(2, thread="t1")]),
    "two server threads": (2, [theirs(1, thread="t1"), theirs(2, thread="t2")]),
    "two server threads of one conversation": (1, [theirs(1, thread="t1"), ours(2, thread="t2", answers=[1])]),
    "a thread id that looks like a Message-ID": (2, [theirs(1), theirs(2, thread="1@mail.example")]),
    "without any id": (2, [theirs(1, message_id=None), theirs(2, message_id=None)]),
    "evidence joins nothing": (2, [theirs(1), theirs(2), ours(3, answers=[1, 2], evidence="our-auto-reply")]),
}  # fmt: skip


@pytest.mark.parametrize(("threads", "messages"), THREADS.values(), ids=THREADS.keys())
def test_messages_of_one_conversation_are_one_thread(
    threads: int, messages: list[Correspondence]
) -> None:
    assert state(*messages).thread_count == threads


def test_a_long_chain_is_one_thread() -> None:
    chain = [theirs(n, answers=[n - 1]) for n in range(1, 3_000)]
    assert state(*chain, *(theirs(n) for n in range(5_000, 5_100))).thread_count == 101


# Response times


TIMES: dict[str, tuple[float | None, list[Correspondence]]] = {
    "nobody answered": (None, [theirs(1), ours(2, answers=[1])]),
    "one answer": (2.5, [ours(1), theirs(2, answers=[1], hours=3.5)]),
    "the earliest of several answers to one mail": (
        1.0,
        [ours(1), theirs(9, answers=[1]), theirs(2, answers=[1]), theirs(5, answers=[1])],
    ),
    "the mean over our mails that were answered": (
        2.0,
        [ours(1), theirs(2, answers=[1]), ours(3), theirs(6, answers=[3]), ours(8)],
    ),
    "an answer names the mail it answers first": (
        1.0,
        [ours(1), ours(5), theirs(6, answers=[5, 1])],
    ),
    "an answer from before the question": (0.0, [ours(5), theirs(2, answers=[5])]),
    "one of those doesn't shorten the others": (
        1.5,
        [ours(5), theirs(2, answers=[5]), ours(6), theirs(9, answers=[6])],
    ),
    "two decimals": (0.33, [ours(1, hours=1), theirs(2, answers=[1], hours=4 / 3)]),
    "an auto-reply answers nothing": (
        None,
        [ours(1), theirs(2, answers=[1], evidence="auto-reply")],
    ),
}


@pytest.mark.parametrize(("hours", "messages"), TIMES.values(), ids=TIMES.keys())
def test_response_time_is_the_mean_of_their_first_answers(
    hours: float | None, messages: list[Correspondence]
) -> None:
    assert state(*messages).avg_response_hours == hours


# Names


NAMES: dict[str, tuple[str, list[Correspondence]]] = {
    "none": ("Ada", [theirs(1)]),
    "the newest": ("Ada Lovelace", [theirs(2, name="Ada Lovelace"), theirs(1, name="Ada Byron")]),
    "newest that has one": ("Ada Byron", [theirs(1, name="Ada Byron"), theirs(2)]),
    "an address is no name": ("Ada Byron", [theirs(1, name="Ada Byron"), theirs(2, name=ADA)]),
    "quotes and spaces": ("Ada Lovelace", [theirs(1, name=" 'Ada   Lovelace' ")]),
    "evidence has none to give": ("Ada", [theirs(1, name="Out of Office", evidence="auto-reply")]),
    "a tie is broken by key": (
        "Ada B",
        [theirs(2, name="Ada B", hours=1), theirs(1, name="Ada A", hours=1)],
    ),
}


@pytest.mark.parametrize(("name", "messages"), NAMES.values(), ids=NAMES.keys())
def test_a_sender_is_called_what_it_last_called_itself(
    name: str, messages: list[Correspondence]
) -> None:
    assert state(*messages).name == name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("ada.lovelace@acme.example", "Ada Lovelace"),
        ("ada_king-noel@acme.example", "Ada King Noel"),
        ("ALovelace@acme.example", "ALovelace"),
        ("éva@acme.example", "Éva"),
        ("a..b@acme.example", "A B"),
        ("...@acme.example", "...@acme.example"),
    ],
)
def test_without_a_display_name_the_local_part_gives_one(address: str, name: str) -> None:
    assert state(theirs(1), address=address).name == name


@pytest.mark.parametrize(
    ("address", "domain", "organization"),
    [
        ("ada@mail.acme.co.uk", "mail.acme.co.uk", "acme.co.uk"),
        ("ada@gmail.com", "gmail.com", None),
        ("ada@xn--mller-kva.de", "xn--mller-kva.de", "xn--mller-kva.de"),
    ],
)
def test_a_sender_belongs_to_the_organization_of_its_domain(
    address: str, domain: str, organization: str | None
) -> None:
    talk = state(theirs(1), address=address)
    assert (talk.domain, talk.organization) == (domain, organization)


# Meetings in the state (their rules are in test_meeting.py)


def test_meetings_are_counted_from_evidence_too() -> None:
    accepted = invite("REPLY", attendees=((ADA, "ACCEPTED"),))
    invited = ours(1, invites=(invite("REQUEST"),))
    talk = state(invited, theirs(2, evidence="itip-reply", invites=(accepted,)))
    assert (talk.meetings, talk.msg_count) == (1, 0)
    assert [m.status for m in talk.meeting_list] == ["accepted"]


@pytest.mark.parametrize("verdict", [("evidence", "dmarc-fail"), ("ignored", "ignored-address")])
def test_forged_and_ignored_mail_accepts_no_invitation(verdict: tuple[str, str]) -> None:
    accepted = invite("REPLY", attendees=((ADA, "ACCEPTED"),))
    message = theirs(2, invites=(accepted,))._replace(verdict=Verdict(*verdict))  # type: ignore[arg-type]  # table
    assert state(ours(1, invites=(invite("REQUEST"),)), message).meetings == 0


def test_updates_of_one_invitation_are_one_message() -> None:
    updates = [theirs(n, invites=(invite("REQUEST", organizer=ADA, sequence=n),)) for n in range(6)]
    other = theirs(7, invites=(invite("REQUEST", "other@cal", organizer=ADA),))
    talk = state(*updates, other)
    assert (talk.msg_count, talk.meetings) == (2, 0)
    assert dict(talk.verdicts)["k003"] == Verdict("evidence", "itip-update")


# Any order


@given(st.data())
def test_the_order_in_which_messages_are_read_never_matters(data: st.DataObject) -> None:
    messages = data.draw(conversations())
    shuffled = data.draw(st.permutations(messages))
    ours_by_id = {f"{n}@mail.example": other(n) for n in data.draw(st.sets(st.integers(0, 8)))}
    counting = Counting(us=US)
    first = sender_state(ADA, messages, ours_by_id, counting, PUBLIC)
    assert sender_state(ADA, shuffled, ours_by_id, counting, PUBLIC) == first
    reverse = dict(reversed(list(ours_by_id.items())))
    assert sender_state(ADA, messages, reverse, counting, PUBLIC) == first


@given(conversations())
def test_the_numbers_of_a_state_agree_with_each_other(messages: list[Correspondence]) -> None:
    talk = state(*messages)
    contacts = sum(verdict.kind == "contact" for _, verdict in talk.verdicts)
    assert talk.msg_count + talk.sent_count == contacts
    assert talk.replies == len(talk.reply_keys) <= contacts
    assert talk.thread_count <= contacts
    assert (talk.thread_count == 0) == (contacts == 0) == (talk.first_contact is None)
    assert talk.meetings == sum(m.counts for m in talk.meeting_list)
    assert len({m.uid for m in talk.meeting_list}) == len(talk.meeting_list)
    assert not any(m.counts and m.status in {"declined", "cancelled"} for m in talk.meeting_list)
