"""What people do in the sandbox, merges, and the views: board, snapshot, listing."""

import pytest
from acts import Acts
from sandbox_kit import Api, company
from snapshots import export, snapshot

from daemon.sandbox.crm import board, duplicates, seed_from

V1, V2 = "/api/v1", "/api/v2"


def test_people_work_without_tokens_limits_or_log() -> None:
    api = company(daily_tokens=0)
    person = api.acts.add_person("Ann", "ann@acme.com")
    api.acts.rename("persons", person, "Ann Lee")
    api.acts.lose(api.acts.add_deal("D", person_id=person), "price")
    assert (api.sandbox.usage().calls, api.sandbox.requests) == (0, [])
    assert api.acts.person_of("ANN@acme.com")["last_name"] == "Lee"
    assert api.acts.every("deals")[0]["lost_reason"] == "price"


def test_an_act_is_its_users_and_changes_the_time_of_update() -> None:
    api = company()
    bob = Acts(api.sandbox, by="bob@example.com")
    deal = bob.add_deal("D")
    api.clock.passes(5)
    api.acts.move(deal, api.acts.stage_id("Partners", "Signed"))
    found = api.get(f"{V2}/deals/{deal}").data
    assert (found["owner_id"], found["origin"], found["pipeline_id"]) == (2, "ManuallyCreated", 2)
    assert api.ids(f"{V2}/deals", updated_since="2026-11-23T08:00:05Z") == [deal]


def test_acts_on_what_is_not_there_are_refused() -> None:
    api = company()
    person = api.acts.add_person("Ann")
    api.acts.delete("persons", person)
    for act in (
        lambda: api.acts.win(9),
        lambda: api.acts.rename("persons", person, "x"),
        lambda: api.acts.stage_id("Sales", "Nowhere"),
        lambda: api.acts.person_of("x@y.org"),
        lambda: Acts(api.sandbox, by="eve@example.com").add_person("x"),
    ):
        with pytest.raises(LookupError):
            act()


def test_more_of_the_company_can_be_made() -> None:
    api = company(default_world=False)
    pipeline = api.acts.add_pipeline("Only", ["First"])
    api.acts.add_stage(pipeline, "Second")
    carol = api.acts.add_user("Carol", "carol@example.com")
    assert [stage["name"] for stage in api.get(f"{V2}/stages").data] == ["First", "Second"]
    assert api.post(f"{V2}/deals", {"title": "D", "owner_id": carol}).data["stage_id"] == 1


def test_an_edit_by_hand_keeps_other_custom_fields() -> None:
    api = company()
    first, second = (api.acts.add_field("person", name, "varchar") for name in "ab")
    person = api.acts.add_person("Ann", custom_fields={first: "1", second: "2"})
    api.acts.edit("persons", person, custom_fields={second: None})
    assert api.acts.get("persons", person)["custom_fields"] == {first: "1"}


def family(api: Api) -> tuple[int, int]:
    org = api.acts.add_organization("acme.com")
    lost = api.acts.add_person("Ann L.", "ann@acme.com", "a.lee@acme.com", org_id=org)
    kept = api.acts.add_person("Ann Lee", "ann@acme.com", "ann@home.org")
    return lost, kept


def test_a_merged_person_is_deleted_and_all_of_it_moves_to_the_survivor() -> None:
    api = company()
    lost, kept = family(api)
    deal, lead = api.acts.add_deal("D", person_id=lost), api.acts.add_lead("L", person_id=lost)
    other = api.acts.add_person("Ben")
    mail = api.acts.add_activity(
        "M", participants=[{"person_id": lost, "primary": True}, {"person_id": other}]
    )
    both = api.acts.add_activity(
        "N", participants=[{"person_id": kept, "primary": True}, {"person_id": lost}]
    )
    api.clock.passes(5)
    api.acts.merge("persons", lost, kept)
    survivor = api.get(f"{V2}/persons/{kept}").data
    assert [item["value"] for item in survivor["emails"]] == [
        "ann@acme.com",
        "ann@home.org",
        "a.lee@acme.com",
    ]
    assert [item["primary"] for item in survivor["emails"]] == [True, False, False]
    assert (survivor["name"], survivor["org_id"]) == ("Ann Lee", 1)
    assert api.get(f"{V2}/persons/{lost}").data["is_deleted"] is True
    assert api.ids(f"{V2}/deals", person_id=kept) == [deal]
    assert api.ids(f"{V1}/leads", person_id=kept) == [lead]
    assert api.ids(f"{V2}/activities", person_id=kept) == [mail, both]
    assert api.get(f"{V2}/activities/{mail}").data["participants"] == [
        {"person_id": kept, "primary": True},
        {"person_id": other, "primary": False},
    ]
    assert api.get(f"{V2}/activities/{both}").data["participants"] == [
        {"person_id": kept, "primary": True}
    ]
    assert api.ids(f"{V2}/persons", updated_since="2026-11-23T08:00:05Z") == [kept]


def test_merged_organizations_and_deals_hand_over_what_hangs_on_them() -> None:
    api = company()
    lost, kept = api.acts.add_organization("acme.org"), api.acts.add_organization("acme.com")
    person = api.acts.add_person("Ann", org_id=lost)
    lead = api.acts.add_lead("L", organization_id=lost)
    api.acts.merge("organizations", lost, kept)
    assert api.ids(f"{V2}/persons", org_id=kept) == [person]
    assert api.ids(f"{V1}/leads", organization_id=kept) == [lead]
    first, second = api.acts.add_deal("A"), api.acts.add_deal("B")
    activity = api.acts.add_activity("M", deal_id=first)
    api.acts.merge("deals", first, second)
    assert api.get(f"{V2}/deals/{second}").data["title"] == "B"
    assert api.ids(f"{V2}/activities", deal_id=second) == [activity]
    assert api.ids(f"{V2}/deals", status="deleted") == [first]


def test_the_board_shows_the_inbox_and_every_stage() -> None:
    api = company()
    org = api.acts.add_organization("acme.com")
    person = api.acts.add_person("Ann", org_id=org)
    lead = api.acts.add_lead("Lead", person_id=person, organization_id=org)
    deal = api.acts.add_deal("Deal", person_id=person, stage_id=2)
    api.acts.add_activity("M", deal_id=deal)
    api.acts.win(api.acts.add_deal("Won", stage_id=2))
    columns = board(api.sandbox, "Sales")
    assert [column.name for column in columns] == [
        "Leads Inbox",
        "Qualified",
        "Initial Contact",
        "Proposal Made",
        "Negotiations Started",
    ]
    (card,) = columns[0].cards
    assert (card.title, card.person, card.organization, card.activities, card.id) == (
        "Lead",
        "Ann",
        "acme.com",
        0,
        lead,
    )
    (card,) = columns[2].cards
    assert (card.title, card.organization, card.activities, card.status) == ("Deal", "", 1, "open")
    assert len(board(api.sandbox)) == 8


def run(api: Api, *, backwards: bool) -> None:
    names = ["ann", "ben"]
    for name in names[::-1] if backwards else names:
        org = api.acts.add_organization(f"{name}.org")
        person = api.acts.add_person(name.title(), f"{name}@{name}.org", org_id=org)
        deal = api.acts.add_deal(name, person_id=person)
        api.acts.add_activity(f"M {name}", deal_id=deal, participants=[{"person_id": person}])
        api.clock.passes(1)


def test_snapshots_of_the_same_doings_are_equal_whatever_the_order() -> None:
    one, other = company(), company()
    run(one, backwards=False)
    run(other, backwards=True)
    assert snapshot(one.sandbox) == snapshot(other.sandbox)
    other.acts.lose(1)
    assert snapshot(one.sandbox) != snapshot(other.sandbox)


def test_a_snapshot_names_things_by_what_they_are() -> None:
    api = company()
    key = api.acts.add_field("deal", "Mail key", "varchar")
    run(api, backwards=False)
    api.acts.edit("deals", 1, custom_fields={key: "k"})
    shown = snapshot(api.sandbox)
    (deal,) = [deal for deal in shown["deals"] if deal["title"] == "ann"]
    assert (deal["person"], deal["stage"], deal["custom_fields"]) == (
        "ann@ann.org",
        "Qualified",
        {"Mail key": "k"},
    )
    assert shown["activities"][0]["deal"] == "ann / ann@ann.org"
    assert duplicates(api.sandbox) == []
    api.acts.add_person("Other", "ANN@ann.org")
    assert duplicates(api.sandbox) == ["person ann@ann.org"]


def test_a_listing_makes_the_same_company_again_under_the_same_ids() -> None:
    api = company()
    key = api.acts.add_field("deal", "Mail key", "varchar")
    run(api, backwards=False)
    api.acts.add_lead("L", person_id=1, custom_fields={key: "k"})
    api.acts.delete("persons", 2)
    copy = company()
    seed_from(copy.sandbox, export(api.sandbox))
    assert export(copy.sandbox) == export(api.sandbox)
    assert copy.get(f"{V2}/persons/2").data["is_deleted"] is True
    assert copy.post(f"{V2}/persons", {"name": "New"}).data["id"] == 3


def test_answers_of_the_api_are_a_listing() -> None:
    api = company()
    key = api.acts.add_field("deal", "Mail key", "varchar")
    person = api.acts.add_person("Ann Lee", "ann@acme.com")
    api.post(f"{V1}/leads", {"title": "L", "person_id": person, key: "k"})
    listing = {
        "persons": api.get(f"{V2}/persons").data,
        "leads": api.get(f"{V1}/leads").data,
        "pipelines": [{"id": 7, "name": "Real", "order_nr": 1, "is_deleted": False}],
        "stages": [
            {"id": 70, "name": "Start", "order_nr": 1, "pipeline_id": 7, "is_deleted": False}
        ],
        "fields": [{**api.get(f"{V2}/dealFields/{key}").data, "entity": "deal"}],
    }
    copy = company()
    seed_from(copy.sandbox, listing)
    assert copy.get(f"{V1}/leads").data == listing["leads"]
    assert copy.get(f"{V2}/persons").data == listing["persons"]
    assert copy.post(f"{V2}/deals", {"title": "D"}).data["stage_id"] == 70
    with pytest.raises(ValueError, match="no such kind"):
        seed_from(copy.sandbox, {"people": []})


def test_archiving_and_opening_again_by_hand() -> None:
    api = company()
    deal, lead = (
        api.acts.add_deal("D", status="won"),
        api.acts.add_lead("L", person_id=api.acts.add_person("Ann")),
    )
    assert api.get(f"{V2}/deals/{deal}").data["won_time"] == "2026-11-23T08:00:00Z"
    api.acts.reopen(deal)
    for kind, record in (("deals", deal), ("leads", lead)):
        api.acts.archive(kind, record)
        assert api.acts.get(kind, record)["is_archived"] is True
        api.acts.unarchive(kind, record)
    assert (api.ids(f"{V2}/deals", status="open"), api.ids(f"{V1}/leads")) == ([deal], [lead])
    with pytest.raises(LookupError):
        api.acts.get("deals", 99)
