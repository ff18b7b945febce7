"""What Pipedrive should hold for one sender, less what it holds already: adoptions and changes.

A pure diff of states: nothing different, nothing to do. It makes no request and reads no clock; it
never plans a delete, never touches what people own, and never plans again what they removed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from daemon.classify import Class, Rules, classify_sender
from daemon.sender import SenderState

Kind = Literal["organization", "person", "lead", "deal", "activity", "field"]
Action = Literal["create", "update", "convert", "archive"]
Fields = Mapping[str, Any]

# Order of spending, smallest first: deals, leads, field updates, then activities newest first.
RANK_DEAL, RANK_LEAD, RANK_FIELDS, RANK_ACTIVITY = "1", "2", "3", "4"
_END_OF_TIME = 99_999_999_999  # seconds; newer mails get smaller ranks


@dataclass(frozen=True, slots=True)
class Record:
    """One Pipedrive object as the ledger knows it; `fields` is what we last wrote."""

    kind: Kind
    key: str
    pipedrive_id: str | None
    origin: Literal["created", "adopted"]
    fields: Fields
    written_at: datetime | None = None
    tombstone: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One create, update, convert or archive that makes a record agree with the ledger."""

    kind: Kind
    key: str
    action: Action
    fields: Fields
    rank: str
    sender: str | None = None
    organization: str | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Adoption:
    """An object that people made and that stands for this sender from now on."""

    kind: Kind
    key: str
    pipedrive_id: str
    reason: str
    ours: bool = False  # it carries our Mail key: made by us, before the ledger was lost


@dataclass(frozen=True, slots=True)
class CrmPerson:
    """A person that Pipedrive listed with the sender's address."""

    id: int
    organization_id: int | None


@dataclass(frozen=True, slots=True)
class CrmDeal:
    """A deal of the sender's person; `mail_key` is our marker, if it carries it."""

    id: int
    status: str
    archived: bool
    mail_key: str | None = None
    source_lead_id: str | None = None


@dataclass(frozen=True, slots=True)
class CrmLead:
    """A lead of the sender's person."""

    id: str
    archived: bool
    mail_key: str | None = None


@dataclass(frozen=True, slots=True)
class InCrm:
    """What the CRM already holds that may stand for the sender."""

    persons: tuple[CrmPerson, ...] = ()
    organization: tuple[int, str] | None = None  # id and why this one
    deals: tuple[CrmDeal, ...] = ()
    leads: tuple[CrmLead, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """The sender's records in the ledger."""

    organization: Record | None = None
    person: Record | None = None
    lead: Record | None = None
    deal: Record | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules and habits that the configuration sets."""

    rules: Rules
    fields_every: timedelta = timedelta(hours=6)
    owner: str | None = None


@dataclass(slots=True)
class Plan:
    """The outcome for one sender; `notes` says what was left alone and why."""

    class_: Class
    adoptions: list[Adoption] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def choose_person(known: Record | None, crm: InCrm) -> CrmPerson | None:
    """The listed person that stands for the sender: the known one, else the oldest."""
    by_id = {str(person.id): person for person in crm.persons}
    if known is not None and known.pipedrive_id in by_id:
        return by_id[known.pipedrive_id]
    return min(crm.persons, key=lambda person: person.id, default=None)


def plan_sender(state: SenderState, known: Known, crm: InCrm, policy: Policy) -> Plan:
    """Adoptions and changes for the organization, person, lead or deal of one sender."""
    ours = _marked(state.address, crm)
    person_before = _person_before(known, crm) and not ours
    has_deal = bool(crm.deals) or known.deal is not None
    plan = Plan(classify_sender(state, policy.rules, known_before=person_before, has_deal=has_deal))
    if plan.class_.name == "ignore":
        return plan
    if known.person is not None and known.person.tombstone and not _elsewhere(known.person, crm):
        plan.notes.append(f"the person was {known.person.tombstone} in Pipedrive: left so")
        return plan
    rank = RANK_DEAL if plan.class_.name == "person_with_deal" else RANK_LEAD
    organization = _plan_organization(plan, state, known, crm, policy, rank)
    _plan_person(plan, state, known, crm, policy, rank, organization, ours=ours)
    _plan_opportunity(plan, state, known, crm, policy, person_before=person_before)
    return plan


def _marked(address: str, crm: InCrm) -> bool:
    marks = [deal.mail_key for deal in crm.deals] + [lead.mail_key for lead in crm.leads]
    return address in marks


def _elsewhere(person: Record, crm: InCrm) -> bool:
    return any(str(candidate.id) != person.pipedrive_id for candidate in crm.persons)


def _person_before(known: Known, crm: InCrm) -> bool:
    if known.person is None or known.person.tombstone:
        return bool(crm.persons)
    return known.person.origin == "adopted"


def _plan_organization(
    plan: Plan, state: SenderState, known: Known, crm: InCrm, policy: Policy, rank: str
) -> str | None:
    """The record key of the sender's organization, None if there is to be none."""
    domain = state.organization
    if domain is None:
        return None
    if known.organization is not None:
        if known.organization.tombstone:
            plan.notes.append(f"the organization was {known.organization.tombstone}: left so")
            return None
        return domain
    if crm.organization is not None:
        identifier, reason = crm.organization
        plan.adoptions.append(Adoption("organization", domain, str(identifier), reason))
        return domain
    fields = {"name": domain, "website": f"https://{domain}", "owner": policy.owner}
    plan.changes.append(Change("organization", domain, "create", fields, rank + "0"))
    return domain


def statistics(state: SenderState) -> dict[str, Any]:
    """The values of our custom person fields."""
    last = state.last_contact
    return {
        "thread_count": state.thread_count,
        "last_contact": last.date().isoformat() if last else None,
        "avg_response_hours": state.avg_response_hours,
    }


def _plan_person(
    plan: Plan,
    state: SenderState,
    known: Known,
    crm: InCrm,
    policy: Policy,
    rank: str,
    organization: str | None,
    *,
    ours: bool,
) -> None:
    record = known.person if known.person and not known.person.tombstone else None
    values = statistics(state) | {"class": plan.class_.name}
    if record is None:
        chosen = choose_person(None, crm)
        if chosen is None:
            fields = {
                "name": state.name,
                "email": state.address,
                "organization": organization,
                "owner": policy.owner,
            }
            plan.changes.append(
                Change(
                    "person",
                    state.address,
                    "create",
                    fields | values,
                    rank + "1",
                    state.address,
                    organization,
                )
            )
            return
        reason = _person_reason(known, crm)
        plan.adoptions.append(Adoption("person", state.address, str(chosen.id), reason, ours=ours))
        written: Fields = {}
        empty_organization = chosen.organization_id is None
        not_before = None
    else:
        written = record.fields
        chosen = choose_person(record, crm)
        # A person that we made got its organization when it was made, unless there was none then.
        empty_organization = (
            record.origin == "adopted" and chosen is not None and chosen.organization_id is None
        )
        same_class = written.get("class") == values["class"]
        not_before = record.written_at + policy.fields_every if record.written_at else None
        not_before = not_before if same_class else None
    changed = {name: value for name, value in values.items() if written.get(name) != value}
    if empty_organization and organization and written.get("organization") != organization:
        changed["organization"] = organization
    if set(changed) - {"class"}:
        plan.changes.append(
            Change(
                "person",
                state.address,
                "update",
                changed | {"class": values["class"]},
                RANK_FIELDS,
                state.address,
                organization,
                not_before,
            )
        )


def _person_reason(known: Known, crm: InCrm) -> str:
    count = len(crm.persons)
    reason = "has this address" if count == 1 else f"the oldest of {count} with this address"
    return f"merged: {reason}" if known.person is not None else reason


def _plan_opportunity(
    plan: Plan,
    state: SenderState,
    known: Known,
    crm: InCrm,
    policy: Policy,
    *,
    person_before: bool,
) -> None:
    """The lead or the deal: an open one is used, a removed one stays removed."""
    address = state.address
    if known.deal is not None and not (policy.rules.reopen and _closed(known.deal, crm)):
        if known.deal.tombstone:
            plan.notes.append(f"the deal was {known.deal.tombstone} in Pipedrive: left so")
        return
    open_deals = [deal for deal in crm.deals if deal.status == "open" and not deal.archived]
    if open_deals:
        deal = min(open_deals, key=lambda d: (d.mail_key != address, d.id))
        reason = "carries our Mail key" if deal.mail_key == address else "open deal of the person"
        plan.adoptions.append(
            Adoption("deal", address, str(deal.id), reason, ours=deal.mail_key == address)
        )
        return
    if crm.deals and not policy.rules.reopen:
        plan.notes.append("the person has had a deal (won, lost or archived): no new one")
        return
    if known.lead is not None and known.lead.tombstone:
        plan.notes.append(f"the lead was {known.lead.tombstone} in Pipedrive: left so")
        return
    lead_known = known.lead is not None or _adopt_lead(plan, address, crm)
    if any(lead.archived for lead in crm.leads) and not lead_known:
        plan.notes.append("the person has an archived lead: no new lead or deal")
        return
    title = f"{state.name} ({state.organization or state.domain})"
    fields = {"title": title, "mail_key": address, "owner": policy.owner}
    if plan.class_.name == "person_with_deal":
        action: Action = "convert" if lead_known else "create"
        plan.changes.append(
            Change("deal", address, action, fields, RANK_DEAL + "2", address, state.organization)
        )
    elif not lead_known and not person_before:
        plan.changes.append(
            Change("lead", address, "create", fields, RANK_LEAD + "2", address, state.organization)
        )


def _closed(record: Record, crm: InCrm) -> bool:
    if record.tombstone:
        return False
    return any(
        str(deal.id) == record.pipedrive_id and (deal.status != "open" or deal.archived)
        for deal in crm.deals
    )


def _adopt_lead(plan: Plan, address: str, crm: InCrm) -> bool:
    leads = [lead for lead in crm.leads if not lead.archived]
    if not leads:
        return False
    lead = min(leads, key=lambda item: (item.mail_key != address, item.id))
    ours = lead.mail_key == address
    reason = "carries our Mail key" if ours else "lead of the person"
    plan.adoptions.append(Adoption("lead", address, lead.id, reason, ours=ours))
    return True


def activity_rank(sent_at: datetime) -> str:
    """Rank of what happened at `sent_at`: newest first, after everything else."""
    return f"{RANK_ACTIVITY}{_END_OF_TIME - int(sent_at.timestamp()):011d}"
