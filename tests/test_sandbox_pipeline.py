"""What a sales team asks of the sandbox: participants, labels, channels, follow-ups, owners."""

import pytest
from sandbox_kit import Api, company

from daemon.sandbox.crm import Switches, User

V1, V2 = "/api/v1", "/api/v2"


def test_a_deal_has_its_contact_person_and_others_as_participants() -> None:
    api = company()
    ann, ben = (api.acts.add_person(name, f"{name}@x.org") for name in ("Ann", "Ben"))
    deal = api.acts.add_deal("D", person_id=ann)
    path = f"{V1}/deals/{deal}/participants"
    before = api.sandbox.usage().tokens
    made = api.post(path, {"person_id": ben})
    assert (made.status, made.data["person"]["name"]) == (200, "Ben")
    assert api.sandbox.usage().tokens - before == 10
    assert [row["person_id"]["value"] for row in api.get(path).data] == [ann, ben]
    assert api.ids(f"{V2}/persons", deal_id=deal) == [ann, ben]
    for body in ({"person_id": ben}, {"person_id": ann}, {"person_id": 99}, {}):
        assert api.post(path, body).status == 400
    assert api.delete(f"{path}/{made.data['id']}").data == {"id": made.data["id"]}
    assert api.ids(f"{V2}/persons", deal_id=deal) == [ann]
    assert api.delete(f"{path}/{made.data['id']}").status == 404
    assert "_participants" not in api.get(f"{V2}/deals/{deal}").data


def test_participants_follow_a_merged_person_and_need_a_permission() -> None:
    api = company()
    ann, ben = api.acts.add_person("Ann"), api.acts.add_person("Ben")
    deal = api.acts.add_deal("D")
    path = f"{V1}/deals/{deal}/participants"
    api.post(path, {"person_id": ann})
    api.acts.merge("persons", ann, ben)
    assert [row["person_id"]["value"] for row in api.get(path).data] == [ben]
    api.acts.edit("deals", deal, owner_id=2)
    Switches(api.sandbox).permit("ada@example.com", denied=["can_edit_other_users_deals"])
    assert api.post(path, {"person_id": api.acts.add_person("Cleo")}).status == 403


@pytest.mark.parametrize(
    ("entity", "path", "body"),
    [
        ("person", "persons", {"name": "Ann"}),
        ("organization", "organizations", {"name": "acme.com"}),
        ("deal", "deals", {"title": "D"}),
    ],
)
def test_labels_are_options_of_a_field(entity: str, path: str, body: dict[str, object]) -> None:
    api = company()
    (field,) = [
        item for item in api.get(f"{V2}/{entity}Fields").data if item["field_code"] == "label_ids"
    ]
    chosen = [option["id"] for option in field["options"] if option["label"].startswith("Cold")]
    made = api.post(f"{V2}/{path}", {**body, "label_ids": chosen}).data
    assert made["label_ids"] == chosen
    for wrong in ([999], [f"{chosen[0]}"]):
        assert api.post(f"{V2}/{path}", {**body, "label_ids": wrong}).status == 400
        assert api.patch(f"{V2}/{path}/{made['id']}", {"label_ids": wrong}).status == 400


def test_labels_of_one_kind_are_none_of_another() -> None:
    api = company()
    deal_label = api.acts.every("labels")[-1]
    assert deal_label["entity"] == "deal"
    refused = api.post(f"{V2}/persons", {"name": "Ann", "label_ids": [deal_label["id"]]})
    assert refused.status == 400


def test_leads_have_labels_of_their_own() -> None:
    api = company()
    label = api.get(f"{V1}/leadLabels").data[0]["id"]
    person = api.acts.add_person("Ann")
    lead = api.post(f"{V1}/leads", {"title": "L", "person_id": person, "label_ids": [label]}).data
    assert lead["label_ids"] == [label]


def test_a_channel_id_is_free_text_on_leads_and_deals() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    deal = api.post(f"{V2}/deals", {"title": "D", "channel_id": "sales"}).data
    lead = api.post(f"{V1}/leads", {"title": "L", "person_id": person, "channel_id": "sales"}).data
    assert (deal["channel_id"], lead["channel_id"]) == ("sales", "sales")
    assert api.patch(f"{V2}/deals/{deal['id']}", {"channel_id": "x"}).data["channel_id"] == "x"
    assert api.post(f"{V2}/deals", {"title": "D", "origin_id": "x"}).status == 400


def undone(api: Api, **more: object) -> int:
    body = {"subject": "Answer", "type": "task", "due_date": "2026-11-25", "done": False, **more}
    return int(api.post(f"{V2}/activities", body).data["id"])


def test_a_follow_up_is_undone_until_it_is_done_or_moved() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    lead = api.acts.add_lead("L", person_id=person)
    later, sooner = undone(api, lead_id=lead), undone(api, lead_id=lead, due_date="2026-11-24")
    assert api.get(f"{V1}/leads/{lead}").data["next_activity_id"] == sooner
    api.patch(f"{V2}/activities/{sooner}", {"done": True})
    assert api.get(f"{V1}/leads/{lead}").data["next_activity_id"] == later
    assert api.ids(f"{V2}/activities", lead_id=lead, done=False) == [later]
    moved = api.patch(f"{V2}/activities/{later}", {"due_date": "2026-12-01"}).data
    assert (moved["due_date"], moved["done"], moved["marked_as_done_time"]) == (
        "2026-12-01",
        False,
        None,
    )


def test_without_a_time_an_activity_is_all_day() -> None:
    api = company()
    made = api.post(f"{V2}/activities", {"subject": "Fair", "due_date": "2026-11-25"}).data
    assert (made["due_date"], made["due_time"], made["duration"]) == ("2026-11-25", None, None)
    for wrong in ("", None, "24:00:00"):
        body = {"subject": "Fair", "due_time": wrong}
        assert api.post(f"{V2}/activities", body).status == 400


def test_an_activity_is_its_owners() -> None:
    api = company()
    made = api.post(f"{V2}/activities", {"subject": "M", "owner_id": 2}).data
    assert (made["owner_id"], made["creator_user_id"]) == (2, 1)
    assert api.ids(f"{V2}/activities", owner_id=2) == [made["id"]]
    assert api.post(f"{V2}/activities", {"subject": "M", "owner_id": 9}).status == 400


def test_what_an_owner_gets_is_as_visible_as_the_role_has_it() -> None:
    users = (User("Ada", "ada@example.com"), User("Bob", "bob@example.com", visibility=1))
    api = company(users=users)
    told = api.get(f"{V1}/users/2/roleSettings").data
    assert told["person_default_visibility"] == 1
    mine = api.post(f"{V2}/persons", {"name": "Mine"}).data["id"]
    his = api.post(f"{V2}/persons", {"name": "His", "owner_id": 2}).data
    assert his["visible_to"] == 1
    assert api.ids(f"{V2}/persons") == [mine]
    assert api.get(f"{V2}/persons/{his['id']}").status == 403
