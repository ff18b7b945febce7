"""Killed at each step, while Pipedrive shows what nobody planned: a restart ends the same.

`make test` kills at the first ten steps, where that shows, `make test-all` at each. What an outcome makes necessary must stand in the ledger with it; nothing else is left of it then.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crm_kit import Shop, copy_database, make_shop

from daemon import failpoints
from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.rules.deals import DealRules
from daemon.rules.routing import Route
from daemon.sandbox.crm import Switches
from daemon.sync import Sync

ADA, ABE, BOB = "ada@acme.com", "abe@acme.com", "bob@example.com"


def archived_meanwhile(shop: Shop) -> None:
    """People archive the lead that is about to become a deal."""
    shop.hears(ADA)
    shop.sync()
    shop.hears_often(ADA, 4)
    shop.plan()
    (lead,) = shop.acts.every("leads")
    shop.acts.archive("leads", lead["id"])


def deleted_meanwhile(shop: Shop) -> None:
    """People delete the person of whom more is about to be logged."""
    shop.hears(ADA)
    shop.sync()
    shop.hears_often(ADA, 4)
    shop.plan()
    shop.acts.delete("persons", shop.person(ADA)["id"])


def organization_deleted(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.hears_often(ABE, 5)
    shop.plan()
    (one,) = shop.acts.every("organizations")
    shop.acts.delete("organizations", one["id"])


def deal_deleted(shop: Shop) -> None:
    """People delete the deal that a colleague is about to join."""
    shop.hears_often(ADA, 5)
    shop.sync()
    shop.hears(ABE)
    shop.plan()
    (deal,) = shop.acts.every("deals")
    shop.acts.delete("deals", deal["id"])


def merged_meanwhile(shop: Shop) -> None:
    """People merge the person who is about to be a participant into one of theirs."""
    shop.hears_often(ADA, 5)
    shop.hears(ABE)
    shop.sync()
    other = shop.acts.add_person("Abraham", "abraham@acme.com")
    shop.hears_often(ABE, 3)
    shop.plan()
    shop.acts.merge("persons", shop.person(ABE)["id"], other)


def crossing_together(shop: Shop) -> None:
    """A lead becomes a deal, and a colleague with a lead joins it."""
    shop.hears(ADA)
    shop.hears(ABE)
    shop.sync()
    shop.hears_often(ADA, 4)
    shop.hears_often(ABE, 4)
    shop.plan()


def owner_leaves(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.hears("eve@beta.com")
    shop.hears_often(ADA, 4)
    shop.plan()
    Switches(shop.sandbox).deactivate(BOB)


def joined(shop: Shop) -> None:
    """She answers from her private address while her person is still to be made."""
    proven, name = shop.trusts("mx.ours.example"), "Ada Lovelace"
    asked = shop.hears("ada.lovelace@acme.com", name=name)
    ours = shop.writes("ada.lovelace@acme.com", answers=asked, subject="Re: Pumps")
    shop.hears("ada@private.example", name=name, answers=ours, signals=proven, subject="Re: Pumps")
    shop.plan()


SCENES: list[Callable[[Shop], None]] = [
    archived_meanwhile,
    deleted_meanwhile,
    organization_deleted,
    deal_deleted,
    merged_meanwhile,
    crossing_together,
    owner_leaves,
    joined,
]


def begin(home: Path) -> Shop:
    home.mkdir(exist_ok=True)
    return make_shop(
        home,
        store=home / "crm.db",
        workers=1,
        policy=Policy(Rules(), follow_up=timedelta(days=2)),
        deals=DealRules(per="organization"),
        routes=(Route("all", owners=(BOB,)),),
    )


def copy(shop: Shop, home: Path) -> Shop:
    """The same shop in another folder, as after a restart."""
    home.mkdir()
    for name in ("ledger.db", "crm.db"):
        copy_database(shop.ledger.path.with_name(name), home / name)
    other = begin(home)
    other.clock.now = shop.clock.now
    return other


def ended(shop: Shop) -> tuple[Any, ...]:
    """What there is in the end, and a second run writes nothing."""
    shop.sync()
    shop.clock.passes(days=3)
    shop.sync()
    before = len(shop.sandbox.writes())
    shop.sync()
    assert len(shop.sandbox.writes()) == before
    joined = sorted(
        (deal["title"], len(deal.get("_participants", ()))) for deal in shop.acts.every("deals")
    )
    return shop.shown(), joined, shop.parked()


@pytest.mark.parametrize("most", [10, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_killed_at_any_step_it_ends_the_same(
    tmp_path: Path, scene: Callable[[Shop], None], most: int
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    log = tmp_path / "steps"
    begun = begin(tmp_path / "begun")
    scene(begun)
    whole = copy(begun, tmp_path / "whole")
    failpoints.arm(log=str(log))
    whole.sync()
    failpoints.arm()
    wanted = ended(whole)
    whole.ledger.close()
    steps = log.read_text().splitlines()
    assert len(steps) > 5
    for number, step in enumerate(steps[:most], 1):
        shop = copy(begun, tmp_path / str(number))
        with shop.ledger:
            failpoints.arm(kill_at=number, die=die)
            with pytest.raises(KeyboardInterrupt):
                shop.sync()
            failpoints.arm()
            shop.sync_ = Sync(replace(shop.sync_.session))
            assert ended(shop) == wanted, step
