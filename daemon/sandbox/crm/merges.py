"""Merges (v1): `merge_with_id` survives, the record of the path is removed, links move.

The survivor's own values win, what it lacks is taken over, e-mails and phones are joined. There
is no forwarding pointer: the removed record only says that it is deleted.
"""

from daemon.sandbox.crm import activities, checks
from daemon.sandbox.crm.call import NOUNS, Call, mark_deleted
from daemon.sandbox.crm.checks import Shape
from daemon.sandbox.crm.clock import as_v1, stamp_ms
from daemon.sandbox.crm.exchange import Answer, Doc, Refusal, not_found
from daemon.sandbox.crm.routing import Route

BODY = Shape({"merge_with_id": checks.integer}, required=("merge_with_id",))
_LINKS = {
    "organizations": (("persons", "org_id"), ("deals", "org_id"), ("activities", "org_id")),
    "persons": (("deals", "person_id"),),
    "deals": (("activities", "deal_id"),),
}
_LEAD_LINKS = {"organizations": "organization_id", "persons": "person_id"}


def merge(call: Call, kind: str) -> Doc:
    """Merge the record of the path into the one of the body, and give the survivor."""
    lost = call.editable(kind)
    survivor_id = call.read(BODY)["merge_with_id"]
    survivor = call.store.get(kind, survivor_id)
    if survivor is None or survivor["is_deleted"]:
        raise not_found(NOUNS[kind])
    if survivor_id == lost["id"]:
        raise Refusal(400, "Cannot merge an item with itself")
    return merge_records(call, kind, lost, survivor)


def merge_records(call: Call, kind: str, lost: Doc, survivor: Doc) -> Doc:
    """Join two records, move what hangs on the lost one, delete it."""
    for name in ("emails", "phones"):
        if name in survivor:
            survivor[name] = _joined(survivor[name], lost[name])
    for name, value in lost.items():
        if survivor.get(name) is None and not name.startswith("_"):
            survivor[name] = value
    survivor["custom_fields"] = {**lost["custom_fields"], **survivor["custom_fields"]}
    survivor["update_time"] = call.stamp
    _move_links(call, kind, lost["id"], survivor["id"])
    mark_deleted(lost, call.now)
    if kind == "deals":
        lost["status"] = "deleted"
    call.store.save(kind, lost, call.now)
    call.store.save(kind, survivor, call.now)
    return survivor


def _joined(first: list[Doc], second: list[Doc]) -> list[Doc]:
    known = {item["value"].lower() for item in first}
    added = [
        {**item, "primary": item["primary"] and not first}
        for item in second
        if item["value"].lower() not in known
    ]
    return [*first, *added]


def _move_links(call: Call, kind: str, lost_id: int, survivor_id: int) -> None:
    for linked, column in _LINKS[kind]:
        for doc in call.store.select(linked, f"{column} = ?", (lost_id,)):
            doc.update({column: survivor_id, "update_time": call.stamp})
            call.store.save(linked, doc, call.now)
    if kind in _LEAD_LINKS:
        column = _LEAD_LINKS[kind]
        for doc in call.store.select("leads", f"json_extract(doc, '$.{column}') = ?", (lost_id,)):
            doc.update({column: survivor_id, "update_time": stamp_ms(call.now)})
            call.store.save("leads", doc, call.now)
    if kind == "persons":
        _move_participants(call, lost_id, survivor_id)


def _move_participants(call: Call, lost_id: int, survivor_id: int) -> None:
    where = (
        "EXISTS (SELECT 1 FROM json_each(doc, '$.participants')"
        " WHERE json_extract(value, '$.person_id') = ?)"
    )
    for doc in call.store.select("activities", where, (lost_id,)):
        people = [
            {
                **item,
                "person_id": survivor_id if item["person_id"] == lost_id else item["person_id"],
            }
            for item in doc["participants"]
        ]
        people.sort(key=lambda item: not item["primary"])
        first_of_each = {item["person_id"]: item for item in reversed(people)}
        activities.change(call, doc, {"participants": list(reversed(first_of_each.values()))})
        doc["update_time"] = call.stamp
        call.store.save("activities", doc, call.now)


def persons(call: Call) -> Answer:
    """PUT /persons/{id}/merge: the survivor in v1's shape."""
    doc = merge(call, "persons")
    return Answer(
        {
            "id": doc["id"],
            "company_id": 1,
            "owner_id": doc["owner_id"],
            "org_id": doc["org_id"],
            "name": doc["name"],
            "first_name": doc["first_name"],
            "last_name": doc["last_name"],
            "active_flag": True,
            "email": doc["emails"],
            "phone": doc["phones"],
            "first_char": doc["name"][:1].lower(),
            "add_time": as_v1(doc["add_time"]),
            "update_time": as_v1(doc["update_time"]),
            "visible_to": str(doc["visible_to"]),
            "label_ids": doc["label_ids"],
            "merge_what_id": call.params["id"],
        }
    )


def organizations(call: Call) -> Answer:
    """PUT /organizations/{id}/merge: only the survivor's id, as documented."""
    return Answer({"id": merge(call, "organizations")["id"]})


def deals(call: Call) -> Answer:
    """PUT /deals/{id}/merge: the survivor in v1's shape."""
    doc = merge(call, "deals")
    same = ("title", "value", "currency", "status", "person_id", "org_id", "stage_id")
    return Answer(
        {name: doc[name] for name in same}
        | {
            "id": doc["id"],
            "user_id": doc["owner_id"],
            "creator_user_id": doc["creator_user_id"],
            "pipeline_id": doc["pipeline_id"],
            "active": doc["status"] == "open",
            "deleted": False,
            "is_archived": doc["is_archived"],
            "add_time": as_v1(doc["add_time"]),
            "update_time": as_v1(doc["update_time"]),
            "visible_to": str(doc["visible_to"]),
            "merge_what_id": call.params["id"],
        }
    )


ROUTES = (
    Route("v1", "PUT", "/persons/{id}/merge", persons),
    Route("v1", "PUT", "/organizations/{id}/merge", organizations),
    Route("v1", "PUT", "/deals/{id}/merge", deals),
)
