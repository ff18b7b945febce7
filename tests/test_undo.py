"""`undo` takes back what a run created and nobody touched since, and can be killed anywhere."""

from pathlib import Path
from typing import Any

import pytest
from world import World

from daemon import failpoints
from daemon.maintenance.undo import Undone, undo


def company(home: Path) -> World:
    """Run 1 made a lead and a deal; run 2 a lead and one more mail of the first sender."""
    home.mkdir(exist_ok=True)
    world = World(home, store=home / "crm.db")
    world.acts.add_person("Eve", "eve@delta.example")
    world.receives("Ada <ada@acme.example>")
    asked = world.sends("bob@beta.example")
    world.receives("bob@beta.example", answers=asked)
    world.round(run="first")
    world.clock.sleep(8 * 3600)
    world.receives("cyd@gamma.example")
    world.receives("ada@acme.example")
    world.receives("eve@delta.example")
    world.round(run="second")
    world.clock.sleep(3600)
    return world


def undone(world: World, run: int) -> Undone:
    with world.ledger() as ledger:
        return undo(world.session(ledger), run)


def test_what_a_run_created_is_deleted_and_what_others_made_stays(tmp_path: Path) -> None:
    world = company(tmp_path)
    result = undone(world, 2)

    assert result.deleted == {"activity": 3, "lead": 1, "person": 1, "organization": 1}
    # Eve was there before us, and works there since: what was updated stays so.
    assert result.kept == [("organization", "delta.example", "a person hangs on it")]
    crm = world.crm()
    assert sorted(p["emails"][0] for p in crm["persons"]) == [
        "ada@acme.example",
        "bob@beta.example",
        "eve@delta.example",
    ]
    assert [lead["person"] for lead in crm["leads"]] == ["ada@acme.example"]
    assert len(crm["activities"]) == 3


def test_what_was_undone_never_comes_back(tmp_path: Path) -> None:
    world = company(tmp_path)
    undone(world, 2)
    before = world.crm()
    world.receives("cyd@gamma.example")
    world.settle()

    assert world.crm()["leads"] == before["leads"]
    assert len(world.crm()["persons"]) == len(before["persons"])


def test_what_people_touched_is_left(tmp_path: Path) -> None:
    world = company(tmp_path)
    (lead,) = [d for d in world.acts.every("leads") if "Cyd" in d["title"]]
    world.acts.rename("leads", lead["id"], "Great chance")
    result = undone(world, 2)

    assert ("lead", "cyd@gamma.example", "somebody has changed it since") in result.kept
    assert result.changed == {"lead cyd@gamma.example": ["title"]}
    assert ("person", "cyd@gamma.example", "a lead hangs on it") in result.kept
    assert result.deleted == {"activity": 3}


def test_a_person_with_an_activity_of_people_is_left(tmp_path: Path) -> None:
    world = company(tmp_path)
    person = world.acts.person_of("bob@beta.example")["id"]
    world.acts.add_activity("Call Bob", participants=[{"person_id": person, "primary": True}])
    result = undone(world, 1)

    assert ("person", "bob@beta.example", "an activity hangs on it") in result.kept
    assert any("Bob" in str(p["name"]) for p in world.crm()["persons"])


def test_undoing_twice_does_nothing_more(tmp_path: Path) -> None:
    world = company(tmp_path)
    undone(world, 2)
    count = len(world.writes())

    assert undone(world, 2).deleted == {}
    assert len(world.writes()) == count


def test_killed_at_any_step_and_repeated_it_ends_the_same(tmp_path: Path) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    begun = company(tmp_path / "begun")
    whole = begun.copy(tmp_path / "whole")
    log = tmp_path / "steps"
    failpoints.arm(log=str(log))
    undone(whole, 2)
    failpoints.arm()
    steps = len(log.read_text().splitlines())
    assert steps > 15
    wanted: tuple[Any, ...] = whole.crm(), _records(whole)
    assert "undone" in {tombstone for _, _, tombstone in wanted[1]}
    for number in range(1, steps + 1):
        world = begun.copy(tmp_path / str(number))
        failpoints.arm(kill_at=number, die=die)
        with pytest.raises(KeyboardInterrupt):
            undone(world, 2)
        failpoints.arm()
        world.clock.sleep(60)
        undone(world, 2)
        assert (world.crm(), _records(world)) == wanted, number


def _records(world: World) -> list[tuple[Any, ...]]:
    with world.ledger() as ledger:
        rows = ledger.rows("SELECT kind, key, tombstone FROM records ORDER BY kind, key")
        return [tuple(row.values()) for row in rows]


def test_what_people_changed_shows_although_we_wrote_since_or_at_that_very_moment(
    tmp_path: Path,
) -> None:
    world = company(tmp_path)
    (deal,) = world.acts.every("deals")
    world.acts.edit("deals", deal["id"], value=900)
    world.receives("bob@beta.example")  # its activity is written after the colleague's change
    world.round(run="third")

    result = undone(world, 1)

    kept = {(kind, key): why for kind, key, why in result.kept}
    assert kept["deal", "bob@beta.example"] == "somebody has changed it since"
    assert result.changed["deal bob@beta.example"] == ["value"]
    assert len(world.acts.every("deals")) == 1
