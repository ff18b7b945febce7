"""Custom fields of the sandbox: definitions, values of every type, permissions and caps."""

from typing import Any

import pytest
from sandbox_kit import Api, company

from daemon.sandbox.crm import User

V2 = "/api/v2"


def field(api: Api, kind: str, **more: Any) -> str:
    return str(
        api.post(f"{V2}/personFields", {"field_name": "F", "field_type": kind, **more}).data[
            "field_code"
        ]
    )


def test_a_new_field_has_a_code_of_forty_hex_digits_and_is_listed() -> None:
    api = company()
    made = api.post(
        f"{V2}/personFields", {"field_name": "Thread count", "field_type": "double"}
    ).data
    assert len(made["field_code"]) == 40
    assert int(made["field_code"], 16)
    assert made["is_custom_field"] is True
    listed = api.get(f"{V2}/personFields", limit=500).data
    assert [item["field_code"] for item in listed if item["is_custom_field"]] == [
        made["field_code"]
    ]
    assert {"name", "emails", "org_id"} <= {item["field_code"] for item in listed}
    assert api.get(f"{V2}/dealFields").data[-1]["is_custom_field"] is False


def test_fields_come_in_pages() -> None:
    api = company()
    codes, cursor = [], ""
    while True:
        reply = api.get(f"{V2}/personFields", limit=3, **({"cursor": cursor} if cursor else {}))
        codes += [item["field_code"] for item in reply.data]
        cursor = reply.body["additional_data"]["next_cursor"]
        if not cursor:
            break
    assert codes == [item["field_code"] for item in api.get(f"{V2}/personFields").data]


def test_names_are_not_unique() -> None:
    api = company()
    body = {"field_name": "Last contact", "field_type": "date"}
    codes = [api.post(f"{V2}/personFields", body).data["field_code"] for _ in range(2)]
    assert len(set(codes)) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"field_name": "F"},
        {"field_name": "", "field_type": "date"},
        {"field_name": "F", "field_type": "int"},
        {"name": "F", "field_type": "date"},
        {"field_name": "F", "field_type": "enum"},
        {"field_name": "F", "field_type": "enum", "options": ["A"]},
        {"field_name": "F", "field_type": "date", "options": [{"label": "A"}]},
        {"field_name": "F" * 256, "field_type": "date"},
    ],
)
def test_a_definition_that_does_not_fit_is_a_400(body: dict[str, Any]) -> None:
    assert company().post(f"{V2}/personFields", body).status == 400


GOOD = [
    ("varchar", "x" * 255),
    ("text", "x" * 65_000),
    ("phone", "+49 1"),
    ("double", 3),
    ("double", 2.25),
    ("date", "2026-11-23"),
    ("daterange", {"value": "2026-11-23", "until": "2026-11-24"}),
    ("time", {"value": "09:05:00", "timezone_name": "Europe/Berlin"}),
    ("monetary", {"value": 5.5, "currency": "EUR"}),
    ("address", {"value": "Bahnhofstr. 1"}),
    ("org", 1),
    ("user", 1),
]
BAD = [
    ("varchar", "x" * 256),
    ("varchar", 5),
    ("text", "x" * 65_001),
    ("double", "3"),
    ("double", True),
    ("double", 10**15),
    ("date", "2026-11-23T00:00:00Z"),
    ("date", "23.11.2026"),
    ("date", ""),
    ("daterange", "2026-11-23"),
    ("monetary", 5.5),
    ("monetary", {"value": 5.5}),
    ("address", "Bahnhofstr. 1"),
    ("org", "1"),
]


@pytest.mark.parametrize(("kind", "value"), GOOD)
def test_a_value_of_its_type_is_kept(kind: str, value: Any) -> None:
    api = company()
    code = field(api, kind)
    made = api.post(f"{V2}/persons", {"name": "A", "custom_fields": {code: value}}).data
    assert made["custom_fields"] == {code: value}
    assert api.get(f"{V2}/persons/{made['id']}").data["custom_fields"] == {code: value}


@pytest.mark.parametrize(("kind", "value"), BAD)
def test_a_value_of_another_type_is_a_400(kind: str, value: Any) -> None:
    api = company()
    code = field(api, kind)
    reply = api.post(f"{V2}/persons", {"name": "A", "custom_fields": {code: value}})
    assert reply.status == 400
    assert code in reply.error


def test_options_are_named_by_their_numbers() -> None:
    api = company()
    one, many = (
        field(api, "enum", options=[{"label": "A"}, {"label": "B"}]),
        field(api, "set", options=[{"label": "C"}]),
    )
    person = api.acts.add_person("Ann")

    def put(code: str, value: Any) -> int:
        return api.patch(f"{V2}/persons/{person}", {"custom_fields": {code: value}}).status

    assert [put(one, value) for value in (2, 3, "A", None)] == [200, 400, 400, 200]
    assert [put(many, value) for value in ([1], [2], [], 1, None)] == [200, 400, 400, 400, 200]


def test_a_patch_touches_only_the_custom_fields_it_names_and_null_clears() -> None:
    api = company()
    first, second = field(api, "double"), field(api, "varchar")
    person = api.acts.add_person("Ann", custom_fields={first: 1, second: "x"})
    after = api.patch(f"{V2}/persons/{person}", {"custom_fields": {first: 2}}).data
    assert after["custom_fields"] == {first: 2, second: "x"}
    cleared = api.patch(f"{V2}/persons/{person}", {"custom_fields": {second: None}}).data
    assert cleared["custom_fields"] == {first: 2, second: None}


def test_unset_custom_fields_may_be_absent_instead_of_null() -> None:
    api = company(null_custom_fields=False)
    field(api, "double")
    assert api.post(f"{V2}/persons", {"name": "A"}).data["custom_fields"] == {}


def test_a_list_shows_only_the_custom_fields_asked_for() -> None:
    api = company()
    first, second = field(api, "double"), field(api, "varchar")
    api.acts.add_person("Ann", custom_fields={first: 1, second: "x"})
    assert api.get(f"{V2}/persons", custom_fields=second).data[0]["custom_fields"] == {second: "x"}


def test_fields_of_one_kind_of_record_are_unknown_to_another() -> None:
    api = company()
    code = field(api, "double")
    assert api.post(f"{V2}/organizations", {"name": "A", "custom_fields": {code: 1}}).status == 400


def test_deals_and_leads_share_their_fields() -> None:
    api = company()
    money = api.acts.add_field("deal", "Offer", "monetary")
    person = api.acts.add_person("Ann")
    lead = api.post(
        "/api/v1/leads", {"title": "L", "person_id": person, money: 5, f"{money}_currency": "EUR"}
    )
    assert (lead.data[money], lead.data[f"{money}_currency"]) == (5, "EUR")
    deal = api.acts.convert_lead(lead.data["id"])
    assert api.get(f"{V2}/deals/{deal}").data["custom_fields"] == {
        money: {"value": 5, "currency": "EUR"}
    }
    refused = api.post(
        "/api/v1/leads", {"title": "L", "person_id": person, money: {"value": 5, "currency": "EUR"}}
    )
    assert refused.status == 400


def test_without_the_permission_fields_are_read_only() -> None:
    api = company(users=(User("Ada", "ada@example.com", denied=("can_add_custom_fields",)),))
    reply = api.post(f"{V2}/personFields", {"field_name": "F", "field_type": "date"})
    assert (reply.status, reply.body["success"]) == (403, False)
    assert api.get(f"{V2}/personFields").status == 200


def test_the_plan_caps_custom_fields_of_all_kinds_together() -> None:
    api = company(custom_field_cap=2)
    api.acts.add_field("deal", "A", "varchar")
    field(api, "double")
    reply = api.post(f"{V2}/organizationFields", {"field_name": "F", "field_type": "date"})
    assert (reply.status, reply.code) == (403, "feature_capping_custom_fields_limit")


def test_values_of_many_parts_are_flat_in_a_lead() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    when, marks = (
        api.acts.add_field("deal", "When", "daterange"),
        api.acts.add_field("deal", "Marks", "set", ["A", "B"]),
    )
    body = {
        "title": "L",
        "person_id": person,
        when: "2026-11-23",
        f"{when}_until": "2026-11-24",
        marks: "1,2",
    }
    made = api.post("/api/v1/leads", body).data
    assert [made[key] for key in (when, f"{when}_until", marks)] == [
        "2026-11-23",
        "2026-11-24",
        "1,2",
    ]
    cleared = api.patch(f"/api/v1/leads/{made['id']}", {when: None, marks: None}).data
    assert (when in cleared, marks in cleared) == (False, False)
    for wrong in (
        {marks: "1,x"},
        {marks: "3"},
        {f"{marks}_until": "1"},
        {f"{when}_currency": "EUR"},
        {when: "soon"},
    ):
        assert api.patch(f"/api/v1/leads/{made['id']}", wrong).status == 400


def test_a_definition_holds_where_its_field_is_shown() -> None:
    api = company()
    body = {
        "field_name": "F",
        "field_type": "date",
        "ui_visibility": {"add_visible_flag": True},
        "description": "why",
    }
    made = api.post(f"{V2}/dealFields", body).data
    assert made["ui_visibility"] == {"add_visible_flag": True, "details_visible_flag": True}
    assert made["description"] == "why"
    path = f"{V2}/dealFields/{made['field_code']}"
    assert "ui_visibility" not in api.get(path).data
    assert (
        api.get(path, include_fields="ui_visibility").data["ui_visibility"] == made["ui_visibility"]
    )
    for wrong in ({"ui_visibility": "yes"}, {"required_fields": {"enabled": 1}}):
        assert api.post(f"{V2}/dealFields", body | wrong).status == 400
    assert api.get(f"{V2}/dealFields", cursor="-").status == 400


def test_labels_beside_values_are_refused_rather_than_left_out() -> None:
    api = company()
    assert api.get(f"{V2}/persons", include_labels=False, include_option_labels=False).status == 200
    assert "doesn't add labels" in api.get(f"{V2}/persons", include_labels=True).error
