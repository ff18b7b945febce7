"""How Pipedrive merges two records: one survives, the other is removed, links move.

The survivor's own values win, what it lacks is taken over, e-mails and phones are joined. There
is no forwarding pointer: the removed record only says that it is deleted.
"""

from daemon.sandbox.crm import activities
from daemon.sandbox.crm.call import ApiCall, mark_deleted
from daemon.sandbox.crm.clock import stamp_ms
from daemon.sandbox.crm.exchange import Doc

_LINKS = {
    "organizations": (("persons", "org_id"), ("deals", "org_id"), ("activities", "org_id")),
    "persons": (("deals", "person_id"),),
    "deals": (("activities", "deal_id"),),
}
_LEAD_LINKS = {"organizations": "organization_id", "persons": "person_id"}


def merge_records(call: ApiCall, kind: str, lost: Doc, survivor: Doc) -> Doc:
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


def _move_links(call: ApiCall, kind: str, lost_id: int, survivor_id: int) -> None:
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
        for deal in call.store.select("deals"):
            for item in deal.get("_participants", ()):
                if item["person_id"] == lost_id:
                    item["person_id"] = survivor_id
                    call.store.save("deals", deal, call.now)
        _move_participants(call, lost_id, survivor_id)


def _move_participants(call: ApiCall, lost_id: int, survivor_id: int) -> None:
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
