"""The three rules over a real sandbox, with persons that we made and persons that were there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crm_kit import Shop, make_shop

from daemon.intake.rebuilding import rebuild

ADA = "ada@acme.com"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def nothing(_shop: Shop, _person: int) -> None: ...


def open_deal(shop: Shop, person: int) -> None:
    shop.acts.add_deal("By hand", person_id=person)


def won_deal(shop: Shop, person: int) -> None:
    shop.acts.win(shop.acts.add_deal("By hand", person_id=person))


def lost_deal(shop: Shop, person: int) -> None:
    shop.acts.lose(shop.acts.add_deal("By hand", person_id=person))


def archived_deal(shop: Shop, person: int) -> None:
    shop.acts.archive("deals", shop.acts.add_deal("By hand", person_id=person))


def a_lead(shop: Shop, person: int) -> None:
    shop.acts.add_lead("By hand", person_id=person)


def archived_lead(shop: Shop, person: int) -> None:
    shop.acts.archive("leads", shop.acts.add_lead("By hand", person_id=person))


@pytest.mark.parametrize(
    ("there", "mails", "deals", "leads"),
    [
        # what people had, how often she wrote: open deals, leads afterwards
        (None, 1, 0, 1),
        (None, 4, 0, 1),
        (None, 5, 1, 0),
        (nothing, 1, 0, 0),
        (nothing, 9, 0, 0),
        (nothing, 10, 1, 0),
        (open_deal, 1, 1, 0),
        (open_deal, 10, 1, 0),
        (won_deal, 10, 0, 0),
        (lost_deal, 10, 0, 0),
        (archived_deal, 10, 0, 0),
        (a_lead, 9, 0, 1),
        (a_lead, 10, 1, 0),
        (archived_lead, 10, 0, 0),
    ],
)
def test_the_rules(
    shop: Shop,
    there: Callable[[Shop, int], None] | None,
    mails: int,
    deals: int,
    leads: int,
) -> None:
    if there is not None:
        there(shop, shop.acts.add_person("Ada", ADA))
    shop.hears_often(ADA, mails)

    shop.sync()

    shown = shop.shown()
    assert len(shown["persons"]) == 1
    assert (
        len([d for d in shown["deals"] if d["status"] == "open" and not d["is_archived"]]) == deals
    )
    assert len([lead for lead in shown["leads"] if not lead["is_archived"]]) == leads
    before = shop.mark()
    shop.sync()
    assert shop.requests(before) == []


@pytest.mark.parametrize("closed", [won_deal, lost_deal, archived_deal])
def test_closed_deals_make_a_new_one_only_when_configured(
    tmp_path: Path, closed: Callable[[Shop, int], None]
) -> None:
    shop = make_shop(tmp_path)
    with shop.ledger:
        closed(shop, shop.acts.add_person("Ada", ADA))
        asked = shop.writes(ADA)
        shop.hears(ADA, answers=asked)
        shop.sync()
        assert shop.count()["deals"] == 1
        assert "has had a deal" in shop.notes(ADA)

        shop.rules(reopen=True)
        shop.hears(ADA)
        shop.sync()

        assert shop.count()["deals"] == 2


def test_a_deal_of_ours_that_people_won_is_followed_by_a_new_one_only_when_configured(
    shop: Shop,
) -> None:
    shop.hears_often(ADA, 5)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    shop.acts.win(deal["id"])
    shop.next_day()
    shop.hears(ADA)
    shop.sync()
    assert [d["status"] for d in shop.acts.every("deals")] == ["won"]
    # An activity doesn't go to a deal that is won.
    assert shop.activities()[-1]["deal_id"] is None

    shop.rules(reopen=True)
    shop.hears(ADA)
    shop.sync()

    assert [d["status"] for d in shop.acts.every("deals")] == ["won", "open"]
    assert shop.activities()[-1]["deal_id"] == shop.acts.every("deals")[-1]["id"]


def test_a_deal_that_people_opened_after_ours_was_lost_is_used(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.sync()
    (deal,) = shop.acts.every("deals")
    shop.acts.lose(deal["id"])
    second = shop.acts.add_deal("A new chance", person_id=deal["person_id"])
    shop.next_day()
    shop.hears(ADA)

    shop.sync()

    assert shop.count()["deals"] == 2
    assert shop.activities()[-1]["deal_id"] == second


def test_a_reply_or_a_meeting_makes_a_deal_of_a_lead(shop: Shop) -> None:
    first = shop.hears(ADA)
    shop.hears("bob@other.com")
    shop.sync()
    assert shop.count()["leads"] == 2

    shop.writes(ADA, answers=first)
    shop.invited("bob@other.com")
    shop.writes("bob@other.com")
    shop.sync()

    shown = shop.shown()
    assert len(shown["deals"]) == 2
    assert shown["leads"] == []
    assert all(deal["from_lead"] for deal in shown["deals"])
    assert {deal["custom_fields"]["Mail key"] for deal in shown["deals"]} == {ADA, "bob@other.com"}
    assert {deal["stage"] for deal in shown["deals"]} == {"Initial Contact"}
    # What was logged before goes along, what comes after is logged with the deal.
    assert all(activity["lead_id"] is None for activity in shop.activities())
    assert all(activity["deal_id"] for activity in shop.activities())


def test_a_conversion_is_polled_across_passes_without_a_busy_loop(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"conversion_polls": None, "conversion_seconds": 120.0})
    with shop.ledger:
        shop.hears(ADA)
        shop.sync()
        shop.hears_often(ADA, 4)

        before = shop.mark()
        first = shop.sync_.sync()
        assert first.waiting == 1
        assert shop.spent(before).get("GET /leads/{id}/convert/status/{conversion_id}", 0) == 0
        shop.sync()

        assert shop.count()["deals"] == 1
        asked = [r for r in shop.requests(before) if "convert/status" in r.path]
        assert 1 <= len(asked) < 15


@pytest.mark.parametrize("ends", ["failed", "rejected"])
def test_a_lead_that_cannot_be_converted_becomes_a_deal_and_is_archived(
    tmp_path: Path, ends: str
) -> None:
    shop = make_shop(tmp_path, company={"conversion_ends": ends})
    with shop.ledger:
        shop.hears(ADA)
        shop.sync()
        shop.hears_often(ADA, 4)
        shop.sync()

        (deal,) = shop.shown()["deals"]
        (lead,) = shop.shown()["leads"]
        assert deal["custom_fields"]["Mail key"] == ADA
        assert not deal["from_lead"]
        assert lead["is_archived"]
        assert shop.record("lead", ADA).tombstone == "archived"


def test_a_reply_that_comes_while_the_lead_still_waits_makes_a_deal_only(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 200})
    with shop.ledger:
        first = shop.hears(ADA)
        shop.sandbox.spend_elsewhere(36)
        shop.sync()
        assert shop.ledger.journal.open_row("lead", ADA) is not None
        shop.writes(ADA, answers=first)

        shop.next_day()

        assert shop.count()["deals"] == 1
        assert shop.count()["leads"] == 0


def test_what_waits_for_a_sender_who_turns_out_to_be_none_is_taken_back(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 200})
    with shop.ledger:
        number = shop.hears(ADA)
        shop.sandbox.spend_elsewhere(36)
        shop.sync()
        assert shop.ledger.backlog.pending()
        # The same mail turns out to be from a machine.
        with shop.ledger.transaction("test"):
            shop.ledger.rows(
                "UPDATE messages SET facts = json_set(facts, '$.marks', json('[\"precedence-bulk\"]'))"
                " WHERE key = ? RETURNING id",
                f"{number:032x}",
            )
        rebuild(shop.ledger, shop.scoring)
        shop.next_day()

        assert set(shop.count().values()) == {0}
