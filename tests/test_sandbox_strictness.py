"""What the sandbox refuses, and in whose words: wrong keys, types, references, paths, tokens."""

import json
from typing import Any

import pytest
import requests
from sandbox_kit import BASE, company

from daemon.sandbox.crm import SandboxAdapter

V2 = "/api/v2"
SUBJECT = {"subject": "S", "type": "email"}

REFUSED = [
    # method, path, body, what the error says
    ("POST", "persons", {}, "name: A non-empty value is required"),
    ("POST", "persons", {"name": ""}, "name: A non-empty value is required"),
    ("POST", "persons", {"name": 5}, "name: The value is not a valid 'string'"),
    ("POST", "persons", {"name": "A", "email": "a@x.org"}, "email: Parameter 'email' is not allowed for this request"),
    ("POST", "persons", {"name": "A", "emails": ["a@x.org"]}, "emails[0]: The value is not a valid 'object'"),
    ("POST", "persons", {"name": "A", "emails": [{"primary": True}]}, "emails[0].value: A non-empty value is required"),
    ("POST", "persons", {"name": "A", "emails": [{"value": "a", "primary": 1}]}, "emails[0].primary: The value is not a valid 'boolean'"),
    ("POST", "persons", {"name": "A", "emails": {"value": "a"}}, "emails: The value is not a valid 'array'"),
    ("POST", "persons", {"name": "A", "org_id": "1"}, "org_id: The value is not a valid 'integer'"),
    ("POST", "persons", {"name": "A", "org_id": True}, "org_id: The value is not a valid 'integer'"),
    ("POST", "persons", {"name": "A", "org_id": None}, "org_id: The value is not a valid 'integer'"),
    ("POST", "persons", {"name": "A", "org_id": 77}, "org_id: Organization with id '77' was not found"),
    ("POST", "persons", {"name": "A", "owner_id": 77}, "owner_id: User with id '77' was not found"),
    ("POST", "persons", {"name": "A", "visible_to": "3"}, "visible_to"),
    ("POST", "persons", {"name": "A", "job_title": "boss"}, "job_title: Parameter 'job_title' is not allowed"),
    ("POST", "persons", {"name": "A", "custom_fields": {"a" * 40: 1}}, f"custom_fields: Unknown key '{'a' * 40}'"),
    ("POST", "persons", {"name": "A", "a" * 40: 1}, f"Parameter '{'a' * 40}' is not allowed for this request"),
    ("POST", "organizations", {"name": "A", "domain": "a.org"}, "domain: Parameter 'domain' is not allowed"),
    ("POST", "organizations", {"name": "A", "address": "street"}, "address: The value is not a valid 'object'"),
    ("POST", "organizations", {"name": "A", "add_time": "yesterday"}, "add_time: This value is not a valid datetime"),
    ("POST", "deals", {}, "title: A non-empty value is required"),
    ("POST", "deals", {"title": "D", "user_id": 1}, "user_id: Parameter 'user_id' is not allowed"),
    ("POST", "deals", {"title": "D", "add_time": "2026-01-01T00:00:00Z"}, "add_time: Parameter 'add_time' is not allowed"),
    ("POST", "deals", {"title": "D", "origin_id": "k"}, "origin_id: Parameter 'origin_id' is not allowed"),
    ("POST", "deals", {"title": "D", "pipeline_id": "1"}, "pipeline_id: The value is not a valid 'integer'"),
    ("POST", "deals", {"title": "D", "stage_id": 99}, "stage_id: Stage with id '99' was not found"),
    ("POST", "deals", {"title": "D", "value": "10"}, "value: The value is not a valid 'number'"),
    ("POST", "deals", {"title": "D", "status": "maybe"}, "status: The value you selected is not a valid choice"),
    ("POST", "deals", {"title": "D", "expected_close_date": None}, "expected_close_date: The value is not a valid 'string'"),
    ("POST", "deals", {"title": "D", "expected_close_date": "1.2.2026"}, "expected_close_date"),
    ("POST", "deals", {"title": "D", "lost_reason": "price"}, "lost_reason: Can only be set if deal status is lost"),
    ("POST", "deals", {"title": "D", "won_time": "2026-01-01T00:00:00Z"}, "won_time: Can only be set if deal status is won"),
    ("POST", "deals", {"title": "D", "currency": "euro"}, "currency: This value is not a valid currency"),
    ("POST", "activities", {**SUBJECT, "person_id": 1}, "'person_id' is a read-only field. Add a primary participant to set 'person_id' instead."),
    ("POST", "activities", {**SUBJECT, "done": 1}, "done: The value is not a valid 'boolean'"),
    ("POST", "activities", {**SUBJECT, "done": "true"}, "done: The value is not a valid 'boolean'"),
    ("POST", "activities", {**SUBJECT, "due_time": "9:05"}, "due_time: This value is not a valid datetime"),
    ("POST", "activities", {**SUBJECT, "due_time": "24:00"}, "due_time: This value is not a valid datetime"),
    ("POST", "activities", {**SUBJECT, "due_date": "2026-02-30"}, "due_date: This value is not a valid date"),
    ("POST", "activities", {**SUBJECT, "duration": "90"}, "duration: This value is not a valid datetime"),
    ("POST", "activities", {**SUBJECT, "type": "Email"}, "type: Activity type 'Email' doesn't exist"),
    ("POST", "activities", {**SUBJECT, "custom_fields": {}}, "custom_fields: Parameter 'custom_fields' is not allowed"),
    ("POST", "activities", {**SUBJECT, "user_id": 1}, "user_id: Parameter 'user_id' is not allowed"),
    ("POST", "activities", {**SUBJECT, "deal_id": 9}, "deal_id: Deal with id '9' was not found"),
    ("POST", "activities", {**SUBJECT, "lead_id": "abc"}, "lead_id: The value is not a valid 'uuid'"),
    ("POST", "activities", {**SUBJECT, "participants": [{"person_id": 9}]}, "person_id: Person with id '9' was not found"),
    ("POST", "activities", {**SUBJECT, "participants": [9]}, "participants[0]: The value is not a valid 'object'"),
    ("POST", "activities", {**SUBJECT, "note": "x" * (100 * 1024 + 1)}, "note: This value is too long"),
    ("POST", "activities", {**SUBJECT, "subject": "x" * 256}, "subject: This value is too long"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "says"), REFUSED)
def test_a_body_that_does_not_fit_is_a_400_that_says_why(
    method: str, path: str, body: Any, says: str
) -> None:
    api = company()
    reply = api.call(method, f"{V2}/{path}", body)
    assert reply.status == 400
    assert reply.error.startswith("Validation failed: ")
    assert says in reply.error
    assert reply.code == "ERR_SCHEMA_VALIDATION_FAILED"
    assert (reply.body["success"], reply.data, reply.body["additional_data"]) == (False, None, None)
    assert api.sandbox.writes() == []


def test_every_problem_of_a_body_is_named() -> None:
    reply = company().post(f"{V2}/deals", {"title": 1, "foo": 2, "value": "x"})
    assert all(name in reply.error for name in ("title:", "foo:", "value:"))


def test_a_refused_request_changes_nothing() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    assert api.patch(f"{V2}/persons/{person}", {"name": "Ben", "foo": 1}).status == 400
    assert api.acts.get("persons", person)["name"] == "Ann"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("activities", {"type": "email"}),
        ("persons", {"email": "a@x.org"}),
        ("persons", {"start": "0"}),
        ("deals", {"status": "maybe"}),
        ("deals", {"person_id": "x"}),
        ("deals", {"custom_fields": ",".join(f"{n:040x}" for n in range(16))}),
        ("deals", {"ids": ",".join(str(n) for n in range(101))}),
        ("deals", {"sort_by": "title"}),
        ("deals", {"include_fields": "nonsense"}),
        ("activities", {"done": "1"}),
        ("persons/search", {"term": "a"}),
        ("persons/search", {"fields": "email"}),
        ("persons/search", {"term": "ann", "limit": "101"}),
        ("persons/search", {"term": "ann", "exact_match": "1"}),
    ],
)
def test_a_query_that_does_not_fit_is_a_400(path: str, query: dict[str, str]) -> None:
    reply = company().get(f"{V2}/{path}", **query)
    assert (reply.status, reply.code) == (400, "ERR_SCHEMA_VALIDATION_FAILED")


def test_a_hundred_ids_and_fifteen_custom_fields_are_taken() -> None:
    api = company()
    assert api.get(f"{V2}/deals", ids=",".join(str(n) for n in range(100))).status == 200
    assert (
        api.get(f"{V2}/deals", custom_fields=",".join(f"{n:040x}" for n in range(15))).status == 200
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/persons"),
        ("POST", "/api/v1/persons"),
        ("GET", "/v1/persons/search"),
        ("POST", "/api/v1/organizations"),
        ("GET", "/api/v1/deals"),
        ("POST", "/api/v1/activities"),
        ("GET", "/api/v2/users/me"),
        ("GET", "/v2/persons"),
        ("PUT", "/api/v2/persons/1"),
        ("POST", "/api/v2/deals/1/convert/lead"),
        ("GET", "/api/v2/nothing"),
        ("GET", "/"),
    ],
)
def test_what_is_not_there_or_gone_is_a_404(method: str, path: str) -> None:
    reply = company().call(method, path)
    assert reply.status == 404
    assert reply.body["success"] is False
    assert reply.error


@pytest.mark.parametrize(
    "path",
    ["persons/99", "organizations/99", "deals/99", "activities/99", "stages/99"],
)
def test_an_unknown_id_is_a_404_that_names_the_noun(path: str) -> None:
    reply = company().get(f"{V2}/{path}")
    assert reply.status == 404
    assert "not found" in reply.error


def test_an_id_that_is_no_number_is_a_400() -> None:
    assert company().get(f"{V2}/persons/abc").status == 400


def test_a_reference_to_a_deleted_record_is_refused() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    api.acts.delete("persons", person)
    assert api.post(f"{V2}/deals", {"title": "D", "person_id": person}).status == 400


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_a_wrong_or_missing_token_is_a_401(token: str | None) -> None:
    api = company()
    api.session.headers["x-api-token"] = token  # type: ignore[assignment]  # None removes it
    reply = api.get(f"{V2}/persons")
    assert reply.status == 401
    assert (reply.error, reply.body["errorCode"]) == ("unauthorized access", 401)
    assert api.sandbox.usage().tokens == 0


def test_a_token_in_the_query_is_no_token() -> None:
    api = company()
    token = api.session.headers.pop("x-api-token")
    assert api.get(f"{V2}/persons", api_token=str(token)).status == 401


def test_each_token_is_its_own_user() -> None:
    api = company(tokens={"a": "ada@example.com", "b": "bob@example.com"})
    api.session.headers["x-api-token"] = "b"
    assert api.get("/api/v1/users/me").data["email"] == "bob@example.com"
    assert api.post(f"{V2}/persons", {"name": "Ann"}).data["owner_id"] == 2
    assert [user["is_you"] for user in api.get("/v1/users").data] == [False, True]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"[]", 400),
        ("application/x-www-form-urlencoded", b"name=Ann", 415),
        ("application/json; charset=utf-8", json.dumps({"name": "Änn"}).encode(), 200),
    ],
)
def test_bodies_are_json_objects(content_type: str, body: bytes, status: int) -> None:
    api = company()
    response = api.session.post(
        f"{BASE}{V2}/persons", data=body, headers={"content-type": content_type}
    )
    assert response.status_code == status


def test_the_adapter_serves_any_host_it_is_mounted_on() -> None:
    api = company()
    session = requests.Session()
    session.mount("https://acme.pipedrive.com", SandboxAdapter(api.sandbox))
    response = session.get(
        "https://acme.pipedrive.com/api/v2/persons", headers={"x-api-token": "sandbox-token-of-ada"}
    )
    assert response.json()["data"] == []
    assert response.headers["X-RateLimit-Limit"] == "40"
