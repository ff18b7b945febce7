"""Persons and organizations alike: how v2 makes, reads, lists, changes and deletes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import LISTING, SHOWING, ApiCall
from daemon.sandbox.crm.checks import Check, Shape
from daemon.sandbox.crm.exchange import Doc, Reply
from daemon.sandbox.crm.routing import Endpoint
from daemon.sandbox.crm.values import merge


def _unchanged(body: Doc) -> Doc:
    return body


def _no_counters(path: str, _value: str) -> Any:
    raise checks.Wrong(f"{path}: the sandbox doesn't count what hangs on a record")


def _all(_: ApiCall) -> tuple[str, list[Any]]:
    return "is_deleted = 0", []


@dataclass(frozen=True, slots=True)
class Noun:
    """One of the two kinds, by what tells it from the other.

    `completed` adds to a body what follows from it, `narrowed`
    says which documents a list is of (SQL and its values), `filters` what its query may hold,
    `synced` what only a company with contact sync has.
    """

    kind: str
    adding: Shape
    updating: Shape
    completed: Callable[[Doc], Doc] = _unchanged
    narrowed: Callable[[ApiCall], tuple[str, list[Any]]] = _all
    filters: Mapping[str, Check] = field(default_factory=dict)
    synced: Mapping[str, Check] = field(default_factory=dict)

    def new(self, call: ApiCall, body: Doc) -> Doc:
        """A new record's document."""
        synced = dict.fromkeys(self.synced) if call.settings.contact_sync else {}
        return call.fresh(self.kind, {**synced, **self.completed(body)})

    def add(self, call: ApiCall) -> Reply:
        """POST."""
        body = call.read(self._shape(call, self.adding), self.kind)
        call.may_write(self.kind, body)
        doc = call.store.insert(self.kind, self.new(call, body), call.now)
        return Reply(self.render(call, doc))

    def update(self, call: ApiCall) -> Reply:
        """PATCH with an id."""
        doc = call.editable(self.kind)
        body = call.read(self._shape(call, self.updating), self.kind)
        call.may_write(self.kind, body, doc)
        custom = merge(doc["custom_fields"], body.pop("custom_fields", {}))
        doc.update(self.completed(body), custom_fields=custom, update_time=call.stamp)
        call.store.save(self.kind, doc, call.now)
        return Reply(self.render(call, doc))

    def _shape(self, call: ApiCall, shape: Shape) -> Shape:
        if not call.settings.contact_sync:
            return shape
        return replace(shape, keys={**shape.keys, **self.synced})

    def listing(self, call: ApiCall) -> Reply:
        """GET without an id."""
        where, values = self.narrowed(call)
        return call.page(self.kind, where, values, lambda doc: self.render(call, doc))

    def render(self, call: ApiCall, doc: Doc) -> Doc:
        """The document as it is sent."""
        plain = {name: value for name, value in doc.items() if not name.startswith("_")}
        return plain | {"custom_fields": call.shown_fields(self.kind, doc)}

    def routes(self) -> tuple[Endpoint, ...]:
        """Its endpoints."""
        every, one = f"/{self.kind}", f"/{self.kind}/{{id}}"
        shown = {**SHOWING, "include_fields": _no_counters}
        return (
            Endpoint("v2", "POST", every, self.add),
            Endpoint("v2", "GET", every, self.listing, {**LISTING, **shown, **self.filters}),
            Endpoint("v2", "GET", one, lambda call: call.one(self.kind, self.render), shown),
            Endpoint("v2", "PATCH", one, self.update),
            Endpoint("v2", "DELETE", one, lambda call: call.delete(self.kind)),
        )
