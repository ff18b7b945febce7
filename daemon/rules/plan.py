"""What Pipedrive should hold for one sender, less what it holds already: adoptions and changes.

A pure diff of states: nothing different, nothing to do. It makes no request and reads no clock; it
never plans a delete, never touches what people own, and never plans again what they removed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from daemon.message.names import made_up_name
from daemon.rules.classify import Class, Rules, classify_sender
from daemon.rules.records import (
    Action,
    Adoption,
    Change,
    CrmDeal,
    CrmLead,
    CrmPerson,
    Fields,
    Kind,
    LocalRecords,
    Record,
    RemoteMatches,
)
from daemon.rules.sender import SenderState

__all__ = [
    "Action",
    "Adoption",
    "Change",
    "CrmDeal",
    "CrmLead",
    "CrmPerson",
    "Fields",
    "Kind",
    "LocalRecords",
    "Policy",
    "Record",
    "RemoteMatches",
    "SenderPlan",
    "activity_rank",
    "choose_person",
    "plan_sender",
    "statistics",
]

# Order of spending, smallest first: what is fresh; in it and after it deals, leads, field updates,
# then activities newest first.
RANK_FRESH = "0"
RANK_DEAL, RANK_LEAD, RANK_FIELDS, RANK_ACTIVITY = "1", "2", "3", "4"
USUAL_STATISTICS = ("thread_count", "last_contact", "avg_response_hours")
STATISTICS = (*USUAL_STATISTICS, "our_response_hours")
_END_OF_TIME = 99_999_999_999  # seconds; newer mails get smaller ranks
_NAME_CHARS = 255  # Pipedrive's limit for names and titles


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules and habits that the configuration sets, and what this Pipedrive lets us write."""

    rules: Rules
    fields_every: timedelta = timedelta(hours=6)
    owner: str | None = None
    fresh_since: datetime | None = None  # who wrote since then goes before everybody else
    fields: Collection[str] = USUAL_STATISTICS  # our custom person fields that are wanted
    zone: tzinfo = UTC  # in which people count days
    stage: str | None = None  # of leads and deals, as `Target.stages` names it; None: the usual one
    channel_id: str | None = None  # of leads
    label_ids: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)  # by kind
    follow_up: timedelta | None = None  # how long a mail may wait for our answer; None: as it likes


@dataclass(slots=True)
class SenderPlan:
    """The outcome for one sender; `notes` says what was left alone and why."""

    class_: Class
    adoptions: list[Adoption] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Case:
    """One sender with all that is known of it."""

    state: SenderState
    known: LocalRecords
    crm: RemoteMatches
    policy: Policy
    person: CrmPerson | None  # the listed person that stands for it
    before: bool  # that person was in Pipedrive before we came

    @property
    def address(self) -> str:
        return self.state.address

    def rank(self, rank: str) -> str:
        """The rank among everybody's changes, by how lately this sender was in touch."""
        last, since = self.state.last_contact, self.policy.fresh_since
        return RANK_FRESH + rank if since and last and last >= since else rank


def choose_person(known: Record | None, crm: RemoteMatches) -> CrmPerson | None:
    """The listed person that stands for the sender: the known one, else the oldest."""
    by_id = {str(person.id): person for person in crm.persons}
    if known is not None and known.pipedrive_id in by_id and not known.tombstone:
        return by_id[known.pipedrive_id]
    return min(_living(known, crm), key=lambda person: person.id, default=None)


def plan_sender(
    state: SenderState, known: LocalRecords, crm: RemoteMatches, policy: Policy
) -> SenderPlan:
    """Adoptions and changes for the organization, person, lead or deal of one sender."""
    person = choose_person(known.person, crm)
    before = _person_before(known, person) and not _is_marked(state.address, crm)
    has_deal = bool(crm.deals) or known.deal is not None
    plan = SenderPlan(classify_sender(state, policy.rules, known_before=before, has_deal=has_deal))
    if plan.class_.name == "ignore":
        return plan
    if known.person is not None and known.person.tombstone and person is None:
        plan.notes.append(f"the person was {known.person.tombstone} in Pipedrive: left so")
        return plan
    case = _Case(state, known, crm, policy, person, before)
    rank = case.rank(RANK_DEAL if plan.class_.name == "person_with_deal" else RANK_LEAD)
    organization = _plan_organization(plan, case, rank)
    _plan_person(plan, case, rank, organization)
    _plan_opportunity(plan, case)
    return plan


def _living(known: Record | None, crm: RemoteMatches) -> list[CrmPerson]:
    """Listed persons but for one that we know to be gone: the listing may be older than that."""
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


def _plan_organization(plan: SenderPlan, case: _Case, rank: str) -> str | None:
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
    fields = {"name": domain, "website": f"https://{domain}", "owner": case.policy.owner}
    plan.changes.append(Change("organization", domain, "create", fields, rank + "0"))
    return domain


def statistics(
    state: SenderState, names: Collection[str] = USUAL_STATISTICS, zone: tzinfo = UTC
) -> dict[str, Any]:
    """The values of our custom person fields, as far as there are such fields; days in `zone`."""
    last = state.last_contact
    values = {
        "thread_count": state.thread_count,
        "last_contact": last.astimezone(zone).date().isoformat() if last else None,
        "avg_response_hours": state.avg_response_hours,
        "our_response_hours": state.our_response_hours,
    }
    return {name: value for name, value in values.items() if name in names}


def _plan_person(plan: SenderPlan, case: _Case, rank: str, organization: str | None) -> None:
    record = case.known.person
    live = record if record and not record.tombstone else None
    values = statistics(case.state, case.policy.fields, case.policy.zone) | {
        "class": plan.class_.name
    }
    if live is None and case.person is None:
        fields = {
            "name": case.state.name[:_NAME_CHARS],
            "email": case.address,
            "organization": organization,
            "owner": case.policy.owner,
        }
        fields |= {fact.kind: fact.value for fact in case.state.facts if fact.kind == "phone"}
        fields |= _labels(case, "person")
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
    # A person's organization is theirs to choose: ours only where there is none and was none.
    has_none = case.person is not None and case.person.organization_id is None
    if organization and has_none and written.get("organization") != organization:
        changed["organization"] = organization
    if better := _better_name(case, live):
        changed["name"] = better
    if not set(changed) - {"class"}:
        return
    not_before = None
    if written.get("class") == values["class"] and live and live.written_at:
        not_before = live.written_at + case.policy.fields_every
    changed["class"] = values["class"]
    plan.changes.append(
        _person_change(case, "update", changed, case.rank(RANK_FIELDS), organization, not_before)
    )


def _better_name(case: _Case, live: Record | None) -> str | None:
    """The real name of a person whom we had to name after the address, None to leave it alone.

    Only while it stands in Pipedrive as we wrote it: a name that people changed is theirs.
    """
    made_up = made_up_name(case.address)[:_NAME_CHARS]
    if live is None or live.origin != "created" or live.fields.get("name") != made_up:
        return None
    if case.person is not None and case.person.name not in {None, made_up}:
        return None
    name = case.state.name[:_NAME_CHARS]
    return name if name != made_up else None


def _person_change(
    case: _Case,
    action: Action,
    fields: Fields,
    rank: str,
    organization: str | None,
    not_before: datetime | None = None,
) -> Change:
    address = case.address
    return Change("person", address, action, fields, rank, address, organization, not_before)


def _person_reason(case: _Case) -> str:
    record, count = case.known.person, len(_living(case.known.person, case.crm))
    reason = "has this address" if count == 1 else f"the oldest of {count} with this address"
    return f"{record.tombstone} and found again: {reason}" if record is not None else reason


def _plan_opportunity(plan: SenderPlan, case: _Case) -> None:
    """The lead or the deal: an open one is used, a removed one stays removed."""
    known, crm, address = case.known, case.crm, case.address
    if known.deal is not None and _is_open(known.deal, crm):
        return
    gone = known.deal.pipedrive_id if known.deal is not None and known.deal.tombstone else None
    open_deals = [d for d in crm.deals if _takes_more(d) and str(d.id) != gone]
    if open_deals:
        plan.adoptions.append(_adopt_deal(open_deals, address))
        return
    if known.deal is not None and known.deal.tombstone:
        plan.notes.append(f"the deal was {known.deal.tombstone} in Pipedrive: left so")
        return
    again = known.deal is not None or bool(crm.deals)
    if again and not case.policy.rules.reopen:
        plan.notes.append("the person has had a deal (won, lost or archived): no new one")
        return
    has_lead = known.lead is not None and not known.lead.tombstone
    has_lead = has_lead or _adopt_lead(plan, case)
    if not has_lead and not again and known.lead is not None:
        plan.notes.append(f"the lead was {known.lead.tombstone} in Pipedrive: left so")
        return
    if not has_lead and not again and any(lead.archived for lead in crm.leads):
        plan.notes.append("the person has an archived lead: no new lead or deal")
        return
    _open_one(plan, case, has_lead=has_lead, again=again)


def _open_one(plan: SenderPlan, case: _Case, *, has_lead: bool, again: bool) -> None:
    state = case.state
    fields: dict[str, Any] = {
        "title": f"{state.name} ({state.organization or state.domain})"[:_NAME_CHARS],
        "mail_key": case.address,
        "owner": case.policy.owner,
    }
    if case.policy.stage is not None:
        fields["stage"] = case.policy.stage
    if again:
        fields["again"] = True  # an earlier deal with the same Mail key isn't this one
    if plan.class_.name == "person_with_deal":
        action: Action = "convert" if has_lead else "create"
        kind: Kind = "deal"
        rank = case.rank(RANK_DEAL)
    elif has_lead or case.before or again:
        return
    else:
        action, kind, rank = "create", "lead", case.rank(RANK_LEAD)
        fields["channel_id"] = case.policy.channel_id
    fields |= _labels(case, kind)
    plan.changes.append(
        Change(kind, case.address, action, fields, rank + "2", case.address, state.organization)
    )


def _labels(case: _Case, kind: Kind) -> dict[str, Any]:
    """The labels that the route gives to what we make; those of people's records are theirs."""
    ids = case.policy.label_ids.get(kind, ())
    return {"label_ids": list(ids)} if ids else {}


def _takes_more(deal: CrmDeal) -> bool:
    return deal.status == "open" and not deal.archived


def _is_open(record: Record, crm: RemoteMatches) -> bool:
    """Whether our deal is open; one that isn't listed yet is ours and young."""
    if record.tombstone:
        return False
    listed = [deal for deal in crm.deals if str(deal.id) == record.pipedrive_id]
    return all(_takes_more(deal) for deal in listed)


def _adopt_deal(deals: Collection[CrmDeal], address: str) -> Adoption:
    deal = min(deals, key=lambda d: (d.mail_key != address, d.id))
    ours = deal.mail_key == address
    reason = "open deal of the person"
    if len(deals) > 1:
        reason = f"the oldest of {len(deals)} open deals of the person"
    return Adoption(
        "deal", address, str(deal.id), "carries our Mail key" if ours else reason, ours=ours
    )


def _adopt_lead(plan: SenderPlan, case: _Case) -> bool:
    gone = case.known.lead.pipedrive_id if case.known.lead is not None else None
    leads = [lead for lead in case.crm.leads if not lead.archived and lead.id != gone]
    if not leads:
        return False
    lead = min(leads, key=lambda item: (item.mail_key != case.address, item.id))
    ours = lead.mail_key == case.address
    reason = "carries our Mail key" if ours else "lead of the person"
    plan.adoptions.append(Adoption("lead", case.address, lead.id, reason, ours=ours))
    return True


def activity_rank(sent_at: datetime, fresh_since: datetime | None = None) -> str:
    """Rank of what happened at `sent_at`: newest first, after everything else that is as fresh."""
    rank = f"{RANK_ACTIVITY}{_END_OF_TIME - int(sent_at.timestamp()):011d}"
    return RANK_FRESH + rank if fresh_since is not None and sent_at >= fresh_since else rank
