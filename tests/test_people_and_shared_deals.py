"""What people do to records that several senders share: nothing is made twice, nothing comes back."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from crm_kit import Shop, make_shop
from test_deals import ABE, ADA, AMY, links, open_leads, participants, quiet

from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.rules.deals import DealRules

LEO = "leo@lawyer.com"
TWO_DAYS = timedelta(days=2)


def shared(home: Path, **rules: Any) -> tuple[Shop, int]:
    """Ada's deal, in which Abe takes part, with people in copy and follow-ups switched on."""
    shop = make_shop(
        home,
        copies=True,
        in_copy="all",
        deals=DealRules(**{"per": "organization", **rules}),
        policy=Policy(Rules(), follow_up=TWO_DAYS),
    )
    number = 0
    for _ in range(5):
        number = shop.hears(ADA)
    shop.hears(ABE, answers=number)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    assert participants(shop, deal["id"]) == [ABE]
    return shop, int(deal["id"])


def tasks(shop: Shop) -> list[tuple[str, bool]]:
    return [(one["subject"], one["done"]) for one in shop.activities("task")]


def later(shop: Shop, **time: float) -> None:
    shop.clock.passes(**time)
    shop.sync()


@pytest.mark.parametrize(("lost", "survivor"), [(ADA, ABE), (ABE, ADA)])
def test_colleagues_whom_people_merge_are_one_person_with_one_deal_and_one_task(
    tmp_path: Path, lost: str, survivor: str
) -> None:
    shop, deal = shared(tmp_path)
    shop.acts.merge("persons", shop.person(lost)["id"], shop.person(survivor)["id"])
    shop.next_day()
    shop.hears(ABE)
    shop.hears(ADA)
    shop.sync()
    later(shop, days=3)

    assert {kind: shop.count()[kind] for kind in ("persons", "deals", "leads")} == {
        "persons": 1,
        "deals": 1,
        "leads": 0,
    }
    assert {one["deal_id"] for one in shop.activities()} == {deal}
    assert len(tasks(shop)) == 1
    assert shop.parked() == []
    quiet(shop)


def test_organizations_that_people_merge_share_their_deals(tmp_path: Path) -> None:
    shop, deal = shared(tmp_path)
    shop.hears_often("bob@beta.com", 5)
    shop.sync()
    ids = {one["name"]: one["id"] for one in shop.acts.every("organizations")}
    shop.acts.merge("organizations", ids["beta.com"], ids["acme.com"])
    shop.next_day()
    shop.hears("new@beta.com")
    shop.hears(AMY)
    shop.sync()

    assert [one["name"] for one in shop.acts.every("organizations")] == ["acme.com"]
    assert (shop.count()["deals"], open_leads(shop)) == (2, [])
    assert links(shop)[ADA] == {deal}
    assert shop.parked() == []
    later(shop, days=4)  # who waits has a task by then
    quiet(shop)


def moved(shop: Shop, deal: int) -> None:
    """To another pipeline."""
    shop.acts.move(deal, shop.acts.stage_id("Partners", "New"))


def handed_over(shop: Shop, deal: int) -> None:
    """To a colleague, who is its contact person from now on."""
    shop.acts.edit("deals", deal, person_id=shop.person(ABE)["id"])


@pytest.mark.parametrize("change", [moved, handed_over])
def test_a_deal_that_people_changed_takes_mail_and_stays_as_it_is(
    tmp_path: Path, change: Callable[[Shop, int], None]
) -> None:
    shop, deal = shared(tmp_path)
    change(shop, deal)
    before = shop.acts.get("deals", deal)
    for who in (ABE, ADA, AMY):
        shop.hears(who)
    shop.next_day()

    after = shop.acts.get("deals", deal)
    assert (before["stage_id"], before["person_id"]) == (after["stage_id"], after["person_id"])
    assert participants(shop, deal) == [ABE, AMY]
    assert {one["deal_id"] for one in shop.activities()} == {deal}
    assert shop.count()["deals"] == 1
    later(shop, days=4)  # who waits has a task by then
    quiet(shop)


def test_the_mail_of_a_deal_that_people_merged_goes_to_the_survivor(tmp_path: Path) -> None:
    shop, deal = shared(tmp_path)
    other = shop.acts.add_deal("Bigger", person_id=shop.person(ADA)["id"])
    shop.acts.merge("deals", deal, other)
    shop.acts.add_participant(other, shop.person(ABE)["id"])
    shop.next_day()
    shop.next_day()
    shop.hears(ABE)
    shop.hears(ADA)
    shop.sync()

    assert {one["deal_id"] for one in shop.activities()} == {other}
    assert (shop.count()["deals"], participants(shop, other)) == (1, [ABE])
    assert shop.parked() == []
    later(shop, days=4)  # who waits has a task by then
    quiet(shop)


@pytest.mark.parametrize("per", ["conversation", "organization"])
def test_who_was_taken_out_stays_out_whatever_comes_later(tmp_path: Path, per: str) -> None:
    """Also who was only in copy, and after the deal was closed and reopened."""
    shop, deal = shared(tmp_path, per=per)
    number = shop.hears(ADA, also=(LEO,))
    shop.sync()
    assert participants(shop, deal) == [ABE, LEO]
    shop.acts.remove_participants(deal)
    shop.next_day()
    shop.acts.lose(deal)
    shop.next_day()
    shop.hears(ABE, answers=number)
    shop.sync()
    shop.acts.reopen(deal)
    shop.next_day()
    number = shop.hears(ADA, also=(ABE, LEO))
    shop.hears(LEO, answers=number)
    shop.writes(ADA, ABE, LEO, answers=number)
    shop.sync()
    shop.next_day()

    assert participants(shop, deal) == []
    assert shop.count()["deals"] == 1
    later(shop, days=4)  # who waits has a task by then
    quiet(shop)


def test_what_waits_on_a_deal_that_people_reopen_is_due_again(tmp_path: Path) -> None:
    """For who has the deal and for who only joined it, without another mail."""
    shop, deal = shared(tmp_path)
    shop.acts.lose(deal)
    shop.next_day()
    later(shop, days=3)
    assert tasks(shop) == []
    shop.acts.reopen(deal)
    shop.next_day()

    assert sorted(tasks(shop)) == [("Answer Abe: Mail 6", False), ("Answer Ada: Mail 5", False)]
    assert {one["deal_id"] for one in shop.activities("task")} == {deal}
    quiet(shop)


def test_another_timezone_changes_nothing_that_is_there(tmp_path: Path) -> None:
    shop, _ = shared(tmp_path)
    later(shop, days=3)
    before = shop.shown()["activities"]
    zone = ZoneInfo("Asia/Tokyo")
    shop.settings(policy=Policy(Rules(), follow_up=TWO_DAYS, zone=zone))
    shop.next_day()
    assert shop.shown()["activities"] == before
    quiet(shop)
