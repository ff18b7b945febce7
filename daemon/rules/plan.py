"""What Pipedrive should hold for one sender, less what it holds already: adoptions and changes.

A pure diff of states: nothing different, nothing to do. It makes no request and reads no clock; it
never plans a delete, never touches what people own, and never plans again what they removed.
"""

from collections.abc import Collection
from datetime import datetime, tzinfo
from typing import Any

from daemon.message.address import as_written
from daemon.message.names import made_up_name
from daemon.message.relay import names_service
from daemon.rules.case import (
    NAME_CHARS,
    RANK_DEAL,
    RANK_FIELDS,
    RANK_LEAD,
    Case,
    Policy,
    SenderPlan,
)
from daemon.rules.classify import classify_sender
from daemon.rules.deals import DealChoice
from daemon.rules.opportunity import plan_opportunity
from daemon.rules.records import (
    Action,
    Adoption,
    Change,
    CrmPerson,
    Fields,
    LocalRecords,
    Record,
    RemoteMatches,
)
from daemon.rules.sender import SenderState


def choose_person(known: Record | None, crm: RemoteMatches) -> CrmPerson | None:
    """The listed person that stands for the sender: the known one, else the oldest."""
    by_id = {str(person.id): person for person in crm.persons}
    if known is not None and known.pipedrive_id in by_id and not known.tombstone:
        return by_id[known.pipedrive_id]
    return min(_living(known, crm), key=lambda person: person.id, default=None)


def plan_sender(
    state: SenderState,
    known: LocalRecords,
    crm: RemoteMatches,
    policy: Policy,
    choice: DealChoice | None = None,
) -> SenderPlan:
    """Adoptions and changes for the organization, person, lead or deal of one sender.

    `choice`: where its mail goes, if that isn't simply its own lead or deal.
    """
    person = choose_person(known.person, crm)
    before = _person_before(known, person) and not _is_marked(state.address, crm)
    has_deal = bool(crm.deals) or known.deal is not None
    plan = SenderPlan(classify_sender(state, policy.rules, known_before=before, has_deal=has_deal))
    if plan.class_.name == "ignore" and not _is_wanted_in_copy(state, policy):
        return plan
    if known.person is not None and known.person.tombstone and person is None:
        plan.notes.append(f"the person was {known.person.tombstone} in Pipedrive: left so")
        return plan
    case = Case(state, known, crm, policy, person, before, choice or DealChoice())
    rank = case.rank(RANK_DEAL if plan.class_.name == "person_with_deal" else RANK_LEAD)
    organization = _plan_organization(plan, case, rank)
    _plan_person(plan, case, rank, organization)
    if plan.class_.name != "ignore":
        plan_opportunity(plan, case)
    return plan


def _is_wanted_in_copy(state: SenderState, policy: Policy) -> bool:
    """Whether one who never wrote, but was in To or Cc of others' mail, gets a person."""
    if not state.copied or policy.in_copy is None:
        return False
    return policy.in_copy == "all" or state.sent_count > 0


def _living(known: Record | None, crm: RemoteMatches) -> list[CrmPerson]:
    """Listed persons, without one that we know to be gone: the listing may be older."""
    gone = known.pipedrive_id if known is not None and known.tombstone else None
    return [person for person in crm.persons if str(person.id) != gone]


def _is_marked(address: str, crm: RemoteMatches) -> bool:
    """Whether a lead or deal of the person carries our Mail key: then we made them all."""
    marks = [deal.mail_key for deal in crm.deals] + [lead.mail_key for lead in crm.leads]
    return address in marks


def _person_before(known: LocalRecords, person: CrmPerson | None) -> bool:
    if known.person is None or known.person.tombstone:
        return person is not None and not person.ours
    return known.person.origin == "adopted"


def _plan_organization(plan: SenderPlan, case: Case, rank: str) -> str | None:
    """The record key of the sender's organization, None if there is to be none."""
    domain, record, found = case.state.organization, case.known.organization, case.crm.organization
    if domain is None:
        return None
    if record is not None and not record.tombstone:
        return domain
    if found is not None and (record is None or str(found[0]) != record.pipedrive_id):
        identifier, reason = found
        reason = f"{record.tombstone}: {reason}" if record else reason
        plan.adoptions.append(Adoption("organization", domain, str(identifier), reason))
        return domain
    if record is not None:
        plan.notes.append(f"the organization was {record.tombstone} in Pipedrive: left so")
        return None
    fields = {
        "name": _own_name(case, domain),
        "website": f"https://{domain}",
        "owner": case.policy.owner,
    }
    plan.changes.append(Change("organization", domain, "create", fields, rank + "0"))
    return domain


def statistics(state: SenderState, names: Collection[str], zone: tzinfo) -> dict[str, Any]:
    """The values of our custom person fields, as far as there are such fields; days in `zone`."""
    last = state.last_contact
    values = {
        "thread_count": state.thread_count,
        "last_contact": last.astimezone(zone).date().isoformat() if last else None,
        "avg_response_hours": state.avg_response_hours,
        "our_response_hours": state.our_response_hours,
    }
    return {name: value for name, value in values.items() if name in names}


def _plan_person(plan: SenderPlan, case: Case, rank: str, organization: str | None) -> None:
    record = case.known.person
    live = record if record and not record.tombstone else None
    values: dict[str, Any] = {"class": plan.class_.name}
    if plan.class_.name != "ignore":
        values |= statistics(case.state, case.policy.fields, case.policy.zone)
    if live is None and case.person is None:
        fields = {
            "name": case.state.name[:NAME_CHARS],
            "email": case.address,
            "organization": organization,
            "owner": case.policy.owner,
        }
        fields |= _facts(case)
        fields |= case.labels("person")
        if case.state.bounced is not None:
            fields |= case.policy.bounce.fields(bounced=True)
        created: Fields = fields | values
        plan.changes.append(_person_change(case, "create", created, rank + "1", organization))
        return
    written: Fields = live.fields if live else {}
    if live is None and case.person is not None:
        reason = _person_reason(case)
        adopted = Adoption(
            "person", case.address, str(case.person.id), reason, ours=not case.before
        )
        plan.adoptions.append(adopted)
    changed = {name: value for name, value in values.items() if written.get(name) != value}
    bounced = case.state.bounced is not None
    if bounced != bool(written.get("bounced")):
        changed |= case.policy.bounce.fields(bounced=bounced)
    # A person's organization is theirs to choose: ours only where there is none and was none.
    # One that we made and that no listing has shown since was made without, if none is noted.
    has_none = (
        case.person.organization_id is None
        if case.person is not None
        else live is not None and live.origin == "created"
    )
    if organization and has_none and written.get("organization") != organization:
        changed["organization"] = organization
    # Once: what people have there, or take out again, is theirs.
    changed |= {kind: value for kind, value in _facts(case).items() if kind not in written}
    if better := _better_name(case, live):
        changed["name"] = better
    if not set(changed) - {"class"}:
        return
    not_before = None
    is_urgent = "bounced" in changed or written.get("class") != values["class"]
    if live and live.written_at and not is_urgent:
        not_before = live.written_at + case.policy.fields_every
    changed["class"] = values["class"]
    plan.changes.append(
        _person_change(case, "update", changed, case.rank(RANK_FIELDS), organization, not_before)
    )


def _facts(case: Case) -> dict[str, str]:
    """Phone and title as forms and signatures say them, as far as Pipedrive has a place for it."""
    found = (fact for fact in case.state.facts if fact.kind in case.policy.facts)
    return {fact.kind: fact.value[:NAME_CHARS] for fact in found}


def _own_name(case: Case, domain: str) -> str:
    """What a firm calls itself, where a mail says it and it fits the domain; else the domain."""
    said = (fact.value for fact in case.state.facts if fact.kind == "company")
    fitting = (name for name in said if names_service(name, domain))
    return next(fitting, as_written(domain))[:NAME_CHARS]


def _better_name(case: Case, live: Record | None) -> str | None:
    """The real name of a person whom we had to name after the address, None to leave it alone.

    Only while it stands in Pipedrive as we wrote it: a name that people changed is theirs.
    """
    made_up = made_up_name(case.address)[:NAME_CHARS]
    if live is None or live.origin != "created" or live.fields.get("name") != made_up:
        return None
    if case.person is not None and case.person.name not in {None, made_up}:
        return None
    name = case.state.name[:NAME_CHARS]
    return name if name != made_up else None


def _person_change(
    case: Case,
    action: Action,
    fields: Fields,
    rank: str,
    organization: str | None,
    not_before: datetime | None = None,
) -> Change:
    address = case.address
    return Change("person", address, action, fields, rank, address, organization, not_before)


def _person_reason(case: Case) -> str:
    record, count = case.known.person, len(_living(case.known.person, case.crm))
    reason = "has this address" if count == 1 else f"the oldest of {count} with this address"
    return f"{record.tombstone} and found again: {reason}" if record is not None else reason
