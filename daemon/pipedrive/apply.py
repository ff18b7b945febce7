"""A change, made true once.

Pipedrive has no idempotency keys. So a change whose outcome is unknown (timeout, 5xx, crash, cut
line) is looked for before it is made again, by its marker and through lists, which are consistent;
never through search, which lags behind creates by seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.errors import RetryLater
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call, Scalar
from daemon.pipedrive.objects import (
    Links,
    Place,
    body,
    listed_deal,
    listed_lead,
    listed_person,
    marker,
)
from daemon.step import step

_MARGIN = timedelta(minutes=2)  # their clock and ours may differ
_PATHS = {
    "organization": "organizations",
    "person": "persons",
    "lead": "leads",
    "deal": "deals",
    "activity": "activities",
}


@dataclass(frozen=True, slots=True)
class Order:
    """A change ready to be made: everything it hangs on has an id by now."""

    kind: str
    key: str
    action: str
    fields: Mapping[str, Any]
    links: Links
    target: str | None = None  # id of the record to update, archive, or of the lead to convert
    unknown: bool = False  # it may have been made already
    since: datetime | None = None  # when it was first sent
    conversion: str | None = None  # id of the conversion that is running


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the record's id, or a conversion that is still running or has failed."""

    id: str | None = None
    conversion: str | None = None
    failed: bool = False
    found: bool = False


def apply(client: Client, order: Order, place: Place) -> Outcome:
    """Make the change true; raises what Client.send raises, `Unknown` when it may be done."""
    if order.action == "convert":
        return _convert(client, order, place)
    if order.action == "archive":
        _send(client, Call.to("leads.update", _target(order), body={"is_archived": True}))
        return Outcome(order.target)
    if order.action == "update":
        content = body(order.kind, order.fields, order.links, place, update=True)
        if content:
            _send(client, Call.to(f"{_PATHS[order.kind]}.update", _target(order), body=content))
        return Outcome(order.target)
    if order.unknown and (found := _FIND[order.kind](client, order, place)) is not None:
        return Outcome(found, found=True)
    content = body(order.kind, order.fields, order.links, place)
    if order.kind == "field":
        data = _send(client, Call.to(f"{order.fields['of']}_fields.create", body=content))
        return Outcome(data["field_code"])
    data = _send(client, Call.to(f"{_PATHS[order.kind]}.create", body=content))
    return Outcome(str(data["id"]))


def _send(client: Client, call: Call) -> Any:
    answer = client.send(call)
    step(f"request {call.kind}")
    return answer.data


def _target(order: Order) -> str:
    if order.target is None:
        raise RetryLater("what it changes has no id yet", what=f"{order.kind} {order.key}")
    return order.target


def _convert(client: Client, order: Order, place: Place) -> Outcome:
    """Convert a lead to a deal (API v2), across passes: start it, then ask how it stands."""
    lead = _target(order)
    if order.conversion is not None:
        data = client.send(Call.to("leads.convert_status", lead, order.conversion)).data
        if data["status"] == "completed":
            return Outcome(str(data["deal_id"]))
        if data["status"] in {"failed", "rejected"}:
            return Outcome(failed=True)
        return Outcome(conversion=order.conversion)
    if order.unknown and (deal := _deal_of_lead(client, order, lead)) is not None:
        return Outcome(deal, found=True)
    data = _send(client, Call.to("leads.convert", lead, body={"stage_id": place.stage_id}))
    return Outcome(conversion=data["conversion_id"])


def _deal_of_lead(client: Client, order: Order, lead: str) -> str | None:
    query: dict[str, Scalar] = {
        "person_id": order.links.person or 0,
        "include_fields": "source_lead_id",
    }
    for page in client.pages(Call.to("deals.list", query=query)):
        for row in page:
            if row.get("source_lead_id") == lead:
                return str(row["id"])
    return None


def _since(order: Order) -> list[tuple[str, str]]:
    if order.since is None:
        return []
    bound = (order.since - _MARGIN).astimezone(UTC)
    return [("updated_since", bound.strftime("%Y-%m-%dT%H:%M:%SZ"))]


def _find_organization(client: Client, order: Order, _place: Place) -> str | None:
    name = order.fields["name"].casefold()
    ids = [
        row["id"]
        for page in client.pages(Call.to("organizations.list", query=_since(order)))
        for row in page
        if (row.get("name") or "").casefold() == name
    ]
    return str(min(ids)) if ids else None


def _find_person(client: Client, order: Order, _place: Place) -> str | None:
    ids = [
        row["id"]
        for page in client.pages(Call.to("persons.list", query=_since(order)))
        for row in page
        if order.key in listed_person(row).emails
    ]
    return str(min(ids)) if ids else None


def _find_deal(client: Client, order: Order, place: Place) -> str | None:
    code = place.codes.get("mail_key")
    for kind in ("deals.list", "deals.archived"):
        query = {"person_id": order.links.person or 0}
        for page in client.pages(Call.to(kind, query=query)):
            for row in page:
                deal = listed_deal(row, code)
                # Without the marker field (no permission, plan's cap) the title has to do.
                ours = deal.mail_key == order.key if code else deal.title == order.fields["title"]
                if ours and (deal.status == "open" or not order.fields.get("again")):
                    return str(deal.id)
    return None


def _find_lead(client: Client, order: Order, place: Place) -> str | None:
    code = place.codes.get("mail_key")
    for kind in ("leads.list", "leads.archived"):
        query = {"person_id": order.links.person or 0}
        for page in client.pages(Call.to(kind, query=query)):
            for row in page:
                if listed_lead(row, code).mail_key == order.key:
                    return str(row["id"])
    return None


def _find_activity(client: Client, order: Order, _place: Place) -> str | None:
    query: list[tuple[str, Scalar]] = [
        ("person_id", order.links.participants[0]),
        *_since(order),
    ]
    wanted = marker(order.key)
    for page in client.pages(Call.to("activities.list", query=query)):
        for row in page:
            if wanted in (row.get("note") or ""):
                return str(row["id"])
    return None


def _find_field(client: Client, order: Order, _place: Place) -> str | None:
    for page in client.pages(Call.to(f"{order.fields['of']}_fields.list")):
        for row in page:
            if (
                row["is_custom_field"]
                and row["field_name"] == order.fields["name"]
                and row["field_type"] == order.fields["type"]
            ):
                return str(row["field_code"])
    return None


_FIND: Mapping[str, Callable[[Client, Order, Place], str | None]] = {
    "organization": _find_organization,
    "person": _find_person,
    "deal": _find_deal,
    "lead": _find_lead,
    "activity": _find_activity,
    "field": _find_field,
}
