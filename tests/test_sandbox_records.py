"""Organizations, persons, deals and activities of the sandbox: what they keep and list."""

import base64
import json
from typing import Any

import pytest
from sandbox_kit import START, company

V2 = "/api/v2"


def test_a_person_gets_the_defaults_of_the_real_one() -> None:
    api = company()
    made = api.post(
        f"{V2}/persons", {"name": "Ann Mary Lee", "emails": [{"value": "Ann@Acme.com"}]}
    ).data
    assert made["first_name"] == "Ann"
    assert made["last_name"] == "Mary Lee"
    assert made["emails"] == [{"value": "Ann@Acme.com", "primary": True, "label": "work"}]
    assert made["owner_id"] == 1
    assert made["is_deleted"] is False
    assert made["add_time"] == made["update_time"] == "2026-11-23T08:00:00Z"


@pytest.mark.parametrize(
    ("flags", "primary"),
    [((None, None), 0), ((False, True), 1), ((True, True), 1), ((True, False), 0)],
)
def test_one_email_is_primary(flags: tuple[Any, ...], primary: int) -> None:
    emails = [
        {"value": f"{n}@x.org", **({} if flag is None else {"primary": flag})}
        for n, flag in enumerate(flags)
    ]
    found = company().post(f"{V2}/persons", {"name": "A", "emails": emails}).data["emails"]
    assert [item["primary"] for item in found] == [n == primary for n in range(2)]


def test_a_patch_replaces_the_emails_and_leaves_other_fields() -> None:
    api = company()
    person = api.acts.add_person("Ann", "a@x.org", "b@x.org", visible_to=7)
    after = api.patch(f"{V2}/persons/{person}", {"emails": [{"value": "c@x.org"}]}).data
    assert [item["value"] for item in after["emails"]] == ["c@x.org"]
    assert (after["name"], after["visible_to"]) == ("Ann", 7)


def test_nothing_is_unique() -> None:
    api = company()
    body = {"name": "Ann", "emails": [{"value": "a@x.org"}]}
    assert [api.post(f"{V2}/persons", body).data["id"] for _ in range(2)] == [1, 2]
    assert [api.post(f"{V2}/organizations", {"name": "x"}).data["id"] for _ in range(2)] == [1, 2]


def test_a_deal_without_a_stage_lands_in_the_first_stage_of_the_first_pipeline() -> None:
    made = company().post(f"{V2}/deals", {"title": "D"}).data
    assert (made["pipeline_id"], made["stage_id"], made["status"]) == (1, 1, "open")
    assert (made["value"], made["currency"], made["origin"], made["origin_id"]) == (
        0,
        "EUR",
        "API",
        None,
    )


def test_a_stage_implies_its_pipeline_whatever_pipeline_is_sent() -> None:
    api = company()
    partners = api.acts.stage_id("Partners", "Initial Contact")
    made = api.post(f"{V2}/deals", {"title": "D", "stage_id": partners, "pipeline_id": 1}).data
    assert (made["pipeline_id"], made["stage_id"]) == (2, partners)
    by_pipeline = api.post(f"{V2}/deals", {"title": "D", "pipeline_id": 2}).data
    assert by_pipeline["stage_id"] == api.acts.stage_id("Partners", "New")


def test_winning_and_losing_set_their_times() -> None:
    api = company()
    deal = api.acts.add_deal("D")
    won = api.patch(f"{V2}/deals/{deal}", {"status": "won"}).data
    assert (won["won_time"], won["close_time"], won["lost_time"]) == (
        "2026-11-23T08:00:00Z",
    ) * 2 + (None,)
    lost = api.patch(f"{V2}/deals/{deal}", {"status": "lost", "lost_reason": "price"}).data
    assert (lost["won_time"], lost["lost_reason"]) == (None, "price")
    reopened = api.patch(f"{V2}/deals/{deal}", {"status": "open"}).data
    assert (reopened["close_time"], reopened["lost_reason"]) == (None, None)


def test_moving_a_deal_notes_the_time() -> None:
    api = company()
    deal = api.acts.add_deal("D")
    api.clock.passes(60)
    moved = api.patch(f"{V2}/deals/{deal}", {"stage_id": 3}).data
    assert moved["stage_change_time"] == "2026-11-23T08:01:00Z"


def test_an_archived_deal_is_in_no_normal_list_and_refuses_changes() -> None:
    api = company()
    deal = api.acts.add_deal("D")
    api.acts.archive("deals", deal)
    assert api.ids(f"{V2}/deals") == []
    assert api.ids(f"{V2}/deals/archived") == [deal]
    assert api.get(f"{V2}/deals/{deal}").data["is_archived"] is True
    assert api.patch(f"{V2}/deals/{deal}", {"title": "E"}).status == 400
    back = api.patch(f"{V2}/deals/{deal}", {"is_archived": False}).data
    assert (back["is_archived"], back["archive_time"]) == (False, None)
    assert api.ids(f"{V2}/deals") == [deal]


def test_an_activity_hangs_on_the_deal_when_a_lead_is_named_too() -> None:
    api = company()
    person = api.acts.add_person("Ann", "a@x.org")
    deal, lead = api.acts.add_deal("D"), api.acts.add_lead("L", person_id=person)
    body = {"subject": "S", "type": "email", "deal_id": deal, "lead_id": lead}
    made = api.post(f"{V2}/activities", body).data
    assert (made["deal_id"], made["lead_id"]) == (deal, None)


def test_the_primary_participant_is_the_activitys_person() -> None:
    api = company()
    ann, ben = api.acts.add_person("Ann"), api.acts.add_person("Ben")
    body = {
        "subject": "S",
        "type": "email",
        "participants": [{"person_id": ann, "primary": False}, {"person_id": ben, "primary": True}],
    }
    made = api.post(f"{V2}/activities", body).data
    assert made["person_id"] == ben
    assert api.ids(f"{V2}/activities", person_id=ben) == [made["id"]]
    assert api.ids(f"{V2}/activities", person_id=ann) == []


def test_an_activity_keeps_its_time_with_seconds_and_when_it_was_done() -> None:
    api = company()
    made = api.post(
        f"{V2}/activities",
        {
            "subject": "S",
            "type": "email",
            "due_date": "2026-01-02",
            "due_time": "09:05",
            "done": True,
        },
    ).data
    assert (made["due_date"], made["due_time"], made["marked_as_done_time"]) == (
        "2026-01-02",
        "09:05:00",
        "2026-11-23T08:00:00Z",
    )
    undone = api.patch(f"{V2}/activities/{made['id']}", {"done": False}).data
    assert undone["marked_as_done_time"] is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<p>a &amp; b</p>", "<p>a &amp; b</p>"),
        ("x<!-- key:1 -->y", "xy"),
        ('<p data-key="1" class="c">x</p>', "<p>x</p>"),
        ("<script>alert(1)</script>x", "x"),
        ('<a href="https://x.org" onclick="y">x</a>', '<a href="https://x.org">x</a>'),
        ('<a href="javascript:y">x</a>', "<a>x</a>"),
        ("1 < 2<br>", "1 &lt; 2<br>"),
    ],
)
def test_notes_are_cleaned(sent: str, kept: str) -> None:
    api = company()
    assert (
        api.post(f"{V2}/activities", {"subject": "S", "type": "email", "note": sent}).data["note"]
        == kept
    )


def test_attendees_are_read_only_when_asked_for() -> None:
    api = company()
    made = api.post(
        f"{V2}/activities", {"subject": "S", "type": "meeting", "attendees": [{"email": "a@x.org"}]}
    ).data
    assert "attendees" not in api.get(f"{V2}/activities/{made['id']}").data
    assert api.get(f"{V2}/activities/{made['id']}", include_fields="attendees").data["attendees"]


KINDS = ["organizations", "persons", "deals", "activities"]


def make(api: Any, kind: str) -> Any:
    singular = {"activities": "activity"}.get(kind, kind.removesuffix("s"))
    return getattr(api.acts, f"add_{singular}")("X")


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_record_is_read_for_thirty_days_and_changed_no_more(kind: str) -> None:
    api = company()
    record = make(api, kind)
    assert api.delete(f"{V2}/{kind}/{record}").data == {"id": record}
    found = api.get(f"{V2}/{kind}/{record}")
    assert (found.status, found.data["is_deleted"]) == (200, True)
    assert api.ids(f"{V2}/{kind}") == []
    assert api.patch(f"{V2}/{kind}/{record}", {}).status == 404
    assert api.delete(f"{V2}/{kind}/{record}").status == 404
    api.clock.passes(31 * 86400)
    assert api.get(f"{V2}/{kind}/{record}").status == 404


def test_deleted_deals_are_listed_when_asked_for_and_for_thirty_days() -> None:
    api = company()
    kept, gone = api.acts.add_deal("A"), api.acts.add_deal("B")
    api.delete(f"{V2}/deals/{gone}")
    assert api.ids(f"{V2}/deals") == [kept]
    assert api.ids(f"{V2}/deals", status="deleted") == [gone]
    assert api.ids(f"{V2}/deals", status="open,deleted") == [kept, gone]
    api.clock.passes(31 * 86400)
    assert api.ids(f"{V2}/deals", status="deleted") == []


def test_what_hangs_on_a_deleted_record_stays() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    deal = api.acts.add_deal("D", person_id=person)
    api.delete(f"{V2}/persons/{person}")
    assert api.get(f"{V2}/deals/{deal}").data["person_id"] == person


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["id", "update_time", "add_time"])
def test_pages_give_every_record_once_in_order(kind: str, direction: str, sort: str) -> None:
    api = company()
    made = []
    for number in range(7):
        made.append(make(api, kind))
        api.clock.passes(number % 2)  # some share their second
    seen, cursor, pages = [], None, 0
    while cursor is not None or not pages:
        more: dict[str, str] = {"cursor": cursor} if cursor else {}
        reply = api.get(f"{V2}/{kind}", limit=3, sort_by=sort, sort_direction=direction, **more)
        seen += [item["id"] for item in reply.data]
        cursor, pages = reply.body["additional_data"]["next_cursor"], pages + 1
    assert seen == (made if direction == "asc" else made[::-1])
    assert pages == 3


def test_a_cursor_is_for_its_own_order_only() -> None:
    api = company()
    for name in "abc":
        api.acts.add_person(name)
    cursor = api.get(f"{V2}/persons", limit=1).body["additional_data"]["next_cursor"]
    decoded = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    assert decoded == {"field": "id", "fieldValue": 2, "sortDirection": "asc", "id": 2}
    assert api.get(f"{V2}/persons", cursor=cursor, sort_by="update_time").status == 400
    assert api.get(f"{V2}/persons", cursor="nonsense!").status == 400


def test_lists_are_a_hundred_long_unless_asked_and_five_hundred_at_most() -> None:
    api = company()
    for number in range(101):
        api.acts.add_organization(str(number))
    assert len(api.get(f"{V2}/organizations").data) == 100
    assert len(api.get(f"{V2}/organizations", limit=500).data) == 101
    assert api.get(f"{V2}/organizations", limit=501).status == 400
    assert api.get(f"{V2}/organizations", limit=0).status == 400


def test_updated_since_is_inclusive_and_updated_until_exclusive() -> None:
    api = company()
    first = api.acts.add_person("A")
    api.clock.passes(1)
    second = api.acts.add_person("B")
    assert api.ids(f"{V2}/persons", updated_since="2026-11-23T08:00:00Z") == [first, second]
    assert api.ids(f"{V2}/persons", updated_since="2026-11-23T08:00:01Z") == [second]
    assert api.ids(f"{V2}/persons", updated_until="2026-11-23T08:00:01Z") == [first]
    assert api.ids(f"{V2}/persons", updated_since="2026-11-23T09:00:01+01:00") == [second]
    refused = api.get(f"{V2}/persons", updated_since="2026-11-23T08:00:00.5Z")
    assert (refused.status, refused.code) == (400, "ERR_SCHEMA_VALIDATION_FAILED")
    assert "not a valid datetime" in refused.error


def test_deals_and_persons_are_found_by_what_they_hang_on() -> None:
    api = company()
    org = api.acts.add_organization("x")
    ann, ben = api.acts.add_person("Ann", org_id=org), api.acts.add_person("Ben")
    deal = api.acts.add_deal("D", person_id=ann, org_id=org, owner_id=2)
    api.acts.add_deal("E", person_id=ben)
    assert api.ids(f"{V2}/persons", org_id=org) == [ann]
    assert api.ids(f"{V2}/persons", deal_id=deal) == [ann]
    assert api.ids(f"{V2}/persons", ids=f"{ben},{ann},99") == [ann, ben]
    for name, value in {"person_id": ann, "org_id": org, "owner_id": 2}.items():
        assert api.ids(f"{V2}/deals", **{name: value}) == [deal]
    assert api.ids(f"{V2}/deals", stage_id=1, pipeline_id=1) == [deal, 2]
    assert api.ids(f"{V2}/deals", pipeline_id=2) == []


def test_activities_are_found_by_what_they_hang_on() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    deal, lead = api.acts.add_deal("D"), api.acts.add_lead("L", person_id=person)
    first = api.acts.add_activity("A", deal_id=deal, done=True)
    second = api.acts.add_activity("B", lead_id=lead, due_date="2026-01-01")
    assert api.ids(f"{V2}/activities", deal_id=deal) == [first]
    assert api.ids(f"{V2}/activities", lead_id=lead) == [second]
    assert api.ids(f"{V2}/activities", done=False) == [second]
    assert api.ids(f"{V2}/activities", sort_by="due_date") == [second, first]


def test_pipelines_and_stages_are_the_default_world() -> None:
    api = company()
    assert [line["name"] for line in api.get(f"{V2}/pipelines").data] == ["Sales", "Partners"]
    assert [stage["name"] for stage in api.get(f"{V2}/stages", pipeline_id=1).data] == [
        "Qualified",
        "Initial Contact",
        "Proposal Made",
        "Negotiations Started",
    ]
    assert api.get(f"{V2}/stages", pipeline_id=99).data == []
    assert sum(stage["name"] == "Initial Contact" for stage in api.get(f"{V2}/stages").data) == 2


def test_a_store_keeps_everything_over_a_restart(tmp_path: Any) -> None:
    path = tmp_path / "crm.db"
    api = company(path, daily_tokens=100)
    person = api.post(f"{V2}/persons", {"name": "Ann"}).data["id"]
    api.sandbox.close()
    again = company(path, clock=api.clock, daily_tokens=100)
    assert again.ids(f"{V2}/persons") == [person]
    assert len(again.get(f"{V2}/pipelines").data) == 2
    assert again.sandbox.usage().tokens == 5 + 10 + 5
    assert again.sandbox.requests[0].path == f"{V2}/persons"
    assert again.sandbox.requests[0].at == START
    again.sandbox.close()
