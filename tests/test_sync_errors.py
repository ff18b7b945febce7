"""Errors by what to do next: park, stop, tombstone, wait, or look before doing it again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_kit import Shop, make_shop

from daemon.errors import AuthProblem, ConfigProblem
from daemon.sandbox.crm import Fault
from daemon.sandbox.crm import Settings as Company

ADA, BOB = "ada@acme.com", "bob@other.com"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def test_what_the_api_rejects_is_parked_with_its_words_and_the_rest_goes_on(shop: Shop) -> None:
    shop.hears(ADA, name="A")
    shop.hears(BOB)
    shop.plan()
    with shop.ledger.transaction("test"):
        shop.ledger.rows(
            "UPDATE journal SET fields = json_set(fields, '$.name', '') WHERE kind = 'person'"
            " AND key = ? RETURNING id",
            ADA,
        )
    shop.sync()

    assert [p["emails"] for p in shop.shown()["persons"]] == [[BOB]]
    assert shop.parked() == [("activity", f"{1:032x}"), ("lead", ADA), ("person", ADA)]
    (row,) = shop.ledger.rows("SELECT last_error FROM parked WHERE kind = 'person'")
    assert "HTTP 400" in row["last_error"]
    assert "name" in row["last_error"]


def test_an_organization_that_is_rejected_holds_nobody_up(shop: Shop) -> None:
    shop.hears(ADA)
    shop.plan()
    with shop.ledger.transaction("test"):
        row = shop.ledger.journal.open_row("organization", "acme.com")
        assert row is not None
        shop.ledger.journal.park(row, "HTTP 400: for the test")
    shop.sync()
    assert shop.count()["activities"] == 1
    assert shop.person(ADA)["org_id"] is None

    with shop.ledger.transaction("test"):
        shop.ledger.journal.retry()
    shop.next_day()
    shop.clock.passes(hours=7)
    shop.hears(ADA)
    shop.sync()

    assert shop.person(ADA)["org_id"] is not None


def test_a_refused_token_stops_writing_and_nothing_is_lost(shop: Shop) -> None:
    shop.hears(ADA)
    good = shop.sandbox.settings
    shop.plan()
    shop.sandbox.settings = Company(burst=False, plan="ultimate", tokens={})
    pushed = shop.sync_.sync()
    assert isinstance(pushed.problem, AuthProblem)
    assert shop.parked() == []

    shop.sandbox.settings = good
    shop.sync()

    assert shop.count()["activities"] == 1


def test_a_cap_of_the_plan_parks_that_kind_and_the_rest_goes_on(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"open_cap": 1})
    with shop.ledger:
        for number in range(6):
            shop.hears(f"lead{number}@acme{number}.com")
        before = shop.mark()
        shop.sync()

        assert shop.count()["leads"] == 1
        assert shop.count()["persons"] == shop.count()["activities"] == 6
        assert shop.spent(before)["POST /leads"] < 6  # those on the wire, not all
        assert {kind for kind, _ in shop.parked()} == {"lead"}
        (row,) = shop.ledger.rows("SELECT DISTINCT last_error FROM parked")
        assert "feature_capping_deals_limit" in row["last_error"]


def test_an_html_403_makes_a_long_pause(shop: Shop) -> None:
    shop.hears(ADA)
    shop.plan()
    shop.sandbox.faults.add(Fault("blocked", method="POST", count=1))
    before = shop.mark()

    pushed = shop.sync_.sync()

    assert pushed.resume_at is not None
    assert (pushed.resume_at - shop.clock.now).total_seconds() > 600
    assert len(shop.requests(before)) <= 2
    shop.clock.now = pushed.resume_at
    shop.sync()
    assert shop.count()["activities"] == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "kind", ["drop", "reset", "timeout", "error", "truncate", "unsuccessful", "rate_limit"]
)
@pytest.mark.parametrize("noun", ["organizations", "persons", "leads", "deals", "activities"])
def test_whatever_breaks_while_a_record_is_made_it_is_there_once(
    tmp_path: Path, noun: str, kind: str, when: str
) -> None:
    shop = make_shop(tmp_path)
    with shop.ledger:
        if noun == "deals":
            shop.hears_often(ADA, 5)
        else:
            shop.hears(ADA)
        shop.plan()
        shop.sandbox.faults.add(
            Fault(kind, when=when, method="POST", path=f"/{noun}$")  # type: ignore[arg-type]
        )
        shop.sync()

        deals = 1 if noun == "deals" else 0
        assert shop.count() == {
            "organizations": 1,
            "persons": 1,
            "leads": 1 - deals,
            "deals": deals,
            "activities": 5 if deals else 1,
        }
        assert shop.parked() == []
        assert shop.record("person", ADA).origin == "created"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_conversion_whose_answer_is_lost_makes_one_deal(tmp_path: Path, when: str) -> None:
    shop = make_shop(tmp_path)
    with shop.ledger:
        first = shop.hears(ADA)
        shop.sync()
        shop.writes(ADA, answers=first)
        fault = Fault("drop", when=when, method="POST", path="/convert/deal$")  # type: ignore[arg-type]
        shop.sandbox.faults.add(fault)
        shop.sync()

        assert shop.count()["deals"] == 1
        assert shop.count()["leads"] == 0
        assert shop.record("deal", ADA) is not None


def test_a_person_that_may_have_been_made_is_not_taken_for_somebody_elses(shop: Shop) -> None:
    shop.hears(ADA)
    shop.plan()
    shop.sandbox.faults.add(Fault("timeout", method="POST", path="/persons$"))
    shop.sync_.sync()  # it is there, and we don't know
    for _ in range(4):
        shop.hears(ADA)  # five mails: a deal for one of ours, none for one of theirs

    shop.sync()

    assert shop.record("person", ADA).origin == "created"
    assert shop.count()["persons"] == 1
    assert shop.count()["deals"] == 1
    shop.clock.passes(hours=7)
    shop.sync()
    assert shop.field(ADA, "Thread count") == 5


def test_an_unknown_stage_lists_those_that_there_are(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, stage="Nope")
    with shop.ledger:
        shop.hears(ADA)
        with pytest.raises(ConfigProblem, match="Initial Contact"):
            shop.sync()
        assert set(shop.count().values()) == {0}


def test_a_stage_that_people_rename_stays_ours(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.sync()
    stage = shop.acts.stage_id("Sales", "Initial Contact")
    shop.acts.edit("stages", stage, name="First talk")
    shop.next_day()
    shop.hears_often(BOB, 5)

    shop.sync()

    assert {deal["stage_id"] for deal in shop.acts.every("deals")} == {stage}


def test_a_stage_that_people_delete_stops_the_sync_until_another_is_named(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.acts.edit("stages", shop.acts.stage_id("Sales", "Initial Contact"), is_deleted=True)
    shop.hears_often(BOB, 5)
    with pytest.raises(ConfigProblem, match="Proposal Made"):
        shop.sync()

    shop.settings(stage="Proposal Made")
    shop.sync()

    (deal,) = shop.shown()["deals"]
    assert deal["stage"] == "Proposal Made"
    assert shop.parked() == []


def test_an_activity_that_may_be_there_is_found_although_its_person_was_merged(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.hears(ADA)
    shop.plan()
    shop.sandbox.faults.add(Fault("timeout", method="POST", path="/activities$"))
    shop.sync_.sync()  # it is there, and we don't know
    person, other = shop.person(ADA)["id"], shop.acts.add_person("Ada at home", "a@home.example")
    shop.acts.merge("persons", person, other)

    shop.sync()
    shop.next_day()

    assert len(shop.activities()) == 2
    assert shop.ledger.backlog.pending() == {}
