"""Who is in the CRM already is adopted, never made again, and never overwritten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crm_kit import Shop, make_shop

ADA = "ada@acme.com"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = make_shop(tmp_path)
    with shop.ledger:
        yield shop


def test_a_person_is_adopted_by_any_of_its_addresses_whatever_their_case(shop: Shop) -> None:
    person = shop.acts.add_person("Ada", "private@home.example", "Ada@ACME.com")
    shop.hears("ada+news@acme.com")

    shop.sync()

    assert shop.count()["persons"] == 1
    assert shop.record("person", ADA).pipedrive_id == str(person)
    assert shop.record("person", ADA).origin == "adopted"


def test_nothing_that_people_keep_of_an_adopted_person_is_overwritten(shop: Shop) -> None:
    home = shop.acts.add_organization("Ada's own firm")
    person = shop.acts.add_person("Countess", ADA, "b@x.com", org_id=home, label_ids=[])
    before = shop.acts.get("persons", person)
    shop.hears_often(ADA, 10, name="Ada Lovelace")

    shop.sync()

    after = shop.acts.get("persons", person)
    for name in ("name", "emails", "owner_id", "org_id", "label_ids"):
        assert after[name] == before[name]
    assert shop.field(ADA, "Thread count") == 10


def test_an_adopted_person_without_an_organization_gets_its_own(shop: Shop) -> None:
    shop.acts.add_person("Ada", ADA)
    shop.hears(ADA)

    shop.sync()

    (person,) = shop.shown()["persons"]
    assert person["org"] == "acme.com"


def test_an_organization_chosen_by_people_between_listing_and_writing_stays(shop: Shop) -> None:
    person = shop.acts.add_person("Ada", ADA)
    shop.hears(ADA)
    shop.plan()
    firm = shop.acts.add_organization("Chosen by hand")
    shop.acts.edit("persons", person, org_id=firm)
    shop.sync()

    assert shop.person(ADA)["org_id"] == firm


def test_of_several_persons_the_oldest_is_adopted_and_it_is_said_why(shop: Shop) -> None:
    first = shop.acts.add_person("Ada", ADA)
    shop.acts.add_person("Ada again", ADA)
    shop.hears(ADA)

    shop.sync_.sync()

    assert shop.record("person", ADA).pipedrive_id == str(first)
    (row,) = shop.ledger.rows("SELECT reason FROM records WHERE kind = 'person'")
    assert row["reason"] == "the oldest of 2 with this address"
    assert len(shop.acts.every("persons")) == 2


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": "Acme.com "}, "its name"),
        ({"name": "Acme Inc", "website": "https://www.acme.com/shop?x=1"}, "its website"),
        ({"name": "Acme Inc", "website": "ACME.com"}, "its website"),
    ],
)
def test_an_organization_is_adopted_by_name_or_website(
    shop: Shop, values: dict[str, str], reason: str
) -> None:
    firm = shop.acts.add_organization(**values)
    shop.hears(ADA)

    shop.sync()

    assert shop.count()["organizations"] == 1
    assert shop.acts.get("organizations", firm)["name"] == values["name"]
    assert shop.person(ADA)["org_id"] == firm
    (row,) = shop.ledger.rows("SELECT reason FROM records WHERE kind = 'organization'")
    assert row["reason"] == reason


def test_an_organization_is_adopted_where_most_known_people_of_the_domain_are(shop: Shop) -> None:
    many, few = shop.acts.add_organization("Acme Holding"), shop.acts.add_organization("Other")
    for name, firm in (("a", many), ("b", many), ("c", few)):
        shop.acts.add_person(name, f"{name}@acme.com", org_id=firm)
        shop.hears(f"{name}@acme.com")
    shop.hears(ADA)

    shop.sync()

    assert shop.person(ADA)["org_id"] == many
    assert shop.count()["organizations"] == 2


def test_a_person_made_by_people_a_moment_ago_is_adopted(shop: Shop) -> None:
    shop.hears("first@other.com")
    shop.sync()
    person = shop.acts.add_person("Ada", ADA)
    deal = shop.acts.add_deal("By hand", person_id=person)
    shop.hears(ADA)

    shop.sync()

    assert shop.record("person", ADA).pipedrive_id == str(person)
    assert shop.record("deal", ADA).pipedrive_id == str(deal)
    assert [a["deal_id"] for a in shop.activities() if a["person_id"] == person] == [deal]


def test_what_people_make_while_our_own_change_waits_is_adopted(tmp_path: Path) -> None:
    shop = make_shop(tmp_path, company={"daily_tokens": 200})
    with shop.ledger:
        shop.hears(ADA)
        shop.sandbox.spend_elsewhere(36)  # enough to list everything, not to write
        assert shop.sync().resume_at is not None
        assert shop.count()["persons"] == 0
        firm = shop.acts.add_organization("acme.com")
        person = shop.acts.add_person("Ada", ADA, org_id=firm)

        shop.next_day()

        assert shop.count()["persons"] == 1
        assert shop.count()["organizations"] == 1
        assert shop.record("person", ADA).pipedrive_id == str(person)


def test_a_second_address_of_a_person_that_we_made_joins_it(shop: Shop) -> None:
    shop.hears(ADA)
    shop.sync()
    person = shop.person(ADA)["id"]
    shop.acts.change_emails(person, ADA, "ada@private.example")
    shop.hears_often("ada@private.example", 4)

    shop.sync()

    assert shop.count()["persons"] == 1
    assert shop.record("person", "ada@private.example").pipedrive_id == str(person)
    # 1 + 4 mails of one person that we made: a deal, from its lead.
    assert shop.count()["deals"] == 1
    assert shop.count()["leads"] == 0
    assert shop.field(ADA, "Thread count") == 5
    deal = int(shop.record("deal", ADA).pipedrive_id)
    assert [a["deal_id"] for a in shop.activities()] == [deal] * 5
    assert "same person as ada@acme.com" in shop.notes("ada@private.example")


def test_two_addresses_of_one_person_at_first_sight_make_one_deal(shop: Shop) -> None:
    person = shop.acts.add_person("Ada", "z@acme.com", ADA)
    shop.hears_often("z@acme.com", 5)
    shop.hears_often(ADA, 5)

    shop.sync()

    (deal,) = shop.acts.every("deals")
    assert deal["person_id"] == person
    assert shop.count()["activities"] == 10


def test_a_sender_who_comes_while_the_crm_is_listed_is_looked_for_in_the_next_round(
    shop: Shop,
) -> None:
    shop.hears("first@other.com")
    shop.sync()
    real = shop.sandbox.handle
    came: list[int] = []

    def handle(request: Any) -> Any:
        answer = real(request)
        if "/persons" in request.path and request.method == "GET" and not came:
            came.append(shop.acts.add_person("Ada", ADA))  # after the listing was answered
            shop.hears(ADA)
        return answer

    shop.sandbox.handle = handle  # type: ignore[method-assign]
    shop.hears("second@other.com")
    shop.sync()
    shop.sync()

    assert shop.record("person", ADA).pipedrive_id == str(came[0])
    assert shop.count()["persons"] == 3


def test_a_person_merged_since_the_last_listing_is_adopted_where_it_went(shop: Shop) -> None:
    lost, kept = shop.acts.add_person("Ada", ADA), shop.acts.add_person("Countess", "c@x.com")
    shop.hears("first@other.com")
    shop.sync()
    shop.acts.merge("persons", lost, kept)
    shop.hears(ADA)

    shop.sync()

    assert shop.record("person", ADA).pipedrive_id == str(kept)
    assert shop.count()["persons"] == 2


def test_a_planned_deal_becomes_the_conversion_of_a_lead_that_people_make_meanwhile(
    shop: Shop,
) -> None:
    shop.hears_often(ADA, 10)
    shop.plan()
    planned = shop.ledger.journal.open_row("deal", ADA)
    assert planned is not None
    assert planned.action == "create"
    shop.acts.add_lead("Offer", person_id=shop.acts.add_person("Ada", ADA))

    shop.clock.passes(hours=1)
    shop.sync()

    assert (shop.count()["leads"], shop.count()["deals"]) == (0, 1)
    assert shop.acts.every("deals")[0]["title"] == "Offer"
