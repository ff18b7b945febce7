"""The generated company mailbox: the same each time, complete, and readable as mail."""

import email
import email.policy
from collections import Counter
from datetime import timedelta

import pytest
from company_kit import MAILS, NOW
from correspondence import generate
from oracle import Expected, expect

from daemon.sandbox.company import Scenario, demo

KINDS = """
    inquiry reminder persistent nearly thread reply-to-ours outreach multi-recipient reply-to-multi
    multi-recipient-at-bound multi-recipient-over-bound reply-to-circular forged-reply
    reply-by-colleague reply-skewed reply-header-only references-only
    newsletter-plain newsletter-bulk newsletter-verp mailing-list list-unsubscribe-only
    list-unsubscribe-answers-us no-reply no-reply-answers-us auto-generated human-with-auto-header
    bounce-dsn bounce-m365 bounce-plain bounce-internal read-receipt auto-reply our-auto-reply
    invitation-accepted-by-us invitation-unsolicited invitation-from-known invitation-spoofed
    invitation-declined-by-us invitation-cancelled invitation-revived invitation-of-ours-accepted
    invitation-of-ours-tentative invitation-of-ours-declined invitation-of-ours-moved
    invitation-of-ours-cancelled invitation-of-ours-countered invitation-of-ours-out-of-order
    invitation-of-ours-to-three itip-reply itip-counter itip-cancel
    internal from-us-not-in-sent reply-to-colleague alias dragged-into-sent cc-self group own-list
    web-form role-address role-address-answers-us answer-to-role address-variants spoofed
    spoofed-colleague dmarc-fail-elsewhere forged-owner ignored ours-not-in-sent reply-to-unproven
    charset-utf-8 charset-iso-8859-1 charset-windows-1252 charset-koi8-r charset-iso-2022-jp
    words-q words-b raw-headers-utf-8 raw-headers-iso-8859-1 body-base64 body-quoted-printable
    body-html body-alternative body-inline body-attached body-signed body-flowed sealed-smime
    sealed-pgp forwarded no-from no-subject no-text no-recipient name-variants renamed
    no-message-id two-mails-with-one-id date-1970 date-2098 date-absent date-unreadable date-next-week
    date-odd deep-domain idn-a-label idn-u-label
"""
REASONS = """
    human sent no-from internal not-ours-in-sent from-us-not-in-sent ignored-address ignored-domain
    dmarc-fail itip-reply itip-counter itip-cancel bounce empty-return-path auto-reply
    auto-submitted precedence-bulk list-id list-unsubscribe no-reply-address too-many-recipients
    our-auto-reply
"""


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return generate(11, MAILS, now=NOW, mailboxes=2)


@pytest.fixture(scope="module")
def expected(scenario: Scenario) -> Expected:
    return expect(scenario)


@pytest.fixture(scope="module")
def shown() -> Scenario:
    return demo(now=NOW)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(scenario: Scenario) -> None:
    assert scenario == generate(11, MAILS, now=NOW, mailboxes=2)
    assert scenario != generate(12, MAILS, now=NOW, mailboxes=2)


def test_the_size_is_met(scenario: Scenario, shown: Scenario) -> None:
    assert len(scenario.mails) == MAILS
    assert 300 <= len(shown.mails) < 330


def test_every_kind_of_mail_is_there(scenario: Scenario) -> None:
    assert set(KINDS.split()) <= {facts.kind for facts in scenario.distinct()}


def test_every_reason_is_there(expected: Expected) -> None:
    assert set(REASONS.split()) == {judged.reason for judged in expected.messages.values()}
    lifted = {reason for s in expected.senders.values() for _, _, reason in s.verdicts}
    assert "answers-us" in lifted


def test_a_role_address_counts_as_a_person_and_verp_decides_nothing_alone(
    scenario: Scenario, expected: Expected
) -> None:
    reasons: dict[str, set[str]] = {}
    for facts in scenario.distinct():
        reasons.setdefault(facts.kind, set()).add(expected.messages[facts.id].reason)

    assert reasons["role-address"] == {"human"}
    assert reasons["newsletter-verp"] <= {"list-id", "list-unsubscribe"}


def test_every_folder_is_used_in_both_mailboxes(scenario: Scenario) -> None:
    folders = Counter((mail.mailbox, mail.folder) for mail in scenario.mails)

    assert set(folders) == {
        ("sales", "INBOX"), ("sales", "Sent"), ("sales", "Archive/2026"), ("sales", "Clients"),
        ("support", "INBOX"), ("support", "Sent"),
    }  # fmt: skip
    assert min(folders.values()) >= MAILS // 200


def test_copies_share_their_facts_and_differ_at_most_in_what_servers_add(
    scenario: Scenario,
) -> None:
    copies: dict[int, set[bytes]] = {}
    for mail in scenario.mails:
        copies.setdefault(mail.facts.id, set()).add(mail.raw.partition(b"From: ")[2])
    counts = Counter(mail.facts.id for mail in scenario.mails)

    assert max(counts.values()) >= 2
    assert all(len(texts) == 1 for texts in copies.values())


def test_nothing_is_in_the_future(scenario: Scenario, shown: Scenario) -> None:
    for mail in (*scenario.mails, *shown.mails):
        assert mail.internal_date <= NOW
        assert mail.facts.written_at <= mail.internal_date


def test_inbox_and_sent_are_in_order_of_arrival(scenario: Scenario) -> None:
    for folder in ("INBOX", "Sent"):
        arrivals = [mail.internal_date for mail in scenario.folder(folder)]
        assert arrivals == sorted(arrivals)
    by_hand = [mail.internal_date for mail in scenario.folder("Archive/2026")]
    assert by_hand != sorted(by_hand)


def test_the_stdlib_reads_what_the_facts_say(scenario: Scenario) -> None:
    seen = 0
    for mail in scenario.mails:
        facts = mail.facts
        if facts.kind.startswith(("raw-headers", "idn-u-label", "name-variants")):
            continue
        message = email.message_from_bytes(mail.raw, policy=email.policy.default)
        shown = " ".join((message["Subject"] or "").split())
        assert shown == " ".join(facts.subject.split()), facts.kind
        assert (message["Message-ID"] or "").strip("<>") == (facts.message_id or "")
        if facts.author is not None:
            author = message["From"].addresses[0]
            assert author.addr_spec.casefold() == facts.author.address.casefold()
            assert author.display_name == facts.author.name
        assert not message.defects, (facts.kind, message.defects)
        seen += 1
    assert seen > MAILS * 0.95


def test_every_text_can_be_found_in_its_body(scenario: Scenario) -> None:
    for mail in scenario.mails:
        if not mail.facts.text or mail.facts.opaque:
            continue
        message = email.message_from_bytes(mail.raw, policy=email.policy.default)
        body = message.get_body(("plain", "html"))
        assert body is not None, mail.facts.kind
        text = " ".join(body.get_content().split()).replace("&#x27;", "'")
        assert " ".join(mail.facts.text.split()) in text, mail.facts.kind


def test_lines_end_in_crlf_and_none_is_longer_than_mail_allows(scenario: Scenario) -> None:
    for mail in scenario.mails:
        assert mail.raw.count(b"\n") == mail.raw.count(b"\r\n"), mail.facts.kind
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998, mail.facts.kind


def test_our_ids_are_named_only_by_mails_that_came_after_or_were_skewed(
    scenario: Scenario,
) -> None:
    written = {f.message_id: f for f in scenario.distinct() if f.message_id}
    for facts in scenario.distinct():
        for answered in facts.answers:
            if facts.kind in {"forged-reply", "reply-skewed"}:
                continue
            assert written[answered].written_at < facts.written_at, facts.kind


def test_the_oracle_s_threads_are_the_generator_s(scenario: Scenario, expected: Expected) -> None:
    threads: dict[str, set[int]] = {}
    facts = {f.id: f for f in scenario.distinct()}
    for key, sender in expected.senders.items():
        for number, kind, _ in sender.verdicts:
            if kind == "contact":
                threads.setdefault(key, set()).add(facts[number].thread)
    for key, numbers in threads.items():
        kinds = {
            facts[n].kind for n, kind, _ in expected.senders[key].verdicts if kind == "contact"
        }
        if not any("invitation" in kind for kind in kinds):  # a move is a new mail, not an answer
            assert expected.senders[key].thread_count == len(numbers), (key, kinds)


def test_the_demo_shows_several_senders_of_each_class(shown: Scenario) -> None:
    expected = expect(shown)
    classes = Counter(sender.classified for sender in expected.senders.values())

    assert all(classes[name] >= 15 for name in ("ignore", "lead", "person_with_deal"))
    assert len(expected.organizations) >= 30
    assert len(expected.meetings) >= 3
    assert {mail.folder for mail in shown.mails} == {"INBOX", "Sent"}


def test_no_domain_of_a_real_mail_provider_belongs_to_an_organization(expected: Expected) -> None:
    public = {"gmail.com", "gmx.de", "outlook.com", "yahoo.co.uk", "web.de", "icloud.com"}

    assert not public & expected.organizations
    assert any(sender.domain in public for sender in expected.senders.values())
    assert {"acme-rigging.co.uk", "xn--mller-technik-wob.de"} <= expected.organizations


def test_each_reply_answers_something_and_each_deal_has_a_reason(expected: Expected) -> None:
    for sender in expected.senders.values():
        assert sender.replies <= sender.msg_count + sender.sent_count
        if sender.classified == "person_with_deal":
            assert sender.msg_count >= 5 or sender.replies or sender.meetings
        if sender.avg_response_hours is not None:
            assert sender.replies > 0
            assert 0 <= sender.avg_response_hours < timedelta(days=400) / timedelta(hours=1)
