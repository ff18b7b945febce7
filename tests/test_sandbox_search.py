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
        api.acts.add_field("person", "Key", "varchar"),
        api.acts.add_field("person", "When", "date"),
    )
    ann = api.acts.add_person("Ann", custom_fields={key: "k-123", when: "2026-11-23"})
    assert hits(api, "persons", "k-123", fields="custom_fields", exact_match=True) == [ann]
    assert hits(api, "persons", "2026-11-23") == []
    found = api.get(f"{V2}/persons/search", term="k-123").data["items"][0]["item"]
    assert found["custom_fields"] == ["k-123"]


def test_persons_are_narrowed_by_their_organization() -> None:
    api = company(search_lag=0)
    org = api.acts.add_organization("acme.com")
    ann, _ = api.acts.add_person("Ann", org_id=org), api.acts.add_person("Ann")
    assert hits(api, "persons", "ann", organization_id=org) == [ann]


def test_hits_come_in_pages() -> None:
    api = company(search_lag=0)
    made = [api.acts.add_person(f"Ann {n}") for n in range(5)]
    first = api.get(f"{V2}/persons/search", term="ann", limit=3)
    cursor = first.body["additional_data"]["next_cursor"]
    rest = api.get(f"{V2}/persons/search", term="ann", limit=3, cursor=cursor)
    assert [item["item"]["id"] for reply in (first, rest) for item in reply.data["items"]] == made
    assert rest.body["additional_data"]["next_cursor"] is None
