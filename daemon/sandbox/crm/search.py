"""Searches, which lag: a change is found `search_lag` seconds after it was made, not before.

Every save queues the document as it was; a search first takes in what is old enough. Deleted
organizations stay in the index and are not marked, as in the real one; persons drop out.
Matching is by substring, or by the whole value with `exact_match`; case never counts.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.exchange import Doc, Reply, invalid
from daemon.sandbox.crm.routing import Endpoint
from daemon.sandbox.crm.values import search_terms

# The specification says 500, the real one refuses more than 100.
LIMIT_MAX = 100
TERM_MIN = 2
FIELDS: Mapping[str, tuple[str, ...]] = {
    "organizations": ("name", "address", "notes", "custom_fields"),
    "persons": ("name", "email", "phone", "notes", "custom_fields"),
}


def catch_up(call: ApiCall) -> None:
    """Take what is older than the lag into the index."""
    due = call.store.db.execute(
        "SELECT number, kind, id, doc FROM search_queue WHERE at <= ? ORDER BY number",
        (call.now - call.settings.search_lag,),
    ).fetchall()
    for _, kind, record_id, text in due:
        doc = json.loads(text)
        key = (kind, record_id)
        call.store.db.execute("DELETE FROM search_terms WHERE kind = ? AND id = ?", key)
        call.store.db.execute("DELETE FROM search_docs WHERE kind = ? AND id = ?", key)
        if doc.get("is_deleted") and kind not in call.settings.search_keeps_deleted:
            continue
        call.store.db.execute("INSERT INTO search_docs VALUES (?, ?, ?)", (*key, text))
        call.store.db.executemany(
            "INSERT INTO search_terms VALUES (?, ?, ?, ?, ?)",
            [(*key, field, term, term.casefold()) for field, term in _terms(call, kind, doc)],
        )
    if due:
        call.store.db.execute("DELETE FROM search_queue WHERE number <= ?", (due[-1][0],))


def _terms(call: ApiCall, kind: str, doc: Doc) -> Iterable[tuple[str, str]]:
    yield "name", doc["name"]
    for item in doc.get("emails", ()):
        yield "email", item["value"]
    for item in doc.get("phones", ()):
        yield "phone", item["value"]
    if doc.get("address"):
        yield "address", doc["address"].get("value", "")
    for term in _custom(call, kind, doc):
        yield "custom_fields", term


def _custom(call: ApiCall, kind: str, doc: Doc) -> list[str]:
    definitions = call.fields(kind)
    return [
        term
        for code, value in doc["custom_fields"].items()
        if code in definitions
        for term in search_terms(definitions[code], value)
    ]


def search(call: ApiCall, kind: str) -> list[Doc]:
    """The items that match the query, newest changes not yet in."""
    catch_up(call)
    query = call.query
    exact = bool(query.get("exact_match"))
    term = query.get("term", "").strip()
    if len(term) < (1 if exact else TERM_MIN):
        raise invalid(
            f"term: This value is too short. It should have {TERM_MIN} characters or more"
        )
    condition = "instr(folded, ?) > 0"
    if exact:
        sloppy = call.settings.sloppy_exact_match
        condition = "instr(folded, ?) = 1" if sloppy else "folded = ?"
    fields = query.get("fields", FIELDS[kind])
    rows = call.store.db.execute(
        "SELECT DISTINCT d.id, d.doc FROM search_terms t"
        f" JOIN search_docs d ON d.kind = t.kind AND d.id = t.id WHERE {condition} AND t.kind = ?"
        f" AND t.field IN ({', '.join('?' * len(fields))}) ORDER BY d.id",
        (term.casefold(), kind, *fields),
    ).fetchall()
    docs = [json.loads(text) for _, text in rows]
    org_id = query.get("organization_id")
    return [
        {"result_score": 1.0 if exact else 0.5, "item": _item(call, kind, doc)}
        for doc in docs
        if org_id in (None, doc.get("org_id")) and call.sees(kind, doc["id"])
    ]


def _item(call: ApiCall, kind: str, doc: Doc) -> Doc:
    """One hit: lossy, as in the real one."""
    plain: Doc = {
        "id": doc["id"],
        "type": kind.removesuffix("s"),
        "name": doc["name"],
        "visible_to": int(doc["visible_to"]),
        "owner": {"id": doc["owner_id"]},
        "custom_fields": _custom(call, kind, doc),
        "notes": [],
    }
    if kind == "organizations":
        return plain | {"address": (doc["address"] or {}).get("value")}
    firm = call.store.get("organizations", doc["org_id"]) if doc["org_id"] is not None else None
    return plain | {
        "organization": firm and {"id": firm["id"], "name": firm["name"], "address": None},
        "emails": [entry["value"] for entry in doc["emails"]],
        "phones": [entry["value"] for entry in doc["phones"]],
    }


def _route(kind: str, more: Mapping[str, checks.Check]) -> Endpoint:
    """GET /{kind}/search."""

    def handler(call: ApiCall) -> Reply:
        items, additional = call.numbered(search(call, kind), LIMIT_MAX)
        return Reply({"items": items}, additional=additional)

    query = {
        "term": checks.string,
        "exact_match": checks.query_boolean,
        "limit": checks.query_range(1, LIMIT_MAX),
        "cursor": checks.string,
        "fields": checks.query_list(checks.one_of(*FIELDS[kind])),
        **more,
    }
    return Endpoint("v2", "GET", f"/{kind}/search", handler, query)


def _no_picture(path: str, _value: str) -> Any:
    raise checks.Wrong(f"{path}: the sandbox keeps no pictures")


ROUTES = (
    _route("organizations", {}),
    _route("persons", {"organization_id": checks.query_integer, "include_fields": _no_picture}),
)
