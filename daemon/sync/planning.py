"""Ledger → plan → journal: what changes for a sender, written down before anything is sent.

A draft is a plan that has no effect yet: the refresh asks what it would create before it lists.
What an earlier plan has put in the journal and a newer one no longer wants is taken back, unless
it may have been done already.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial

from daemon.intake import consent, states
from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.log import event
from daemon.message.verdict import Us
from daemon.pipedrive.objects import Target
from daemon.rules.case import SenderPlan
from daemon.rules.correspondence import Unanswered, Undelivered
from daemon.rules.deals import DealChoice
from daemon.rules.follow_up import NextStep, is_pursued
from daemon.rules.plan import plan_sender
from daemon.rules.records import Change, LocalRecords
from daemon.rules.sender import SenderState
from daemon.sync.deals import (
    Talks,
    choose_deal,
    conversations,
    join,
    participants_in_copy,
    placed,
    to_be_told,
)
from daemon.sync.follow_ups import plan_follow_up
from daemon.sync.joins import PROOFS, join_person, joined_to
from daemon.sync.news import tell_first_reply
from daemon.sync.reconcile import reconcile, take_back_creation
from daemon.sync.remote_matches import in_crm, live, same_person
from daemon.sync.routes import Routed, route
from daemon.sync.safety_limit import withholds
from daemon.sync.session import Session
from daemon.sync.wanted_activities import (
    claim,
    link_later,
    note_of_bounce,
    owned,
    take_back,
    wanted_activities,
)

_BATCH = 200  # senders planned in one transaction
_FEW_REPLIES = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """What is planned for one sender, for whom it stands, and the facts that it is based on."""

    row: SenderRow
    plan: SenderPlan
    group: Sequence[str]  # the person's addresses; the first has its lead or deal and its fields
    known: LocalRecords
    coming: Mapping[str, JournalRow]  # what is on its way for person, lead and deal
    changes: int  # `Ledger.changes` when it was made
    routed: Routed
    replies: tuple[str, ...]  # their message keys; none if they aren't all at hand
    name: str
    unanswered: tuple[Unanswered, ...]
    pursued: bool  # it has a lead or an open deal
    bounced: Undelivered | None
    choice: DealChoice
    state: SenderState
    talks: Talks


Drafts = Mapping[str, Draft]  # by sender


def plan_due(
    session: Session, place: Target, senders: Iterable[str], drafts: Drafts | None = None
) -> int:
    """Plan those of these senders whose state has changed; how many changes that journals.

    A sender who came while the CRM was listed isn't among them: its person may be missing there.
    A draft is used if nothing has changed since it was made.
    """
    todo = deque(_in_order(session, list(senders)))
    planned = done = 0
    while todo and not session.stopping():
        now = session.now()
        with session.ledger.transaction("plan"):
            us: Us | None = None
            held = False
            for address in [todo.popleft() for _ in range(min(_BATCH, len(todo)))]:
                row = session.ledger.senders.get(address)
                if row is not None and row.version > row.synced_version:
                    made = (drafts or {}).get(address)
                    if made is None or (made.row, made.changes) != (row, session.ledger.changes):
                        us = us or states.known_us(session.ledger, session.scoring.us)
                        made = draft(session, row, place, us)
                    changes, others = _plan(session, row, made, now)
                    planned += changes
                    todo.extend(sorted(others))
                    held |= row.held
                done += 1
            if held:
                consent.keep(session.ledger, now)
        session.progress("planning", done, 0)
    return planned


def _in_order(session: Session, senders: Sequence[str]) -> Sequence[str]:
    """Where several share a deal, who wrote first comes first: the deal is opened for that one."""
    if session.settings.deals.per == "person" or len(senders) < 2:  # noqa: PLR2004 nothing to order
        return senders
    return session.ledger.senders.by_first_contact(senders)


def draft(
    session: Session, row: SenderRow, place: Target, us: Us, before: Draft | None = None
) -> Draft | None:
    """What the plan for a sender is as things stand; None for one without messages.

    Of an earlier draft of the same state, made `before` the CRM was listed, what is said by its
    mail stands.
    """
    ledger = session.ledger
    if before is not None and before.row != row:
        before = None
    changes = ledger.changes
    known = ledger.records.known(row.address, row.organization)
    coming = ledger.journal.open_rows(row.address)
    crm, twins = in_crm(session, row, known, coming)
    group = same_person(session, row.address, known, crm, twins)
    state = before.state if before and before.group == group else _state(session, row, group, us)
    if state is None:
        return None
    other = joined_to(session, row.address, state, known, crm, us)
    if other is not None:
        group = [other, row.address]
        state = _state(session, row, group, us) or state
    routed = before.routed if before else route(session, row, place)
    talks = before.talks if before else cache(partial(conversations, session, row.address))
    usual = session.settings.policy
    policy = replace(
        routed.policy(usual, place),
        fresh_since=session.fresh_since(),
        fields=place.codes.keys() & set(usual.fields),
        facts=("phone", "title") if place.job_titles else ("phone",),
        participants=session.settings.deals.participants,
        bounce=replace(usual.bounce, label_id=place.bounce_label(usual.bounce.label)),
        in_copy=session.settings.in_copy,
    )
    choice = choose_deal(session, row, known, crm, coming, talks)
    plan = plan_sender(state, known, crm, policy, choice)
    if row.address != group[0]:
        _leave_to(group[0], plan, joins=other is not None)
    made = {one.kind for one in plan.changes} | {one.kind for one in plan.adoptions}
    pursued = choice.joins or is_pursued(made, known, crm)
    return Draft(
        row=row,
        plan=plan,
        group=group,
        known=known,
        coming=coming,
        changes=changes,
        routed=routed,
        replies=state.reply_keys if len(state.reply_keys) == state.replies else (),
        name=state.name,
        unanswered=state.unanswered,
        pursued=bool(pursued) and row.address == group[0] and state.bounced is None,
        bounced=state.bounced,
        choice=choice,
        state=state,
        talks=talks,
    )


def _leave_to(first: str, plan: SenderPlan, *, joins: bool) -> None:
    """Of one person with several addresses the first stands for all in leads, deals and fields.

    The others only bring their mails; one that `joins` is added to the person.
    """
    persons = [change for change in plan.changes if change.kind == "person"]
    plan.changes.clear()
    if joins:
        plan.changes.extend(join_person(one, first, plan.class_.name) for one in persons)
    plan.adoptions = [a for a in plan.adoptions if a.kind in {"organization", "person"}]
    plan.notes.append(f"the same person as {first}")


def _state(session: Session, row: SenderRow, group: Sequence[str], us: Us) -> SenderState | None:
    """The state of a person with these addresses, as that of the sender who is planned."""
    ledger = session.ledger
    # What is kept of a long history has all that a plan needs, but not who waits for an answer.
    is_kept = row.is_long and group == [row.address]
    kept = ledger.states.long_known(group) if is_kept else {}
    state = kept.get(group[0])
    if state is None:
        state = states.state_of(ledger, session.scoring, group, us)
    elif session.settings.policy.follow_up is not None:
        state = replace(state, unanswered=ledger.histories.unanswered(row.address))
    if state is None:
        return None
    # A thousand drafts are in memory at once, so what is known of each mail is left out. The keys
    # of replies only serve to tell the first one, which a sender with many has had long ago.
    replies = state.reply_keys if state.replies <= _FEW_REPLIES else ()
    brief = replace(state, verdicts=(), reply_keys=replies, proofs=state.proofs[:PROOFS])
    return replace(brief, address=row.address, organization=row.organization)


def _plan(
    session: Session, row: SenderRow, drafted: Draft | None, now: datetime
) -> tuple[int, AbstractSet[str]]:
    """Plan one sender and note which version of it is planned; who is to be planned again, too."""
    ledger = session.ledger
    if drafted is None:
        ledger.senders.synced(row.address, row.version, row.class_, "no messages")
        return 0, frozenset()
    plan = drafted.plan
    limited = row.held and session.limit is not None
    if limited and withholds(ledger, row, _all(session, drafted, now), now):
        note = "waits for `mail2deal approve`: old mail has got a new meaning"
        ledger.senders.synced(row.address, row.version, plan.class_, note)
        return 0, frozenset()
    others: AbstractSet[str] = {drafted.group[0]} - {row.address}
    coming = _adopt(session, drafted, now)
    gone, step = _has_lost_its_person(drafted), NextStep(row.follow_up)
    if plan.class_.name == "ignore" or gone:
        others |= take_back(session, row.address)
        changes = plan.changes
    else:
        changes = reconcile(session, coming, plan.changes)
        step = plan_follow_up(
            session, row, drafted.name, drafted.unanswered, now, pursued=drafted.pursued
        )
        changes = changes + _activities(session, drafted, step, now)
        others |= to_be_told(session, row, _deal_of(drafted))
        drafted.routed.keep(session)
    if not gone:
        changes = changes + participants_in_copy(session, row, plan)
    _write_down(session, drafted, changes, step, now)
    ledger.senders.touch(others)
    return len(changes), others


def _adopt(session: Session, drafted: Draft, now: datetime) -> Mapping[str, JournalRow]:
    """Note what stands for a sender already; what is still on its way after that."""
    row, coming = drafted.row, dict(drafted.coming)
    for adoption in drafted.plan.adoptions:
        take_back_creation(session, adoption, coming)
        sender = None if adoption.kind == "organization" else row.address
        session.ledger.records.adopt(adoption, sender, now)
        if adoption.kind in {"lead", "deal"}:
            link_later(session, row.address)
        event("sync.adopted", kind=adoption.kind, key=adoption.key, reason=adoption.reason)
    return coming


def _has_lost_its_person(drafted: Draft) -> bool:
    person = drafted.known.person
    found = any(adoption.kind == "person" for adoption in drafted.plan.adoptions)
    return person is not None and person.tombstone is not None and not found


def _deal_of(drafted: Draft) -> str | None:
    """The id of the sender's deal, as it is after the plan's adoptions."""
    deal = live(drafted.known.deal)
    adopted = (one.pipedrive_id for one in drafted.plan.adoptions if one.kind == "deal")
    return next(adopted, deal.pipedrive_id if deal else None)


def _activities(session: Session, drafted: Draft, step: NextStep, now: datetime) -> list[Change]:
    """Mails, meetings, tasks and notes of a sender, and the deal of somebody else that it joins."""
    row, choice = drafted.row, drafted.choice
    wanted = _wanted(session, row, drafted, now)
    tasks = [*step.changes, *note_of_bounce(session, row.address, drafted.bounced)]
    tasks = [placed(c, choice.deal) if c.action == "create" else c for c in tasks]
    made = owned([*wanted, *tasks], drafted.routed.owner)
    return made + join(session, row.address, drafted.plan, choice)


def _write_down(
    session: Session, drafted: Draft, changes: Iterable[Change], step: NextStep, now: datetime
) -> None:
    """Journal the changes, and note which version of the sender is planned."""
    ledger, row, plan = session.ledger, drafted.row, drafted.plan
    for change in changes:
        ledger.journal.plan(change, now, session.run)
    if plan.class_.name != "ignore":
        tell_first_reply(session, row.address, drafted.replies, now)
    notes = "; ".join(plan.notes)
    ledger.senders.synced(row.address, row.version, plan.class_, notes, (step.key, step.due))
    ledger.senders.classify(drafted.group, plan.class_)


def _all(session: Session, drafted: Draft, now: datetime) -> list[Change]:
    """All that the plan would newly change, activities included; nothing is noted of it."""
    row, plan = drafted.row, drafted.plan
    changes = plan.changes + participants_in_copy(session, row, plan)
    changes = [one for one in changes if not _is_coming(session, one)]
    if plan.class_.name == "ignore":
        return changes
    activities = wanted_activities(session, row.address, now, drafted.choice, met=True)
    return [*changes, *activities, *note_of_bounce(session, row.address, drafted.bounced)]


def _is_coming(session: Session, change: Change) -> bool:
    row = session.ledger.journal.open_row(change.kind, change.key)
    return row is not None and row.action == change.action == "create"


def _wanted(session: Session, row: SenderRow, drafted: Draft, now: datetime) -> list[Change]:
    """The activities that a sender lacks, which count as logged from now on."""
    met = row.is_long or bool(drafted.state.meeting_list)
    wanted = wanted_activities(session, row.address, now, drafted.choice, met=met)
    if claim(session, wanted):
        wanted = wanted_activities(session, row.address, now, drafted.choice, met=met)
    if session.settings.emails:
        session.ledger.activities.logged(row.address)
    return wanted
