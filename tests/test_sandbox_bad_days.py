"""What a company's people and plan do to us in the sandbox: hiding, leaving, forbidding, restoring."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
import requests
from sandbox_kit import Api, company

from daemon.sandbox.crm import Fault, Server, Settings, Switches, User
from daemon.sandbox.crm.faults import Kind
from daemon.sandbox.crm.shapes import Shape

V1, V2 = "/api/v1", "/api/v2"
ADA, BOB = "ada@example.com", "bob@example.com"
TOKENS = {"sandbox-token-of-ada": ADA, "b": BOB}


def as_bob(api: Api) -> Api:
    api.session.headers["x-api-token"] = "b"
    return api


@pytest.mark.parametrize("status", [403, 404])
def test_a_hidden_record_is_left_out_of_lists_and_refused_by_its_id(status: int) -> None:
    api = company(hidden_status=status)
    first, second = (api.acts.add_person(name, f"{name}@x.org") for name in ("ann", "ben"))
    lead = api.acts.add_lead("L", person_id=second)
    deal = api.acts.add_deal("D", person_id=first)
    hidden: dict[str, int | str] = {"persons": first, "leads": lead, "deals": deal}
    for kind, record in hidden.items():
        Switches(api.sandbox).hide(kind, record)
    api.clock.passes(60)
    assert api.ids(f"{V2}/persons") == [second]
    assert api.ids(f"{V2}/persons", ids=f"{first},{second}") == [second]
    assert (api.ids(f"{V1}/leads"), api.ids(f"{V2}/deals")) == ([], [])
    assert api.get(f"{V2}/persons/search", term="ann").data["items"] == []
    for path in (f"{V2}/persons/{first}", f"{V1}/leads/{lead}", f"{V2}/deals/{deal}"):
        assert api.get(path).status == status
        assert api.patch(path, {"owner_id": 1}).status == status
        assert api.delete(path).status == status
    assert api.post(f"{V2}/leads/{lead}/convert/deal").status == status
    assert api.post(f"{V2}/deals", {"title": "E", "person_id": first}).status == 400
    for kind, record in hidden.items():
        Switches(api.sandbox).show(kind, record)
    assert api.ids(f"{V2}/persons") == [first, second]
    assert api.get(f"{V1}/leads/{lead}").status == 200


def test_an_activity_is_seen_by_who_sees_all_it_hangs_on() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    deal = api.acts.add_deal("D")
    mail = api.acts.add_activity("M", deal_id=deal, participants=[{"person_id": person}])
    for kind, record in (("persons", person), ("deals", deal)):
        Switches(api.sandbox).hide(kind, record, ADA)
        assert api.ids(f"{V2}/activities") == []
        assert api.get(f"{V2}/activities/{mail}").status == 403
        Switches(api.sandbox).show(kind, record)
    assert api.ids(f"{V2}/activities") == [mail]


def test_private_records_are_their_owners_and_the_admins() -> None:
    api = company(tokens=TOKENS)
    private = api.acts.add_person("Ann", visible_to=1)
    shared = api.acts.add_person("Ben", visible_to=3)
    lead = api.acts.add_lead("L", person_id=private, visible_to="1")
    mail = api.acts.add_activity("M", participants=[{"person_id": private}])
    assert api.ids(f"{V2}/persons") == [private, shared]
    as_bob(api)
    assert api.ids(f"{V2}/persons") == [shared]
    assert (api.ids(f"{V1}/leads"), api.ids(f"{V2}/activities")) == ([], [])
    assert api.get(f"{V2}/persons/{private}").status == 403
    Switches(api.sandbox).permit(BOB, apps=["account_settings", "sales"])
    assert api.ids(f"{V2}/persons") == [shared]
    Switches(api.sandbox).permit(BOB, apps=["global", "sales"])
    assert (api.ids(f"{V1}/leads"), api.ids(f"{V2}/activities")) == ([lead], [mail])


def test_an_admin_is_one_of_some_apps() -> None:
    api = company(users=(User("Ada", ADA, admin=True, apps=("account_settings",)),))
    access = api.get(f"{V1}/users/me").data["access"]
    assert {entry["app"] for entry in access if entry["admin"]} == {"account_settings"}


def test_a_hidden_pipeline_is_a_404_and_its_stages_take_no_deal() -> None:
    api = company()
    Switches(api.sandbox).hide("pipelines", 1)
    Switches(api.sandbox).hide("stages", 2)
    assert api.ids(f"{V2}/pipelines") == [2]
    assert api.get(f"{V2}/stages/2").status == 404
    assert api.post(f"{V2}/deals", {"title": "D", "stage_id": 2}).status == 400


def test_a_user_who_left_keeps_what_is_there_and_gets_nothing_new() -> None:
    api = company(tokens=TOKENS)
    api.acts.add_person("Ann", owner_id=2)
    switches = Switches(api.sandbox)
    switches.deactivate(BOB)
    assert [user["active_flag"] for user in api.get(f"{V1}/users").data] == [True, False]
    assert api.get(f"{V2}/persons").data[0]["owner_id"] == 2
    for path, body in (
        ("v2/persons", {"name": "B"}),
        ("v2/deals", {"title": "D"}),
        ("v1/leads", {"title": "L", "person_id": 1}),
        ("v2/activities", {"subject": "S"}),
    ):
        refused = api.post(f"/api/{path}", {**body, "owner_id": 2})
        assert (refused.status, "deactivated" in refused.error) == (400, True)
    assert as_bob(api).get(f"{V2}/persons").status == 401
    switches.activate(BOB)
    assert api.get(f"{V2}/persons").status == 200


DENIALS = [
    ("can_add_people", "POST", "v2/persons", {"name": "X"}),
    ("can_add_organizations", "POST", "v2/organizations", {"name": "X"}),
    ("can_add_deals", "POST", "v2/deals", {"title": "X"}),
    ("can_add_leads", "POST", "v1/leads", {"title": "X", "person_id": 1}),
    ("can_add_custom_fields", "POST", "v2/dealFields", {"field_name": "X", "field_type": "date"}),
    ("can_edit_other_users_people", "PATCH", "v2/persons/1", {"name": "X"}),
    ("can_edit_other_users_organizations", "PATCH", "v2/organizations/1", {"name": "X"}),
    ("can_edit_other_users_deals", "PATCH", "v2/deals/1", {"title": "X"}),
    ("can_change_owner", "PATCH", "v2/persons/1", {"owner_id": 2}),
    ("can_change_visibility_of_items", "POST", "v2/persons", {"name": "X", "visible_to": 3}),
    ("can_delete_deals", "DELETE", "v2/deals/1", None),
    ("can_delete_activities", "DELETE", "v2/activities/1", None),
    ("can_use_api", "GET", "v2/persons", None),
]


@pytest.mark.parametrize(("permission", "method", "path", "body"), DENIALS)
def test_a_permission_that_is_denied_is_a_403_until_it_is_given(
    permission: str, method: str, path: str, body: object
) -> None:
    api = as_bob(company(tokens=TOKENS))
    api.acts.add_person("Ann")
    api.acts.add_organization("acme.com")
    api.acts.add_deal("D")
    api.acts.add_activity("A")
    Switches(api.sandbox).permit(BOB, denied=[permission])
    assert api.call(method, f"/api/{path}", body).status == 403
    Switches(api.sandbox).permit(BOB)
    assert api.call(method, f"/api/{path}", body).status in (200, 201)


def test_own_records_are_always_ones_to_edit() -> None:
    api = as_bob(company(tokens=TOKENS))
    Switches(api.sandbox).permit(BOB, denied=["can_edit_other_users_people"])
    mine = api.post(f"{V2}/persons", {"name": "Mine"}).data["id"]
    assert api.patch(f"{V2}/persons/{mine}", {"name": "Still mine"}).status == 200


def test_permissions_are_told_as_far_as_they_are_described_or_all() -> None:
    api = company(users=(User("Ada", ADA, denied=("can_delete_deals", "can_add_deals")),))
    told = api.get(f"{V1}/users/1/permissions").data
    assert (told["can_delete_deals"], told["can_use_api"]) == (False, True)
    assert "can_add_deals" not in told
    api.sandbox.change(lists_all_permissions=True)
    url = f"http://sandbox.test{V1}/users/1/permissions"
    assert api.session.get(url, timeout=5).json()["data"]["can_add_deals"] is False
    assert api.get(f"{V1}/users/9/permissions").status == 404


def test_an_inactive_type_is_listed_as_such_and_refused() -> None:
    api = company(inactive_types=("email",))
    flags = {t["key_string"]: t["active_flag"] for t in api.get(f"{V1}/activityTypes").data}
    assert (flags["email"], flags["meeting"]) == (False, True)
    refused = api.post(f"{V2}/activities", {"subject": "M", "type": "email"})
    assert (refused.status, "not active" in refused.error) == (400, True)
    api.sandbox.change(inactive_types=())
    assert api.post(f"{V2}/activities", {"subject": "M", "type": "email"}).status == 200


def test_a_deleted_stage_takes_no_deal_and_may_be_listed_all_the_same() -> None:
    api = company()
    deal = api.acts.add_deal("D", stage_id=2)
    Switches(api.sandbox).delete_stage(2)
    assert 2 not in api.ids(f"{V2}/stages")
    assert api.get(f"{V2}/stages/2").data["is_deleted"] is True
    assert api.post(f"{V2}/deals", {"title": "E", "stage_id": 2}).status == 400
    assert api.get(f"{V2}/deals/{deal}").data["stage_id"] == 2
    api.sandbox.change(lists_deleted_stages=True)
    assert {s["id"]: s["is_deleted"] for s in api.get(f"{V2}/stages").data}[2] is True


def test_a_deleted_record_comes_back_or_is_gone_for_good() -> None:
    api = company()
    person, deal = api.acts.add_person("Ann"), api.acts.add_deal("D")
    lead = api.acts.add_lead("L", person_id=person)
    records: dict[str, int | str] = {"persons": person, "deals": deal, "leads": lead}
    for kind, record in records.items():
        api.acts.delete(kind, record)
    assert api.ids(f"{V2}/deals", status="deleted", updated_since="2026-11-23T07:00:00Z") == [deal]
    api.clock.passes(60)
    for kind, record in records.items():
        Switches(api.sandbox).restore(kind, record)
    assert api.ids(f"{V2}/persons", updated_since="2026-11-23T08:01:00Z") == [person]
    assert (api.ids(f"{V2}/deals", status="open"), api.ids(f"{V1}/leads")) == ([deal], [lead])
    Switches(api.sandbox).purge("persons", person)
    assert api.get(f"{V2}/persons/{person}").status == 404
    with pytest.raises(LookupError):
        Switches(api.sandbox).restore("persons", 99)


def test_caps_come_and_go() -> None:
    api = company(open_cap=0)
    refused = api.post(f"{V2}/deals", {"title": "D"})
    assert (refused.status, refused.code) == (403, "feature_capping_deals_limit")
    api.sandbox.change(open_cap=5)
    assert api.post(f"{V2}/deals", {"title": "D"}).status == 200


def test_each_switch_works_over_http() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    with Server(api.sandbox) as server:

        def switch(name: str, **body: object) -> int:
            url = f"{server.url}/sandbox/switches/{name}"
            return requests.post(url, json=body, timeout=5).status_code

        assert switch("hide", kind="persons", record_id=person) == 200
        assert api.ids(f"{V2}/persons") == []
        assert switch("show", kind="persons", record_id=person) == 200
        assert switch("permit", email=ADA, denied=["can_add_people"]) == 200
        assert api.post(f"{V2}/persons", {"name": "B"}).status == 403
        assert switch("hide", kind="persons", record_id=99) == 400
        assert switch("_user", email=ADA) == 404
    assert api.ids(f"{V2}/persons") == [person]


def test_the_documentation_names_every_fault_shape_and_switch() -> None:
    text = (Path(__file__).parents[1] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    switches = [name for name in vars(Switches) if not name.startswith("_")]
    words = [*get_args(Kind), *get_args(Shape), *switches, *(f.name for f in fields(Fault))]
    assert [
        word for word in words if f"`{word}`" not in text and word not in ("size", "error", "code")
    ] == []
    settings = re.findall(r"`([a-z]+_[a-z_]+)`", text)
    known = {f.name for f in fields(Settings)} | set(words) | {
        "is_deleted", "origin_id", "channel_id", "visible_to", "can_add_deals", "exact_match", "account_settings",
        "updated_since", "person_id", "due_time", "record_id", "stage_id", "not_started",
    }  # fmt: skip
    assert [name for name in settings if name not in known] == []
