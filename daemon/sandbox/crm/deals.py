"""Deals: v2 create, read, list (archived apart), update, delete.

A stage implies its pipeline. `add_time`, `origin` and `origin_id` can't be set (the real API
drops `origin_id` silently on create; here it is refused, so that nobody relies on it); `channel_id`
can, as the real API takes it although its description doesn't say so.
"""

from functools import partial
from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import LISTING, SHOWING, ApiCall, mark_deleted
from daemon.sandbox.crm.checks import Shape
from daemon.sandbox.crm.exchange import Doc, Refusal, Reply, invalid
from daemon.sandbox.crm.organizations import NAME_LIMIT, VISIBILITY
from daemon.sandbox.crm.routing import Endpoint
from daemon.sandbox.crm.values import merge

KIND = "deals"
STATUSES = ("open", "won", "lost", "deleted")
CURRENCY_LENGTH = 3
_ONLY_WITH = {
    "lost_reason": ("lost",),
    "won_time": ("won",),
    "lost_time": ("lost",),
    "close_time": ("won", "lost"),
}


def currency(path: str, value: Any) -> str:
    """A three-letter currency code."""
    code: str = checks.string(path, value)
    if len(code) != CURRENCY_LENGTH or not code.isalpha():
        raise checks.Wrong(f"{path}: This value is not a valid currency")
    return code.upper()


_KEYS = {
    "title": checks.text(NAME_LIMIT, empty=False),
    "owner_id": checks.integer,
    "person_id": checks.integer,
    "org_id": checks.integer,
    "pipeline_id": checks.integer,
    "stage_id": checks.integer,
    "value": checks.number,
    "currency": currency,
    "is_deleted": checks.boolean,
    "is_archived": checks.boolean,
    "archive_time": checks.moment,
    "status": checks.one_of(*STATUSES),
    "probability": checks.nullable(checks.number),
    "lost_reason": checks.nullable(checks.string),
    "visible_to": checks.one_of(*VISIBILITY),
    "close_time": checks.nullable(checks.moment),
    "won_time": checks.moment,
    "lost_time": checks.moment,
    "expected_close_date": checks.day,
    "label_ids": checks.array(checks.integer),
    "channel_id": checks.nullable(checks.text(NAME_LIMIT)),
}
ADD = Shape(_KEYS, required=("title",))
UPDATE = Shape(_KEYS)


def placed(call: ApiCall, body: Doc) -> Doc:
    """The body with pipeline and stage: a stage implies its pipeline, none means the default."""
    if "stage_id" in body:
        stage = call.store.get("stages", body["stage_id"])
        return {**body, "pipeline_id": stage and stage["pipeline_id"]}
    pipeline_id = body.get("pipeline_id")
    if pipeline_id is None:
        first = call.store.select("pipelines", "is_deleted = 0", order="order_nr, id", limit=1)
        if not first:
            raise invalid("pipeline_id: there is no pipeline")
        pipeline_id = first[0]["id"]
    stages = call.store.select(
        "stages",
        "pipeline_id = ? AND is_deleted = 0",
        (pipeline_id,),
        order="order_nr, id",
        limit=1,
    )
    if not stages:
        raise invalid("stage_id: the pipeline has no stage")
    return {**body, "pipeline_id": pipeline_id, "stage_id": stages[0]["id"]}


def add(call: ApiCall) -> Reply:
    """POST /deals."""
    body = call.read(ADD, KIND)
    call.may_write(KIND, body)
    doc = call.fresh(KIND, placed(call, body))
    changed: Doc = {"status": doc["status"], **body}
    _settle(call, doc, changed, {"status": "open", "is_archived": False})
    if doc["status"] == "open" and not doc["is_archived"] and not doc["is_deleted"]:
        call.check_open_cap("deal")
    return Reply(render(call, call.store.insert(KIND, doc, call.now)))


def update(call: ApiCall) -> Reply:
    """PATCH /deals/{id}; an archived deal can only be taken out of the archive."""
    doc = call.editable(KIND)
    body = call.read(UPDATE, KIND)
    call.may_write(KIND, body, doc)
    if doc["is_archived"] and body.get("is_archived") is not False:
        raise Refusal(400, "Archived deals can't be updated. Unarchive the deal first.")
    if "stage_id" in body or "pipeline_id" in body:
        body = placed(call, body)
    before = dict(doc)
    custom = merge(doc["custom_fields"], body.pop("custom_fields", {}))
    doc.update(body, custom_fields=custom, update_time=call.stamp)
    _settle(call, doc, body, before)
    if doc["status"] == "open" and before["status"] != "open":
        call.check_open_cap("deal")
    call.store.save(KIND, doc, call.now)
    return Reply(render(call, doc))


def _settle(call: ApiCall, doc: Doc, body: Doc, before: Doc) -> None:
    """What follows from a change: times of closing, archiving, moving; 400 for what doesn't fit."""
    for name, statuses in _ONLY_WITH.items():
        if body.get(name) is not None and doc["status"] not in statuses:
            raise invalid(f"{name}: Can only be set if deal status is {' or '.join(statuses)}")
    if "archive_time" in body and not doc["is_archived"]:
        raise invalid("archive_time: Can only be set if deal is archived")
    if doc["status"] != before["status"]:
        close(doc, call.stamp, body)
    if doc["is_archived"] != before["is_archived"]:
        stamped = body.get("archive_time") or call.stamp
        doc["archive_time"] = stamped if doc["is_archived"] else None
    if before.get("stage_id") is not None and doc["stage_id"] != before["stage_id"]:
        doc["stage_change_time"] = call.stamp
    if body.get("is_deleted") or doc["status"] == "deleted":
        mark_deleted(doc, call.now)


def close(doc: Doc, stamp: str, given: Doc) -> None:
    """The times that go with a new status; those given in the same body win."""
    status = doc["status"]
    for name, statuses in _ONLY_WITH.items():
        if name != "lost_reason":
            doc[name] = (given.get(name) or stamp) if status in statuses else None
    if status != "lost":
        doc["lost_reason"] = None


def listing(call: ApiCall, *, archived: bool) -> Reply:
    """GET /deals: not archived ones; deleted ones only when asked for, for 30 days."""
    # The plus keeps SQLite from the index that only counting needs.
    where, values = "+is_archived = ?", [archived]
    statuses = call.query.get("status")
    if statuses is None:
        where += " AND +is_deleted = 0"
    else:
        where += f" AND +status IN ({', '.join('?' * len(statuses))})"
        values += statuses
    keep = call.settings.keep_deleted_days * 86_400
    where += " AND (is_deleted = 0 OR json_extract(doc, '$._deleted_at') >= ?)"
    return call.page(KIND, where, [*values, call.now - keep], lambda doc: render(call, doc))


def render(call: ApiCall, doc: Doc) -> Doc:
    """The document as it is sent; `source_lead_id` only when asked for."""
    plain = {
        name: value
        for name, value in doc.items()
        if not name.startswith("_") and name != "source_lead_id"
    }
    for name in call.query.get("include_fields", ()):
        plain[name] = doc[name]
    return plain | {"custom_fields": call.shown_fields(KIND, doc)}


_INCLUDE = {"include_fields": checks.query_list(checks.one_of("source_lead_id"))}
_FILTERS = {
    **dict.fromkeys(("person_id", "org_id", "pipeline_id", "stage_id"), checks.query_integer),
    "status": checks.query_list(checks.one_of(*STATUSES)),
}
_ONE = {**SHOWING, **_INCLUDE}
_LISTING = {**LISTING, **_ONE, **_FILTERS}
_ARCHIVED = {
    name: check
    for name, check in _LISTING.items()
    if name not in ("include_labels", "include_option_labels")
}
ROUTES = (
    Endpoint("v2", "POST", "/deals", add),
    Endpoint("v2", "GET", "/deals", partial(listing, archived=False), _LISTING),
    Endpoint("v2", "GET", "/deals/archived", partial(listing, archived=True), _ARCHIVED),
    Endpoint("v2", "GET", "/deals/{id}", lambda call: call.one(KIND, render), _ONE),
    Endpoint("v2", "PATCH", "/deals/{id}", update),
    Endpoint("v2", "DELETE", "/deals/{id}", lambda call: call.delete(KIND)),
)
