"""The pure steps against the oracle: what they make of the bytes is what was true of the mail.

No server, no ledger and no Pipedrive: only parse, judge, sender state and class, over a generated
mailbox with every kind of mail that the generator knows.
"""

import json
from collections import defaultdict
from datetime import datetime

import pytest
from company_kit import MAILS, NOW
from correspondence import generate
from oracle import Expected, expect

from daemon.message.parse import Message, bounded_date, parse
from daemon.message.verdict import Judgement, Us, judge
from daemon.rules.classify import Rules, classify_sender
from daemon.rules.correspondence import Correspondence
from daemon.rules.organization import public_providers
from daemon.rules.reply import OurMail
from daemon.rules.sender import Counting, SenderState, sender_state
from daemon.sandbox.company import Scenario


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return generate(5, MAILS, now=NOW, mailboxes=2)


@pytest.fixture(scope="module")
def expected(scenario: Scenario) -> Expected:
    return expect(scenario)


@pytest.fixture(scope="module")
def parsed(scenario: Scenario) -> dict[int, set[Message]]:
    """By the id of its facts, what was read from each copy of a mail."""
    messages = defaultdict(set)
    for mail in scenario.mails:
        messages[mail.facts.id].add(parse(mail.raw, size=len(mail.raw)))
    return messages


@pytest.fixture(scope="module")
def us(scenario: Scenario, expected: Expected) -> Us:
    office = scenario.office
    return Us(
        addresses=frozenset(office.addresses) | expected.learned,
        domains=frozenset(office.domains),
        authserv_ids=frozenset({office.authserv_id}),
        ignored_addresses=frozenset(office.ignored_addresses),
        ignored_domains=frozenset(office.ignored_domains),
    )


@pytest.fixture(scope="module")
def judged(
    scenario: Scenario, parsed: dict[int, set[Message]], us: Us
) -> dict[int, tuple[Message, Judgement]]:
    roles = dict(scenario.roles)
    in_sent = {m.facts.id for m in scenario.mails if roles[m.folder] == "sent"}
    return {
        number: (message := next(iter(copies)), judge(message, in_sent=number in in_sent, us=us))
        for number, copies in parsed.items()
    }


@pytest.fixture(scope="module")
def states(
    judged: dict[int, tuple[Message, Judgement]], expected: Expected, us: Us
) -> dict[str, SenderState]:
    letters: dict[str, list[Correspondence]] = defaultdict(list)
    ours = {}
    for number, (message, judgement) in judged.items():
        at = expected.sent_at[number]
        if judgement.verdict.kind == "ignored" or judgement.direction is None:
            continue
        received = judgement.direction == "received"
        facts = _facts(message)
        reason = judgement.verdict.reason
        if not received and reason in {"sent", "too-many-recipients"} and message.message_id:
            ours[message.message_id] = OurMail(message.key, at, message.subject, facts)
        for party in judgement.parties:
            letters[party.key].append(
                Correspondence(
                    key=message.key,
                    message_id=message.message_id,
                    direction=judgement.direction,
                    verdict=judgement.verdict,
                    sent_at=at,
                    name=party.name,
                    answers=message.answers,
                    thread=None,
                    invites=message.invites,
                    way=judgement.way,
                    subject=message.subject,
                    conversation=message.traces.conversation,
                    facts=facts,
                )
            )
    counting, public = Counting(us=us), public_providers()
    return {key: sender_state(key, mails, ours, counting, public) for key, mails in letters.items()}


def _facts(message: Message) -> str:
    return json.dumps(
        {
            "to": [[to.name, to.address] for to in message.to],
            "words": [message.traces.said, message.traces.quoted],
            "marks": message.signals,
        }
    )


def test_every_copy_of_a_mail_has_one_key_and_no_two_mails_share_one(
    parsed: dict[int, set[Message]],
) -> None:
    keys = {number: {m.key for m in copies} for number, copies in parsed.items()}

    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == len(keys)


def test_parse_reads_what_the_facts_say(
    scenario: Scenario, judged: dict[int, tuple[Message, Judgement]]
) -> None:
    for facts in scenario.distinct():
        message, _ = judged[facts.id]
        author = facts.author
        assert (message.from_.key if message.from_ else None) == (author.key if author else None)
        assert message.subject == facts.subject, facts.kind
        assert message.date == facts.date, facts.kind
        assert message.message_id == facts.message_id, facts.kind
        assert message.answers == facts.answers, facts.kind
        assert message.opaque == facts.opaque, facts.kind
        assert len(message.invites) == (facts.invite is not None), facts.kind
        if facts.kind != "no-recipient":
            recipients = tuple(dict.fromkeys(r.key for r in facts.recipients))
            assert tuple(a.key for a in message.to) == recipients, facts.kind


def test_names_are_read_in_every_encoding(
    scenario: Scenario, judged: dict[int, tuple[Message, Judgement]]
) -> None:
    for facts in scenario.distinct():
        message, _ = judged[facts.id]
        if facts.author and message.from_ and "@" not in facts.author.name:
            assert message.from_.name == facts.author.name, facts.kind


def test_invitations_are_read_as_they_were_written(
    scenario: Scenario, judged: dict[int, tuple[Message, Judgement]]
) -> None:
    for facts in scenario.distinct():
        if facts.invite is None:
            continue
        invite, wrote = judged[facts.id][0].invites[0], facts.invite
        assert (invite.method, invite.uid, invite.sequence) == (
            wrote.method,
            wrote.uid,
            wrote.sequence,
        )
        assert (invite.dtstamp, invite.starts_at, invite.ends_at) == (
            wrote.dtstamp,
            wrote.starts_at,
            wrote.ends_at,
        )
        assert (invite.organizer, invite.attendees) == (wrote.organizer, wrote.attendees)
        assert invite.summary == wrote.summary


def test_verdicts_agree(
    scenario: Scenario, judged: dict[int, tuple[Message, Judgement]], expected: Expected
) -> None:
    for facts in scenario.distinct():
        message, judgement = judged[facts.id]
        failed = {one.address for one in message.bounced}  # a bounce is told of them, too
        wanted = expected.messages[facts.id]
        assert tuple(judgement.verdict) == (wanted.kind, wanted.reason), facts.kind
        if wanted.kind != "ignored":
            parties = tuple(one.key for one in judgement.parties if one.key not in failed)
            assert (judgement.direction, parties) == (wanted.direction, wanted.parties), facts.kind


def test_dates_are_bounded_by_the_first_arrival(
    scenario: Scenario, judged: dict[int, tuple[Message, Judgement]], expected: Expected
) -> None:
    arrived: dict[int, datetime] = {}
    for mail in scenario.mails:
        number = mail.facts.id
        arrived[number] = min(arrived.get(number, mail.internal_date), mail.internal_date)
    for number, (message, _) in judged.items():
        assert bounded_date(message.date, arrived[number]) == expected.sent_at[number]


def test_the_senders_are_the_same(states: dict[str, SenderState], expected: Expected) -> None:
    assert set(states) == set(expected.senders)


@pytest.mark.parametrize(
    "number",
    [
        "name", "domain", "organization", "msg_count", "sent_count", "replies", "meetings",
        "thread_count", "first_contact", "last_contact", "avg_response_hours",
    ],
)  # fmt: skip
def test_sender_states_agree(
    number: str, states: dict[str, SenderState], expected: Expected
) -> None:
    wanted = {key: getattr(sender, number) for key, sender in expected.senders.items()}

    assert {key: getattr(state, number) for key, state in states.items()} == wanted


def test_meetings_agree(states: dict[str, SenderState], expected: Expected) -> None:
    for key, sender in expected.senders.items():
        found = {m.uid: m.counts for m in states[key].meeting_list}
        assert found == {a.uid: a.counts for a in sender.attended}
        starts = {m.uid: m.starts_at for m in states[key].meeting_list if m.counts}
        wanted = {a.uid: a.starts_at for a in sender.attended if a.counts and a.starts_at}
        assert starts | wanted == starts


def test_classes_agree(states: dict[str, SenderState], expected: Expected) -> None:
    for key, sender in expected.senders.items():
        assert classify_sender(states[key], Rules()).name == sender.classified, key
