"""A second machine takes over: from a copy of the ledger, while the first may still be alive.

What keeps the two apart is Pipedrive itself: a new API token ends the old one, whatever its holder
is doing. On one machine the lock of the ledger does it (`test_ledger_disk.py`).
"""

from dataclasses import replace
from pathlib import Path

import pytest
from world import World

from daemon.errors import AuthProblem

NEW_TOKEN = "token-of-the-standby"


def fence(world: World) -> None:
    """Pipedrive's "Regenerate": the old token is refused from now on."""
    settings = world.sandbox.settings
    world.sandbox.settings = replace(settings, tokens={NEW_TOKEN: "ada@example.com"})


@pytest.fixture
def active(tmp_path: Path) -> World:
    """The first machine, whose program runs and stays."""
    world = World(tmp_path / "active")
    world.stays = True
    asked = world.sends("ben@firm.example")
    world.receives("ben@firm.example", answers=asked)
    world.receives("ada@acme.example")
    world.settle()
    return world


@pytest.fixture
def standby(active: World, tmp_path: Path) -> World:
    """The second machine: the same mailbox and company, and a copy of the ledger as it is now."""
    world = World(tmp_path / "standby")
    world.sandbox, world.box, world.clock = active.sandbox, active.box, active.clock
    world.acts, world.token = active.acts, NEW_TOKEN
    with active.ledger() as ledger:
        ledger.copy_to(world.path)
    return world


def life(world: World) -> None:
    """What comes after the copy was made."""
    world.receives("ada@acme.example")
    world.receives("new@stranger.example")
    asked = world.sends("ada@acme.example")
    world.receives("ada@acme.example", answers=asked)


def test_who_is_fenced_writes_nothing_more_and_the_standby_makes_the_rest_once(
    active: World, standby: World
) -> None:
    life(active)
    active.round()  # the copy knows nothing of this
    fence(active)
    active.receives("late@other.example")
    writes = len(active.writes())
    with pytest.raises(AuthProblem):
        active.round()
    assert len(active.writes()) == writes

    standby.settle()
    with pytest.raises(AuthProblem):
        active.round()

    made = active.writes()[writes:]
    assert [one for one in made if one.endswith(("/persons", "/leads"))] == [
        "POST /api/v2/persons",
        "POST /api/v1/leads",
    ]
    assert standby.doubled() == []
    people = {email for person in standby.crm()["persons"] for email in person["emails"]}
    assert {"ada@acme.example", "new@stranger.example", "late@other.example"} <= people
    active.end()


def test_the_standby_ends_where_one_machine_alone_would_have(
    active: World, standby: World, tmp_path: Path
) -> None:
    alone = World(tmp_path / "alone")
    asked = alone.sends("ben@firm.example")
    alone.receives("ben@firm.example", answers=asked)
    alone.receives("ada@acme.example")
    alone.settle()
    life(active)
    life(alone)
    active.round()
    alone.round()
    fence(active)
    active.end()
    for one in (standby, alone):
        one.settle()
    assert standby.doubled() == []
    assert standby.crm() == alone.crm()
