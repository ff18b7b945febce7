"""One deal for one purchase: colleagues join the open deal, as its participants, with their mail."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crm_kit import Shop, make_shop

from daemon.maintenance.audit import participant_gaps
from daemon.maintenance.forget import erase
from daemon.maintenance.undo import undo
from daemon.rules.deals import Conversation, DealRules, OpenDeal, choose
from daemon.sandbox.crm import Fault
from daemon.sync import Sync

ADA, ABE, AMY = "ada@acme.com", "abe@acme.com", "amy@acme.com"
BOB = "bob@beta.com"


def shops(tmp_path: Path, **rules: Any) -> Shop:
    return make_shop(tmp_path, deals=DealRules(**rules))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = shops(tmp_path, per="organization")
    with shop.ledger:
        yield shop


def contact(shop: Shop, deal: dict[str, Any]) -> str:
    return str(shop.acts.get("persons", deal["person_id"])["emails"][0]["value"])


def participants(shop: Shop, deal: int) -> list[str]:
    """Who was added to a deal, beside its contact person."""
    record = shop.acts.get("deals", deal)
    persons = [item["person_id"] for item in record.get("_participants", ())]
    return sorted(shop.acts.get("persons", one)["emails"][0]["value"] for one in persons)


def links(shop: Shop) -> dict[str, set[int | None]]:
    """The deals to which the mails of each sender are linked."""
    found: dict[str, set[int | None]] = {}
    for one in shop.activities():
        address = shop.acts.get("persons", one["person_id"])["emails"][0]["value"]
        found.setdefault(address, set()).add(one["deal_id"])
    return found


def open_leads(shop: Shop) -> list[Any]:
    return [one for one in shop.acts.every("leads") if not one["is_archived"]]


def quiet(shop: Shop) -> None:
    """A second run, and tomorrow's, write nothing."""
    before = len(shop.sandbox.writes())
    shop.sync()
    shop.next_day()
    assert len(shop.sandbox.writes()) == before


@pytest.mark.parametrize(
    ("per", "deals"), [("person", 2), ("conversation", 2), ("organization", 1)]
)
def test_how_many_deals_two_busy_colleagues_make(tmp_path: Path, per: Any, deals: int) -> None:
    shop = shops(tmp_path, per=per)
    with shop.ledger:
        shop.hears_often(ADA, 5)
        shop.hears_often(ABE, 5)
        shop.sync()

        assert shop.count()["deals"] == deals
        quiet(shop)


def test_in_a_backfill_the_first_who_wrote_gets_the_deal_and_the_others_join(shop: Shop) -> None:
    shop.hears(ABE)
    shop.hears_often(ADA, 5)
    shop.hears_often(ABE, 4)
    shop.hears(AMY)
    mark = shop.mark()
    shop.sync()

    (deal,) = shop.acts.every("deals")
    assert contact(shop, deal) == ABE
    assert participants(shop, deal["id"]) == [ADA, AMY]
    assert shop.acts.every("leads") == []
    assert links(shop) == {ADA: {deal["id"]}, ABE: {deal["id"]}, AMY: {deal["id"]}}
    # Each object once: one organization, three persons, a deal, 11 activities, two participants.
    writes = [r for r in shop.requests(mark) if r.method != "GET"]
    assert sum(r.tokens for r in writes) == 5 + 3 * 5 + 5 + 11 * 5 + 2 * 10 + 4 * 5
    quiet(shop)


def test_a_lead_of_ours_gives_way_to_the_deal_of_a_colleague(shop: Shop) -> None:
    shop.hears(ABE)
    shop.sync()
    assert len(open_leads(shop)) == 1
    shop.hears_often(ADA, 5)
    shop.sync()

    (deal,) = shop.acts.every("deals")
    assert contact(shop, deal) == ADA
    assert participants(shop, deal["id"]) == [ABE]
    assert open_leads(shop) == []
    assert links(shop) == {ADA: {deal["id"]}, ABE: {deal["id"]}}
    assert "joins" in shop.notes(ABE) or "same organization" in shop.notes(ABE) or shop.notes(ABE)
    quiet(shop)

    shop.hears_often(ABE, 5)  # who crosses a threshold later has a part already
    shop.sync()
    assert shop.count()["deals"] == 1
    assert links(shop)[ABE] == {deal["id"]}


def test_a_lead_that_people_made_is_left_to_them(shop: Shop) -> None:
    person = shop.acts.add_person("Abe", ABE)
    shop.acts.add_lead("By hand", person_id=person)
    shop.hears(ABE)
    shop.hears_often(ADA, 5)
    shop.sync()

    (deal,) = shop.acts.every("deals")
    assert participants(shop, deal["id"]) == [ABE]
    assert [one["title"] for one in open_leads(shop)] == ["By hand"]
    quiet(shop)


def test_an_open_deal_of_the_organization_that_people_made_is_joined(shop: Shop) -> None:
    acme = shop.acts.add_organization("Acme", website="https://acme.com")
    boss = shop.acts.add_person("Boss", "boss@acme.com", org_id=acme)
    deal = shop.acts.add_deal("Big one", person_id=boss, org_id=acme)
    shop.hears_often(ADA, 6)
    shop.sync()

    assert shop.count()["deals"] == 1
    assert participants(shop, deal) == [ADA]
    assert links(shop) == {ADA: {deal}}
    quiet(shop)


@pytest.mark.parametrize("closed", ["win", "lose"])
def test_a_closed_deal_gets_no_mail_and_who_had_a_part_gets_no_new_one(
    shop: Shop, closed: str
) -> None:
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    getattr(shop.acts, closed)(deal["id"])
    shop.next_day()
    shop.hears_often(ABE, 5)
    shop.hears(ADA)
    shop.sync()

    assert shop.count()["deals"] == 1
    assert links(shop)[ABE] == {deal["id"], None}
    assert links(shop)[ADA] == {deal["id"], None}
    assert "has had a deal" in shop.notes(ABE)

    shop.hears_often(AMY, 5)  # who never had a part opens one, by the usual rules
    shop.sync()
    assert shop.count()["deals"] == 2
    new = next(one for one in shop.acts.every("deals") if one["status"] == "open")
    assert contact(shop, new) == AMY
    # The others take part in what is open now.
    assert participants(shop, new["id"]) == [ABE, ADA]
    assert links(shop)[ABE] == links(shop)[ADA] == {deal["id"], None}  # what was, stays
    quiet(shop)
    shop.hears(ABE)
    shop.sync()
    assert links(shop)[ABE] == {deal["id"], None, new["id"]}


def test_what_was_reopened_by_hand_gets_mail_again(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    shop.acts.lose(deal["id"])
    shop.next_day()
    shop.hears(ABE)
    shop.sync()
    shop.acts.reopen(deal["id"])
    shop.next_day()
    shop.hears(ABE)
    shop.sync()

    assert [one["deal_id"] for one in shop.activities() if one["deal_id"] is None] == [None]
    assert shop.count()["deals"] == 1
    assert participants(shop, deal["id"]) == [ABE]
    quiet(shop)


def test_colleagues_in_one_thread_share_a_deal_and_others_do_not(tmp_path: Path) -> None:
    shop = shops(tmp_path, per="conversation")
    with shop.ledger:
        first = shop.hears(ADA)
        ours = shop.writes(ADA, BOB, answers=first)
        shop.hears(BOB, answers=ours)  # of another firm, in the same thread
        shop.hears(ABE)  # of the same firm, elsewhere
        shop.sync()

        (deal,) = shop.acts.every("deals")
        assert contact(shop, deal) == ADA
        assert participants(shop, deal["id"]) == [BOB]
        assert len(open_leads(shop)) == 1
        assert links(shop)[ABE] == {None}
        quiet(shop)

        shop.hears(ABE, answers=ours)  # now he is in it
        shop.sync()
        assert participants(shop, deal["id"]) == [ABE, BOB]
        assert open_leads(shop) == []
        assert links(shop)[ABE] == {deal["id"]}
        quiet(shop)


def test_without_participants_only_the_mail_is_linked(tmp_path: Path) -> None:
    shop = shops(tmp_path, per="organization", participants=False)
    with shop.ledger:
        shop.hears(ABE)
        shop.sync()
        shop.hears_often(ADA, 5)
        shop.sync()

        (deal,) = shop.acts.every("deals")
        assert participants(shop, deal["id"]) == []
        assert links(shop) == {ADA: {deal["id"]}, ABE: {deal["id"]}}
        shop.acts.win(deal["id"])
        shop.next_day()
        shop.hears_often(ABE, 5)
        shop.sync()
        assert shop.count()["deals"] == 1  # he had a part in it
        quiet(shop)


@pytest.mark.parametrize(
    ("after", "status", "linked"),
    [
        ("never", "win", False),
        ("never", "lose", False),
        ("won", "win", True),
        ("won", "lose", False),
        ("always", "win", True),
        ("always", "lose", True),
    ],
)
def test_which_closed_deals_still_get_mail(
    tmp_path: Path, after: Any, status: str, *, linked: bool
) -> None:
    shop = shops(tmp_path, per="organization", mail_after_close=after)
    with shop.ledger:
        shop.hears_often(ADA, 5)
        shop.hears(ABE)
        shop.sync()
        (deal,) = shop.acts.every("deals")
        getattr(shop.acts, status)(deal["id"])
        shop.next_day()
        shop.hears(ADA)
        shop.hears(ABE)
        shop.sync()

        loose = [one for one in shop.activities() if one["deal_id"] is None]
        assert len(loose) == (0 if linked else 2)
        quiet(shop)


def test_people_without_an_organization_share_none(shop: Shop) -> None:
    shop.hears_often("one@gmail.com", 5)
    shop.hears_often("two@gmail.com", 5)
    shop.sync()
    assert shop.count()["deals"] == 2


def test_who_is_a_participant_already_is_not_added_again(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    person = shop.acts.add_person("Abe", ABE)
    shop.acts.add_participant(deal["id"], person)
    shop.next_day()
    shop.hears(ABE)
    shop.sync()

    assert participants(shop, deal["id"]) == [ABE]
    assert shop.parked() == []
    quiet(shop)


def test_who_was_taken_out_by_people_stays_out(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    shop.acts.remove_participants(deal["id"])
    shop.next_day()
    shop.hears(ABE)
    shop.sync()
    assert participants(shop, deal["id"]) == []
    quiet(shop)


# The right one of several


def two_deals(shop: Shop) -> tuple[int, int]:
    person = shop.acts.add_person("Ada", ADA)
    first = shop.acts.add_deal("Old", person_id=person)
    shop.clock.passes(days=1)
    return first, shop.acts.add_deal("Young", person_id=person)


def test_mail_goes_to_the_open_deal_of_its_conversation_else_to_the_one_changed_last(
    tmp_path: Path,
) -> None:
    shop = make_shop(tmp_path)
    with shop.ledger:
        first, second = two_deals(shop)
        one = shop.hears(ADA)
        shop.sync()
        assert links(shop) == {ADA: {second}}
        assert "changed last" in shop.notes(ADA)
        shop.clock.passes(days=1)
        shop.acts.edit("deals", first, value=100)
        shop.next_day()
        other = shop.hears(ADA)  # a conversation of its own
        answer = shop.hears(ADA, answers=one)
        shop.sync()

        by_subject = {a["subject"]: a["deal_id"] for a in shop.activities()}
        assert by_subject == {
            f"Mail {one}": second,
            f"Mail {other}": first,
            f"Mail {answer}": second,
        }
        quiet(shop)


def test_our_own_deal_comes_before_the_one_changed_last(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    with shop.ledger:
        shop.hears_often(ADA, 5)
        shop.sync()
        (ours,) = shop.acts.every("deals")
        shop.clock.passes(days=1)
        shop.acts.add_deal("By hand", person_id=ours["person_id"])
        shop.next_day()
        shop.hears(ADA)
        shop.sync()
        assert links(shop) == {ADA: {ours["id"]}}
        quiet(shop)


DEALS = [
    OpenDeal("1", touched_at="2026-01-01", people=frozenset({BOB})),
    OpenDeal("2", touched_at="2026-02-01", people=frozenset({AMY})),
    OpenDeal("3", ADA, made=True, touched_at="2026-01-15"),
]


@pytest.mark.parametrize(
    ("people", "linked", "deals", "chosen"),
    [
        ((), (), DEALS[:1], "1"),
        ((), ("2",), DEALS, "2"),  # its activities are there
        ((BOB,), ("2",), DEALS, "2"),  # which says more than who takes part
        ((BOB,), (), DEALS, "1"),  # who takes part
        ((BOB, AMY), (), DEALS, "3"),  # undecided: what we made
        ((), (), DEALS, "3"),
        ((), (), DEALS[:2], "2"),  # what was changed last
        ((), ("1", "2"), DEALS, "2"),
    ],
)
def test_how_one_of_several_is_chosen(
    people: tuple[str, ...], linked: tuple[str, ...], deals: list[OpenDeal], chosen: str
) -> None:
    talk = Conversation(frozenset({"a"}), frozenset(people), frozenset(linked))
    found = choose(deals, talk)
    assert found is not None
    assert found[0].id == chosen


def test_the_threads_of_a_sender_are_told_apart_by_what_mails_answer_and_share(
    shop: Shop,
) -> None:
    first = shop.hears(ADA)
    ours = shop.writes(ADA, answers=first)
    far = shop.hears(BOB, answers=ours)  # names only our answer
    alone = shop.hears(ADA)
    found = shop.ledger.threads.of(ADA)

    keys = [sorted(int(key, 16) for key in one.messages) for one in found]
    assert keys == [[alone], [first, ours, far]]
    assert found[1].people == {ADA, BOB}


def test_forgetting_who_opened_a_deal_leaves_no_trace_with_those_who_joined(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    shop.sync()
    shop.hears_often(AMY, 1)  # on her way
    with shop.ledger.transaction("test"):
        pass
    erase(shop.ledger, shop.scoring, ADA, shop.clock())

    said = "\n".join(shop.ledger.path.read_bytes().decode("latin-1").splitlines())
    assert ADA not in said
    shop.sync()
    assert links(shop)[ABE]


def test_undo_takes_participants_back(tmp_path: Path) -> None:
    shop = shops(tmp_path, per="organization")
    with shop.ledger:
        person = shop.acts.add_person("Ada", ADA)
        deal = shop.acts.add_deal("By hand", person_id=person)
        with shop.ledger.transaction("run"):
            run = shop.ledger.runs.begin("test", shop.clock())
        shop.sync_ = Sync(replace(shop.sync_.session, run=run))
        shop.hears(ADA)
        shop.hears(ABE)
        shop.sync()
        assert participants(shop, deal) == [ABE]

        done = undo(shop.sync_.session, run)
        assert done.deleted["participant"] == 1
        assert participants(shop, deal) == []
        assert [kind for kind, *_ in done.kept] == ["organization"]  # Ada is there
        quiet(shop)


def test_audit_tells_who_was_taken_out(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    assert list(participant_gaps(shop.ledger, shop.client)) == []
    shop.acts.remove_participants(deal["id"])
    assert [gap.key for gap in participant_gaps(shop.ledger, shop.client)] == [
        f"{deal['id']} {ABE}"
    ]


def test_what_was_joined_stays_joined_when_the_setting_goes_back(shop: Shop) -> None:
    shop.hears(ABE)
    shop.hears_often(ADA, 5)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    opened, other = (ABE, ADA) if contact(shop, deal) == ABE else (ADA, ABE)
    shop.settings(deals=DealRules(per="person"))
    shop.hears_often(other, 6)
    shop.hears_often(AMY, 5)
    shop.sync()

    assert shop.count()["deals"] == 2  # AMY's own
    assert links(shop)[other] == links(shop)[opened] == {deal["id"]}
    quiet(shop)
    shop.acts.win(deal["id"])
    shop.next_day()
    shop.hears(other)
    shop.sync()
    assert links(shop)[other] == {deal["id"], None}
    assert shop.count()["deals"] == 2  # it has had one
    quiet(shop)


@pytest.mark.parametrize("shape", ["null", "none", "keyless", "nulls", "strings", "swapped"])
def test_a_participant_whose_answer_was_lost_is_added_once_whatever_lists_say(
    shop: Shop, shape: Any
) -> None:
    path = "participants$"
    shop.sandbox.faults.add(Fault("timeout", when="after", method="POST", path=path, count=1))
    shop.sandbox.faults.add(Fault("shape", shape=shape, method="GET", path=path, count=2))
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    for _ in range(4):
        shop.sync()
        shop.clock.passes(hours=1)

    (deal,) = shop.acts.every("deals")
    assert participants(shop, deal["id"]) == [ABE]
    assert shop.parked() == []
    quiet(shop)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 500])
def test_a_participant_that_is_refused_for_a_while_comes_by_itself(shop: Shop, status: int) -> None:
    fault = Fault(
        "refuse", when="before", status=status, method="POST", path="participants$", count=3
    )
    shop.sandbox.faults.add(fault)
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    for _ in range(8):
        shop.sync()
        shop.clock.passes(hours=4)

    (deal,) = shop.acts.every("deals")
    assert participants(shop, deal["id"]) == [ABE]
    assert links(shop)[ABE] == {deal["id"]}
    quiet(shop)


def test_a_participant_that_waits_is_given_up_when_its_deal_is_closed_meanwhile(
    shop: Shop,
) -> None:
    fault = Fault(
        "refuse", when="before", status=403, method="POST", path="participants$", count=None
    )
    shop.sandbox.faults.add(fault)
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    assert [kind for kind, _ in shop.parked()] == ["participant"]
    shop.acts.lose(deal["id"])
    shop.next_day()
    shop.sandbox.faults.clear()
    shop.hears(ABE)
    shop.next_day()

    assert participants(shop, deal["id"]) == []
    assert shop.parked() == []
    quiet(shop)


MANY = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 190)
INSERT INTO senders (address, name, domain, organization, msg_count, sent_count, replies, meetings,
  thread_count, class, reason, digest, version)
SELECT 'p' || i || '@acme.com', '', 'acme.com', iif(i % 9, 'acme.com', 'other.com'), 9, 0, 0, 0,
  1, 'person_with_deal', '', '', 1 FROM n;
INSERT INTO records (kind, key, pipedrive_id, origin, fields)
SELECT 'deal', address, substr(address, 2, instr(address, '@') - 2), 'created', '{}' FROM senders
WHERE length(address) % 2;
INSERT INTO crm_deals (id, person_id, organization_id, status, archived, sweep, touched_at)
SELECT CAST(substr(address, 2) AS INTEGER), 1000 + CAST(substr(address, 2) AS INTEGER),
  iif(address LIKE '%7@%', 12, NULL), iif(address LIKE '%5@%', 'won', 'open'), 0, 1,
  '2026-01-' || substr(address, 2, 1) FROM senders;
INSERT INTO crm_persons (id, sweep) SELECT person_id, 1 FROM crm_deals;
INSERT INTO crm_emails SELECT 'p' || id || '@acme.com', person_id FROM crm_deals WHERE id % 4 = 0;
"""
ALL_OPEN = """
SELECT DISTINCT d.id FROM crm_deals d LEFT JOIN records r ON r.kind = 'deal'
  AND r.pipedrive_id = d.id LEFT JOIN crm_emails e ON e.person_id = d.person_id
JOIN senders s ON s.organization = 'acme.com' AND (s.address = r.key OR s.address = e.email)
WHERE d.status = 'open' UNION SELECT id FROM crm_deals WHERE organization_id = 12 AND status = 'open'
"""


def test_of_very_many_open_deals_only_the_latest_and_the_near_are_read(shop: Shop) -> None:
    for statement in MANY.split(";")[:-1]:
        shop.ledger.rows(statement)
    all_open = {str(row["id"]) for row in shop.ledger.rows(ALL_OPEN)}
    everybody = [str(number) for number in range(1, 191)]
    deals = shop.ledger.deals
    every = deals.open_of_organization("acme.com", "12", everybody)
    assert {one.id for one in every} == all_open
    assert len(all_open) > 40

    latest = choose(every, None)
    for near in everybody:
        some = deals.open_of_organization("acme.com", "12", [near])
        assert len(some) < len(every)
        assert (near in {one.id for one in some}) >= (near in all_open)
        assert choose(some, None) == latest
        talk = Conversation(frozenset({"a"}), frozenset(), frozenset({near}))
        assert choose(some, talk) == choose(every, talk)
