"""Leads of the sandbox in v1's ways, and how one becomes a deal."""

from typing import Any

import pytest
from sandbox_kit import Api, company

from daemon.sandbox.crm import Settings

V1, V2 = "/api/v1", "/api/v2"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def with_person(**settings: Any) -> tuple[Api, int]:
    api = company(**settings)
    return api, api.acts.add_person("Ann", "ann@acme.com")


def test_a_lead_is_made_with_201_and_flat_custom_fields() -> None:
    api, person = with_person()
    key = api.acts.add_field("deal", "Mail key", "varchar")
    reply = api.post(
        f"{V1}/leads", {"title": "L", "person_id": person, "origin_id": "k1", key: "k1"}
    )
    assert reply.status == 201
    assert (reply.data["origin"], reply.data["origin_id"], reply.data[key]) == ("API", "k1", "k1")
    assert reply.data["visible_to"] == "3"
    assert "custom_fields" not in reply.data
    assert "is_deleted" not in reply.data
    assert api.get(f"/v1/leads/{reply.data['id']}").data == reply.data


def test_an_unset_custom_field_is_absent_from_a_lead() -> None:
    api, person = with_person()
    key = api.acts.add_field("deal", "Mail key", "varchar")
    assert key not in api.post(f"{V1}/leads", {"title": "L", "person_id": person}).data


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"title": "L"}, "A lead must be linked to a person or an organization."),
        ({"person_id": 1}, "title: A non-empty value is required"),
        ({"title": "L", "person_id": 9}, "person_id: Person with id '9' was not found"),
        ({"title": "L", "person_id": 1, "visible_to": 3}, "visible_to"),
        ({"title": "L", "person_id": 1, "value": 5}, "value: The value is not a valid 'object'"),
        ({"title": "L", "person_id": 1, "value": {"amount": 5}}, "value.currency: A non-empty"),
        ({"title": "L", "person_id": 1, "org_id": 1}, "org_id: Parameter 'org_id' is not allowed"),
        ({"title": "L", "person_id": 1, "custom_fields": {}}, "custom_fields: Parameter"),
        ({"title": "L", "person_id": 1, "a" * 40: "x"}, f"Parameter '{'a' * 40}' is not allowed"),
        (
            {"title": "L", "person_id": 1, "was_seen": 0},
            "was_seen: The value is not a valid 'boolean'",
        ),
        ({"title": "L", "person_id": 1, "label_ids": [UNKNOWN]}, "label_ids: Lead label"),
        ({"title": "L", "person_id": 1, "is_archived": True}, "is_archived: Parameter"),
    ],
)
def test_a_lead_that_does_not_fit_is_a_400(body: dict[str, object], says: str) -> None:
    api, _ = with_person()
    reply = api.post(f"{V1}/leads", body)
    assert reply.status == 400
    assert says in reply.error


def test_a_lead_changes_all_but_its_origin() -> None:
    api, person = with_person()
    lead = api.acts.add_lead("L", person_id=person)
    changed = api.patch(
        f"{V1}/leads/{lead}", {"title": "M", "value": {"amount": 5, "currency": "EUR"}}
    )
    assert (changed.status, changed.data["title"]) == (200, "M")
    assert "origin_id: Parameter" in api.patch(f"{V1}/leads/{lead}", {"origin_id": "k"}).error
    assert api.patch(f"{V1}/leads/{lead}", {"person_id": None}).status == 400


def test_leads_are_listed_by_offset() -> None:
    api, person = with_person()
    made = []
    for title in "abc":
        made.append(api.acts.add_lead(title, person_id=person))
        api.clock.passes(1)
    first = api.get(f"{V1}/leads", limit=2)
    assert [lead["id"] for lead in first.data] == made[:2]
    assert first.body["additional_data"] == {
        "start": 0,
        "limit": 2,
        "more_items_in_collection": True,
    }
    rest = api.get(f"{V1}/leads", limit=2, start=2)
    assert [lead["id"] for lead in rest.data] == made[2:]
    assert rest.body["additional_data"]["more_items_in_collection"] is False
    newest = api.get(f"{V1}/leads", sort="add_time DESC")
    assert [lead["id"] for lead in newest.data] == made[::-1]
    assert api.get(f"{V1}/leads", cursor="x").status == 400
    assert api.get(f"{V1}/leads", sort="person_id").status == 400


def test_the_page_of_leads_may_come_wrapped() -> None:
    api, _ = with_person(lead_pages_wrapped=True)
    reply = api.session.get("http://sandbox.test/api/v1/leads").json()
    assert reply["additional_data"]["pagination"]["more_items_in_collection"] is False


def test_leads_are_found_by_person_organization_and_time() -> None:
    api, person = with_person()
    org = api.acts.add_organization("acme.com")
    first = api.acts.add_lead("A", person_id=person)
    api.clock.passes(10.5)
    second = api.acts.add_lead("B", organization_id=org, owner_id=2)
    assert api.ids(f"{V1}/leads", person_id=person) == [first]
    assert api.ids(f"{V1}/leads", organization_id=org) == [second]
    assert api.ids(f"{V1}/leads", owner_id=2) == [second]
    assert api.ids(f"{V1}/leads", updated_since="2026-11-23T08:00:10Z") == [second]
    assert api.ids(f"{V1}/leads", updated_since="2026-11-23T08:00:11Z") == []
    assert api.ids(f"{V1}/leads", updated_since="2026-11-23T08:00:00Z") == [first, second]


def test_an_archived_lead_is_listed_apart_and_refuses_changes() -> None:
    api, person = with_person()
    lead = api.acts.add_lead("L", person_id=person)
    assert api.patch(f"{V1}/leads/{lead}", {"is_archived": True}).data["is_archived"] is True
    assert api.ids(f"{V1}/leads") == []
    assert api.ids(f"{V1}/leads/archived", person_id=person) == [lead]
    assert api.patch(f"{V1}/leads/{lead}", {"title": "M"}).status == 400
    assert api.patch(f"{V1}/leads/{lead}", {"is_archived": False}).status == 200
    assert api.ids(f"{V1}/leads") == [lead]


def test_a_deleted_lead_is_a_404_at_once() -> None:
    api, person = with_person()
    lead = api.acts.add_lead("L", person_id=person)
    assert api.delete(f"{V1}/leads/{lead}").data == {"id": lead}
    for reply in (api.get(f"{V1}/leads/{lead}"), api.patch(f"{V1}/leads/{lead}", {"title": "M"})):
        assert (reply.status, reply.error) == (404, "requested lead not found")
    assert api.get(f"{V1}/leads/not-a-uuid").status == 400


def convert(api: Api, lead: str, **body: int) -> str:
    return str(api.post(f"{V2}/leads/{lead}/convert/deal", body).data["conversion_id"])


def state(api: Api, lead: str, conversion: str) -> str:
    return str(api.get(f"{V2}/leads/{lead}/convert/status/{conversion}").data["status"])


def test_a_lead_becomes_a_deal_with_all_that_hangs_on_it() -> None:
    api, person = with_person(conversion_seconds=None)
    org = api.acts.add_organization("acme.com")
    key = api.acts.add_field("deal", "Mail key", "varchar")
    lead = api.acts.add_lead(
        "L",
        person_id=person,
        organization_id=org,
        owner_id=2,
        value={"amount": 7, "currency": "USD"},
        custom_fields={key: "k"},
    )
    activity = api.acts.add_activity("Mail", lead_id=lead, type="email")
    conversion = convert(api, lead, stage_id=2)
    assert state(api, lead, conversion) == "not_started"
    assert api.get(f"{V1}/leads/{lead}").status == 200
    assert state(api, lead, conversion) == "running"
    done = api.get(f"{V2}/leads/{lead}/convert/status/{conversion}").data
    deal = api.get(f"{V2}/deals/{done['deal_id']}", include_fields="source_lead_id").data
    assert done["status"] == "completed"
    assert (deal["title"], deal["person_id"], deal["org_id"], deal["owner_id"]) == (
        "L",
        person,
        org,
        2,
    )
    assert (deal["value"], deal["currency"], deal["stage_id"], deal["pipeline_id"]) == (
        7,
        "USD",
        2,
        1,
    )
    assert (deal["source_lead_id"], deal["custom_fields"]) == (lead, {key: "k"})
    assert api.ids(f"{V2}/activities", deal_id=deal["id"]) == [activity]
    assert api.ids(f"{V2}/activities", lead_id=lead) == []
    assert api.get(f"{V1}/leads/{lead}").status == 404
    assert state(api, lead, conversion) == "completed"


def test_source_lead_id_is_shown_only_when_asked_for() -> None:
    api, person = with_person()
    deal = api.acts.convert_lead(api.acts.add_lead("L", person_id=person))
    assert "source_lead_id" not in api.get(f"{V2}/deals/{deal}").data
    assert "source_lead_id" not in api.get(f"{V2}/deals").data[0]


def test_a_conversion_goes_on_by_the_clock_without_being_polled() -> None:
    api, person = with_person(conversion_seconds=3.0)
    lead = api.acts.add_lead("L", person_id=person)
    convert(api, lead)
    api.clock.passes(2)
    assert api.ids(f"{V2}/deals") == []
    api.clock.passes(1)
    assert len(api.ids(f"{V2}/deals", person_id=person)) == 1
    assert api.ids(f"{V1}/leads") == []


@pytest.mark.parametrize("ending", ["failed", "rejected"])
def test_a_conversion_may_end_badly_and_leaves_the_lead(ending: str) -> None:
    api, person = with_person(conversion_ends=ending)
    lead = api.acts.add_lead("L", person_id=person)
    conversion = convert(api, lead)
    api.clock.passes(2)
    reply = api.get(f"{V2}/leads/{lead}/convert/status/{conversion}").data
    assert reply["status"] == ending
    assert "deal_id" not in reply
    assert api.ids(f"{V1}/leads") == [lead]
    assert api.ids(f"{V2}/deals") == []


def test_the_ending_can_change_while_the_sandbox_runs() -> None:
    api, person = with_person(conversion_ends="failed")
    api.sandbox.settings = Settings(conversion_ends="completed", burst=False)
    lead = api.acts.add_lead("L", person_id=person)
    conversion = convert(api, lead)
    api.clock.passes(2)
    assert state(api, lead, conversion) == "completed"


def test_a_second_conversion_of_one_lead_is_rejected_and_makes_no_second_deal() -> None:
    api, person = with_person()
    lead = api.acts.add_lead("L", person_id=person)
    first, second = convert(api, lead), convert(api, lead)
    api.clock.passes(2)
    assert (state(api, lead, first), state(api, lead, second)) == ("completed", "rejected")
    assert len(api.ids(f"{V2}/deals")) == 1


def test_what_is_not_there_cannot_be_converted() -> None:
    api, person = with_person()
    lead = api.acts.add_lead("L", person_id=person)
    for reply in (
        api.post(f"{V2}/leads/{UNKNOWN}/convert/deal"),
        api.get(f"{V2}/leads/{lead}/convert/status/{UNKNOWN}"),
    ):
        assert (reply.status, reply.error) == (404, "Entity was not found")
    api.acts.archive("leads", lead)
    assert api.post(f"{V2}/leads/{lead}/convert/deal").status == 400
