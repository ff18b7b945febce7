"""The lead or deal of one sender: its own, or to take part in somebody else's deal. Pure."""

from collections.abc import Collection
from typing import Any

from daemon.message.address import as_written
from daemon.rules.case import NAME_CHARS, RANK_DEAL, RANK_FIELDS, RANK_LEAD, Case, SenderPlan
from daemon.rules.deals import PARTICIPANT, DealChoice, OpenDeal, participant_key
from daemon.rules.records import (
    Action,
    Adoption,
    Change,
    CrmDeal,
    Kind,
    Record,
)


def plan_opportunity(plan: SenderPlan, case: Case) -> None:
    """The lead or the deal: an open one is used, a removed one stays removed."""
    known, crm, address, choice = case.known, case.crm, case.address, case.choice
    if choice.deal is not None and not choice.joins and choice.why:
        plan.notes.append(f"mail goes to {choice.deal.name}: {choice.why}")
    if known.deal is not None and crm.has_open(known.deal):
        return
    gone = known.deal.pipedrive_id if known.deal is not None and known.deal.tombstone else None
    open_deals = [d for d in crm.deals if d.is_open and str(d.id) != gone]
    if open_deals:
        plan.adoptions.append(_adopt_deal(open_deals, address, choice))
        return
    if choice.joins and choice.deal is not None:
        _join(plan, case, choice.deal)
    elif known.deal is not None and known.deal.tombstone:
        plan.notes.append(f"the deal was {known.deal.tombstone} in Pipedrive: left so")
    else:
        _plan_new(plan, case)


def _plan_new(plan: SenderPlan, case: Case) -> None:
    """A lead or deal of one's own, unless people have closed or removed an earlier one."""
    known, crm, choice = case.known, case.crm, case.choice
    again = known.deal is not None or bool(crm.deals) or choice.joined_before
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


def _open_one(plan: SenderPlan, case: Case, *, has_lead: bool, again: bool) -> None:
    state = case.state
    fields: dict[str, Any] = {
        "title": f"{state.name} ({as_written(state.organization or state.domain)})"[:NAME_CHARS],
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
    fields |= case.labels(kind)
    plan.changes.append(
        Change(kind, case.address, action, fields, rank + "2", case.address, state.organization)
    )


def _adopt_deal(deals: Collection[CrmDeal], address: str, choice: DealChoice) -> Adoption:
    chosen, why = choice.deal, choice.why
    deal = next((d for d in deals if chosen is not None and str(d.id) == chosen.id), None)
    if deal is None:
        deal = min(deals, key=lambda d: (d.mail_key != address, d.id))
        why = "open deal of the person"
    ours = deal.mail_key == address
    return Adoption(
        "deal", address, str(deal.id), "carries our Mail key" if ours else why, ours=ours
    )


def _join(plan: SenderPlan, case: Case, deal: OpenDeal) -> None:
    """Take part in a deal of somebody else instead of having a lead or a deal of one's own.

    A lead that we made has nothing left to say and is archived once the deal is there; one that
    people made is theirs.
    """
    plan.notes.append(f"mail goes to {deal.name}: {case.choice.why}")
    plan.joins = deal
    if deal.id is None:
        return
    lead, address = case.known.lead, case.address
    if lead is None:
        _adopt_lead(plan, case)
    elif not lead.tombstone and _is_our_lead(lead, case):
        rank = case.rank(RANK_FIELDS)
        plan.changes.append(Change("lead", address, "archive", {}, rank, address))
    if deal.id in case.choice.participates_in or not case.policy.participants:
        return
    fields = {"deal": deal.id, "joined": True}
    key, rank = participant_key(deal.id, address), case.rank(RANK_LEAD) + "3"
    plan.changes.append(Change(PARTICIPANT, key, "create", fields, rank, address))


def _is_our_lead(lead: Record, case: Case) -> bool:
    marked = {one.id for one in case.crm.leads if one.mail_key == case.address}
    return lead.origin == "created" or lead.pipedrive_id in marked


def _adopt_lead(plan: SenderPlan, case: Case) -> bool:
    gone = case.known.lead.pipedrive_id if case.known.lead is not None else None
    leads = [lead for lead in case.crm.leads if not lead.archived and lead.id != gone]
    if not leads:
        return False
    lead = min(leads, key=lambda item: (item.mail_key != case.address, item.id))
    ours = lead.mail_key == case.address
    reason = "carries our Mail key" if ours else "lead of the person"
    plan.adoptions.append(Adoption("lead", case.address, lead.id, reason, ours=ours))
    return True
