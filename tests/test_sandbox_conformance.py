"""The sandbox against Pipedrive's official API description, endpoint by endpoint."""

from collections.abc import Mapping

import pytest
from openapi import BESIDES, Description
from sandbox_kit import company

from daemon.sandbox.crm import (
    activities,
    conversions,
    deals,
    leads,
    organizations,
    participants,
    persons,
)
from daemon.sandbox.crm.checks import Shape
from daemon.sandbox.crm.core import ROUTER
from daemon.sandbox.crm.routing import Endpoint

KNOWN = Description.kept()
BODIES: Mapping[str, Shape] = {
    "POST v2/organizations": organizations.ADD,
    "PATCH v2/organizations/{id}": organizations.UPDATE,
    "POST v2/persons": persons.ADD,
    "PATCH v2/persons/{id}": persons.UPDATE,
    "POST v2/deals": deals.ADD,
    "PATCH v2/deals/{id}": deals.UPDATE,
    "POST v2/activities": activities.BODY,
    "PATCH v2/activities/{id}": activities.BODY,
    "POST v1/leads": leads.ADD,
    "PATCH v1/leads/{id}": leads.UPDATE,
    "POST v2/leads/{id}/convert/deal": conversions.BODY,
    "POST v1/deals/{id}/participants": participants.BODY,
}
NOT_OURS = {
    # contact sync and Campaigns, which a plain company doesn't have
    *("notes", "im", "birthday", "job_title", "postal_address"),
    "custom_fields",  # added to the shape at each request, with the fields there are
    "person_id in activities",
}


def test_every_cost_is_the_described_one() -> None:
    described = {(op.version, op.method, op.template): op.tokens for op in KNOWN.operations}
    for route in ROUTER.routes():
        price = described[route.version, route.method, route.template]
        assert (route.name, route.tokens) == (route.name, price)


@pytest.mark.parametrize("route", ROUTER.routes(), ids=lambda route: route.name)
def test_query_parameters_are_the_described_ones(route: Endpoint) -> None:
    (op,) = [
        op
        for op in KNOWN.operations
        if (op.version, op.method, op.template) == (route.version, route.method, route.template)
    ]
    assert set(route.query) == set(op.query)


@pytest.mark.parametrize("name", BODIES)
def test_body_keys_are_the_described_ones(name: str) -> None:
    (op,) = [op for op in KNOWN.operations if str(op) == name]
    shape = BODIES[name]
    body = op.spec["body"]
    known = set(body["properties"]) - NOT_OURS | BESIDES.get(name, set())
    assert set(shape.keys) | set(shape.read_only) == known
    assert set(body.get("required", ())) <= set(shape.required)


def test_a_tour_of_every_endpoint_is_accepted_and_answered_as_described() -> None:
    api = company()
    org = api.post("/api/v2/organizations", {"name": "acme.com", "website": "acme.com"}).data["id"]
    api.post("/api/v2/organizations", {"name": "acme.org", "address": {"value": "Bahnhofstr. 1"}})
    api.patch(f"/api/v2/organizations/{org}", {"annual_revenue": 5, "industry": None})
    people = [
        api.post(
            "/api/v2/persons",
            {
                "name": name,
                "org_id": org,
                "emails": [{"value": f"{name}@acme.com", "primary": True, "label": "work"}],
            },
        ).data["id"]
        for name in ("ann", "ben")
    ]
    api.patch(f"/api/v2/persons/{people[0]}", {"phones": [{"value": "+49 1"}]})
    for entity in ("person", "deal", "organization"):
        path = f"/api/v2/{entity}Fields"
        code = api.post(
            path, {"field_name": "Grade", "field_type": "enum", "options": [{"label": "A"}]}
        ).data["field_code"]
        api.get(path, limit=3, include_fields="ui_visibility")
        api.get(f"{path}/{code}")
    key = api.post("/api/v2/dealFields", {"field_name": "Mail key", "field_type": "varchar"}).data[
        "field_code"
    ]
    deal = api.post(
        "/api/v2/deals",
        {"title": "Deal", "person_id": people[0], "stage_id": 2, "custom_fields": {key: "k"}},
    ).data["id"]
    api.patch(f"/api/v2/deals/{deal}", {"value": 10, "expected_close_date": "2026-12-01"})
    lead = api.post(
        "/api/v1/leads", {"title": "Lead", "person_id": people[1], "origin_id": "m", key: "k"}
    ).data["id"]
    lead2 = api.post(
        "/api/v1/leads",
        {"title": "Lead", "organization_id": org, "value": {"amount": 1, "currency": "EUR"}},
    ).data["id"]
    api.patch(f"/api/v1/leads/{lead2}", {"is_archived": True})
    activity = api.post(
        "/api/v2/activities",
        {"subject": "Mail", "type": "email", "lead_id": lead, "participants": [{"person_id": people[1], "primary": True}],
         "due_date": "2026-11-23", "due_time": "08:00", "duration": "00:30", "done": True, "note": "<p>hi</p>",
         "attendees": [{"email": "x@y.org"}], "location": {"value": "here"}},
    ).data["id"]  # fmt: skip
    api.patch(f"/api/v2/activities/{activity}", {"done": False})
    conversion = api.post(f"/api/v2/leads/{lead}/convert/deal", {"stage_id": 2}).data[
        "conversion_id"
    ]
    for _ in range(3):
        api.get(f"/api/v2/leads/{lead}/convert/status/{conversion}")
    api.clock.passes(10)
    for path in ("persons", "organizations"):
        assert api.get(f"/api/v2/{path}/search", term="e", exact_match=False, limit=2).status == 400
        api.get(f"/api/v2/{path}/search", term="ea", limit=2)
        api.get(f"/api/v2/{path}/search", term="acme.com")
    for path, found in {
        "organizations": org,
        "persons": people[0],
        "deals": deal,
        "activities": activity,
        "stages": 1,
    }.items():
        api.get(f"/api/v2/{path}", limit=1)
        api.get(f"/api/v2/{path}/{found}")
    api.get("/api/v2/deals", include_fields="source_lead_id")
    api.get("/api/v2/activities", include_fields="attendees")
    api.get("/api/v2/deals/archived")
    api.get("/api/v2/pipelines")
    path = f"/api/v1/deals/{deal}/participants"
    added = api.post(path, {"person_id": people[1]}).data["id"]
    api.get(path, limit=10)
    api.delete(f"{path}/{added}")
    for path in (
        "leads",
        "leads/archived",
        f"leads/{lead2}",
        "users",
        "users/me",
        "users/1/permissions",
        "users/1/roleSettings",
        "activityTypes",
        "leadLabels",
    ):
        api.get(f"/api/v1/{path}")
    for path in (
        f"v2/deals/{deal}",
        f"v2/activities/{activity}",
        f"v2/persons/{people[0]}",
        f"v2/organizations/{org}",
        f"v1/leads/{lead2}",
    ):
        api.delete(f"/api/{path}")
    answered = {logged.call for logged in api.sandbox.requests if logged.status in (200, 201)}
    assert {route.name for route in ROUTER.routes()} - answered == set()
