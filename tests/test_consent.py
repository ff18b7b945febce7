"""Who waits for a person's consent after edits, whatever happens in between."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_configuration_alive import Limited, change, numbers
from world import READING

from daemon.intake import consent
from daemon.ledger.rereading import HELD
from daemon.maintenance import forget
from daemon.rules.classify import Rules
from daemon.sandbox.crm import Fault
from daemon.sync import Sync, approve, configuration

ADA, BOB = "ada@acme.example", "bob@stone.example"
IGNORED = replace(READING.us, ignored_domains=frozenset({"stone.example"}))
AT_THREE = Rules(deal_at_messages=3)


class Killed(BaseException):
    """Nothing more of the program runs."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Limited:
    """Ada has written three times, Bob once."""
    change(monkeypatch)
    world = Limited(tmp_path)
    for who in (ADA, ADA, ADA, BOB):
        world.receives(who)
    world.settle()
    return world


def begin(world: Limited) -> None:
    """Start with an edited configuration, and stop before anything is planned."""
    with world.ledger() as ledger:
        configuration.follow(world.session(ledger))


def one_pass(world: Limited) -> None:
    """One start, one pass."""
    with world.ledger() as ledger:
        world.take_in(ledger)
        Sync(world.session(ledger)).sync()


def test_an_edit_that_is_killed_and_taken_back_leaves_nothing_behind(
    world: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = numbers(world)
    monkeypatch.setattr(configuration, "_AT_ONCE", 1)
    world.edit(monkeypatch, us=IGNORED)

    def kill_halfway() -> None:
        if BOB not in numbers(world):
            raise Killed

    with world.ledger() as ledger, pytest.raises(Killed):
        configuration.follow(world.session(ledger), kill_halfway)
    world.edit(monkeypatch, us=READING.us)
    world.settle()

    assert numbers(world) == before
    assert world.waits() == ""


@pytest.mark.parametrize("how", ["taken back", "forgotten"])
def test_nobody_is_asked_about_who_is_no_sender_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    change(monkeypatch, us=IGNORED)
    world = Limited(tmp_path)
    for who in (ADA, BOB):
        world.receives(who)
    world.settle()
    world.edit(monkeypatch, us=READING.us)
    world.settle()
    assert world.waits().endswith("up to 1 lead")
    if how == "taken back":
        world.edit(monkeypatch, us=IGNORED)
        world.settle()
    else:
        with world.ledger() as ledger:
            forget.erase(ledger, READING, BOB, world.clock())

    assert world.waits() == ""


def test_a_second_edit_before_anything_was_planned_asks_as_the_only_one_would(
    world: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sends(ADA)
    world.settle()
    world.edit(monkeypatch, count="exchanged", rules=Rules(deal_at_messages=100))
    begin(world)
    world.edit(monkeypatch, count="received", rules=AT_THREE)
    world.settle()

    assert "deals" not in world.counts()
    assert world.waits().endswith("up to 1 deal")


def test_who_gets_nothing_by_an_edit_waits_for_nothing(
    world: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sends(ADA)
    world.settle()
    world.edit(monkeypatch, count="exchanged", rules=Rules(deal_at_messages=100))
    begin(world)
    with world.ledger() as ledger:
        assert ledger.setting(HELD) == [consent.EDITED]  # not planned yet
    world.settle()

    assert world.waits() == ""
    with world.ledger() as ledger:
        assert not ledger.setting(HELD)


def test_an_approval_for_a_number_lets_no_more_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(monkeypatch)
    world = Limited(tmp_path)
    people = [f"ada@acme{number}.example" for number in range(4)]
    for who in people * 3:
        world.receives(who)
    world.settle()
    world.edit(monkeypatch, rules=AT_THREE)
    world.settle()
    assert world.waits().endswith("up to 4 deals")
    with world.ledger() as ledger, ledger.transaction("approve"):
        approve(ledger, "mail2deal approve", 3, world.clock())
    world.settle()

    assert world.counts()["deals"] == 3
    assert world.waits().endswith("up to 1 deal")


def test_what_is_on_its_way_already_is_nothing_new(
    world: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sandbox.faults.add(Fault("redirect", method="POST", count=None))
    world.sends("eve@third.example")
    world.receives("eve@third.example")
    one_pass(world)
    before = numbers(world)
    world.edit(monkeypatch, count="exchanged", rules=Rules(deal_at_messages=100))
    begin(world)
    assert numbers(world) != before
    one_pass(world)
    assert world.waits() == ""
    world.sandbox.faults.clear()
    world.settle()

    assert world.counts()["leads"] == 3
    assert world.doubled() == []
