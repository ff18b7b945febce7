"""Follow-ups: who waits too long for our answer is somebody's next task, once, and never in vain."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from crm_kit import Shop, make_shop

from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.rules.events import Subscriber
from daemon.rules.follow_up import standing_of
from daemon.rules.records import Record
from daemon.sandbox.crm import Fault
from daemon.sync import SafetyLimit, Sync
from daemon.sync.safety_limit import approve

ADA = "ada@acme.example"
TWO_DAYS = timedelta(days=2)


def shop_with(home: Path, **settings: Any) -> Shop:
    return make_shop(home, policy=Policy(Rules(), follow_up=TWO_DAYS), **settings)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_with(tmp_path)


def tasks(shop: Shop) -> list[tuple[str, str, bool]]:
    return [(a["subject"], a["due_date"], a["done"]) for a in shop.activities("task")]


def later(shop: Shop, **time: float) -> None:
    shop.clock.passes(**time)
    shop.sync()


def test_a_mail_that_has_waited_becomes_one_task_with_its_lead(shop: Shop) -> None:
    shop.hears(ADA, subject="Prices?", name="Ada Lovelace")
    shop.sync()
    assert tasks(shop) == []
    later(shop, days=1, hours=23)
    assert tasks(shop) == []
    assert shop.sync_.next_due() is not None
    later(shop, hours=2)
    assert tasks(shop) == [("Answer Ada Lovelace: Prices?", "2026-03-04", False)]
    (task,) = shop.activities("task")
    (lead,) = shop.acts.every("leads")
    assert task["lead_id"] == lead["id"]
    assert task["due_time"] is None
    assert task["note"] is None
    mark = shop.mark()
    later(shop, days=5)
    assert len(tasks(shop)) == 1
    assert "PATCH /activities/{id}" not in shop.spent(mark)


def test_the_service_was_off_for_a_week(shop: Shop) -> None:
    shop.hears(ADA, subject="Prices?")
    shop.sync()
    later(shop, days=7)
    assert tasks(shop) == [("Answer Ada: Prices?", "2026-03-04", False)]


def test_our_answer_in_time_makes_it_needless(shop: Shop) -> None:
    number = shop.hears(ADA)
    shop.sync()
    later(shop, days=1)
    shop.writes(ADA, answers=number)
    later(shop, days=3)
    assert tasks(shop) == []


def test_our_answer_completes_it_and_the_next_mail_begins_another(shop: Shop) -> None:
    number = shop.hears(ADA, subject="Prices?")
    shop.sync()
    later(shop, days=3)
    answer = shop.writes(ADA, answers=number)
    shop.sync()
    assert tasks(shop) == [("Answer Ada: Prices?", "2026-03-04", True)]
    shop.hears(ADA, answers=answer, subject="More?")
    later(shop, days=3)
    assert tasks(shop) == [
        ("Answer Ada: Prices?", "2026-03-04", True),
        ("Answer Ada: More?", "2026-03-07", False),
    ]


def test_a_newer_mail_moves_it(shop: Shop) -> None:
    shop.hears(ADA, subject="Prices?")
    shop.sync()
    later(shop, days=3)
    shop.hears(ADA, subject="Hello?")
    shop.sync()
    assert tasks(shop) == [("Answer Ada: Hello?", "2026-03-07", False)]


@pytest.mark.parametrize("change", [{"subject": "Call her"}, {"due_date": "2026-04-01"}])
def test_one_that_people_changed_is_theirs(shop: Shop, change: dict[str, Any]) -> None:
    number = shop.hears(ADA)
    shop.sync()
    later(shop, days=3)
    (task,) = shop.activities("task")
    shop.acts.edit("activities", task["id"], **change)
    theirs = tasks(shop)
    shop.hears(ADA, subject="Hello?")
    shop.sync()
    assert tasks(shop) == theirs
    answer = shop.writes(ADA, answers=number)
    shop.hears(ADA, answers=answer)
    later(shop, days=3)
    assert tasks(shop) == theirs  # it is still open: there's no second one
    shop.acts.edit("activities", task["id"], done=True)
    shop.hears(ADA, subject="Once more")
    later(shop, days=3)
    assert [done for _, _, done in tasks(shop)] == [True, False]


def test_one_that_people_did_or_deleted_comes_back_only_for_a_newer_mail(shop: Shop) -> None:
    for person, act in (("did@a.example", "edit"), ("deleted@b.example", "delete")):
        shop.hears(person)
        shop.sync()
        later(shop, days=3)
        task = shop.activities("task")[-1]
        if act == "edit":
            shop.acts.edit("activities", task["id"], done=True)
        else:
            shop.acts.delete("activities", task["id"])
    before = len(shop.activities("task"))
    later(shop, days=5)
    assert len(shop.activities("task")) == before
    shop.hears("did@a.example", subject="New")
    shop.hears("deleted@b.example", subject="New")
    shop.sync()
    assert len(shop.activities("task")) == before
    later(shop, days=3)
    assert sorted(s for s, _, done in tasks(shop) if not done) == [
        "Answer Deleted: New",
        "Answer Did: New",
    ]


def test_what_waited_for_long_before_is_no_news(shop: Shop) -> None:
    shop.hears(ADA)
    shop.clock.passes(days=40)
    shop.hears("new@acme.example")
    shop.sync()
    later(shop, days=3)
    assert [subject for subject, *_ in tasks(shop)] == ["Answer New: Mail 2"]


def test_it_is_owned_told_once_and_named_after_the_day_there(tmp_path: Path) -> None:
    names = Subscriber("chat", frozenset({"follow_up_due"}))
    policy = Policy(Rules(), follow_up=TWO_DAYS, zone=ZoneInfo("America/Los_Angeles"))
    shop = make_shop(
        tmp_path, policy=policy, owners={"sales": "bob@example.com"}, subscribers=(names,)
    )
    with shop.ledger.transaction("test"):
        shop.ledger.events.know(["chat"], shop.clock.now)
    shop.clock.passes(hours=17)  # 02:01 UTC on the third is the second there
    shop.hears(ADA)
    shop.sync()
    later(shop, days=3)
    assert [due for _, due, _ in tasks(shop)] == ["2026-03-04"]
    (bob,) = [u["id"] for u in shop.acts.every("users") if u["email"] == "bob@example.com"]
    assert {a["owner_id"] for a in shop.activities("task")} == {bob}
    shop.hears(ADA)
    later(shop, days=3)
    told = shop.ledger.events.waiting("chat")
    assert [(news.kind, news.sender) for _, news in told] == [("follow_up_due", ADA)]
    facts = told[0][1].facts
    assert facts is not None
    assert facts["record"] == "lead"


def test_switching_it_on_looks_at_who_waits_and_off_leaves_them(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    shop.hears(ADA)
    shop.sync()
    later(shop, days=3)
    assert tasks(shop) == []
    shop.settings(policy=Policy(Rules(), follow_up=TWO_DAYS))
    shop.sync()
    assert len(tasks(shop)) == 1
    shop.hears("bob@b.example")
    shop.sync()
    shop.settings(policy=Policy(Rules()))
    later(shop, days=3)
    assert len(tasks(shop)) == 1


@pytest.mark.parametrize("approved", [True, False])
def test_switching_it_on_over_an_old_ledger_asks_before_it_makes_many(
    tmp_path: Path, *, approved: bool
) -> None:
    """Those who are answered meanwhile need none, and what is new is made without asking."""
    shop = make_shop(tmp_path)
    numbers = [shop.hears(f"p{n}@firm{n}.example") for n in range(12)]
    shop.sync()
    later(shop, days=3)
    shop.settings(policy=Policy(Rules(), follow_up=TWO_DAYS))
    shop.sync_ = Sync(replace(shop.sync_.session, limit=SafetyLimit()))
    asks = shop.sync_.sync().asks
    assert "would make 12 tasks" in str(asks)
    (told,) = [one for one in shop.ledger.conditions.problems() if one.part == "follow-ups"]
    assert told.needs_person
    shop.hears(ADA)
    shop.sync()
    later(shop, days=3)
    assert [subject for subject, *_ in tasks(shop)] == ["Answer Ada: Mail 13"]
    assert len(shop.activities("email")) == 13

    if approved:
        with shop.ledger.transaction("approve"):
            approve(shop.ledger, "test", None, shop.clock.now)
        wanted = 13
    else:
        for n in range(4):
            shop.writes(f"p{n}@firm{n}.example", answers=numbers[n])
        wanted = 9
    shop.sync()

    assert len(tasks(shop)) == wanted
    assert [one.part for one in shop.ledger.conditions.problems()] == []


def test_an_answer_that_was_lost_makes_no_second_one(shop: Shop) -> None:
    number = shop.hears(ADA)
    shop.sync()
    shop.sandbox.faults.add(Fault("timeout", method="POST", path="/activities$", count=1))
    later(shop, days=3)
    shop.hears(ADA, subject="Hello?")
    shop.sync()
    assert tasks(shop) == [("Answer Ada: Hello?", "2026-03-07", False)]
    shop.writes(ADA, answers=number)
    shop.sync()
    assert [done for *_, done in tasks(shop)] == [True]


def test_a_ledger_that_was_lost_finds_it_again(shop: Shop, tmp_path: Path) -> None:
    number = shop.hears(ADA)
    shop.sync()
    later(shop, days=3)
    home = tmp_path / "new"
    home.mkdir()
    other = shop_with(home)
    session = shop.sync_.session
    session.client.budget.start(shop.clock.now.date(), 0)
    other.sync_ = Sync(replace(session, ledger=other.ledger))
    other.sandbox, other.clock, other._checked = shop.sandbox, shop.clock, len(shop.requests())
    other.hears(ADA, at=shop.clock.now - timedelta(days=3, minutes=1))
    other.sync()
    assert len(tasks(other)) == 1
    other._number = number
    other.writes(ADA, answers=number)
    other.sync()
    assert [done for *_, done in tasks(other)] == [True]
    assert len(other.activities("email")) == 2


@pytest.mark.parametrize(
    ("tombstone", "may_be", "written", "closed"),
    [(None, False, True, False), ("deleted", False, True, True)],
)
def test_a_task_is_closed_once_its_record_is_gone(
    tombstone: str | None, *, may_be: bool, written: bool, closed: bool
) -> None:
    fields = {"since": "2026-03-02T09:00:00Z", "covers": "2026-03-03T09:00:00Z"}
    record = Record("activity", "k", "7", "created", fields, tombstone=tombstone)
    stands = standing_of("k", record, None, may_be=may_be)
    assert stands is not None
    assert (stands.written, stands.closed is not None) == (written, closed)


@pytest.mark.parametrize("may_be", [True, False])
def test_a_task_that_is_on_its_way_is_open(*, may_be: bool) -> None:
    coming = {"since": "2026-03-02T09:00:00Z", "covers": "2026-03-03T09:00:00Z"}
    stands = standing_of("k", None, coming, may_be=may_be)
    assert stands is not None
    assert (stands.written, stands.closed) == (may_be, None)
    assert standing_of("k", None, {"subject": "Lunch"}, may_be=may_be) is None
    assert standing_of(None, None, coming, may_be=may_be) is None
