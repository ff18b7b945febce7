"""The oracle on small scenarios whose numbers were worked out by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from oracle import Expected, expect

from daemon.sandbox.company import OFFICE, Facts, InviteFacts, Mail, Party, Scenario

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ADA = OFFICE.owner
BOB = Party("Bob Stone", "bob.stone@quarry.co.uk", "bob.stone@quarry.co.uk", "quarry.co.uk")
EVE = Party("Eve", "eve@gmail.com", "eve@gmail.com", None)
SHOP = Party("Shop", "no-reply@shop.example", "no-reply@shop.example", "shop.example")
INFO = Party("Quarry", "info@quarry.co.uk", "info@quarry.co.uk", "quarry.co.uk")
FOLDERS = (("INBOX", "inbox"), ("Sent", "sent"), ("Clients", "inbox"))


def mail(
    number: int, author: Party | None, hour: float, *answers: str, folder: str = "", **more: Any
) -> Mail:
    """Mail number n of a scenario, with the Message-ID `m<n>@x`; ours are in Sent and go to Bob."""
    at = START + timedelta(hours=hour)
    ours = author == ADA
    given: dict[str, Any] = {
        "id": number,
        "kind": "test",
        "author": author,
        "recipients": (BOB,) if ours else (ADA,),
        "subject": "Hello",
        "text": "",
        "written_at": at,
        "date": at,
        "message_id": f"m{number}@x",
        "answers": answers,
        "thread": number,
    }
    facts = Facts(**given | more)
    return Mail(folder or ("Sent" if ours else "INBOX"), b"", at, facts)


def expected(*mails: Mail) -> Expected:
    return expect(Scenario(OFFICE, mails, FOLDERS, START))


def invite(
    method: str, organizer: Party, sequence: int, hour: float, *attendees: tuple[Party, str]
) -> InviteFacts:
    at = START + timedelta(hours=hour)
    return InviteFacts(
        method=method,
        uid="u1",
        sequence=sequence,
        dtstamp=at,
        organizer=organizer.key,
        attendees=tuple((who.key, partstat) for who, partstat in attendees),
        starts_at=START + timedelta(days=9),
        ends_at=START + timedelta(days=9, hours=1),
        summary="Visit",
    )


def test_one_mail_makes_a_lead_with_an_organization_and_one_activity() -> None:
    got = expected(mail(1, BOB, 0))
    bob = got.senders[BOB.key]

    assert (bob.classified, bob.msg_count, bob.replies, bob.thread_count) == ("lead", 1, 0, 1)
    assert (bob.name, bob.domain, bob.organization) == ("Bob Stone", "quarry.co.uk", "quarry.co.uk")
    assert (bob.first_contact, bob.last_contact, bob.avg_response_hours) == (START, START, None)
    assert got.leads == got.persons == {BOB.key}
    assert got.deals == set()
    assert got.organizations == {"quarry.co.uk"}
    assert got.activities[1].primary == BOB.key


def test_a_dialogue_counts_every_reply_both_ways_and_their_response_time() -> None:
    got = expected(
        mail(1, BOB, 0),
        mail(2, ADA, 2, "m1@x"),
        mail(3, BOB, 5, "m2@x", "m1@x"),
        mail(4, ADA, 6, "m3@x"),
        mail(5, BOB, 7, "m4@x"),
        mail(6, BOB, 8, "m4@x"),
    )
    bob = got.senders[BOB.key]

    assert (bob.msg_count, bob.sent_count, bob.replies, bob.thread_count) == (4, 2, 5, 1)
    assert bob.avg_response_hours == 2.0  # (5 - 2 + 7 - 6) / 2; the second answer to m4 is later
    assert bob.classified == "person_with_deal"
    assert (bob.first_contact, bob.last_contact) == (START, START + timedelta(hours=8))
    assert len(got.activities) == 6


def test_an_answer_to_a_mail_that_is_not_in_sent_is_no_reply() -> None:
    got = expected(
        mail(1, BOB, 0, "never@x"),
        mail(2, ADA, 1, folder="Clients"),
        mail(3, BOB, 2, "m2@x"),
    )

    assert got.messages[2].reason == "from-us-not-in-sent"
    assert got.senders[BOB.key].replies == 0
    assert got.senders[BOB.key].thread_count == 2
    assert got.leads == {BOB.key}


def test_five_mails_make_a_deal_and_four_a_lead() -> None:
    got = expected(*(mail(n, BOB, n) for n in range(5)), *(mail(n, EVE, n) for n in range(10, 14)))

    assert got.deals == {BOB.key}
    assert got.leads == {EVE.key}
    assert got.organizations == {"quarry.co.uk"}


def test_whoever_we_only_wrote_to_has_no_record() -> None:
    got = expected(mail(1, ADA, 0))

    assert got.senders[BOB.key].classified == "ignore"
    assert got.senders[BOB.key].sent_count == 1
    assert not got.persons
    assert not got.activities


def test_eleven_recipients_are_too_many_and_ten_are_not() -> None:
    people = tuple(Party("", f"p{n}@many.example", f"p{n}@many.example") for n in range(11))
    got = expected(
        mail(1, ADA, 0, recipients=people),
        mail(2, people[0], 1, "m1@x"),
        mail(3, ADA, 2, recipients=(*people[1:], OFFICE.staff[0], ADA)),
        mail(4, people[1], 3, "m3@x"),
    )

    assert got.messages[1].reason == "too-many-recipients"
    assert got.messages[3].reason == "sent"
    assert got.leads == frozenset()
    assert got.deals == {people[0].key, people[1].key}
    assert set(got.activities) == {2, 3, 4}
    assert got.activities[3].primary == people[1].key
    assert got.activities[3].participants == ()


@pytest.mark.parametrize(
    ("signals", "kind", "reason"),
    [
        ({"list-id", "list-unsubscribe"}, "evidence", "list-id"),
        ({"list-id", "precedence-bulk"}, "evidence", "precedence-bulk"),
        ({"list-unsubscribe"}, "evidence", "list-unsubscribe"),
        ({"report", "empty-return-path", "auto-reply", "auto-submitted"}, "evidence", "bounce"),
        ({"empty-return-path", "auto-reply"}, "evidence", "empty-return-path"),
        ({"auto-reply", "auto-submitted"}, "evidence", "auto-reply"),
        ({"dmarc-fail", "list-id"}, "evidence", "dmarc-fail"),
        (set(), "contact", "human"),
    ],
)
def test_the_first_machine_mark_is_the_reason(signals: set[str], kind: str, reason: str) -> None:
    judged = expected(mail(1, BOB, 0, signals=frozenset(signals))).messages[1]

    assert (judged.kind, judged.reason) == (kind, reason)


def test_a_machine_address_counts_where_it_answers_what_we_wrote_to_it() -> None:
    got = expected(
        mail(1, SHOP, 0),
        mail(2, ADA, 1, recipients=(SHOP,)),
        mail(3, SHOP, 3, "m2@x"),
    )
    shop = got.senders[SHOP.key]

    assert shop.verdicts == (
        (1, "evidence", "no-reply-address"),
        (2, "contact", "sent"),
        (3, "contact", "answers-us"),
    )
    assert (shop.msg_count, shop.replies, shop.avg_response_hours) == (1, 1, 2.0)
    assert set(got.activities) == {2, 3}


def test_a_role_address_counts_as_anybody_does() -> None:
    before = expected(mail(1, INFO, 0), mail(2, INFO, 1))
    after = expected(
        mail(1, INFO, 0), mail(2, INFO, 1), mail(3, ADA, 2, "m1@x", recipients=(INFO,))
    )

    assert before.senders[INFO.key].classified == "lead"
    assert (after.senders[INFO.key].msg_count, after.senders[INFO.key].replies) == (2, 1)
    assert after.deals == {INFO.key}


def test_an_alias_is_learned_from_three_mails_in_sent_and_two_are_not_enough() -> None:
    twice = Party("", "two@elsewhere.example", "two@elsewhere.example")
    got = expected(
        *(mail(n, OFFICE.alias, n, folder="Sent", recipients=(BOB,)) for n in range(3)),
        *(mail(n, twice, n, folder="Sent", recipients=(BOB,)) for n in range(5, 7)),
    )

    assert got.learned == {OFFICE.alias.key}
    assert [got.messages[n].reason for n in (0, 1, 2)] == ["sent"] * 3
    assert [got.messages[n].reason for n in (5, 6)] == ["not-ours-in-sent"] * 2


def test_the_same_mail_in_two_folders_counts_once_by_its_first_arrival() -> None:
    late = mail(1, BOB, 30, date=None)
    first = Mail("Clients", b"", START, late.facts)
    got = expected(late, first)

    assert got.senders[BOB.key].msg_count == 1
    assert got.sent_at[1] == START


def test_absurd_dates_give_way_to_the_arrival() -> None:
    epoch, far = datetime(1970, 1, 1, tzinfo=UTC), datetime(2098, 1, 1, tzinfo=UTC)
    tomorrow = START + timedelta(hours=23)
    got = expected(
        mail(1, BOB, 0, date=epoch), mail(2, BOB, 0, date=far), mail(3, BOB, 0, date=tomorrow)
    )

    assert got.sent_at == {1: START, 2: START, 3: tomorrow}


def test_an_answer_dated_before_our_mail_took_no_time() -> None:
    got = expected(mail(1, ADA, 1), mail(2, BOB, 0, "m1@x"))

    assert got.senders[BOB.key].avg_response_hours == 0.0


def test_a_mail_of_a_group_of_ours_belongs_to_whom_it_names() -> None:
    got = expected(
        mail(1, OFFICE.group, 0, group_sender=EVE, own_list=True, signals=frozenset({"list-id"})),
        mail(2, OFFICE.group, 0),
    )

    assert got.leads == {EVE.key}
    assert got.messages[2].reason == "internal"


@pytest.mark.parametrize(
    ("steps", "met"),
    [
        ([("REQUEST", "us", 0, 0, ""), ("REPLY", "bob", 0, 1, "ACCEPTED")], 1),
        ([("REQUEST", "us", 0, 0, ""), ("REPLY", "bob", 0, 1, "TENTATIVE")], 1),
        ([("REPLY", "bob", 0, 1, "ACCEPTED")], 0),
        ([("REQUEST", "us", 0, 0, ""), ("REPLY", "bob", 0, 1, "DECLINED")], 0),
        (
            [
                ("REQUEST", "us", 0, 0, ""),
                ("REPLY", "bob", 0, 2, "DECLINED"),
                ("REPLY", "bob", 0, 3, "ACCEPTED"),
            ],
            1,
        ),
        ([("REPLY", "bob", 0, 3, "ACCEPTED"), ("CANCEL", "us", 1, 4, "")], 0),
        (
            [
                ("REQUEST", "us", 2, 5, ""),
                ("REPLY", "bob", 0, 3, "ACCEPTED"),
                ("CANCEL", "us", 1, 4, ""),
            ],
            1,
        ),
        ([("COUNTER", "bob", 0, 1, "TENTATIVE"), ("REQUEST", "us", 0, 0, "")], 0),
    ],
)
def test_meetings_that_we_organise(steps: list[tuple[str, str, int, int, str]], met: int) -> None:
    mails = []
    for number, (method, side, sequence, hour, partstat) in enumerate(steps):
        who = (BOB, partstat or "NEEDS-ACTION")
        author = ADA if side == "us" else BOB
        mails.append(mail(number, author, hour, invite=invite(method, ADA, sequence, hour, who)))
    got = expected(*mails)

    assert got.senders[BOB.key].meetings == met
    assert got.senders[BOB.key].classified == ("person_with_deal" if met else "ignore")
    assert got.meetings == ({"u1": (BOB.key,)} if met else {})


@pytest.mark.parametrize(
    ("ours", "cancelled", "spoofed", "met"),
    [
        ("", False, False, 0),
        ("ACCEPTED", False, False, 1),
        ("DECLINED", False, False, 0),
        ("written", False, False, 1),
        ("written", True, False, 0),
        ("written", False, True, 0),
    ],
)
def test_meetings_to_which_they_invite(ours: str, cancelled: bool, spoofed: bool, met: int) -> None:
    signals = frozenset({"dmarc-fail"} if spoofed else ())
    asked = (ADA, "NEEDS-ACTION")
    mails = [mail(1, BOB, 0, invite=invite("REQUEST", BOB, 0, 0, asked), signals=signals)]
    if ours == "written":
        mails.append(mail(2, ADA, 1))
    elif ours:
        mails.append(mail(2, ADA, 1, invite=invite("REPLY", BOB, 0, 1, (ADA, ours))))
    if cancelled:
        mails.append(mail(3, BOB, 2, invite=invite("CANCEL", BOB, 1, 2, asked)))

    assert expected(*mails).senders[BOB.key].meetings == met
