"""A change, made true once.

A change whose outcome is unknown is looked for before it is made again (`find`). A refusal is
looked into before it counts: when what the change hangs on (a person, a deal, a field) turns out
to be gone, `LinkGone` says which, so that the change goes on without it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.errors import RetryLater
from daemon.failpoints import failpoint
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.find import deal_of_lead, find
from daemon.pipedrive.objects import FIELDS, Target, body, patch
from daemon.pipedrive.outcomes import Capped, Gone, Refused, Unknown
from daemon.pipedrive.write_request import Outcome, WriteRequest
from daemon.rules.listed import ListedLead

__all__ = ["LinkGone", "Outcome", "WriteRequest", "apply"]

_SETTLING = 60.0  # seconds until the next look for the deal of a conversion that may be under way


class LinkGone(RetryLater):
    """Refused because something it hangs on is gone: `kind` and `id` say what.

    Kinds are those of records, and `stage`. The change itself can be made again without it.
    """

    def __init__(self, kind: str, identifier: str) -> None:
        """Keep what is gone."""
        super().__init__(f"the {kind} it hangs on is gone", what=f"{kind} {identifier}")
        self.kind = kind
        self.id = identifier


def apply(client: Client, order: WriteRequest, place: Target) -> Outcome:
    """Make the change true; raises what Client.send raises, `Unknown` when it may be done.

    LinkGone: see there. Gone: the record to change itself is gone.
    """
    match order.action:
        case "convert":
            return _convert(client, order, place)
        case "archive":
            return _archive(client, order)
        case "update":
            return _update(client, order, place)
        case _:
            return _create(client, order, place)


def _create(client: Client, order: WriteRequest, place: Target) -> Outcome:
    if order.unknown and (found := find(client, order, place)) is not None:
        return Outcome(found, found=True)
    content = body(order.kind, order.fields, order.links, place)
    if order.kind == "field":
        data = _send(client, Call.to(f"{order.fields['of']}_fields.create", body=content))
        return Outcome(data["field_code"])
    call = Call.on(order.kind, "create", body=content)
    return Outcome(str(_send_linked(client, call, order, place)["id"]))


def _update(client: Client, order: WriteRequest, place: Target) -> Outcome:
    target = _target(order)
    content = patch(order.kind, order.fields, order.links, place)
    # What people may have filled meanwhile is looked at first: a token, where it matters.
    if "org_id" in content:
        there = _read(client, order.kind, target)
        if there.get("org_id") is not None:
            del content["org_id"]
    if "participants" in content:
        there = _read(client, order.kind, target)
        joined = _joined(there.get("participants") or [], content["participants"])
        content["participants"] = joined
        if joined == there.get("participants"):
            del content["participants"]
    if content:
        call = Call.on(order.kind, "update", target, body=content)
        _send_linked(client, call, order, place)
    return Outcome(target)


def _read(client: Client, kind: str, target: str) -> Mapping[str, Any]:
    data: Mapping[str, Any] = client.send(Call.on(kind, "read", target)).data
    if data.get("is_deleted"):
        raise Gone("it was deleted", what=f"{kind} {target}")
    return data


def _joined(there: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The participants that there are and ours; people's choice of the primary one stays."""
    has_primary = any(item.get("primary") for item in there)
    known = {item["person_id"] for item in there}
    added = [
        {**item, "primary": item["primary"] and not has_primary}
        for item in ours
        if item["person_id"] not in known
    ]
    kept = [{"person_id": i["person_id"], "primary": bool(i.get("primary"))} for i in there]
    return kept + added


def _archive(client: Client, order: WriteRequest) -> Outcome:
    lead = _target(order)
    try:
        _send(client, Call.to("leads.update", lead, body={"is_archived": True}))
    except Gone:
        raise
    except Refused:
        there = directory.look(client, "lead", lead, None)
        if not isinstance(there, ListedLead) or not there.archived:
            raise
    return Outcome(lead)


def _send(client: Client, call: Call) -> Any:
    answer = client.send(call)
    failpoint(f"request {call.kind}")
    return answer.data


def _send_linked(client: Client, call: Call, order: WriteRequest, place: Target) -> Any:
    try:
        return _send(client, call)
    except Capped:
        raise
    except Refused as refusal:
        if isinstance(refusal, Gone) and order.action == "update":
            raise
        for kind, identifier in _hangs_on(call.body or {}, place):
            if not _is_there(client, kind, identifier, place):
                raise LinkGone(kind, identifier) from refusal
        raise


def _hangs_on(content: Mapping[str, Any], place: Target) -> Iterator[tuple[str, str]]:
    """Everything that a body names: records, the stage, our fields."""
    names = {
        "org_id": "organization",
        "organization_id": "organization",
        "person_id": "person",
        "deal_id": "deal",
        "lead_id": "lead",
        "stage_id": "stage",
    }
    for name, kind in names.items():
        if content.get(name) is not None:
            yield kind, str(content[name])
    for item in content.get("participants") or ():
        yield "person", str(item["person_id"])
    codes = set(content.get("custom_fields") or ()) | set(content)
    for name, code in place.codes.items():
        if code in codes:
            yield "field", name


def _is_there(client: Client, kind: str, identifier: str, place: Target) -> bool:
    match kind:
        case "stage":
            return directory.has_stage(client, int(identifier))
        case "field":
            return directory.has_field(client, FIELDS[identifier][0], place.codes[identifier])
        case _:
            return directory.look(client, kind, identifier, None) is not None


def _target(order: WriteRequest) -> str:
    if order.target is None:
        raise RetryLater("what it changes has no id yet", what=f"{order.kind} {order.key}")
    return order.target


def _convert(client: Client, order: WriteRequest, place: Target) -> Outcome:
    """Convert a lead to a deal (API v2), across passes: start it, then ask how it stands."""
    lead = _target(order)
    unknown = order.unknown
    if order.conversion is not None:
        try:
            data = client.send(Call.to("leads.convert_status", lead, order.conversion)).data
        except Gone:
            unknown = True  # its status is kept for a few days only
        else:
            if data["status"] == "completed":
                return Outcome(str(data["deal_id"]))
            if data["status"] in {"failed", "rejected"}:
                return _not_converted(client, order, lead)
            return Outcome(conversion=order.conversion)
    if unknown and (before := _converted_before(client, order, lead)) is not None:
        return before
    try:
        data = _send(client, Call.to("leads.convert", lead, body={"stage_id": place.stage_id}))
    except (Gone, Capped):
        raise
    except Refused:
        if not directory.has_stage(client, place.stage_id):
            raise LinkGone("stage", str(place.stage_id)) from None
        return _not_converted(client, order, lead)
    return Outcome(conversion=data["conversion_id"])


def _converted_before(client: Client, order: WriteRequest, lead: str) -> Outcome | None:
    """The deal of a conversion that may have been started; Unknown while there may yet be one."""
    if (deal := deal_of_lead(client, order, lead)) is not None:
        return Outcome(deal, found=True)
    if not order.settled:
        # One that is under way shows no deal yet, and nobody promises that two make only one.
        raise Unknown("its conversion may be under way", what=f"lead {lead}", after=_SETTLING)
    return None


def _not_converted(client: Client, order: WriteRequest, lead: str) -> Outcome:
    """Why a lead won't be converted: people were faster, they archived it, or it just fails."""
    if (deal := deal_of_lead(client, order, lead)) is not None:
        return Outcome(deal, found=True)
    there = directory.look(client, "lead", lead, None)
    if there is None:
        raise Gone("the lead was deleted", what=f"lead {lead}")
    if isinstance(there, ListedLead) and there.archived:
        return Outcome(archived=True)
    return Outcome(failed=True)
