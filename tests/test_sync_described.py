"""Every kind of request that the sync makes is in Pipedrive's official description, as we send it.

The other tests of the sync hold their requests to it as well; this one sees to it that no kind of
call is left out.
"""

import json
from pathlib import Path

from crm_kit import Shop, make_shop
from openapi import Description

from daemon.sandbox.crm import Fault, seed_from

ADA, BOB, EVE = "ada@acme.com", "bob@other.com", "eve@third.com"
CALLS = {
    "GET /users/me",
    "GET /users",
    "GET /pipelines",
    "GET /stages",
    "GET /stages/{id}",
    "GET /personFields",
    "POST /personFields",
    "GET /dealFields",
    "POST /dealFields",
    "GET /organizations",
    "POST /organizations",
    "GET /organizations/{id}",
    "GET /persons",
    "GET /persons/search",
    "GET /persons/{id}",
    "POST /persons",
    "PATCH /persons/{id}",
    "GET /deals",
    "GET /deals/archived",
    "GET /deals/{id}",
    "POST /deals",
    "GET /leads",
    "GET /leads/archived",
    "GET /leads/{id}",
    "POST /leads",
    "PATCH /leads/{id}",
    "POST /leads/{id}/convert/deal",
    "GET /leads/{id}/convert/status/{conversion_id}",
    "GET /activities",
    "GET /activities/{id}",
    "POST /activities",
    "PATCH /activities/{id}",
}


def test_every_kind_of_request_is_as_described(tmp_path: Path) -> None:
    shop = make_shop(
        tmp_path, owners={"sales": "bob@example.com"}, company={"conversion_ends": "failed"}
    )
    with shop.ledger:
        everything(shop)
        known = Description.kept()
        for r in shop.requests():
            body = json.loads(r.body) if r.body else None
            if r.outcome in (200, 201):
                assert known.check_request(r.method, r.path, r.query, body) == [], r
        assert set(shop.spent(0)) - {""} == CALLS


def everything(shop: Shop) -> None:
    """A life that has need of every call."""
    people = [
        {"id": n, "name": "P", "emails": [{"value": f"p{n}@crowd.com", "primary": True}]}
        for n in range(20_000, 20_600)
    ]
    seed_from(shop.sandbox, {"persons": people})
    shop.clock.passes(60)
    first = shop.hears(ADA)
    shop.hears(BOB)
    shop.writes(EVE, BOB)
    shop.sync()
    # Converted in vain, then a deal; a later recipient; a field update; lost answers.
    shop.writes(ADA, answers=first)
    shop.hears(EVE)
    for noun in ("persons", "activities", "leads", "deals", "organizations"):
        shop.sandbox.faults.add(Fault("drop", method="POST", path=f"/{noun}$"))
    shop.sync()
    shop.clock.passes(hours=7)
    shop.hears(BOB)
    shop.sync()
    # Adopted on an older word, after a look.
    there = shop.acts.add_organization("New firm", website="new.com")
    person = shop.acts.add_person("There", "there@new.com", org_id=there)
    shop.acts.add_deal("By hand", person_id=person)
    shop.next_day()
    shop.acts.delete("organizations", there)
    shop.hears("there@new.com")
    shop.sync()
    # A refusal is looked into; a stage with another name.
    shop.acts.delete("deals", shop.acts.every("deals")[-1]["id"])
    stage = shop.acts.stage_id("Sales", "Initial Contact")
    shop.acts.edit("stages", stage, name="First talk")
    shop.hears("there@new.com")
    shop.next_day()
    shop.sync()
