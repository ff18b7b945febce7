"""The sandbox reads what was written only after a while: lists, records by id, links to them."""

import requests
from sandbox_kit import company

from daemon.sandbox.crm import Server

V1, V2 = "/api/v1", "/api/v2"


def test_a_list_shows_what_was_there_before_the_lag() -> None:
    api = company(list_lag=8.0)
    old, other = api.acts.add_person("Old"), api.acts.add_person("Other")
    api.clock.passes(60)
    new = api.post(f"{V2}/persons", {"name": "New"}).data["id"]
    api.patch(f"{V2}/persons/{old}", {"name": "Changed"})
    api.delete(f"{V2}/persons/{other}")
    api.clock.passes(7.5)
    before = api.get(f"{V2}/persons").data
    assert {doc["id"]: doc["name"] for doc in before} == {old: "Old", other: "Other"}
    assert api.get(f"{V2}/persons/{new}").data["name"] == "New"
    api.clock.passes(0.5)
    after = api.get(f"{V2}/persons").data
    assert {doc["id"]: doc["name"] for doc in after} == {old: "Changed", new: "New"}


def test_lists_by_filter_and_of_leads_lag_alike_and_nothing_is_lost_by_reading() -> None:
    api = company(list_lag=5.0)
    person = api.acts.add_person("Ann")
    api.clock.passes(60)
    lead = api.post(f"{V1}/leads", {"title": "L", "person_id": person}).data["id"]
    deal = api.post(f"{V2}/deals", {"title": "D", "person_id": person}).data["id"]
    assert (api.ids(f"{V1}/leads"), api.ids(f"{V2}/deals", person_id=person)) == ([], [])
    assert api.ids(f"{V2}/persons") == [person]
    api.clock.passes(5)
    assert (api.ids(f"{V1}/leads"), api.ids(f"{V2}/deals", person_id=person)) == ([lead], [deal])


def test_a_fresh_record_is_unknown_by_its_id_and_to_links() -> None:
    api = company(read_lag=0.5)
    person = api.post(f"{V2}/persons", {"name": "Ann"}).data["id"]
    lead = api.post(f"{V1}/leads", {"title": "L", "person_id": person})
    assert api.ids(f"{V2}/persons") == [person]
    assert api.get(f"{V2}/persons/{person}").status == 404
    assert api.patch(f"{V2}/persons/{person}", {"name": "Bea"}).status == 404
    assert (lead.status, "was not found" in lead.error) == (400, True)
    api.clock.passes(0.5)
    assert api.get(f"{V2}/persons/{person}").data["name"] == "Ann"
    made = api.post(f"{V1}/leads", {"title": "L", "person_id": person}).data["id"]
    assert api.get(f"{V1}/leads/{made}").status == 404
    assert api.delete(f"{V1}/leads/{made}").status == 404
    assert api.post(f"{V2}/leads/{made}/convert/deal").status == 404
    api.clock.passes(0.5)
    assert api.delete(f"{V1}/leads/{made}").status == 200


def test_lag_is_switched_while_the_sandbox_runs() -> None:
    api = company()
    with Server(api.sandbox) as server:
        url = f"{server.url}/sandbox/settings"
        assert requests.post(url, json={"list_lag": 9.0}, timeout=5).json() == {
            "result": {"list_lag": 9.0}
        }
        assert requests.post(url, json={"nonsense": 1}, timeout=5).status_code == 400
    api.post(f"{V2}/persons", {"name": "Ann"})
    assert api.ids(f"{V2}/persons") == []
    api.sandbox.change(list_lag=0.0)
    assert len(api.ids(f"{V2}/persons")) == 1


def test_answers_carry_the_time_of_the_sandbox() -> None:
    api = company()
    assert api.get(f"{V2}/persons").headers["date"] == "Mon, 23 Nov 2026 08:00:00 GMT"
    with Server(api.sandbox) as server:
        answer = api.session.get(f"{server.url}{V2}/persons", timeout=5)
        assert answer.headers["date"] == "Mon, 23 Nov 2026 08:00:00 GMT"
        api.session.close()
