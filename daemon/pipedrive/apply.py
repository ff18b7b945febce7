"""A change, made true once.

A change whose outcome is unknown is looked for before it is made again (`find`), and only once what
was sent has settled. A refusal is looked into before it counts: when something that the change
names (a person, a deal, a field, the record itself) isn't there, `Missing` says which and how sure
that is, so that the change goes on without it or waits for it.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from daemon.errors import RetryLater
from daemon.failpoints import failpoint
from daemon.pipedrive import company, directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.directory import Absence
from daemon.pipedrive.find import deal_of_lead, find
from daemon.pipedrive.missing import Missing, NotSeen, Outdated, require_same_deal, require_settled
from daemon.pipedrive.objects import (
    FIELDS,
    Links,
    Target,
    as_addresses,
    as_list,
    body,
    is_address,
    labelled,
    patch,
)
from daemon.pipedrive.outcomes import Answer, Capped, Gone, Refused, Unknown
from daemon.pipedrive.participants import add
from daemon.pipedrive.write_request import Outcome, WriteRequest
from daemon.rules.crm_objects import ListedLead

_ONLY_IF_EMPTY = frozenset({"org_id", "organization_id", "phones", "job_title"})

__all__ = ["Missing", "NotSeen", "Outcome", "Outdated", "WriteRequest", "apply"]


def apply(client: Client, request: WriteRequest, place: Target) -> Outcome:
    """Make the change true; raises what Client.send raises, `Unknown` when it may be done.

    Missing, Outdated: see there; Refused: nothing that it names is missing.
    """
    try:
        match request.action:
            case "convert":
                return _convert(client, request, place)
            case "archive":
                return _archive(client, request)
            case "update":
                return _update(client, request, place)
            case "create" if request.kind == "participant":
                return add(client, request, place.codes.get("mail_key"))
            case _:
                return _create(client, request, place)
    except Gone as refusal:
        if request.target is None:
            raise
        kind = "lead" if request.action in {"convert", "archive"} else request.kind
        absence = directory.absence(client, kind, request.target)
        if absence is None:
            raise RetryLater("refused as if it weren't there", what=str(refusal)) from refusal
        raise Missing(kind, request.target, absence) from refusal


def _create(client: Client, request: WriteRequest, place: Target) -> Outcome:
    if request.unknown:
        found = find(client, request, place)
        if found is not None:
            return found
        require_settled(client, request)
    if request.fields.get("ours") and request.fields.get("done"):
        return Outcome(needless=True)  # it would be made only to be done
    require_same_deal(client, request, place.codes.get("mail_key"))
    content = body(request.kind, request.fields, request.links, place)
    if request.kind == "field":
        made = _send(client, Call.to(f"{request.fields['of']}_fields.create", body=content))
        return Outcome(made.identifier("field_code"))
    call = Call.on(request.kind, "create", body=content)
    return Outcome(_send_linked(client, call, request, place).identifier())


def _update(client: Client, request: WriteRequest, place: Target) -> Outcome:
    target = _target(request)
    if request.kind == "person" and "joins" in request.fields:
        return _add_address(client, request, target)
    if "ours" in request.fields:
        return _update_ours(client, request, place, target)
    content = patch(request.kind, request.fields, request.links, place)
    _leave_what_is_theirs(client, request, content, target)
    if content:
        _send_linked(client, Call.on(request.kind, "update", target, body=content), request, place)
    return Outcome(target)


def _add_address(client: Client, request: WriteRequest, target: str) -> Outcome:
    """Add an address to a person's, which a PATCH replaces as a whole: read the moment before."""
    there = as_addresses(_read(client, "person", target))
    if not any(is_address(one, request.key) for one in there):
        added = {"value": request.key, "primary": not there, "label": "work"}
        _send(client, Call.to("persons.update", target, body={"emails": [*there, added]}))
    return Outcome(target)


def _leave_what_is_theirs(
    client: Client, request: WriteRequest, content: dict[str, Any], target: str
) -> None:
    """Look first at what people may have filled meanwhile: a token, where it matters."""
    may_differ = _ONLY_IF_EMPTY | {"label_ids", "participants"}
    if may_differ.isdisjoint(content) and "bounce_label" not in request.fields:
        return
    there = _read(client, request.kind, target)
    for name in [name for name in _ONLY_IF_EMPTY if name in content and there.get(name)]:
        del content[name]
    if "bounce_label" in request.fields:
        labels = labelled(there, request.fields)
        content |= {} if labels is None else {"label_ids": labels}
    elif "label_ids" in content:
        # It came of a lead, whose labels are others; what is there already stays.
        labels = as_list(there.get("label_ids"))
        missing = [one for one in content.pop("label_ids") if one not in labels]
        if missing:
            content["label_ids"] = [*labels, *missing]
    if "participants" in content:
        if "participants" not in there:
            raise Unknown("an activity without its participants", what=request.key)
        before = [one for one in there["participants"] or () if "person_id" in one]
        joined = _joined(before, content["participants"])
        content["participants"] = joined
        if joined == before:
            del content["participants"]


def _update_ours(client: Client, request: WriteRequest, place: Target, target: str) -> Outcome:
    """Change what people may have done or changed meanwhile: then it is theirs, and left alone."""
    there = _read(client, request.kind, target)
    done = request.fields.get("done") is True
    if there.get("done") is True:
        closed = there.get("marked_as_done_time") or there.get("update_time")
        return Outcome(target, people={"done": True} | ({} if done else {"closed": closed}))
    content = patch(request.kind, request.fields, Links(), place)
    says = [" ".join(str(there.get("subject")).split()), there.get("due_date")]
    if says not in [*request.fields["ours"], [content.get("subject"), content.get("due_date")]]:
        return Outcome(target, people={"theirs": True})
    if done:
        content = {"done": True}
    _send_linked(client, Call.on(request.kind, "update", target, body=content), request, place)
    return Outcome(target)


def _read(client: Client, kind: str, target: str) -> Mapping[str, Any]:
    found = directory.read(client, kind, target)
    if found.get("is_deleted") is True:
        raise Gone("it was deleted", what=f"{kind} {target}")
    return found


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


def _archive(client: Client, request: WriteRequest) -> Outcome:
    lead = _target(request)
    try:
        _send(client, Call.to("leads.update", lead, body={"is_archived": True}))
    except Gone:
        raise
    except Refused:
        there = directory.look(client, "lead", lead, None)
        if not isinstance(there, ListedLead) or not there.archived:
            raise
    return Outcome(lead)


def _send(client: Client, call: Call) -> Answer:
    answer = client.send(call)
    failpoint(f"request {call.kind}")
    return answer


def _send_linked(client: Client, call: Call, request: WriteRequest, place: Target) -> Answer:
    try:
        return _send(client, call)
    except Refused as refusal:
        gone = isinstance(refusal, Gone) and request.action == "update"
        if gone or (isinstance(refusal, Capped) and not _may_be_a_link(refusal)):
            raise
        for kind, identifier in _hangs_on(request.kind, call.body or {}, place):
            absence = _absence(client, kind, identifier, place)
            if absence is not None:
                raise Missing(kind, identifier, absence) from refusal
        raise


def _may_be_a_link(refusal: Capped) -> bool:
    """Whether a 403 may be about what the change hangs on instead of the change."""
    return refusal.status == HTTPStatus.FORBIDDEN and not refusal.is_cap


def _hangs_on(of: str, content: Mapping[str, Any], place: Target) -> Iterator[tuple[str, str]]:
    """Everything that the body of a record names: records, stage, owner, our fields, labels."""
    names = {
        "org_id": "organization",
        "organization_id": "organization",
        "person_id": "person",
        "deal_id": "deal",
        "lead_id": "lead",
        "stage_id": "stage",
        "owner_id": "owner",
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
    for label in content.get("label_ids") or ():
        yield "label", f"{of} {label}"


def _absence(client: Client, kind: str, identifier: str, place: Target) -> Absence | None:
    """What a look says of the absence of something that a body names; None if it is there."""
    match kind:
        case "stage":
            return None if company.has_stage(client, int(identifier)) else Absence.DELETED
        case "owner":
            return None if company.is_active(client, int(identifier)) else Absence.DELETED
        case "field":
            of, code = FIELDS[identifier][0], place.codes[identifier]
            return None if company.has_field(client, of, code) else Absence.NOT_FOUND
        case "label":
            whose, _, label = identifier.partition(" ")
            return None if company.has_label(client, whose, label) else Absence.DELETED
        case _:
            return directory.absence(client, kind, identifier)


def _target(request: WriteRequest) -> str:
    if request.target is None:
        raise RetryLater("what it changes has no id yet", what=f"{request.kind} {request.key}")
    return request.target


def _convert(client: Client, request: WriteRequest, place: Target) -> Outcome:
    """Convert a lead to a deal (API v2), across passes: start it, then ask how it stands."""
    lead = _target(request)
    unknown = request.unknown
    if request.conversion is not None:
        running = _running(client, request, lead)
        if running is not None:
            return running
        unknown = True  # its status is kept for a few days only
    if unknown:
        if (deal := deal_of_lead(client, request, lead)) is not None:
            return Outcome(deal, found=True)
        # One that is under way shows no deal yet, and nobody promises that two make only one.
        require_settled(client, request)
    try:
        stage = place.stage_of(request.fields)
        answer = _send(client, Call.to("leads.convert", lead, body={"stage_id": stage}))
    except Gone:
        raise
    except Refused as refusal:
        if isinstance(refusal, Capped) and refusal.is_cap:
            raise  # a deal would be refused alike
        if not company.has_stage(client, stage):
            raise Missing("stage", str(stage), Absence.DELETED) from None
        return _not_converted(client, request, lead)
    return Outcome(conversion=answer.identifier("conversion_id"))


def _running(client: Client, request: WriteRequest, lead: str) -> Outcome | None:
    """How the conversion that was started stands; None if Pipedrive doesn't know it any more."""
    try:
        status = client.send(Call.to("leads.convert_status", lead, request.conversion or ""))
    except Gone:
        return None
    match status.object.get("status"):
        case "completed":
            return Outcome(status.identifier("deal_id"))
        case "failed" | "rejected":
            return _not_converted(client, request, lead)
        case _:
            return Outcome(conversion=request.conversion)


def _not_converted(client: Client, request: WriteRequest, lead: str) -> Outcome:
    """Why a lead won't be converted: people were faster, they archived it, or it just fails."""
    if (deal := deal_of_lead(client, request, lead)) is not None:
        return Outcome(deal, found=True)
    there = directory.look(client, "lead", lead, None)
    if isinstance(there, Absence):
        raise Gone(f"the lead is {there}", what=f"lead {lead}")
    if isinstance(there, ListedLead) and there.archived:
        return Outcome(archived=True)
    return Outcome(failed=True)
