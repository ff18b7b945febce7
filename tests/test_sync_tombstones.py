"""What people deleted, merged, archived or converted stays so, and mail goes on where it belongs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_kit import Shop, make_shop

ADA = "ada@acme.com"
OLD = "ada@old.example"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


# When people's acts come to light: at the daily listing, or before it by a refusal.
WHEN = pytest.mark.parametrize("listed", [True, False], ids=["listed", "refused"])


def later(shop: Shop, *, listed: bool) -> None:
    if listed:
        shop.next_day()
    else:
        shop.clock.passes(hours=7)  # so that the next field update isn't held back


@WHEN
def test_a_deleted_person_and_what_hangs_on_it_stay_deleted(shop: Shop, *, listed: bool) -> None:
    shop.hears(ADA)
    shop.sync()
    person = shop.person(ADA)["id"]
    shop.acts.delete("persons", person)
    shop.acts.delete("leads", shop.acts.every("leads")[0]["id"])
    later(shop, listed=listed)

    shop.hears_often(ADA, 9)
    shop.sync()
    shop.next_day()

    assert shop.count()["persons"] == 0
    assert shop.count()["deals"] == 0
    assert len(shop.activities()) == 1
    assert shop.record("person", ADA).tombstone == "deleted"
    assert "the person was deleted in Pipedrive: left so" in shop.notes(ADA)
    assert shop.parked() == []
    before = shop.mark()
    shop.hears(ADA)
    shop.sync()
    assert shop.requests(before) == []


@WHEN
def test_a_merged_persons_mail_goes_on_at_the_surviving_one(shop: Shop, *, listed: bool) -> None:
    shop.hears_often(ADA, 5)
    shop.sync()
    ours = shop.person(ADA)["id"]
    survivor = shop.acts.add_person("Ada at home", OLD)
    shop.acts.merge("persons", ours, survivor)
    later(shop, listed=listed)

    shop.hears(ADA)
    shop.sync()
    shop.hears(OLD)
    shop.sync()

    assert shop.count()["persons"] == 1
    assert shop.record("person", ADA).pipedrive_id == str(survivor)
    (row,) = shop.ledger.rows("SELECT reason FROM records WHERE kind='person' AND key=?", ADA)
    assert row["reason"] == "deleted and found again: has this address"
    (deal,) = shop.acts.every("deals")
    assert deal["person_id"] == survivor
    assert {a["person_id"] for a in shop.activities()} == {survivor}
    assert len(shop.activities()) == 7
    assert {a["deal_id"] for a in shop.activities()} == {deal["id"]}
    shop.clock.passes(hours=7)
    shop.sync()
    assert shop.field(ADA, "Thread count") == 7


@WHEN
def test_two_persons_of_ours_merged_into_one_keep_their_deals(shop: Shop, *, listed: bool) -> None:
    shop.hears_often(ADA, 5)
    shop.hears(OLD)
    shop.sync()
    lost, survivor = shop.person(ADA)["id"], shop.person(OLD)["id"]
    shop.acts.merge("persons", lost, survivor)
    later(shop, listed=listed)

    shop.hears(ADA)
    shop.hears(OLD)
    shop.sync()

    assert shop.count()["persons"] == 1
    assert {a["person_id"] for a in shop.activities()} == {survivor}
    assert len(shop.activities()) == 8
    assert shop.count()["deals"] == 1


@WHEN
def test_an_organization_that_was_deleted_is_not_made_again(shop: Shop, *, listed: bool) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.acts.delete("organizations", shop.acts.every("organizations")[0]["id"])
    later(shop, listed=listed)

    shop.hears("bob@acme.com")
    shop.hears(ADA)
    shop.sync()

    assert shop.count()["organizations"] == 0
    assert shop.count()["persons"] == 2
    assert shop.person("bob@acme.com")["org_id"] is None
    assert shop.count()["activities"] == 3
    assert shop.parked() == []
    shop.hears(ADA)
    shop.sync()
    assert "the organization was deleted in Pipedrive: left so" in shop.notes(ADA)


@WHEN
def test_a_merged_organization_is_found_at_the_surviving_one(shop: Shop, *, listed: bool) -> None:
    shop.hears(ADA)
    shop.sync()
    lost = shop.acts.every("organizations")[0]["id"]
    survivor = shop.acts.add_organization("Acme Inc")
    shop.acts.merge("organizations", lost, survivor)
    later(shop, listed=listed)

    shop.hears("bob@acme.com")
    shop.sync()
    shop.sync()

    assert shop.count()["organizations"] == 1
    assert shop.person("bob@acme.com")["org_id"] == survivor


@WHEN
def test_a_deleted_deal_stays_deleted_and_mail_goes_to_the_person(
    shop: Shop, *, listed: bool
) -> None:
    shop.hears_often(ADA, 5)
    shop.sync()
    deal = shop.acts.every("deals")[0]["id"]
    shop.acts.delete("deals", deal)
    later(shop, listed=listed)

    shop.hears(ADA)
    shop.sync()
    shop.next_day()

    assert shop.count()["deals"] == 0
    assert shop.count()["activities"] == 6
    assert shop.activities()[-1]["deal_id"] is None
    assert shop.parked() == []
    shop.hears(ADA)
    shop.sync()
    assert "the deal was deleted in Pipedrive: left so" in shop.notes(ADA)


@WHEN
def test_a_lead_that_people_converted_is_followed_to_its_deal(shop: Shop, *, listed: bool) -> None:
    shop.hears(ADA)
    shop.sync()
    deal = shop.acts.convert_lead(shop.acts.every("leads")[0]["id"])
    later(shop, listed=listed)

    shop.hears_often(ADA, 4)
    shop.sync()

    assert shop.count()["deals"] == 1
    assert shop.count()["leads"] == 0
    assert shop.record("deal", ADA).pipedrive_id == str(deal)
    assert shop.record("lead", ADA).tombstone == "converted"
    assert {a["deal_id"] for a in shop.activities()} == {deal}
    assert len(shop.activities()) == 5


@WHEN
def test_a_lead_that_people_deleted_is_not_followed_by_another(shop: Shop, *, listed: bool) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.acts.delete("leads", shop.acts.every("leads")[0]["id"])
    later(shop, listed=listed)

    shop.hears_often(ADA, 4)
    shop.sync()
    assert shop.count()["activities"] == 5  # nothing waits for what isn't to be seen
    shop.clock.passes(hours=2)  # a 404 proves nothing: it is looked for once more
    shop.sync()

    assert shop.count()["leads"] == 0
    assert shop.count()["deals"] == 0
    assert shop.count()["activities"] == 5
    assert "the lead was deleted in Pipedrive: left so" in shop.notes(ADA)


@WHEN
def test_a_lead_that_people_archived_is_not_converted(shop: Shop, *, listed: bool) -> None:
    shop.hears(ADA)
    shop.sync()
    shop.acts.archive("leads", shop.acts.every("leads")[0]["id"])
    later(shop, listed=listed)

    shop.hears_often(ADA, 4)
    shop.sync()

    assert shop.count()["deals"] == 0
    assert shop.acts.every("leads")[0]["is_archived"]
    assert shop.count()["activities"] == 5
    assert "the lead was archived in Pipedrive: left so" in shop.notes(ADA)


def test_people_who_convert_a_lead_while_we_do_are_not_followed_by_a_second_deal(
    tmp_path: Path,
) -> None:
    shop = make_shop(tmp_path, company={"conversion_polls": None, "conversion_seconds": 3600.0})
    with shop.ledger:
        shop.hears(ADA)
        shop.sync()
        shop.hears_often(ADA, 4)
        shop.sync_.sync()
        deal = shop.acts.convert_lead(shop.acts.every("leads")[0]["id"])

        shop.clock.passes(hours=2)
        shop.sync()

        assert shop.count()["deals"] == 1
        assert shop.record("deal", ADA).pipedrive_id == str(deal)
        assert shop.count()["activities"] == 5


def test_a_deleted_activity_stays_deleted(shop: Shop) -> None:
    number = shop.writes(ADA)
    shop.hears(ADA, answers=number)
    shop.sync()
    for activity in shop.activities():
        shop.acts.delete("activities", activity["id"])

    shop.next_day()
    shop.hears(ADA)
    shop.sync()

    assert len(shop.activities()) == 1


def test_a_renamed_record_keeps_its_name_and_its_place(shop: Shop) -> None:
    shop.hears_often(ADA, 5)
    shop.sync()
    for kind, name in (("persons", "Lady A"), ("organizations", "Acme!"), ("deals", "Big one")):
        shop.acts.rename(kind, shop.acts.every(kind)[0]["id"], name)
    stage = shop.acts.stage_id("Sales", "Negotiations Started")
    shop.acts.move(shop.acts.every("deals")[0]["id"], stage)
    shop.acts.change_emails(shop.acts.every("persons")[0]["id"], "lady@a.example")
    shop.next_day()

    shop.hears(ADA)
    shop.hears("lady@a.example")
    shop.sync()
    shop.next_day()

    shown = shop.shown()
    assert [p["name"] for p in shown["persons"]] == ["Lady A"]
    assert [p["emails"] for p in shown["persons"]] == [["lady@a.example"]]
    assert [o["name"] for o in shown["organizations"]] == ["Acme!"]
    assert [(d["title"], d["stage"]) for d in shown["deals"]] == [
        ("Big one", "Negotiations Started")
    ]
    assert len(shown["activities"]) == 7


def test_an_activity_that_people_deleted_is_not_touched_for_a_later_recipient(shop: Shop) -> None:
    shop.hears(ADA)
    shop.writes("eve@third.com", ADA)
    shop.sync()
    ours = next(a for a in shop.activities() if a["subject"] == "Mail 2")
    shop.acts.delete("activities", ours["id"])

    shop.hears("eve@third.com")
    shop.sync()

    assert shop.acts.get("activities", ours["id"])["is_deleted"]
    assert len(shop.activities()) == 2
    assert shop.record("activity", f"{2:032x}").tombstone == "deleted"
    assert shop.parked() == []
    before = shop.mark()
    shop.hears("eve@third.com")
    shop.sync()
    assert shop.spent(before) == {"POST /activities": 1}


def test_a_deal_archived_since_the_last_listing_is_not_taken_for_an_open_one(shop: Shop) -> None:
    person = shop.acts.add_person("Ada", ADA)
    deal = shop.acts.add_deal("By hand", person_id=person)
    shop.hears("first@other.com")
    shop.sync()
    shop.acts.archive("deals", deal)

    shop.hears(ADA)
    shop.sync()

    assert shop.record("deal", ADA) is None
    assert [a["deal_id"] for a in shop.activities()] == [None, None]
    assert "has had a deal" in shop.notes(ADA)


def test_a_lead_that_people_made_in_place_of_ours_is_used(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    (lead,) = shop.acts.every("leads")
    shop.acts.delete("leads", lead["id"])
    other = shop.acts.add_lead("By hand", person_id=lead["person_id"])
    shop.next_day()
    shop.hears(ADA)
    shop.sync()
    shop.clock.passes(hours=2)
    shop.sync()

    assert shop.record("lead", ADA).pipedrive_id == other
    assert shop.activities()[-1]["lead_id"] == other
    shop.hears_often(ADA, 3)
    shop.sync()
    (deal,) = shop.shown()["deals"]
    assert deal["title"] == "By hand"
