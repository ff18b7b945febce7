"""Custom field definitions: v2 list, read and create.

Names are not unique, as in the real one; a type can't be changed; codes are 40 hex digits. The
system fields listed are the ones a client meets, not all that Pipedrive has.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from daemon.sandbox.crm import checks, values
from daemon.sandbox.crm.api import API, DEFAULTS
from daemon.sandbox.crm.call import PAGE_DEFAULT, PAGING, ApiCall
from daemon.sandbox.crm.checks import Check, Shape
from daemon.sandbox.crm.exchange import Doc, Refusal, Reply, invalid, not_found
from daemon.sandbox.crm.permissions import need
from daemon.sandbox.crm.routing import Endpoint

ENTITIES = ("person", "deal", "organization")
_NAME_LIMIT = 255

_PARTS = ("ui_visibility", "important_fields", "required_fields")


def _flags(path: str, value: Any) -> Doc:
    if not isinstance(value, dict):
        raise checks.not_valid(path, "object")
    for name, flag in value.items():
        if name.endswith("_flag") or name == "enabled":
            checks.boolean(f"{path}.{name}", flag)
    return value


_UPDATE_KEYS: Mapping[str, Check] = {
    "field_name": checks.text(_NAME_LIMIT, empty=False),
    **dict.fromkeys(_PARTS, _flags),
}
_OPTION = Shape({"label": checks.text(_NAME_LIMIT, empty=False)}, required=("label",))
_ADD_KEYS: Mapping[str, Check] = {
    **_UPDATE_KEYS,
    "field_type": checks.one_of(*values.FIELD_TYPES),
    "options": checks.array(_OPTION, 10_000),
}


def _shape(entity: str, keys: Mapping[str, Check], required: tuple[str, ...] = ()) -> Shape:
    extra = {"description": checks.nullable(checks.string)} if entity == "deal" else {}
    return Shape({**keys, **extra}, required)


def define(call: ApiCall, entity: str, body: Doc) -> Doc:
    """Keep a new field; its code is the same for the same store and order of events."""
    number = call.store.count("fields")
    row = call.store.db.execute("SELECT max(id) FROM fields").fetchone()
    seed = f"{call.settings.company} {entity} {number} {row[0]} {body['field_name']}"
    options = [
        {"id": index + 1, "label": option["label"]}
        for index, option in enumerate(body.get("options", ()))
    ]
    doc = {
        "entity": entity,
        "field_code": hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest(),
        "field_name": body["field_name"],
        "field_type": body["field_type"],
        "description": body.get("description"),
        "options": options if body["field_type"] in ("enum", "set") else None,
        **{part: default | body.get(part, {}) for part, default in DEFAULTS["fields"].items()},
    }
    return call.store.insert("fields", doc, call.now)


class FieldDefinitions:
    """The endpoints of one entity's fields."""

    def __init__(self, entity: str) -> None:
        """Name the entity: person, deal or organization."""
        self.entity = entity

    def routes(self) -> tuple[Endpoint, ...]:
        """All endpoints of these fields."""
        path = f"/{self.entity}Fields"
        include = {"include_fields": checks.query_list(checks.one_of(*_PARTS))}
        return (
            Endpoint("v2", "GET", path, self.listing, {**PAGING, **include}),
            Endpoint("v2", "POST", path, self.add),
            Endpoint("v2", "GET", f"{path}/{{field_code}}", self.get, include),
        )

    def listing(self, call: ApiCall) -> Reply:
        """GET the fields, system fields first."""
        every = [*self._system(call), *call.store.select("fields", "entity = ?", (self.entity,))]
        page, additional = call.numbered(every, PAGE_DEFAULT)
        return Reply([self._render(call, doc) for doc in page], additional=additional)

    def get(self, call: ApiCall) -> Reply:
        """GET one field."""
        code = call.params["field_code"]
        custom = call.store.select("fields", "entity = ? AND field_code = ?", (self.entity, code))
        for doc in (*self._system(call), *custom):
            if doc["field_code"] == code:
                return Reply(self._render(call, doc))
        raise not_found("Field")

    def add(self, call: ApiCall) -> Reply:
        """POST a field; 403 without the permission or over the plan's cap."""
        need(call.user, "can_add_custom_fields")
        required = ("field_name", "field_type")
        body = call.read(_shape(self.entity, _ADD_KEYS, required))
        if body["field_type"] in ("enum", "set"):
            if not body.get("options"):
                raise invalid("options: This collection should contain 1 element or more")
        elif "options" in body:
            raise invalid(f"options: not allowed for a field of type '{body['field_type']}'")
        if call.store.count("fields") >= call.settings.custom_field_limit:
            raise Refusal(
                403,
                "Couldn't add the custom field. Custom fields limit reached.",
                code="feature_capping_custom_fields_limit",
            )
        return Reply(self._render(call, define(call, self.entity, body), every_part=True))

    def _system(self, call: ApiCall) -> list[Doc]:
        labels = [
            {"id": doc["id"], "label": doc["label"]}
            for doc in call.store.select("labels", "entity = ?", (self.entity,))
        ]
        return [
            {
                "field_name": name,
                "field_code": code,
                "field_type": kind,
                "options": labels if code == "label_ids" else None,
            }
            for name, code, kind in (*API["system_fields"][self.entity], *self._synced(call))
        ]

    def _synced(self, call: ApiCall) -> tuple[tuple[str, str, str], ...]:
        has = self.entity == "person" and call.settings.contact_sync
        return (("Job title", "job_title", "varchar"),) if has else ()

    def _render(self, call: ApiCall, doc: Doc, *, every_part: bool = False) -> Doc:
        plain: Doc = {
            "field_name": doc["field_name"],
            "field_code": doc["field_code"],
            "field_type": doc["field_type"],
            "options": doc["options"],
            "subfields": None,
            "is_custom_field": "entity" in doc,
            "is_optional_response_field": False,
        }
        if self.entity == "deal" and doc.get("description") is not None:
            plain["description"] = doc["description"]
        asked = _PARTS if every_part else call.query.get("include_fields", ())
        # Those of Pipedrive's own are shown where something is added, too.
        shown = DEFAULTS["fields"] | {
            "ui_visibility": {"add_visible_flag": True, "details_visible_flag": True}
        }
        return plain | {part: doc.get(part, shown[part]) for part in asked}


ROUTES = tuple(route for entity in ENTITIES for route in FieldDefinitions(entity).routes())
