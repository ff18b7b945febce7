"""Was it made already? Looked up by our marker, through lists.

Pipedrive has no idempotency keys. So a change whose outcome is unknown (timeout, 5xx, crash, cut
line) is looked for before it is made again, by its marker and through lists; never through search,
which lags behind creates by seconds. Lists may lag, too, so one look that shows nothing proves
nothing: the caller repeats it until what was sent has settled.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, timedelta
from typing import Any

from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call, Scalar
from daemon.pipedrive.objects import (
    Target,
    listed_deal,
    listed_lead,
    listed_organization,
    listed_person,
    number,
)
from daemon.pipedrive.write_request import Outcome, WriteRequest
from daemon.rules.marks import is_of, mark_of

_MARGIN = timedelta(minutes=2)  # a `Date` is rounded, and a request may have been long on its way


def find(client: Client, request: WriteRequest, place: Target) -> Outcome | None:
    """What this creation has made, if it has; raises what Client.send raises."""
    return _FIND[request.kind](client, request, place)


def deal_of_lead(client: Client, request: WriteRequest, lead: str) -> str | None:
    """The deal that came of a lead, whoever converted it."""
    for row in _deals(client, request):
        deal = listed_deal(row, None)
        if deal.source_lead_id == lead:
            return str(deal.id)
    return None


def _deals(client: Client, request: WriteRequest) -> Iterator[dict[str, Any]]:
    query: dict[str, Scalar] = {
        "person_id": request.links.person or 0,
        "include_fields": "source_lead_id",
    }
    for kind in ("deals.list", "deals.archived"):
        for page in client.pages(Call.to(kind, query=query)):
            yield from page


def _since(request: WriteRequest) -> list[tuple[str, str]]:
    if request.since is None:
        return []
    bound = (request.since - _MARGIN).astimezone(UTC)
    return [("updated_since", bound.strftime("%Y-%m-%dT%H:%M:%SZ"))]


def _oldest(ids: list[int]) -> Outcome | None:
    return Outcome(str(min(ids)), found=True) if ids else None


def _find_organization(client: Client, request: WriteRequest, _place: Target) -> Outcome | None:
    name = request.fields["name"].casefold()
    call = Call.to("organizations.list", query=_since(request))
    listed = (listed_organization(row) for page in client.pages(call) for row in page)
    return _oldest(
        [one.id for one in listed if one.name.casefold() == name or one.domain == request.key]
    )


def _find_person(client: Client, request: WriteRequest, _place: Target) -> Outcome | None:
    call = Call.to("persons.list", query=_since(request))
    listed = (listed_person(row) for page in client.pages(call) for row in page)
    return _oldest([one.id for one in listed if request.key in one.emails])


def _find_deal(client: Client, request: WriteRequest, place: Target) -> Outcome | None:
    code = place.codes.get("mail_key")
    for row in _deals(client, request):
        deal = listed_deal(row, code)
        # Without the marker field (no permission, plan's cap) the title has to do.
        title = row.get("title") == request.fields["title"]
        ours = deal.mail_key == request.key if code else title
        if ours and (deal.status == "open" or not request.fields.get("again")):
            return Outcome(str(deal.id), found=True)
    return None


def _find_lead(client: Client, request: WriteRequest, place: Target) -> Outcome | None:
    code = place.codes.get("mail_key")
    for kind in ("leads.list", "leads.archived"):
        of_person = Call.to(kind, query={"person_id": request.links.person or 0})
        for page in directory.leads(client, of_person, null_is_empty=False):
            for lead in (listed_lead(row, code) for row in page):
                if lead.mail_key == request.key:
                    return Outcome(lead.id, found=True)
    for row in _deals(client, request):
        # People may have converted it since: the deal carries its Mail key on.
        deal = listed_deal(row, code)
        if deal.source_lead_id and code and deal.mail_key == request.key:
            return Outcome(str(deal.id), found=True, lead=deal.source_lead_id)
    return None


def _find_activity(client: Client, request: WriteRequest, _place: Target) -> Outcome | None:
    # The list knows an activity by its primary participant only, and that may have been another.
    for person in request.links.participants:
        query: list[tuple[str, Scalar]] = [("person_id", person), *_since(request)]
        for page in client.pages(Call.to("activities.list", query=query)):
            for row in page:
                if is_of(mark_of(row), request.key):
                    return Outcome(str(number(row, "id")), found=True)
    return None


def _find_field(client: Client, request: WriteRequest, _place: Target) -> Outcome | None:
    wanted = (request.fields["name"], request.fields["type"])
    for page in client.pages(Call.to(f"{request.fields['of']}_fields.list")):
        for row in page:
            code = row.get("field_code")
            if (
                row.get("is_custom_field")
                and (row.get("field_name"), row.get("field_type")) == wanted
                and isinstance(code, str)
            ):
                return Outcome(code, found=True)
    return None


_FIND: Mapping[str, Callable[[Client, WriteRequest, Target], Outcome | None]] = {
    "organization": _find_organization,
    "person": _find_person,
    "deal": _find_deal,
    "lead": _find_lead,
    "activity": _find_activity,
    "field": _find_field,
}
