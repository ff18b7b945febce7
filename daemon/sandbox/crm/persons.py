"""Persons: v2 create, read, list, update, delete.

`emails` and `phones` are lists that a PATCH replaces as a whole. The contact sync fields (notes,
im, birthday, job_title, postal_address) don't exist, as in a company without contact sync.
"""

from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import LISTING, SHOWING, Call
from daemon.sandbox.crm.checks import Shape
from daemon.sandbox.crm.counters import INCLUDES, counters
from daemon.sandbox.crm.exchange import Answer, Doc
from daemon.sandbox.crm.organizations import NAME_LIMIT, VISIBILITY
from daemon.sandbox.crm.routing import Route
from daemon.sandbox.crm.values import merge

KIND = "persons"
_ADDRESS_LIMIT = 255

_CONTACT = Shape(
    {
        "value": checks.text(_ADDRESS_LIMIT),
        "primary": checks.boolean,
        "label": checks.text(_ADDRESS_LIMIT),
    },
    required=("value",),
)


def contacts(path: str, value: Any) -> list[Doc]:
    """A list of addresses or numbers: label `work` unless named, one primary, the last wins."""
    given = checks.array(_CONTACT)(path, value)
    chosen = [index for index, item in enumerate(given) if item.get("primary")]
    primary = chosen[-1] if chosen else 0
    return [
        {
            "value": item["value"],
            "primary": index == primary,
            "label": item.get("label") or "work",
        }
        for index, item in enumerate(given)
    ]


_KEYS = {
    "name": checks.text(NAME_LIMIT, empty=False),
    "owner_id": checks.integer,
    "org_id": checks.integer,
    "emails": contacts,
    "phones": contacts,
    "visible_to": checks.one_of(*VISIBILITY),
    "label_ids": checks.array(checks.integer),
}
ADD = Shape({**_KEYS, "add_time": checks.moment}, required=("name",))
UPDATE = Shape(_KEYS)


def named(body: Doc) -> Doc:
    """The body with the name's parts, which follow from it and can't be set apart."""
    if "name" not in body:
        return body
    first, _, last = body["name"].strip().partition(" ")
    return {**body, "first_name": first, "last_name": last.strip() or None}


def new(call: Call, body: Doc) -> Doc:
    """A new person's document, with the API's defaults."""
    doc: Doc = {
        "name": "",
        "first_name": None,
        "last_name": None,
        "owner_id": call.user["id"],
        "org_id": None,
        "add_time": call.stamp,
        "update_time": call.stamp,
        "emails": [],
        "phones": [],
        "is_deleted": False,
        "visible_to": 3,
        "label_ids": [],
        "picture_id": None,
        **named(body),
    }
    doc["custom_fields"] = merge({}, body.get("custom_fields", {}))
    return doc


def add(call: Call) -> Answer:
    """POST /persons."""
    body = call.read(ADD, KIND)
    call.check_references(body)
    return Answer(render(call, call.store.insert(KIND, new(call, body), call.now)))


def update(call: Call) -> Answer:
    """PATCH /persons/{id}."""
    doc = call.editable(KIND)
    body = call.read(UPDATE, KIND)
    call.check_references(body)
    custom = merge(doc["custom_fields"], body.pop("custom_fields", {}))
    doc.update(named(body), custom_fields=custom, update_time=call.stamp)
    call.store.save(KIND, doc, call.now)
    return Answer(render(call, doc))


def get(call: Call) -> Answer:
    """GET /persons/{id}."""
    return Answer(render(call, call.record(KIND)))


def listing(call: Call) -> Answer:
    """GET /persons; `deal_id` finds the person of one deal."""
    where, values = "is_deleted = 0", []
    deal_id = call.query.pop("deal_id", None)
    if deal_id is not None:
        deal = call.store.get("deals", deal_id)
        where, values = f"{where} AND id = ?", [deal and deal["person_id"]]
    return call.page(KIND, where, values, lambda doc: render(call, doc))


def delete(call: Call) -> Answer:
    """DELETE /persons/{id}."""
    return call.delete(KIND)


def render(call: Call, doc: Doc) -> Doc:
    """The document as it is sent."""
    plain = {name: value for name, value in doc.items() if not name.startswith("_")}
    return {
        **plain,
        **counters(call, KIND, doc),
        "custom_fields": call.shown_fields(KIND, doc),
    }


_INCLUDE = {"include_fields": checks.query_list(checks.one_of(*INCLUDES[KIND]))}
_FILTERS = {"org_id": checks.query_integer, "deal_id": checks.query_integer}
ROUTES = (
    Route("v2", "POST", "/persons", add),
    Route("v2", "GET", "/persons", listing, {**LISTING, **SHOWING, **_INCLUDE, **_FILTERS}),
    Route("v2", "GET", "/persons/{id}", get, {**SHOWING, **_INCLUDE}),
    Route("v2", "PATCH", "/persons/{id}", update),
    Route("v2", "DELETE", "/persons/{id}", delete),
)
