"""Our custom fields: found or made once, coalesced, and missed without harm."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from crm_kit import Shop, make_shop

from daemon.intake.states import recompute
from daemon.rules.case import STATISTICS, USUAL_STATISTICS
from daemon.sandbox.crm import User
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

ADA = "ada@acme.com"
NOT_ADMIN = {
    "users": (
        User("Eve", "eve@example.com", denied=("can_add_custom_fields",)),
        User("Bob", "bob@example.com"),
    ),
    "tokens": {DEFAULT_TOKEN: "eve@example.com"},
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def names(shop: Shop) -> list[str]:
    return sorted(f["field_name"] for f in shop.acts.every("fields"))


def test_fields_are_made_once(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    for _ in range(3):
        shop.hears(ADA)
        shop.next_day()

    assert names(shop) == ["Avg response hours", "Last contact", "Mail key", "Thread count"]
    assert shop.field(ADA, "Thread count") == 4
    assert shop.field(ADA, "Last contact") == "2026-03-04"


def test_fields_are_found_by_name_and_type(shop: Shop) -> None:
    shop.acts.add_field("person", "Thread count", "varchar")  # not ours: another type
    there = shop.acts.add_field("person", "Last contact", "date")
    shop.hears(ADA)

    shop.sync()

    assert names(shop).count("Thread count") == 2
    assert names(shop).count("Last contact") == 1
    assert shop.person(ADA)["custom_fields"][there] == f"{shop.clock.now:%Y-%m-%d}"


def test_values_are_written_at_most_once_in_six_hours(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    before = shop.mark()
    for _ in range(3):
        shop.hears(ADA)
        shop.clock.passes(hours=1)
        shop.sync()
    assert "PATCH /persons/{id}" not in shop.spent(before)

    shop.clock.passes(hours=3)
    shop.sync()

    assert shop.spent(before)["PATCH /persons/{id}"] == 1
    assert shop.field(ADA, "Thread count") == 4


def test_values_are_written_at_once_when_the_class_changes(shop: Shop) -> None:
    first = shop.hears(ADA)
    shop.sync()
    before = shop.mark()
    shop.hears(ADA)
    shop.writes(ADA, answers=first)

    shop.sync()

    assert shop.spent(before)["PATCH /persons/{id}"] == 1


def test_a_value_that_returns_to_what_was_written_is_not_written(shop: Shop) -> None:
    shop.hears_often(ADA, 2)
    shop.sync()
    shop.hears(ADA)
    shop.sync()
    assert shop.ledger.journal.open_row("person", ADA) is not None
    with shop.ledger.transaction("test"):
        shop.ledger.rows("DELETE FROM correspondence WHERE message = 3 RETURNING 1")
        recompute(shop.ledger, shop.scoring, [ADA])
    before = shop.mark()
    shop.clock.passes(hours=8)
    shop.sync()

    assert "PATCH /persons/{id}" not in shop.spent(before)
    assert shop.field(ADA, "Thread count") == 2


def test_without_the_permission_to_add_fields_everything_else_works(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company=NOT_ADMIN)
    with shop.ledger:
        shop.hears(ADA)
        shop.hears_often("bob@other.com", 5)
        shop.sync()

        assert shop.count() == {
            "organizations": 2,
            "persons": 2,
            "leads": 1,
            "deals": 1,
            "activities": 6,
        }
        assert {kind for kind, _ in shop.parked()} == {"field"}
        # Not asked for again with every pass.
        before = shop.mark()
        shop.hears(ADA)
        shop.sync()
        shop.clock.passes(hours=3)
        shop.sync()
        assert set(shop.spent(before)) == {"POST /activities"}


def test_fields_that_an_admin_makes_later_are_filled_for_everybody(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company=NOT_ADMIN)
    with shop.ledger:
        shop.hears_often(ADA, 2)
        shop.sync()
        shop.acts.add_field("person", "Thread count", "double")

        shop.next_day()

        assert shop.field(ADA, "Thread count") == 2
        assert ("field", "thread_count") not in shop.parked()
        with shop.ledger.transaction("test"):
            shop.ledger.journal.retry()
        shop.next_day()
        assert names(shop) == ["Thread count"]


def test_the_plans_cap_on_fields_stops_only_the_fields(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"custom_field_cap": 2})
    with shop.ledger:
        shop.hears(ADA)
        shop.sync()

        assert len(names(shop)) == 2
        assert shop.count()["activities"] == 1
        assert len(shop.parked()) == 2


@pytest.mark.parametrize("name", ["Thread count", "Mail key"])
def test_a_field_that_people_deleted_is_not_made_again(shop: Shop, name: str) -> None:
    shop.hears(ADA)
    shop.sync()
    (number,) = [f["id"] for f in shop.acts.every("fields") if f["field_name"] == name]
    with shop.sandbox.at_work() as call:
        call.store.remove("fields", number)

    shop.clock.passes(hours=8)
    shop.hears("new@other.com")
    shop.hears(ADA)
    shop.sync()
    shop.next_day()

    assert name not in names(shop)
    assert shop.parked() == []
    assert shop.count()["leads"] == 2
    assert shop.field(ADA, "Last contact") == "2026-03-02"


def test_our_response_hours_are_a_fourth_field_where_that_is_wanted(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    number = shop.hears(ADA)
    shop.clock.passes(hours=3)
    shop.writes(ADA, answers=number)
    shop.sync()
    assert [f["field_name"] for f in shop.acts.every("fields")].count("Our response hours") == 0

    policy = replace(shop.sync_.session.settings.policy, fields=STATISTICS)
    shop.settings(policy=policy)
    mark = shop.mark()
    shop.sync()
    shop.next_day()
    assert shop.field(ADA, "Our response hours") == pytest.approx(3.02, abs=0.01)
    assert shop.spent(mark)["POST /personFields"] == 1

    shop.settings(policy=replace(policy, fields=USUAL_STATISTICS))
    mark = shop.mark()
    shop.hears(ADA)
    shop.next_day()
    assert shop.field(ADA, "Our response hours") == pytest.approx(3.02, abs=0.01)
    assert "POST /personFields" not in shop.spent(mark)


def test_a_person_shows_threads_last_contact_and_how_fast_it_answers(shop: Shop) -> None:
    ours = shop.writes(ADA)
    shop.clock.passes(hours=3)
    shop.hears(ADA, answers=ours)
    shop.sync()

    assert shop.field(ADA, "Thread count") == 1
    assert shop.field(ADA, "Last contact") == f"{shop.clock.now:%Y-%m-%d}"
    assert shop.field(ADA, "Avg response hours") == pytest.approx(3.02)
