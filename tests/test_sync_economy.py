"""What a pass costs: the steady state, the order of spending, budgets that run out, searches."""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from crm_kit import Shop, make_shop

from daemon.pipedrive.outcomes import BudgetSpent
from daemon.sandbox.crm import seed_from

ADA = "ada@acme.com"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def test_a_second_pass_makes_no_request(shop: Shop) -> None:
    shop.acts.add_person("Ada", ADA)
    shop.hears_often(ADA, 3)
    shop.hears("new@other.com")
    shop.sync()
    before = shop.mark()

    shop.sync()

    assert shop.requests(before) == []


@pytest.mark.parametrize("known", ["lead", "deal", "adopted", "deleted lead", "won deal"])
def test_a_mail_from_a_known_sender_costs_one_activity(shop: Shop, known: str) -> None:
    if known == "adopted":
        shop.acts.add_person("Ada", ADA)
    shop.hears_often(ADA, 5 if "deal" in known else 2)
    shop.sync()
    if known == "deleted lead":
        shop.acts.delete("leads", shop.acts.every("leads")[0]["id"])
    if known == "won deal":
        shop.acts.win(shop.acts.every("deals")[0]["id"])
    shop.next_day()
    shop.clock.passes(hours=3)  # the listings are old by now
    shop.sync()  # what was missed is looked for once more
    before = shop.mark()

    shop.hears(ADA)
    shop.sync()

    # The field update comes with it, or within six hours.
    spent = shop.spent(before)
    assert spent.pop("PATCH /persons/{id}", 1) == 1
    # Whether the deal has been closed or reopened since the listing is asked, for a token.
    assert spent.pop("GET /deals/{id}", 0) == (known in {"deal", "won deal"})
    assert spent == {"POST /activities": 1}
    shop.clock.passes(hours=6)
    shop.sync()
    # Deletions by people are looked for every four hours, whoever has written.
    spent = {call: n for call, n in shop.spent(before).items() if not call.startswith("GET")}
    assert spent == {"POST /activities": 1, "PATCH /persons/{id}": 1}


def test_a_mail_from_a_stranger_costs_two_short_listings_and_what_is_made(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    before = shop.mark()
    shop.hears("new@other.com")

    shop.sync()

    assert shop.spent(before) == {
        "GET /organizations": 1,
        "GET /persons": 1,
        "POST /organizations": 1,
        "POST /persons": 1,
        "POST /leads": 1,
        "POST /activities": 1,
    }


def test_a_conversion_costs_itself_and_one_look_at_the_deals(shop: Shop) -> None:
    first = shop.hears(ADA)
    shop.sync()
    shop.clock.passes(hours=2)
    before = shop.mark()
    shop.writes(ADA, answers=first)

    shop.sync()

    spent = shop.spent(before)
    assert spent.pop("GET /leads/{id}/convert/status/{conversion_id}") <= 2
    assert spent == {
        "GET /deals": 1,
        "POST /leads/{id}/convert/deal": 1,
        "POST /activities": 1,
    }


def test_a_backfill_classifies_once_at_the_end(shop: Shop) -> None:
    first = shop.hears(ADA)
    shop.writes(ADA, answers=first)

    shop.sync()

    assert "POST /leads" not in shop.spent(0)
    assert shop.spent(0)["POST /deals"] == 1


def test_tokens_go_to_deals_then_leads_then_values_then_new_mails_then_old_ones(
    tmp_path: Path,
) -> None:
    shop = make_shop(tmp_path, workers=1)
    with shop.ledger:
        shop.hears("early@prime.example")
        shop.sync()
        shop.clock.passes(hours=7)
        shop.hears("early@prime.example", subject="old")
        shop.hears("lead@two.com", subject="newer")
        for _ in range(5):
            shop.hears("deal@three.com", subject="newest")
        before = shop.mark()
        shop.sync()

    writes = shop.sandbox.writes(before)
    kinds = [r.call.replace("/api/v1", "").replace("/api/v2", "") for r in writes]
    assert kinds[:7] == [
        "POST /organizations",
        "POST /persons",
        "POST /deals",
        "POST /organizations",
        "POST /persons",
        "POST /leads",
        "PATCH /persons/{id}",
    ]
    subjects = [json.loads(r.body)["subject"] for r in writes[7:]]
    assert subjects == ["newest"] * 5 + ["newer", "old"]


def test_a_spent_budget_rests_until_the_reset_and_goes_on_day_after_day(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 250})
    with shop.ledger:
        for number in range(20):
            shop.hears(f"p{number}@firm{number}.com")
        days = 0
        while True:
            pushed = shop.sync()
            if pushed.resume_at is None:
                break
            days += 1
            assert pushed.resume_at <= (shop.clock.now + timedelta(days=1))
            day = f"{shop.clock.now:%Y-%m-%d}"
            assert shop.ledger.runs.spent(day) <= 250
            shop.clock.now = (shop.clock.now + timedelta(days=1)).replace(hour=0, minute=1)
        assert days >= 2
        assert shop.count()["activities"] == 20
        assert shop.count()["leads"] == 20
        assert shop.parked() == []


def test_a_share_of_the_budget_is_left_to_others(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 600}, daily_share=0.5)
    with shop.ledger:
        for number in range(40):
            shop.hears(f"p{number}@firm{number}.com")
        pushed = shop.sync()

        assert pushed.resume_at is not None
        assert shop.sandbox.usage().tokens <= 300
        assert shop.sandbox.usage().tokens > 250


def test_what_other_integrations_spend_is_seen(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 600})
    with shop.ledger:
        for number in range(10):
            shop.hears(f"p{number}@firm{number}.com")
        shop.plan()
        shop.sandbox.spend_elsewhere(400)
        pushed = shop.sync()
        assert pushed.resume_at is not None
        # Refused requests are few: we don't run against the wall.
        assert len([r for r in shop.requests() if r.status == 429]) <= 3

        shop.next_day()

        assert shop.count()["leads"] == 10


# who is there: listed or searched


def crowd(shop: Shop, count: int, first: int = 1, step: int = 1) -> None:
    """A CRM with many persons."""
    persons = [
        {
            "id": first + n * step,
            "name": f"P {n}",
            "emails": [{"value": f"p{first + n}@crowd.example", "primary": True, "label": "work"}],
        }
        for n in range(count)
    ]
    seed_from(shop.sandbox, {"persons": persons})


def test_a_backfill_lists_everybody(shop: Shop) -> None:
    crowd(shop, 1200)
    for n in range(30):
        shop.hears(f"p{n * 40 + 1}@crowd.example")

    shop.sync()

    assert shop.spent(0)["GET /persons"] == 3
    assert "GET /persons/search" not in shop.spent(0)
    assert "POST /persons" not in shop.spent(0)


def test_few_senders_against_a_huge_crm_are_searched_and_every_hit_is_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(tmp_path, company={"sloppy_exact_match": True})
    with shop.ledger, caplog.at_level(logging.INFO):
        crowd(shop, 5)
        there = shop.acts.add_person("Ada", "b@x.com", ADA)
        shop.acts.add_person("Not Ada", "ada@acme.com.au")
        shop.acts.add_person("New", "newest@there.com")
        crowd(shop, 600, first=20_000)  # ids say that there may be 20,600
        shop.clock.passes(60)
        shop.hears(ADA)
        shop.hears("eve@nowhere.com")

        shop.sync()

        assert shop.spent(0)["GET /persons"] == 1
        assert shop.spent(0)["GET /persons/search"] == 2
        assert shop.record("person", ADA).pipedrive_id == str(there)
        assert shop.record("person", "eve@nowhere.com").origin == "created"
        assert "more pages cost more than searches" in caplog.text

        # A day later our own are looked at, not the crowd.
        before = shop.mark()
        shop.next_day()
        assert shop.spent(before)["GET /persons"] == 2
        # Somebody deleted it meanwhile: that is noticed.
        shop.acts.delete("persons", there)
        shop.next_day()
        assert shop.record("person", ADA).tombstone == "deleted"
        # And once the searches would cost as much as listing everybody, everybody is listed.
        for n in range(50):
            shop.hears(f"q{n}@elsewhere.com")
        before = shop.mark()
        shop.sync()
        assert "GET /persons/search" not in shop.spent(before)
        assert shop.spent(before)["GET /persons"] == 3
        assert shop.count()["persons"] == 605 + 2 + 1 + 50


def test_who_is_only_in_copy_is_searched_in_a_huge_crm_before_a_person_is_made(
    tmp_path: Path,
) -> None:
    shop = make_shop(tmp_path, copies=True, in_copy="all")
    with shop.ledger:
        there = shop.acts.add_person("Cora", "cora@acme.com")
        crowd(shop, 600, first=20_000)  # the oldest aren't listed
        shop.hears(ADA, also=("cora@acme.com",))

        shop.sync()

        assert shop.spent(0)["GET /persons/search"] == 2
        assert shop.record("person", "cora@acme.com").pipedrive_id == str(there)


def test_ids_with_gaps_make_a_listing_seem_no_dearer_than_it_is(shop: Shop) -> None:
    crowd(shop, 1_200, first=1_000_000, step=900)
    for n in range(10):
        shop.hears(f"new@firm{n}.com")

    shop.sync()

    assert shop.spent(0)["GET /persons"] == 3
    assert "GET /persons/search" not in shop.spent(0)


def test_the_log_tells_the_rows_and_tokens_of_each_kind_that_was_updated(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.clock.passes(hours=1)
    for number in range(3):
        shop.acts.add_person(f"Theirs {number}", f"theirs{number}@else.com")
    shop.hears("eve@beta.com")
    with caplog.at_level(logging.DEBUG):
        shop.sync()

    told = [line for line in caplog.messages if "sync.listed" in line and "how=updated" in line]
    rows = {line.split("kind=")[1].split()[0]: line.split("rows=")[1].split()[0] for line in told}
    tokens = {line.split("tokens=")[1].split()[0] for line in told}
    assert rows["person"] == "4"  # ours, made an hour ago, and three of theirs
    assert rows["organization"] == "1"
    assert tokens <= {"10", "20"}


def test_updates_are_asked_for_by_whole_seconds(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.clock.passes(0.7)
    shop.hears("new@other.com")
    shop.sync()

    bounds = [r.query for r in shop.requests() if "updated_since" in r.query]
    assert bounds
    assert all("." not in bound.split("updated_since=")[1].split("&")[0] for bound in bounds)


# owners


def test_a_mailboxs_owner_owns_what_it_makes_and_nothing_else(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, owners={"sales": "Bob@example.com"})
    with shop.ledger:
        shop.acts.add_person("There", "there@x.com")
        shop.hears_often(ADA, 5)
        shop.hears("lead@other.com")
        shop.hears("there@x.com")
        shop.sync()

        bob = next(u["id"] for u in shop.acts.every("users") if u["email"] == "bob@example.com")
        for kind in ("organizations", "deals", "leads", "activities"):
            made = shop.acts.every(kind)
            assert {doc["owner_id"] for doc in made} == {bob}, kind
        owners = {p["emails"][0]["value"]: p["owner_id"] for p in shop.acts.every("persons")}
        assert owners == {"there@x.com": 1, ADA: bob, "lead@other.com": bob}


def test_a_listing_that_costs_more_than_a_day_has_goes_on_the_next_day(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 110})
    with shop.ledger:
        shop.hears(ADA)
        for _ in range(4):
            with suppress(BudgetSpent):
                shop.sync()
            assert not shop.ledger.conditions.is_failing("listing")  # it only waits for tokens
            shop.clock.passes(hours=20)

        assert shop.count()["activities"] == 1


def test_an_ordinary_day_is_told_in_few_lines(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(6):
        shop.hears(f"known{number}@firm{number}.example")
    shop.sync()
    with caplog.at_level(logging.INFO, "mail2deal"):
        for hour in range(24):
            if hour % 2:
                shop.hears(f"known{hour % 6}@firm{hour % 6}.example")
            shop.sync()
            shop.clock.passes(hours=1)

    told = [line.split()[0] for line in caplog.messages]
    assert len(told) <= 12, told
