"""A deal that people closed or reopened a moment ago: where the next mail goes, and for how much."""

from pathlib import Path
from typing import Any

import pytest
from crm_kit import Shop, make_shop
from test_deals import ABE, ADA, links, participants, quiet

from daemon.rules.deals import DealRules
from daemon.sandbox.crm import Fault

HOUR = 3600


def dealt(tmp_path: Path, **rules: Any) -> tuple[Shop, int]:
    """A company with Ada's deal, listed for the last time an hour ago."""
    shop = make_shop(tmp_path, deals=DealRules(**rules))
    shop.hears_often(ADA, 5)
    shop.sync()
    shop.next_day()
    (deal,) = shop.acts.every("deals")
    shop.clock.passes(HOUR)
    return shop, deal["id"]


def close(shop: Shop, deal: int, how: str) -> None:
    match how:
        case "archive":
            shop.acts.archive("deals", deal)
        case "delete":
            shop.acts.delete("deals", deal)
        case _:
            getattr(shop.acts, how)(deal)


@pytest.mark.parametrize("how", ["win", "lose", "archive", "delete"])
def test_what_was_closed_a_moment_ago_gets_no_mail(tmp_path: Path, how: str) -> None:
    shop, deal = dealt(tmp_path)
    close(shop, deal, how)
    shop.hears(ADA)
    shop.sync()

    assert links(shop) == {ADA: {deal, None}}
    assert shop.count()["activities"] == 6
    shop.hears(ADA)
    shop.sync()
    assert [one["deal_id"] for one in shop.activities()].count(None) == 2
    assert shop.count()["deals"] == (how != "delete")
    shop.next_day()  # the fields of persons
    quiet(shop)


def test_what_was_reopened_a_moment_ago_gets_mail(tmp_path: Path) -> None:
    shop, deal = dealt(tmp_path)
    shop.acts.lose(deal)
    shop.next_day()
    shop.clock.passes(HOUR)
    shop.acts.reopen(deal)
    shop.hears(ADA)
    shop.sync()

    assert links(shop) == {ADA: {deal}}
    shop.next_day()  # the fields of persons
    quiet(shop)


@pytest.mark.parametrize("per", ["conversation", "organization"])
def test_nobody_joins_what_was_closed_a_moment_ago(tmp_path: Path, per: Any) -> None:
    shop, deal = dealt(tmp_path, per=per)
    shop.acts.win(deal)
    shop.hears(ABE, answers=1)
    shop.sync()

    assert participants(shop, deal) == []
    assert links(shop)[ABE] == {None}
    assert [lead["is_archived"] for lead in shop.acts.every("leads")] == [False]
    shop.next_day()  # the fields of persons
    quiet(shop)


def test_a_closed_one_that_still_gets_mail_gets_it(tmp_path: Path) -> None:
    shop, deal = dealt(tmp_path, mail_after_close="won")
    shop.acts.win(deal)
    shop.hears(ADA)
    shop.sync()
    assert links(shop) == {ADA: {deal}}


def test_it_costs_a_token_and_none_within_minutes(tmp_path: Path) -> None:
    shop, _ = dealt(tmp_path)
    mark = shop.mark()
    shop.hears_often(ADA, 2)
    shop.sync()
    assert shop.spent(mark)["GET /deals/{id}"] == 1
    mark = shop.mark()
    shop.hears(ADA)
    shop.sync()
    assert "GET /deals/{id}" not in shop.spent(mark)


def test_many_are_listed_instead(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    people = [f"p{number}@acme.com" for number in range(25)]
    for one in people:
        shop.hears_often(one, 5)
    shop.sync()
    shop.next_day()
    shop.clock.passes(HOUR)
    won = [one["id"] for one in shop.acts.every("deals")][20:]
    for one in won:
        shop.acts.win(one)
    mark = shop.mark()
    for one in people:
        shop.hears(one)
    shop.sync()

    spent = shop.spent(mark)
    assert spent["GET /deals/{id}"] <= 10
    assert spent["GET /deals"] == 1
    loose = [one for one in shop.activities() if one["deal_id"] is None]
    assert len(loose) == len(won)
    shop.next_day()  # the fields of persons
    quiet(shop)


def test_a_look_that_failed_is_made_again(tmp_path: Path) -> None:
    shop, deal = dealt(tmp_path)
    shop.acts.win(deal)
    shop.hears(ADA)
    look = Fault("error", when="before", status=502, method="GET", path=r"/deals/\d+$", count=2)
    shop.sandbox.faults.add(look)
    shop.sync()
    assert links(shop) == {ADA: {deal, None}}
    assert shop.count()["activities"] == 6


def test_a_mail_whose_answer_was_lost_is_not_logged_twice(tmp_path: Path) -> None:
    shop, deal = dealt(tmp_path)
    shop.hears(ADA)
    shop.sandbox.faults.add(Fault("timeout", method="POST", path="/activities$"))
    shop.sync_.sync()
    shop.acts.win(deal)
    shop.clock.passes(HOUR)
    shop.sync()
    assert shop.count()["activities"] == 6
    shop.next_day()  # the fields of persons
    quiet(shop)
