"""The recipes of docs/recipes.md answer what they promise, on a ledger whose mail is known."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postbox import START
from world import World

RECIPES = (Path(__file__).parent.parent / "docs" / "recipes.md").read_text()


def recipes() -> dict[str, list[str]]:
    """The SQL of each recipe, by the words above it."""
    found = re.findall(r"^([^\n`|]+):\n\n```sh\n(.*?)^```$", RECIPES, re.DOTALL | re.MULTILINE)
    sql = {words: re.findall(r'ledger\.db "(.+?)"', block) for words, block in found}
    return {words: lines for words, lines in sql.items() if lines}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two old deals, one of them won; a lead with four mails; a newcomer of today; newsletters."""
    world = World(tmp_path_factory.mktemp("recipes"))
    for who in ("Anna <anna@old.example>", "Bob <bob@old.example>"):
        ours = world.sends(who, answers=world.receives(who))
        world.number += {"A": 1, "B": 50}[who[0]]  # hours until they answer
        world.receives(who, answers=ours)
    for _ in range(4):
        world.receives("Lea <lea@lead.example>")
    for _ in range(3):
        world.receives("News <news@shop.example>", extra="List-Id: <news.shop.example>\r\n")
    world.settle()
    person = world.acts.person_of("bob@old.example")["id"]
    (won,) = (doc["id"] for doc in world.acts.every("deals") if doc["person_id"] == person)
    world.acts.win(won)
    now = datetime.now(UTC).replace(microsecond=0)
    world.clock.now = now
    world.number = int((now - START) / timedelta(hours=1)) - 2
    world.receives("Carla <carla@new.example>")
    world.settle()
    return world


def rows(world: World, words: str) -> list[list[dict[str, Any]]]:
    (lines,) = (lines for name, lines in recipes().items() if name.startswith(words))
    with world.ledger() as ledger:
        return [ledger.rows(sql) for sql in lines]


def senders(found: list[dict[str, Any]]) -> list[str]:
    return [row["sender"] for row in found]


def test_the_pipeline_has_everybody_with_a_record(world: World) -> None:
    (found,) = rows(world, "The pipeline as mail2deal sees it")
    assert {row["name"] for row in found} == {"Anna", "Bob", "Lea", "Carla"}
    assert all(row["url"].startswith("https://") for row in found)


def test_a_deal_that_is_won_isnt_called_silent(world: World) -> None:
    (found,) = rows(world, "Open deals without a mail for a month")
    assert senders(found) == ["anna@old.example"]


def test_new_is_who_wrote_first_in_these_days(world: World) -> None:
    (found,) = rows(world, "Leads and deals whose first mail")
    assert senders(found) == ["carla@new.example"]


def test_one_mail_is_missing_for_a_deal(world: World) -> None:
    (found,) = rows(world, "Leads that are one mail away")
    assert senders(found) == ["lea@lead.example"]
    world_of = rows(world, "Who writes most without getting a record")[0]
    assert [(row["sender"], row["messages"]) for row in world_of] == [("news@shop.example", 3)]


def test_the_slowest_and_the_fastest_are_told_apart(world: World) -> None:
    slowest, fastest = rows(world, "The slowest to answer us")
    assert [row["name"] for row in slowest] == ["Bob", "Anna"]
    assert [row["name"] for row in fastest] == ["Anna", "Bob"]


def test_organizations_are_ordered_by_people(world: World) -> None:
    (found,) = rows(world, "Organizations by the number of people")
    assert (found[0]["organization"], found[0]["people"]) == ("old.example", 2)


def test_tokens_add_up(world: World) -> None:
    by_day, by_kind = rows(world, "API tokens by day")
    assert sum(row["tokens"] for row in by_day) == sum(row["tokens"] for row in by_kind) > 0


def test_every_recipe_runs(world: World) -> None:
    assert len(recipes()) >= 11
    with world.ledger() as ledger:
        for lines in recipes().values():
            for sql in lines:
                if not sql.startswith("vacuum"):
                    ledger.rows(sql)
