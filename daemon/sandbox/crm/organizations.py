"""Organizations: v2 create, read, list, update, delete.

There is no domain field; `website` is stored and not searched, as in the real one.
"""

from collections.abc import Mapping

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import LISTING, SHOWING, Call
from daemon.sandbox.crm.checks import Check, Shape
from daemon.sandbox.crm.counters import INCLUDES, counters
from daemon.sandbox.crm.exchange import Answer, Doc
from daemon.sandbox.crm.routing import Route
from daemon.sandbox.crm.values import merge

KIND = "organizations"
NAME_LIMIT = 255
VISIBILITY = (1, 3, 5, 7)

_KEYS: Mapping[str, Check] = {
    "name": checks.text(NAME_LIMIT, empty=False),
    "owner_id": checks.integer,
    "visible_to": checks.one_of(*VISIBILITY),
    "label_ids": checks.array(checks.integer),
    "address": checks.ADDRESS,
    "website": checks.nullable(checks.text(255)),
    "linkedin": checks.nullable(checks.text(255)),
    "industry": checks.nullable(checks.integer),
    "annual_revenue": checks.nullable(checks.integer),
    "employee_count": checks.nullable(checks.integer),
}
ADD = Shape({**_KEYS, "add_time": checks.moment}, required=("name",))
UPDATE = Shape(_KEYS)


def new(call: Call, body: Doc) -> Doc:
    """A new organization's document, with the API's defaults."""
    doc: Doc = {
        "name": "",
        "owner_id": call.user["id"],
        "add_time": call.stamp,
        "update_time": call.stamp,
        "is_deleted": False,
        "visible_to": 3,
        "address": None,
        "label_ids": [],
        "website": None,
        "linkedin": None,
        "industry": None,
        "annual_revenue": None,
        "employee_count": None,
        **body,
    }
    doc["custom_fields"] = merge({}, body.get("custom_fields", {}))
    return doc


def add(call: Call) -> Answer:
    """POST /organizations."""
    body = call.read(ADD, KIND)
    call.check_references(body)
    return Answer(render(call, call.store.insert(KIND, new(call, body), call.now)))


def update(call: Call) -> Answer:
    """PATCH /organizations/{id}."""
    doc = call.editable(KIND)
    body = call.read(UPDATE, KIND)
    call.check_references(body)
    custom = merge(doc["custom_fields"], body.pop("custom_fields", {}))
    doc.update(body, custom_fields=custom, update_time=call.stamp)
    call.store.save(KIND, doc, call.now)
    return Answer(render(call, doc))


def get(call: Call) -> Answer:
    """GET /organizations/{id}."""
    return Answer(render(call, call.record(KIND)))


def listing(call: Call) -> Answer:
    """GET /organizations."""
    return call.page(KIND, "is_deleted = 0", [], lambda doc: render(call, doc))


def delete(call: Call) -> Answer:
    """DELETE /organizations/{id}."""
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
ROUTES = (
    Route("v2", "POST", "/organizations", add),
    Route("v2", "GET", "/organizations", listing, {**LISTING, **SHOWING, **_INCLUDE}),
    Route("v2", "GET", "/organizations/{id}", get, {**SHOWING, **_INCLUDE}),
    Route("v2", "PATCH", "/organizations/{id}", update),
    Route("v2", "DELETE", "/organizations/{id}", delete),
)
