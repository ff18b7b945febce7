"""What an endpoint is handed, and the steps that all records share.

References, owners, caps, paging, soft deletes: the rules that hold whatever the noun is.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.api import DEFAULTS
from daemon.sandbox.crm.checks import Check, Shape
from daemon.sandbox.crm.clock import DAY_SECONDS, stamp
from daemon.sandbox.crm.exchange import Doc, Refusal, Reply, invalid, not_found
from daemon.sandbox.crm.permissions import need, need_to_add, need_to_change, seen
from daemon.sandbox.crm.settings import Settings
from daemon.sandbox.crm.store import Store
from daemon.sandbox.crm.values import merge, nested, shown

HTTP_NOT_FOUND = 404
PAGE_DEFAULT = 100
PAGE_MAX = 500
FIELD_SETS = {
    "organizations": "organization",
    "persons": "person",
    "deals": "deal",
    "leads": "deal",  # one set of fields for both
}


@dataclass(slots=True)
class ApiCall:
    """One request on its way through an endpoint; everything an endpoint may look at."""

    store: Store
    settings: Settings
    now: float
    user: Doc
    params: Mapping[str, Any] = field(default_factory=dict)
    query: Doc = field(default_factory=dict)
    body: Any = None
    _fields: dict[str, dict[str, Doc]] = field(default_factory=dict)

    @property
    def stamp(self) -> str:
        """Now, in v2's format."""
        return stamp(self.now)

    def fields(self, kind: str) -> dict[str, Doc]:
        """The custom fields of a kind of record, by code."""
        entity = FIELD_SETS[kind]
        if entity not in self._fields:
            found = self.store.select("fields", "entity = ?", (entity,))
            self._fields[entity] = {doc["field_code"]: doc for doc in found}
        return self._fields[entity]

    def read(self, shape: Shape, kind: str | None = None) -> Doc:
        """The checked body; with a kind, its `custom_fields` are checked too."""
        if kind is not None:
            keys = {**shape.keys, "custom_fields": nested(self.fields(kind))}
            shape = Shape(keys, shape.required, shape.read_only)
        return shape.read(self.body)

    def record(self, kind: str) -> Doc:
        """The record named by the path, deleted or not; 404 without one or once it is purged."""
        doc = self.store.get(kind, self.params["id"])
        if doc is None or self.purged(doc):
            raise not_found(noun(kind))
        if not self.sees(kind, doc["id"]):
            raise self.unseen(kind)
        return doc

    def sees(self, kind: str, record_id: int | str) -> bool:
        """True for a record that the token's user may see."""
        where, values = seen(self.user, kind)
        return self.store.count(kind, f"id = ? AND {where}", (record_id, *values)) > 0

    def unseen(self, kind: str) -> Refusal:
        """What a record answers that the token's user doesn't see."""
        if self.settings.hidden_status == HTTP_NOT_FOUND or kind in ("pipelines", "stages"):
            return not_found(noun(kind))
        return Refusal(403, f"You do not have permission to view this {noun(kind).lower()}.")

    def editable(self, kind: str) -> Doc:
        """The record named by the path, for a write: a deleted one can't be had any more."""
        doc = self.record(kind)
        if doc.get("is_deleted") or self.is_unread(kind, doc["id"]):
            raise not_found(noun(kind))
        return doc

    def is_unread(self, kind: str, record_id: int | str) -> bool:
        """True for a record so young that this write can't read it yet (`read_lag`)."""
        lag = self.settings.read_lag
        return bool(lag) and self.store.is_younger(kind, record_id, self.now - lag)

    def purged(self, doc: Doc) -> bool:
        """True once a deleted record is gone for good."""
        gone = doc.get("_deleted_at")
        return gone is not None and self.now - gone > self.settings.keep_deleted_days * DAY_SECONDS

    def check_references(self, body: Mapping[str, Any]) -> None:
        """400 for a link to a record that doesn't exist or is deleted."""
        for name, kind in _REFERENCES.items():
            value = body.get(name)
            if value is None:
                continue
            doc = self.store.get(kind, value)
            known = doc is not None and not doc.get("is_deleted") and self.sees(kind, value)
            if doc is None or not known or self.is_unread(kind, value):
                raise invalid(f"{name}: {noun(kind)} with id '{value}' was not found")
            if not doc.get("active_flag", True):
                raise invalid(f"{name}: {noun(kind)} with id '{value}' is deactivated")

    def check_labels(self, kind: str, body: Mapping[str, Any]) -> None:
        """400 for a label that isn't an option of this kind of record."""
        for label in body.get("label_ids", ()):
            found = self.store.get("labels", label)
            if found is None or found["entity"] != FIELD_SETS[kind]:
                raise invalid(f"label_ids: The option '{label}' doesn't exist")

    def visibility(self, body: Mapping[str, Any]) -> int:
        """The `visible_to` of a new record that names none: the default of its owner's role."""
        owner = self.store.get("users", body.get("owner_id", self.user["id"]))
        return int((owner or self.user)["visibility"])

    def new_uuid(self, seed: str) -> str:
        """A UUID that is the same for the same store and order of events."""
        digest = hashlib.sha256(seed.encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    def fresh(self, kind: str, body: Doc) -> Doc:
        """A new record's document: the API's defaults, then what the body says."""
        filled = {
            "owner_id": self.user["id"],
            "creator_id": self.user["id"],
            "creator_user_id": self.user["id"],
            "add_time": self.stamp,
            "update_time": self.stamp,
            "visible_to": self.visibility(body),
            "currency": self.settings.currency,
        }
        doc = {name: filled.get(name, value) for name, value in deepcopy(DEFAULTS[kind]).items()}
        doc.update(body)
        if kind in FIELD_SETS:
            doc["custom_fields"] = merge({}, body.get("custom_fields", {}))
        return doc

    def may_write(self, kind: str, body: Mapping[str, Any], doc: Doc | None = None) -> None:
        """403 for a user who may not make or change this, 400 for links to what isn't there."""
        if doc is None:
            need_to_add(self.user, kind, body)
        else:
            need_to_change(self.user, kind, doc, body)
        self.check_references(body)
        if kind != "leads":
            self.check_labels(kind, body)

    def check_open_cap(self, what: str) -> None:
        """403 when the plan's open deals and leads are used up."""
        deals = self.store.count("deals", "status = 'open' AND is_archived = 0 AND is_deleted = 0")
        leads = self.store.count("leads", "is_archived = 0 AND is_deleted = 0")
        if deals + leads >= self.settings.open_limit:
            raise Refusal(
                403,
                f"Couldn't add the {what}. Open deals limit reached.",
                code="feature_capping_deals_limit",
            )

    def one(self, kind: str, render: Callable[["ApiCall", Doc], Doc]) -> Reply:
        """The record named by the path."""
        return Reply(render(self, self.record(kind)))

    def delete(self, kind: str) -> Reply:
        """A soft delete; what hangs on the record stays."""
        doc = self.editable(kind)
        need(self.user, f"can_delete_{kind}")
        mark_deleted(doc, self.now)
        self.store.save(kind, doc, self.now)
        return Reply({"id": doc["id"]})

    def shown_fields(self, kind: str, doc: Doc) -> Doc:
        """`custom_fields` of an answer."""
        return shown(
            self.fields(kind),
            doc.get("custom_fields", {}),
            self.query.get("custom_fields"),
            nulls=self.settings.null_custom_fields,
        )

    def page(
        self,
        kind: str,
        where: str,
        values: list[Any],
        render: Callable[[Doc], Doc],
    ) -> Reply:
        """One page of a v2 list: filters of the query, order, cursor."""
        where, values = self._filtered(where, values)
        visible, whose = seen(self.user, kind)
        where, values = f"{where} AND {visible}", [*values, *whose]
        sort = self.query.get("sort_by", "id")
        down = self.query.get("sort_direction", "asc") == "desc"
        limit = self.query.get("limit", PAGE_DEFAULT)
        column = f"COALESCE({sort}, '')" if sort != "id" else "id"
        if "cursor" in self.query:
            first = self._cursor(sort, down=down)
            where += f" AND ({column}, id) {'<=' if down else '>='} (?, ?)"
            values += [first["fieldValue"], first["id"]]
        way = "DESC" if down else "ASC"
        found = self.store.select(
            kind, where, values, order=f"{column} {way}, id {way}", limit=limit + 1
        )
        following = found[limit] if len(found) > limit else None
        return Reply(
            [render(doc) for doc in found[:limit]],
            additional={"next_cursor": following and _next_cursor(following, sort, down=down)},
        )

    def numbered(self, items: list[Any], default: int) -> tuple[list[Any], Doc]:
        """One page of what isn't kept as records, whose cursors are numbers."""
        limit = self.query.get("limit", default)
        try:
            first = int(self.query.get("cursor", "0"))
        except ValueError as error:
            raise invalid("cursor: Invalid cursor value") from error
        following = str(first + limit) if first + limit < len(items) else None
        return items[first : first + limit], {"next_cursor": following}

    def offset(self, found: Sequence[Any], start: int = 0) -> tuple[Sequence[Any], Doc]:
        """One page of v1: `found` from `start` on, one more than the page at least."""
        begin, limit = self.query.get("start", 0), self.query.get("limit", PAGE_DEFAULT)
        rows = found[begin - start :]
        more = {"start": begin, "limit": limit, "more_items_in_collection": len(rows) > limit}
        return rows[:limit], more

    def _filtered(self, where: str, values: list[Any]) -> tuple[str, list[Any]]:
        if "filter_id" in self.query:
            raise not_found("Filter")
        for name, value in self.query.items():
            if name == "ids":
                where += f" AND id IN ({', '.join('?' * len(value))})"
                values = [*values, *value]
            elif name == "updated_since":
                where, values = f"{where} AND update_time >= ?", [*values, value]
            elif name == "updated_until":
                where, values = f"{where} AND update_time < ?", [*values, value]
            elif name in _REFERENCES or name == "done":
                where, values = f"{where} AND {name} = ?", [*values, value]
        return where, values

    def _cursor(self, sort: str, *, down: bool) -> Doc:
        try:
            raw = base64.urlsafe_b64decode(self.query["cursor"] + "==")
            found: Doc = json.loads(raw)
            fits = (found["field"], found["sortDirection"]) == (sort, "desc" if down else "asc")
            if not fits or "id" not in found or "fieldValue" not in found:
                raise invalid("cursor: Cursor doesn't belong to this request")
        except (binascii.Error, ValueError, KeyError, TypeError) as error:
            raise invalid("cursor: Invalid cursor value") from error
        return found


_REFERENCES = {
    "owner_id": "users",
    "person_id": "persons",
    "org_id": "organizations",
    "organization_id": "organizations",
    "deal_id": "deals",
    "lead_id": "leads",
    "pipeline_id": "pipelines",
    "stage_id": "stages",
}


def noun(kind: str) -> str:
    """What one of them is called in an answer."""
    one = "activity" if kind == "activities" else kind.removesuffix("s")
    return one.replace("_", " ").capitalize()


def mark_deleted(doc: Doc, now: float) -> None:
    """Delete softly: kept for 30 days, marked."""
    doc["is_deleted"] = True
    doc["_deleted_at"] = now
    if "status" in doc:
        doc["status"] = "deleted"
    doc["update_time"] = stamp(now)


def _next_cursor(doc: Doc, sort: str, *, down: bool) -> str:
    # The decoded form is that of the cursors in the official examples.
    text = json.dumps(
        {
            "field": sort,
            "fieldValue": doc.get(sort) if doc.get(sort) is not None else "",
            "sortDirection": "desc" if down else "asc",
            "id": doc["id"],
        },
        separators=(",", ":"),
    )
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


PAGING: Mapping[str, Check] = {
    "limit": checks.query_range(1, PAGE_MAX),
    "cursor": checks.string,
}
LISTING: Mapping[str, Check] = {
    **PAGING,
    "filter_id": checks.query_integer,
    "ids": checks.query_list(checks.query_integer),
    "owner_id": checks.query_integer,
    "updated_since": checks.query_moment,
    "updated_until": checks.query_moment,
    "sort_by": checks.one_of("id", "update_time", "add_time"),
    "sort_direction": checks.one_of("asc", "desc"),
}


def without_labels(path: str, value: str) -> bool:
    """`include_labels` and its like: known, and only `false` is had here."""
    if checks.query_boolean(path, value):
        raise checks.Wrong(f"{path}: the sandbox doesn't add labels")
    return False


SHOWING: Mapping[str, Check] = {
    "custom_fields": checks.query_list(checks.string, 15),
    "include_labels": without_labels,
    "include_option_labels": without_labels,
}
