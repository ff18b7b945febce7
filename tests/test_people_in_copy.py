"""People in To and Cc of a conversation become persons and participants, never leads or deals."""

from pathlib import Path
from typing import Any, Literal

import pytest
from crm_kit import Shop, make_shop
from test_deals import participants, quiet

from daemon.rules.deals import DealRules

ADA, CCO, INFO = "ada@acme.com", "cco@acme.com", "info@acme.com"
BOT = "no-reply@acme.com"
MANY = tuple(f"p{number}@many.com" for number in range(12))


def shop_with(tmp_path: Path, in_copy: Literal["contacts", "all"] | None, **rules: Any) -> Shop:
    return make_shop(
        tmp_path, copies=in_copy is not None, in_copy=in_copy, deals=DealRules(**rules)
    )


def people(shop: Shop) -> list[str]:
    return sorted(one["emails"][0]["value"] for one in shop.acts.every("persons"))


@pytest.mark.parametrize(
    ("in_copy", "written_to", "found"),
    [
        (None, False, [ADA]),
        (None, True, [ADA]),
        ("contacts", False, [ADA]),
        ("contacts", True, [ADA, CCO]),
        ("all", False, [ADA, CCO]),
    ],
)
def test_who_becomes_a_person(
    tmp_path: Path, in_copy: Any, *, written_to: bool, found: list[str]
) -> None:
    shop = shop_with(tmp_path, in_copy)
    with shop.ledger:
        if written_to:
            shop.writes(CCO)
        shop.hears(ADA, also=(CCO, INFO, BOT))
        shop.hears("list@shop.example", also=("other@shop.example",), signals=("list-id",))
        shop.hears("eve@many.com", also=MANY)
        shop.sync()

        assert people(shop) == sorted([*found, "eve@many.com"])
        assert len(shop.acts.every("leads")) == 2  # of those who wrote
        assert len(shop.activities()) == 2
        quiet(shop)


@pytest.mark.parametrize("per", ["person", "conversation", "organization"])
def test_who_is_in_copy_takes_part_in_the_deal_once_there_is_one(tmp_path: Path, per: Any) -> None:
    shop = shop_with(tmp_path, "all", per=per)
    with shop.ledger:
        first = shop.hears(ADA, also=(CCO,))
        shop.sync()
        assert shop.acts.every("deals") == []
        shop.writes(ADA, answers=first)
        shop.sync()

        (deal,) = shop.acts.every("deals")
        assert participants(shop, deal["id"]) == [CCO]
        quiet(shop)

        shop.hears(CCO)  # who writes is treated as anybody
        shop.sync()
        leads = [one for one in shop.acts.every("leads") if not one["is_archived"]]
        assert len(leads) == (0 if per == "organization" else 1 if per == "person" else 0)
        assert participants(shop, deal["id"]) == [CCO]
        quiet(shop)


def test_whom_we_had_in_copy_of_our_answer_counts_too(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "contacts")
    with shop.ledger:
        first = shop.hears(ADA)
        shop.writes(ADA, CCO, answers=first)
        shop.writes("cold@other.com")  # nobody's conversation
        shop.sync()

        assert people(shop) == [ADA, CCO]
        (deal,) = shop.acts.every("deals")
        assert participants(shop, deal["id"]) == [CCO]
        quiet(shop)


def test_without_participants_there_are_only_persons(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, "all", participants=False)
    with shop.ledger:
        for _ in range(5):
            shop.hears(ADA, also=(CCO,))
        shop.sync()
        (deal,) = shop.acts.every("deals")
        assert people(shop) == [ADA, CCO]
        assert participants(shop, deal["id"]) == []
        quiet(shop)
