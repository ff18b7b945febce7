"""A sandbox's content as tests compare it: without ids and times of writing."""

import json
from collections.abc import Mapping
from typing import Any

from daemon.sandbox.crm import Sandbox
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.exchange import Doc
from daemon.sandbox.crm.store import KINDS


def export(sandbox: Sandbox) -> dict[str, list[Doc]]:
    """Everything that the store holds, deleted records too, as `seed_from` reads it."""
    with sandbox.at_work() as call:
        return {kind: call.store.select(kind) for kind in KINDS}


def snapshot(sandbox: Sandbox) -> dict[str, list[Doc]]:
    """All that is not deleted, without ids and times of writing, in an order of its own content.

    Persons are named by their e-mails, organizations and stages by name, deals and leads by
    title and person, custom fields by field name: two runs that did the same compare equal.
    """
    with sandbox.at_work() as call:
        view = _View(call)
        return {
            kind: sorted(
                (view.show(kind, doc) for doc in call.store.select(kind, "is_deleted = 0")),
                key=lambda shown: json.dumps(shown, sort_keys=True),
            )
            for kind in ("organizations", "persons", "leads", "deals", "activities")
        }


_SAME: Mapping[str, tuple[str, ...]] = {
    "organizations": ("name", "website", "visible_to"),
    "persons": ("name", "visible_to"),
    "leads": ("title", "origin_id", "is_archived", "value", "visible_to"),
    "deals": ("title", "status", "is_archived", "value", "currency", "lost_reason", "visible_to"),
    "activities": (
        "subject",
        "type",
        "done",
        "busy",
        "due_date",
        "due_time",
        "duration",
        "note",
        "public_description",
    ),
}
_LINKS = {
    "org_id": "organizations",
    "organization_id": "organizations",
    "person_id": "persons",
    "deal_id": "deals",
    "lead_id": "leads",
    "stage_id": "stages",
    "pipeline_id": "pipelines",
    "owner_id": "users",
}


class _View:
    """Records by what they are called instead of by their ids."""

    def __init__(self, call: ApiCall) -> None:
        self.call = call
        self.named: dict[tuple[str, Any], str | None] = {}

    def show(self, kind: str, doc: Doc) -> Doc:
        shown: Doc = {name: doc[name] for name in _SAME[kind]}
        for name, linked in _LINKS.items():
            if name in doc:
                shown[name.removesuffix("_id")] = self.name(linked, doc[name])
        if kind == "persons":
            shown["emails"] = [item["value"] for item in doc["emails"]]
            shown["phones"] = [item["value"] for item in doc["phones"]]
        if kind == "deals":
            shown["from_lead"] = doc["source_lead_id"] is not None
            added = (self.name("persons", one["person_id"]) for one in doc.get("_participants", ()))
            shown["participants"] = sorted(map(str, added))
        if kind == "activities":
            people = [self.name("persons", item["person_id"]) for item in doc["participants"]]
            shown["participants"] = sorted(str(person) for person in people)
        if "custom_fields" in doc:
            fields = self.call.fields(kind)
            shown["custom_fields"] = {
                fields[code]["field_name"]: value
                for code, value in sorted(doc["custom_fields"].items())
                if code in fields
            }
        return shown

    def name(self, kind: str, record_id: Any) -> str | None:
        key = (kind, record_id)
        if record_id is not None and key not in self.named:
            doc = self.call.store.get(kind, record_id)
            self.named[key] = None if doc is None else self._name(kind, doc)
        return self.named.get(key)

    def _name(self, kind: str, doc: Doc) -> str:
        if kind == "persons":
            addresses = sorted(item["value"].lower() for item in doc["emails"])
            return ", ".join(addresses) or str(doc["name"])
        if kind == "users":
            return str(doc["email"])
        if kind in ("deals", "leads"):
            return f"{doc['title']} / {self.name('persons', doc['person_id'])}"
        return str(doc["name"])
