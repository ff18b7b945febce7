"""Searches, which lag: a change is found `search_lag` seconds after it was made, not before.

Every save queues the document as it was; a search first takes in what is old enough. Deleted
organizations stay in the index and are not marked, as in the real one; the others drop out.
Matching is by substring, or by the whole value with `exact_match`; case never counts except in
itemSearch/field.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import Call
from daemon.sandbox.crm.exchange import Answer, Doc, invalid
from daemon.sandbox.crm.routing import Route
from daemon.sandbox.crm.values import search_terms

# The specification says 500, the real one refuses more than 100.
LIMIT_MAX = 100
TERM_MIN = 2
TYPES = {"organization": "organizations", "person": "persons", "deal": "deals", "lead": "leads"}
FIELDS: Mapping[str, tuple[str, ...]] = {
    "organizations": ("name", "address", "notes", "custom_fields"),
    "persons": ("name", "email", "phone", "notes", "custom_fields"),
    "deals": ("title", "notes", "custom_fields"),
    "leads": ("title", "notes", "custom_fields"),
}
_UNKNOWN_TYPES = ("product", "file", "mail_attachment", "project")


def catch_up(call: Call) -> None:
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


def _terms(call: Call, kind: str, doc: Doc) -> Iterable[tuple[str, str]]:
    for name in ("name", "title"):
        if doc.get(name):
            yield name, doc[name]
    for item in doc.get("emails", ()):
        yield "email", item["value"]
    for item in doc.get("phones", ()):
        yield "phone", item["value"]
    if doc.get("address"):
        yield "address", doc["address"].get("value", "")
    definitions = call.fields(kind)
    for code, value in doc["custom_fields"].items():
        if code in definitions:
            for term in search_terms(definitions[code], value):
                yield f"custom_fields.{code}", term


def _matches(call: Call, kind: str, fields: Iterable[str], term: str, how: str) -> list[Doc]:
    folded = term.casefold()
    condition, values = {
        "exact": ("folded = ?", (folded,)),
        "beginning": ("substr(folded, 1, length(?)) = ?", (folded, folded)),
        "middle": ("instr(folded, ?) > 0", (folded,)),
    }[how]
    rows = call.store.db.execute(
        "SELECT DISTINCT d.id, d.doc, t.field, t.term FROM search_terms t"
        f" JOIN search_docs d ON d.kind = t.kind AND d.id = t.id WHERE {condition} AND t.kind = ?"
        " ORDER BY d.id",
        (*values, kind),
    ).fetchall()
    wanted = set(fields)
    hits: dict[str, Doc] = {}
    for record_id, text, field, found in rows:
        if field.partition(".")[0] in wanted or field in wanted:
            hits.setdefault(record_id, {**json.loads(text), "_terms": []})["_terms"].append(found)
    return list(hits.values())


def search(call: Call, kinds: Iterable[str]) -> list[Doc]:
    """The items that match the query, of the kinds given, newest changes not yet in."""
    catch_up(call)
    query = call.query
    if len(query.get("term", "").strip()) < (1 if query.get("exact_match") else TERM_MIN):
        raise invalid(
            f"term: This value is too short. It should have {TERM_MIN} characters or more"
        )
    exact = bool(query.get("exact_match"))
    how = "middle" if not exact else "beginning" if call.settings.sloppy_exact_match else "exact"
    found: list[Doc] = []
    for kind in kinds:
        fields = [name for name in query.get("fields", FIELDS[kind]) if name in FIELDS[kind]]
        for doc in _matches(call, kind, fields, query["term"].strip(), how):
            if _belongs(query, kind, doc):
                score = 1.0 if exact else 0.5
                found.append({"result_score": score, "item": item(call, kind, doc)})
    return found


def _belongs(query: Doc, kind: str, doc: Doc) -> bool:
    org_id = doc.get("organization_id") if kind == "leads" else doc.get("org_id")
    return (
        query.get("person_id") in (None, doc.get("person_id"))
        and query.get("organization_id") in (None, org_id)
        and query.get("status") in (None, doc.get("status"))
    )


def item(call: Call, kind: str, doc: Doc) -> Doc:
    """One hit: lossy, as in the real one."""
    singular = next(name for name, plural in TYPES.items() if plural == kind)
    custom = [
        term
        for code, value in doc["custom_fields"].items()
        if code in call.fields(kind)
        for term in search_terms(call.fields(kind)[code], value)
    ]
    plain: Doc = {
        "id": doc["id"],
        "type": singular,
        "visible_to": int(doc["visible_to"]),
        "owner": {"id": doc["owner_id"]},
        "custom_fields": custom,
        "notes": [],
    }
    if kind == "organizations":
        address = (doc["address"] or {}).get("value")
        return plain | {"name": doc["name"], "address": address}
    org_id = doc["organization_id"] if kind == "leads" else doc["org_id"]
    organization = _named(call, "organizations", org_id)
    plain["organization"] = organization
    if organization is not None and kind == "persons":
        organization["address"] = None
    if kind == "persons":
        return plain | {
            "name": doc["name"],
            "emails": [entry["value"] for entry in doc["emails"]],
            "phones": [entry["value"] for entry in doc["phones"]],
        }
    plain |= {
        "title": doc["title"],
        "person": _named(call, "persons", doc["person_id"]),
        "is_archived": doc["is_archived"],
    }
    if kind == "deals":
        same = {name: doc[name] for name in ("value", "currency", "status")}
        return plain | same | {"stage": _named(call, "stages", doc["stage_id"])}
    person = call.store.get("persons", doc["person_id"]) if doc["person_id"] else None
    worth = doc["value"] or {}
    return plain | {
        "value": worth.get("amount"),
        "currency": worth.get("currency"),
        "emails": [entry["value"] for entry in person["emails"]] if person else [],
        "phones": [entry["value"] for entry in person["phones"]] if person else [],
    }


def _named(call: Call, kind: str, record_id: Any) -> Doc | None:
    doc = call.store.get(kind, record_id) if record_id is not None else None
    if doc is None:
        return None
    return {"id": doc["id"], "name": doc["name"]}


def _paged(call: Call, items: list[Any]) -> tuple[list[Any], Doc]:
    limit = call.query.get("limit", LIMIT_MAX)
    try:
        first = int(call.query.get("cursor", "0"))
    except ValueError as error:
        raise invalid("cursor: Invalid cursor value") from error
    more = first + limit < len(items)
    return items[first : first + limit], {"next_cursor": str(first + limit) if more else None}


def one_kind(kind: str) -> Route:
    """GET /{kind}/search."""

    def handler(call: Call) -> Answer:
        items, additional = _paged(call, search(call, (kind,)))
        return Answer({"items": items}, additional=additional)

    includes = {
        "persons": ("person.picture",),
        "deals": ("deal.cc_email",),
        "leads": ("lead.was_seen",),
    }
    query = {
        **_QUERY,
        "fields": checks.query_list(checks.one_of(*FIELDS[kind])),
        "organization_id": checks.query_integer,
    }
    if kind in includes:
        query["include_fields"] = _not_included(includes[kind])
    if kind == "organizations":
        del query["organization_id"]
    if kind in ("deals", "leads"):
        query["person_id"] = checks.query_integer
    if kind == "deals":
        query["status"] = checks.one_of("open", "won", "lost")
    return Route("v2", "GET", f"/{kind}/search", handler, query)


def _not_included(names: tuple[str, ...]) -> checks.Check:
    def check(path: str, value: str) -> Any:
        checks.query_list(checks.one_of(*names))(path, value)
        raise checks.Wrong(f"{path}: the sandbox doesn't have {value}")

    return check


def items(call: Call) -> Answer:
    """GET /itemSearch over several kinds; types the sandbox doesn't keep have no hits."""
    kinds = [TYPES[name] for name in call.query.get("item_types", TYPES) if name in TYPES]
    found, additional = _paged(call, search(call, kinds))
    return Answer({"items": found, "related_items": []}, additional=additional)


def by_field(call: Call) -> Answer:
    """GET /itemSearch/field: one field by its key, and here case counts."""
    catch_up(call)
    query = call.query
    missing = [name for name in ("term", "entity_type", "field") if name not in query]
    if missing:
        raise invalid(*(f"{name}: A non-empty value is required" for name in missing))
    kind = TYPES.get(query["entity_type"])
    how = query.get("match", "exact")
    field = query["field"]
    found: list[Doc] = []
    if kind is not None:
        wanted = field if field in FIELDS[kind] else f"custom_fields.{field}"
        if field not in FIELDS[kind] and field not in call.fields(kind):
            raise invalid(f"field: Field '{field}' doesn't exist")
        found = [
            {"id": doc["id"], "name": doc.get("name") or doc.get("title")}
            for doc in _matches(call, kind, (wanted,), query["term"], how)
            if any(_cased(query["term"], term, how) for term in doc["_terms"])
        ]
    page, additional = _paged(call, found)
    return Answer(page, additional=additional)


def _cased(term: str, found: str, how: str) -> bool:
    if how == "exact":
        return found == term
    return found.startswith(term) if how == "beginning" else term in found


_QUERY: dict[str, checks.Check] = {
    "term": checks.string,
    "exact_match": checks.query_boolean,
    "limit": checks.query_range(1, LIMIT_MAX),
    "cursor": checks.string,
}
_ITEM_FIELDS = ("address", "code", "custom_fields", "email", "name", "notes", "phone", "title")
ROUTES = (
    *(one_kind(kind) for kind in FIELDS),
    Route(
        "v2",
        "GET",
        "/itemSearch",
        items,
        {
            **_QUERY,
            "item_types": checks.query_list(checks.one_of(*TYPES, *_UNKNOWN_TYPES)),
            "fields": checks.query_list(checks.one_of(*_ITEM_FIELDS, "description")),
            "search_for_related_items": checks.query_boolean,
            "include_fields": _not_included(("deal.cc_email", "person.picture", "product.price")),
        },
    ),
    Route(
        "v2",
        "GET",
        "/itemSearch/field",
        by_field,
        {
            "term": checks.string,
            "entity_type": checks.one_of(*TYPES, "product", "project"),
            "match": checks.one_of("exact", "beginning", "middle"),
            "field": checks.string,
            "limit": checks.query_range(1, LIMIT_MAX),
            "cursor": checks.string,
        },
    ),
)
