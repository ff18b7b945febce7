"""Was it made already? Looked up by our marker, through lists.

Pipedrive has no idempotency keys. So a change whose outcome is unknown (timeout, 5xx, crash, cut
line) is looked for before it is made again, by its marker and through lists, which are consistent;
never through search, which lags behind creates by seconds.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, timedelta

from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call, Scalar
from daemon.pipedrive.objects import (
    Target,
    listed_deal,
    listed_lead,
    listed_person,
)
from daemon.pipedrive.write_request import WriteRequest
from daemon.rules.activities import marker

_MARGIN = timedelta(minutes=2)  # their clock and ours may differ


def find(client: Client, order: WriteRequest, place: Target) -> str | None:
    """The id of what this creation has made, if it has; raises what Client.send raises."""
    return _FIND[order.kind](client, order, place)


def deal_of_lead(client: Client, order: WriteRequest, lead: str) -> str | None:
    """The deal that came of a lead, whoever converted it."""
    query: dict[str, Scalar] = {
        "person_id": order.links.person or 0,
        "include_fields": "source_lead_id",
    }
    for kind in ("deals.list", "deals.archived"):
        for page in client.pages(Call.to(kind, query=query)):
            for row in page:
                if row.get("source_lead_id") == lead:
                    return str(row["id"])
    return None


def _since(order: WriteRequest) -> list[tuple[str, str]]:
    if order.since is None:
        return []
    bound = (order.since - _MARGIN).astimezone(UTC)
    return [("updated_since", bound.strftime("%Y-%m-%dT%H:%M:%SZ"))]


def _find_organization(client: Client, order: WriteRequest, _place: Target) -> str | None:
    name = order.fields["name"].casefold()
    ids = [
        row["id"]
        for page in client.pages(Call.to("organizations.list", query=_since(order)))
        for row in page
        if (row.get("name") or "").casefold() == name
    ]
    return str(min(ids)) if ids else None


def _find_person(client: Client, order: WriteRequest, _place: Target) -> str | None:
    ids = [
        row["id"]
        for page in client.pages(Call.to("persons.list", query=_since(order)))
        for row in page
        if order.key in listed_person(row).emails
    ]
    return str(min(ids)) if ids else None


def _find_deal(client: Client, order: WriteRequest, place: Target) -> str | None:
    code = place.codes.get("mail_key")
    for kind in ("deals.list", "deals.archived"):
        query = {"person_id": order.links.person or 0}
        for page in client.pages(Call.to(kind, query=query)):
            for row in page:
                deal = listed_deal(row, code)
                # Without the marker field (no permission, plan's cap) the title has to do.
                title = row.get("title") == order.fields["title"]
                ours = deal.mail_key == order.key if code else title
                if ours and (deal.status == "open" or not order.fields.get("again")):
                    return str(deal.id)
    return None


def _find_lead(client: Client, order: WriteRequest, place: Target) -> str | None:
    code = place.codes.get("mail_key")
    for kind in ("leads.list", "leads.archived"):
        query = {"person_id": order.links.person or 0}
        for page in client.pages(Call.to(kind, query=query)):
            for row in page:
                if listed_lead(row, code).mail_key == order.key:
                    return str(row["id"])
    return None


def _find_activity(client: Client, order: WriteRequest, _place: Target) -> str | None:
    wanted = marker(order.key)
    # The list knows an activity by its primary participant only, and that may have been another.
    for person in order.links.participants:
        query: list[tuple[str, Scalar]] = [("person_id", person), *_since(order)]
        for page in client.pages(Call.to("activities.list", query=query)):
            for row in page:
                if wanted in (row.get("note") or ""):
                    return str(row["id"])
    return None


def _find_field(client: Client, order: WriteRequest, _place: Target) -> str | None:
    for page in client.pages(Call.to(f"{order.fields['of']}_fields.list")):
        for row in page:
            if (
                row["is_custom_field"]
                and row["field_name"] == order.fields["name"]
                and row["field_type"] == order.fields["type"]
            ):
                return str(row["field_code"])
    return None


_FIND: Mapping[str, Callable[[Client, WriteRequest, Target], str | None]] = {
    "organization": _find_organization,
    "person": _find_person,
    "deal": _find_deal,
    "lead": _find_lead,
    "activity": _find_activity,
    "field": _find_field,
}
