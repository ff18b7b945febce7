"""Two machines with a ledger each write to one company: one after the other, and at once."""

from dataclasses import replace
from pathlib import Path

import pytest
from crm_kit import Shop, make_shop

from daemon.maintenance.doubles import doubles
from daemon.sync import Sync

ADA, BOB = "ada@acme.com", "bob@other.com"


def pair(home: Path) -> tuple[Shop, Shop]:
    """Two of them, with one Pipedrive, one clock and the same mail."""
    shops = []
    for name in ("first", "second"):
        (home / name).mkdir()
        shops.append(make_shop(home / name, workers=1))
    first, second = shops
    session = second.sync_.session
    second.sync_ = Sync(replace(session, client=first.client, usage=first.sync_.session.usage))
    second.sandbox, second.clock, second.client = first.sandbox, first.clock, first.client
    for shop in shops:
        at = first.clock.now
        shop.hears(ADA, at=at)
        shop.hears_often(BOB, 6, at=at)
    return first, second


def found(shop: Shop) -> set[str]:
    return {kind for kind, _, _ in doubles(shop.ledger, shop.client)}


@pytest.mark.parametrize("hours", [0, 1, 30])
def test_one_after_the_other_they_share_what_is_there(tmp_path: Path, hours: int) -> None:
    first, second = pair(tmp_path)
    first.sync()
    before = first.shown()
    first.clock.passes(hours=hours)

    second.sync()
    second.next_day()

    assert first.shown() == before
    assert found(first) == found(second) == set()


def test_in_turn_they_share_each_record(tmp_path: Path) -> None:
    first, second = pair(tmp_path)
    first.sync()
    second.sync()
    for number in range(4):
        for shop in (first, second)[:: 1 - 2 * (number % 2)]:
            shop.hears(f"p{number}@firm{number}.com", at=first.clock.now)
            shop.sync()

    counted = {kind: len(first.acts.every(kind)) for kind in ("persons", "leads", "deals")}
    assert counted == {"persons": 6, "leads": 5, "deals": 1}
    assert found(first) == found(second) == {"activity"}  # each logs its mail, and that is told


def test_what_they_made_at_once_is_told(tmp_path: Path) -> None:
    """No client can prevent it; but it shows, in either ledger, and is told once a kind."""
    first, second = pair(tmp_path)
    first.sandbox.change(list_lag=120.0)  # as if both had listed in the same moment

    first.sync_.sync()
    second.sync_.sync()
    first.clock.passes(600)

    for shop in (first, second):
        assert found(shop) >= {"organization", "person", "lead", "activity", "field"}
