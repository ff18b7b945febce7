"""Participants of a deal (v1): its contact person, and whom else somebody added.

The contact person is one by itself and can't be removed as one. https://developers.pipedrive.com/
docs/api/v1/Deals (participants)
"""

from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.checks import Shape
from daemon.sandbox.crm.clock import stamp_v1
from daemon.sandbox.crm.exchange import Doc, Refusal, Reply, not_found
from daemon.sandbox.crm.permissions import need_to_change
from daemon.sandbox.crm.routing import Endpoint

BODY = Shape({"person_id": checks.integer}, required=("person_id",))
_PAGES = {"start": checks.query_range(0, 10**9), "limit": checks.query_range(1, 500)}


def persons_of(deal: Doc) -> list[int]:
    """The ids of a deal's persons, its contact person first."""
    contact = [] if deal["person_id"] is None else [deal["person_id"]]
    return contact + [
        item["person_id"]
        for item in deal.get("_participants", ())
        if item["person_id"] not in contact
    ]


def listing(call: ApiCall) -> Reply:
    """GET /deals/{id}/participants."""
    deal = call.record("deals")
    page, more = call.offset(persons_of(deal))
    rows = [_shown(call, deal, person) for person in page]
    return Reply(rows, additional={"pagination": more})


def add(call: ApiCall) -> Reply:
    """POST /deals/{id}/participants."""
    deal = call.editable("deals")
    body = call.read(BODY)
    need_to_change(call.user, "deals", deal, {})
    call.check_references(body)
    if body["person_id"] in persons_of(deal):
        raise Refusal(400, "Person is already a participant of this deal.")
    made = {
        "id": call.store.next_number("participant"),
        "person_id": body["person_id"],
        "add_time": stamp_v1(call.now),
    }
    deal["_participants"] = [*deal.get("_participants", ()), made]
    deal["update_time"] = call.stamp
    call.store.save("deals", deal, call.now)
    return Reply(_shown(call, deal, body["person_id"]))


def remove(call: ApiCall) -> Reply:
    """DELETE /deals/{id}/participants/{deal_participant_id}."""
    deal = call.editable("deals")
    need_to_change(call.user, "deals", deal, {})
    number = call.params["deal_participant_id"]
    kept = [item for item in deal.get("_participants", ()) if item["id"] != number]
    if len(kept) == len(deal.get("_participants", ())):
        raise not_found("Participant")
    deal.update(_participants=kept, update_time=call.stamp)
    call.store.save("deals", deal, call.now)
    return Reply({"id": number})


def _shown(call: ApiCall, deal: Doc, person_id: int) -> Doc:
    added: dict[int, Any] = {item["person_id"]: item for item in deal.get("_participants", ())}
    # The contact person's own number can't be mistaken for that of one who was added.
    item = added.get(
        person_id, {"id": -deal["id"], "add_time": deal["add_time"][:19].replace("T", " ")}
    )
    person = call.store.get("persons", person_id) or {}
    contact = {
        "active_flag": not person.get("is_deleted"),
        "name": person.get("name"),
        "email": person.get("emails", []),
        "phone": person.get("phones", []),
    }
    return {
        "id": item["id"],
        "person_id": contact | {"value": person_id},
        "person": contact | {"id": person_id},
        "add_time": item["add_time"],
        "active_flag": True,
        "related_item_data": {"deal_id": deal["id"], "title": deal["title"]},
    }


ROUTES = (
    Endpoint("v1", "GET", "/deals/{id}/participants", listing, _PAGES),
    Endpoint("v1", "POST", "/deals/{id}/participants", add),
    Endpoint("v1", "DELETE", "/deals/{id}/participants/{deal_participant_id}", remove),
)
