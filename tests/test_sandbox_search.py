"""Searches of the sandbox: they lag, they are lossy, and they keep deleted organizations."""

from typing import Any

import pytest
from sandbox_kit import Api, company

V2 = "/api/v2"


def hits(api: Api, path: str, term: str, **query: Any) -> list[Any]:
    reply = api.get(f"{V2}/{path}/search", term=term, **query)
    assert reply.status == 200, reply.body
    return [item["item"]["id"] for item in reply.data["items"]]


def test_a_new_person_is_found_after_the_lag_and_listed_at_once() -> None:
    api = company(search_lag=5.0)
    person = api.post(f"{V2}/persons", {"name": "Ann", "emails": [{"value": "ann@acme.com"}]}).data[
        "id"
    ]
    assert api.ids(f"{V2}/persons") == [person]
    for waited in (0, 4.5):
        api.clock.passes(waited)
        assert hits(api, "persons", "ann@acme.com", fields="email", exact_match=True) == []
    api.clock.passes(0.5)
    assert hits(api, "persons", "ann@acme.com", fields="email", exact_match=True) == [person]


def test_a_change_is_found_after_the_lag_and_the_old_value_until_then() -> None:
    api = company()
    person = api.acts.add_person("Ann", "old@acme.com")
    api.clock.passes(60)
    api.acts.change_emails(person, "new@acme.com")
    api.clock.passes(1)
    assert (hits(api, "persons", "old@acme.com"), hits(api, "persons", "new@acme.com")) == (
        [person],
        [],
    )
    api.clock.passes(5)
    assert (hits(api, "persons", "old@acme.com"), hits(api, "persons", "new@acme.com")) == (
        [],
        [person],
    )


def test_a_deleted_person_drops_out_after_the_lag_and_a_deleted_organization_never() -> None:
    api = company()
    person, org = api.acts.add_person("Acme Ann"), api.acts.add_organization("Acme")
    api.clock.passes(60)
    api.acts.delete("persons", person)
    api.acts.delete("organizations", org)
    assert hits(api, "persons", "acme") == [person]
    api.clock.passes(3600)
    assert hits(api, "persons", "acme") == []
    assert hits(api, "organizations", "acme") == [org]
    assert api.get(f"{V2}/organizations/{org}").data["is_deleted"] is True


@pytest.mark.parametrize(
    ("term", "exact", "found"),
    [
        ("ANN@acme.com", True, True),
        ("ann@acme", True, False),
        ("acme", False, True),
        ("nn lee", False, True),
        ("ben", False, False),
    ],
)
def test_exact_means_the_whole_value_and_case_never_counts(
    term: str, exact: bool, found: bool
) -> None:
    api = company(search_lag=0)
    person = api.acts.add_person("Ann Lee", "ann@acme.com")
    assert hits(api, "persons", term, exact_match=exact) == ([person] if found else [])


def test_an_exact_search_may_be_sloppy_as_the_real_one_was_seen_to_be() -> None:
    api = company(search_lag=0, sloppy_exact_match=True)
    other = api.acts.add_person("Sam", "sam@farm.co.nz")
    assert hits(api, "persons", "sam@farm.co", exact_match=True, fields="email") == [other]


def test_only_the_fields_named_are_searched() -> None:
    api = company(search_lag=0)
    person = api.acts.add_person(
        "acme fan", "ann@x.org", phones=[{"value": "123", "primary": True, "label": "work"}]
    )
    assert hits(api, "persons", "acme", fields="email") == []
    assert hits(api, "persons", "acme", fields="name,email") == [person]
    assert hits(api, "persons", "123", fields="phone") == [person]
    assert api.get(f"{V2}/persons/search", term="acme", fields="title").status == 400


def test_text_and_number_fields_are_searched_dates_are_not() -> None:
    api = company(search_lag=0)
    key, when = (
        api.acts.add_field("deal", "Mail key", "varchar"),
        api.acts.add_field("deal", "When", "date"),
    )
    deal = api.acts.add_deal("D", custom_fields={key: "k-123", when: "2026-11-23"})
    assert hits(api, "deals", "k-123", fields="custom_fields", exact_match=True) == [deal]
    assert hits(api, "deals", "2026-11-23") == []
    assert api.get(f"{V2}/deals/search", term="k-123").data["items"][0]["item"][
        "custom_fields"
    ] == ["k-123"]


def test_deals_and_leads_are_narrowed_by_what_they_hang_on() -> None:
    api = company(search_lag=0)
    ann, ben = api.acts.add_person("Ann", "ann@x.org"), api.acts.add_person("Ben")
    org = api.acts.add_organization("x.org")
    deals = [api.acts.add_deal("Offer", person_id=person, org_id=org) for person in (ann, ben)]
    lead = api.acts.add_lead("Offer", person_id=ann, organization_id=org)
    api.acts.win(deals[1])
    assert hits(api, "deals", "offer", person_id=ann) == deals[:1]
    assert hits(api, "deals", "offer", organization_id=org) == deals
    assert hits(api, "deals", "offer", status="won") == deals[1:]
    assert hits(api, "leads", "offer", person_id=ben) == []
    item = api.get(f"{V2}/leads/search", term="offer").data["items"][0]["item"]
    assert (item["id"], item["emails"], item["type"]) == (lead, ["ann@x.org"], "lead")


def test_item_search_looks_at_all_kinds_or_those_named() -> None:
    api = company(search_lag=0)
    api.acts.add_organization("Acme")
    api.acts.add_person("Acme Ann")
    found = api.get(f"{V2}/itemSearch", term="acme").data["items"]
    assert {item["item"]["type"] for item in found} == {"organization", "person"}
    only = api.get(f"{V2}/itemSearch", term="acme", item_types="person,product").data["items"]
    assert [item["item"]["type"] for item in only] == ["person"]


def test_a_search_for_one_field_counts_case() -> None:
    api = company(search_lag=0)
    key = api.acts.add_field("deal", "Mail key", "varchar")
    deal = api.acts.add_deal("D", custom_fields={key: "Key1"})

    def found(term: str, **more: str) -> list[Any]:
        reply = api.get(f"{V2}/itemSearch/field", term=term, entity_type="deal", field=key, **more)
        return [item["id"] for item in reply.data]

    assert (found("Key1"), found("key1"), found("Key"), found("Key", match="beginning")) == (
        [deal],
        [],
        [],
        [deal],
    )
    assert found("ey", match="middle") == [deal]
    assert (
        api.get(f"{V2}/itemSearch/field", term="x", entity_type="deal", field="nonsense").status
        == 400
    )


def test_hits_come_in_pages() -> None:
    api = company(search_lag=0)
    made = [api.acts.add_person(f"Ann {n}") for n in range(5)]
    first = api.get(f"{V2}/persons/search", term="ann", limit=3)
    cursor = first.body["additional_data"]["next_cursor"]
    rest = api.get(f"{V2}/persons/search", term="ann", limit=3, cursor=cursor)
    assert [item["item"]["id"] for reply in (first, rest) for item in reply.data["items"]] == made
    assert rest.body["additional_data"]["next_cursor"] is None
