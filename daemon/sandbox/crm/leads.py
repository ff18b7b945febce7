"""Leads: v1 create, read, list (archived apart), update, delete.

v1's ways: offsets instead of cursors, `visible_to` as a string, custom fields as flat root keys
(they are the deal fields), 201 on create. `origin_id` can be set on create only. A deleted or
converted lead answers 404.
"""

from functools import partial
from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.api import API
from daemon.sandbox.crm.call import ApiCall, mark_deleted
from daemon.sandbox.crm.checks import Shape, Wrong
from daemon.sandbox.crm.clock import stamp_ms
from daemon.sandbox.crm.deals import currency
from daemon.sandbox.crm.exchange import Doc, Refusal, Reply, invalid
from daemon.sandbox.crm.organizations import NAME_LIMIT
from daemon.sandbox.crm.permissions import seen
from daemon.sandbox.crm.routing import Endpoint
from daemon.sandbox.crm.values import HASH_KEY, from_v1, merge, to_v1

KIND = "leads"
_VALUE = Shape({"amount": checks.number, "currency": currency}, required=("amount", "currency"))

_KEYS = {
    "title": checks.text(NAME_LIMIT, empty=False),
    "owner_id": checks.integer,
    "label_ids": checks.array(checks.uuid),
    "value": checks.nullable(_VALUE),
    "visible_to": checks.one_of("1", "3", "5", "7"),
    "was_seen": checks.boolean,
    "channel": checks.nullable(checks.integer),
    "channel_id": checks.nullable(checks.text(NAME_LIMIT)),
}
ADD = Shape(
    {
        **_KEYS,
        "person_id": checks.integer,
        "organization_id": checks.integer,
        "expected_close_date": checks.day,
        "origin_id": checks.nullable(checks.text(NAME_LIMIT)),
    },
    required=("title",),
)
UPDATE = Shape(
    {
        **_KEYS,
        "person_id": checks.nullable(checks.integer),
        "organization_id": checks.nullable(checks.integer),
        "expected_close_date": checks.nullable(checks.day),
        "is_archived": checks.boolean,
    }
)


def new(call: ApiCall, body: Doc) -> Doc:
    """A new lead's document, with v1's form of times and visibility."""
    now, visible_to = stamp_ms(call.now), str(call.visibility(body))
    number = call.store.count(KIND)
    made = call.new_uuid(f"lead {number} {call.now!r} {call.settings.company}")
    own = {"id": made, "add_time": now, "update_time": now, "visible_to": visible_to}
    doc = call.fresh(KIND, {**own, **body})
    doc["cc_email"] = f"{call.settings.company}+lead{doc['id'][:8]}@pipedrivemail.com"
    return doc


def read(call: ApiCall, shape: Shape) -> Doc:
    """The checked body with its flat custom fields in `custom_fields`."""
    if not isinstance(call.body, dict):
        return shape.read(call.body)
    flat = {name: value for name, value in call.body.items() if HASH_KEY.fullmatch(name)}
    body = shape.read({k: v for k, v in call.body.items() if k not in flat})
    try:
        body["custom_fields"] = from_v1(call.fields(KIND), flat)
    except Wrong as wrong:
        raise invalid(*wrong.problems) from wrong
    for label in body.get("label_ids", ()):
        if call.store.get("lead_labels", label) is None:
            raise invalid(f"label_ids: Lead label with id '{label}' was not found")
    if body.get("channel") is not None:
        raise invalid(f"channel: Channel with id '{body['channel']}' was not found")
    return body


def add(call: ApiCall) -> Reply:
    """POST /leads."""
    body = read(call, ADD)
    call.may_write(KIND, body)
    if body.get("person_id") is None and body.get("organization_id") is None:
        raise Refusal(400, "A lead must be linked to a person or an organization.")
    call.check_open_cap("lead")
    return Reply(render(call, call.store.insert(KIND, new(call, body), call.now)), status=201)


def found(call: ApiCall, error: str = "requested lead not found") -> Doc:
    """The lead named by the path; 404 once it is deleted or converted."""
    doc = call.store.get(KIND, call.params["id"])
    if doc is None or doc["is_deleted"] or call.is_unread(KIND, doc["id"]):
        raise Refusal(404, error, info="Object was not found.")
    if not call.sees(KIND, doc["id"]):
        raise call.unseen(KIND)
    return doc


def update(call: ApiCall) -> Reply:
    """PATCH /leads/{id}; an archived lead can only be taken out of the archive."""
    doc = found(call)
    body = read(call, UPDATE)
    call.may_write(KIND, body, doc)
    if doc["is_archived"] and body.get("is_archived") is not False:
        raise Refusal(400, "Archived leads can't be updated. Unarchive the lead first.")
    if doc["is_archived"]:
        call.check_open_cap("lead")
    custom = merge(doc["custom_fields"], body.pop("custom_fields", {}))
    doc.update(body, custom_fields=custom, update_time=stamp_ms(call.now))
    if doc["person_id"] is None and doc["organization_id"] is None:
        raise Refusal(400, "A lead must be linked to a person or an organization.")
    call.store.save(KIND, doc, call.now)
    return Reply(render(call, doc))


def get(call: ApiCall) -> Reply:
    """GET /leads/{id}, archived or not."""
    return Reply(render(call, found(call)))


def listing(call: ApiCall, *, archived: bool) -> Reply:
    """GET /leads, or /leads/archived."""
    query = call.query
    if "filter_id" in query:
        raise Refusal(404, "Filter not found")
    # The plus keeps SQLite from the index that only counting needs.
    where, values = "+is_deleted = 0 AND +is_archived = ?", [archived]
    for name in ("owner_id", "person_id", "organization_id"):
        column = name.replace("organization", "org")
        if name in query:
            where, values = f"{where} AND {column} = ?", [*values, query[name]]
    if "updated_since" in query:  # leads keep milliseconds
        where += " AND update_time >= ?"
        values.append(query["updated_since"].replace("Z", ".000Z"))
    visible, whose = seen(call.user, KIND)
    where, values = f"{where} AND {visible}", [*values, *whose]
    start, limit = query.get("start", 0), query.get("limit", 100)
    order = query.get("sort", ["add_time", "id"])
    docs = call.store.select(
        KIND, where, values, order=", ".join(order), limit=limit + 1, offset=start
    )
    rows, page = call.offset(docs, start)
    return Reply(
        [render(call, doc) for doc in rows],
        additional={"pagination": page} if call.settings.lead_pages_wrapped else page,
    )


def delete(call: ApiCall) -> Reply:
    """DELETE /leads/{id}."""
    doc = found(call)
    remove(call, doc)
    return Reply({"id": doc["id"]})


def remove(call: ApiCall, doc: Doc) -> None:
    """Delete a lead, by whatever way."""
    mark_deleted(doc, call.now)
    doc["update_time"] = stamp_ms(call.now)
    call.store.save(KIND, doc, call.now)


def render(call: ApiCall, doc: Doc) -> Doc:
    """The document as it is sent: v1's flat form, without v2's keys."""
    plain = {
        name: value
        for name, value in doc.items()
        if not name.startswith("_") and name not in ("is_deleted", "custom_fields")
    }
    upcoming = call.store.select(
        "activities",
        "lead_id = ? AND is_deleted = 0 AND done = 0",
        (doc["id"],),
        order="due_date, id",
        limit=1,
    )
    plain["next_activity_id"] = upcoming[0]["id"] if upcoming else None
    return plain | to_v1(call.fields(KIND), doc["custom_fields"])


def sort(path: str, value: str) -> list[str]:
    """`field` or `field ASC|DESC`, comma separated, as SQL terms."""
    terms = []
    for part in value.split(","):
        name, _, way = part.strip().partition(" ")
        if name not in API["lead_sorts"] or way.upper() not in ("", "ASC", "DESC"):
            raise Wrong(f"{path}: The value you selected is not a valid choice")
        column = "id" if name == "id" else f"json_extract(doc, '$.{name}')"
        terms.append(f"{column} {way.upper() or 'ASC'}")
    return [*terms, "id"]


_ARCHIVED: dict[str, Any] = {
    "limit": checks.query_range(1, 500),
    "start": checks.query_range(0, 10**9),
    **dict.fromkeys(
        ("owner_id", "person_id", "organization_id", "filter_id"), checks.query_integer
    ),
    "sort": sort,
}
_CURRENT = {**_ARCHIVED, "updated_since": checks.query_moment}
ROUTES = (
    Endpoint("v1", "POST", "/leads", add),
    Endpoint("v1", "GET", "/leads", partial(listing, archived=False), _CURRENT),
    Endpoint("v1", "GET", "/leads/archived", partial(listing, archived=True), _ARCHIVED),
    Endpoint("v1", "GET", "/leads/{id}", get, path_check=checks.uuid),
    Endpoint("v1", "PATCH", "/leads/{id}", update, path_check=checks.uuid),
    Endpoint("v1", "DELETE", "/leads/{id}", delete, path_check=checks.uuid),
)
