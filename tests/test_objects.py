"""Records to JSON and back: nothing of people's in an update, notes that stay small and safe."""

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.pipedrive.objects import (
    Links,
    Target,
    body,
    listed_deal,
    listed_lead,
    listed_person,
    origin_id,
    patch,
    website_domain,
)
from daemon.rules.marks import mark, marked

CODES = {
    "thread_count": "t" * 40,
    "last_contact": "l" * 40,
    "avg_response_hours": "a" * 40,
    "mail_key": "m" * 40,
}
PLACE = Target(7, CODES, {"bob@x.com": 3})
PERSON: dict[str, Any] = {
    "name": "Ada",
    "email": "ada@acme.com",
    "organization": "acme.com",
    "owner": "bob@x.com",
    "thread_count": 2,
    "avg_response_hours": None,
    "class": "lead",
}


def test_a_person_is_made_with_its_values_and_owner() -> None:
    made = body("person", PERSON, Links(organization=5), PLACE)

    assert made["emails"] == [{"value": "ada@acme.com", "primary": True, "label": "work"}]
    assert made["custom_fields"] == {"t" * 40: 2}
    assert (made["org_id"], made["owner_id"]) == (5, 3)


def test_an_update_of_a_person_says_nothing_that_is_peoples() -> None:
    planned = {name: value for name, value in PERSON.items() if name != "name"}
    assert set(patch("person", planned, Links(organization=5), PLACE)) == {
        "org_id",
        "custom_fields",
    }
    assert "org_id" not in patch("person", {"thread_count": 1}, Links(organization=5), PLACE)


@pytest.mark.parametrize("kind", ["organization", "lead", "deal"])
def test_an_update_of_what_people_work_with_is_empty(kind: str) -> None:
    fields = {"title": "T", "name": "N", "website": "w", "mail_key": "k", "owner": "bob@x.com"}
    assert patch(kind, fields, Links(person=1), PLACE) == {}


def test_an_update_of_an_activity_moves_it_and_leaves_its_links_and_its_tick() -> None:
    fields = {"due_date": "2026-01-01", "done": True, "note": "n", "type": "meeting"}
    assert patch("activity", fields, Links(deal=1, organization=2), PLACE) == {
        "due_date": "2026-01-01"
    }


def test_without_the_marker_field_a_lead_still_has_its_origin() -> None:
    made = body("lead", {"title": "T", "mail_key": "a@x.com"}, Links(person=1), Target(7))
    assert made == {"title": "T", "person_id": 1, "origin_id": origin_id("a@x.com")}


def test_a_deal_wins_over_a_lead() -> None:
    fields = {"type": "email", "subject": "S", "done": True}
    made = body("activity", fields, Links(deal=4, lead="u", participants=(1, 2)), PLACE)

    assert made["deal_id"] == 4
    assert "lead_id" not in made
    assert [p["primary"] for p in made["participants"]] == [True, False]


@given(st.text(max_size=300), st.integers(1, 500))
def test_a_note_shows_the_text_escaped_and_ends_with_the_mark(text: str, times: int) -> None:
    shown = marked(text * times, "0" * 32).get("note", mark("0" * 32))

    assert shown.endswith(mark("0" * 32))
    assert len(shown.encode()) < 100_000
    content = shown.removesuffix(mark("0" * 32)).replace("<br>", "\n")
    assert "<" not in content
    assert html.unescape(content).strip("\n") in (text * times).strip("\n") + "\n" or text == ""


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.Acme.co.uk/shop?a=b", "acme.co.uk"),
        ("acme.com", "acme.com"),
        ("http://user:pw@acme.com:8080/", "acme.com"),
        ("not a site", None),
        ("localhost", None),
        ("", None),
        (None, None),
    ],
)
def test_a_website_gives_its_registrable_domain(website: str | None, domain: str | None) -> None:
    assert website_domain(website) == domain


def test_a_listed_person_has_all_its_addresses_as_sender_keys() -> None:
    listed = listed_person(
        {
            "id": 1,
            "emails": [
                {"value": "A+x@B.com"},
                {"value": "a@b.com"},
                {"value": ""},
                {"value": "none"},
            ],
        }
    )
    assert listed.emails == ("a@b.com",)


@pytest.mark.parametrize(
    ("changed", "as_made"),
    [
        ({}, True),
        ({"custom_fields": {"t": None}}, False),
        ({"custom_fields": []}, False),
        ({"update_time": "2026-03-02T10:00:00Z"}, False),  # people's, which got our values later
        ({"add_time": None, "update_time": None}, False),
    ],
)
def test_a_person_with_our_values_that_is_as_it_was_made_is_ours(
    changed: dict[str, Any], *, as_made: bool
) -> None:
    made = "2026-03-02T09:00:00Z"
    row = {"id": 1, "emails": [], "custom_fields": {"t": 1}, "add_time": made, "update_time": made}
    assert listed_person(row | changed, "t").as_made == as_made
    assert not listed_person(row | changed).as_made


def test_markers_are_read_back() -> None:
    assert listed_lead({"id": "u", "origin_id": "mail2deal:a@x.com"}, None).mail_key == "a@x.com"
    assert (
        listed_lead({"id": "u", "origin_id": None, "m" * 40: "a@x.com"}, "m" * 40).mail_key
        == "a@x.com"
    )
    assert (
        listed_deal({"id": 1, "custom_fields": {"m" * 40: "a@x.com"}}, "m" * 40).mail_key
        == "a@x.com"
    )
    assert listed_deal({"id": 1, "custom_fields": None}, "m" * 40).mail_key is None
