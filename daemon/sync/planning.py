"""Ledger → plan → journal: what changes for a sender, written down before anything is sent.

A draft is a plan that has no effect yet: the refresh asks what it would create before it lists.
What an earlier plan has put in the journal and a newer one no longer wants is taken back, unless
it may have been done already.
"""

from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from daemon.intake import scoring
from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.log import event
from daemon.rules.plan import (
    STATISTICS,
    Change,
    RemoteMatches,
    SenderPlan,
    choose_person,
    plan_sender,
)
from daemon.sync.session import Session
from daemon.sync.wanted_activities import happenings, take_back

_BATCH = 200  # senders planned in one transaction


@dataclass(frozen=True, slots=True)
class Draft:
    """What is planned for one sender, and whose plan it really is."""

    row: SenderRow
    plan: SenderPlan
    first: str  # of the person's addresses, the one that has its lead or deal and its fields


def plan_due(session: Session, senders: Iterable[str]) -> int:
    """Plan those of these senders whose state has changed; how many changes that journals.

    Who has come while the CRM was listed isn't among them: that listing may not show its person.
    """
    todo = deque(senders)
    planned = done = 0
    while todo and not session.stopping():
        now = session.now()
        with session.ledger.transaction("plan"):
            for address in [todo.popleft() for _ in range(min(_BATCH, len(todo)))]:
                row = session.ledger.senders.get(address)
                if row is not None and row.version > row.synced_version:
                    changes, others = _plan(session, row, now)
                    planned += changes
                    todo.extend(sorted(others))
                done += 1
        session.progress("planning", done, 0)
    return planned


def draft(session: Session, row: SenderRow) -> Draft | None:
    """What the plan for a sender is as things stand; None for one without messages."""
    crm = _in_crm(session, row)
    group = _same_person(session, row.address, crm)
    state = scoring.state_of(session.ledger, session.reading, group)
    if state is None:
        return None
    state = replace(state, address=row.address, organization=row.organization)
    owner = session.settings.owners.get(row.mailbox or "")
    policy = replace(
        session.settings.policy,
        owner=owner.lower() if owner else None,
        fields=fields_there(session),
    )
    known = session.ledger.records.known(row.address, row.organization)
    plan = plan_sender(state, known, crm, policy)
    if row.address != group[0]:
        # One person with several addresses: the first of them stands for all in leads, deals
        # and fields; this one only brings its mails.
        plan.changes.clear()
        plan.adoptions = [a for a in plan.adoptions if a.kind in {"organization", "person"}]
        plan.notes.append(f"the same person as {group[0]}")
    return Draft(row, plan, group[0])


def fields_there(session: Session) -> frozenset[str]:
    """Our custom person fields that Pipedrive has."""
    live = session.ledger.records.live_id
    return frozenset(name for name in STATISTICS if live("field", name) is not None)


def _plan(session: Session, row: SenderRow, now: datetime) -> tuple[int, AbstractSet[str]]:
    """Plan one sender and note which version of it is planned; who is to be planned again, too."""
    ledger = session.ledger
    drafted = draft(session, row)
    if drafted is None:
        ledger.senders.synced(row.address, row.version, row.class_, "no messages")
        return 0, frozenset()
    plan = drafted.plan
    others: AbstractSet[str] = {drafted.first} - {row.address}
    for adoption in plan.adoptions:
        _take_back_creation(session, adoption.kind, adoption.key)
        sender = None if adoption.kind == "organization" else row.address
        ledger.records.adopt(adoption, sender, now)
        event("sync.adopted", kind=adoption.kind, key=adoption.key, reason=adoption.reason)
    person = ledger.records.get("person", row.address)
    gone = person is not None and person.tombstone is not None
    if plan.class_.name == "ignore" or gone:
        others |= take_back(session, row.address)
        changes = plan.changes
    else:
        kept = _reconcile(session, row.address, plan.changes)
        changes = kept + happenings(session, row.address, now)
    for change in changes:
        ledger.journal.plan(change, now, session.run)
    ledger.senders.synced(row.address, row.version, plan.class_, "; ".join(plan.notes))
    ledger.senders.touch(others)
    return len(changes), others


def _in_crm(session: Session, row: SenderRow) -> RemoteMatches:
    """What may stand for a sender; persons that we made are marked, or they would seem adopted."""
    ledger = session.ledger
    known = ledger.records.live_id("person", row.address)
    crm = ledger.crm.for_sender(row.address, row.organization, known)
    coming = ledger.journal.open_row("person", row.address)
    may_be_ours = coming is not None and coming.unknown
    persons = tuple(
        replace(
            person,
            ours=may_be_ours
            or any(r.origin == "created" for r in ledger.records.by_id("person", str(person.id))),
        )
        for person in crm.persons
    )
    return replace(crm, persons=persons)


def _same_person(session: Session, address: str, crm: RemoteMatches) -> list[str]:
    """The addresses that stand for one person, the one with its lead or deal first."""
    records, journal = session.ledger.records, session.ledger.journal
    known = records.get("person", address)
    identifier = records.live_id("person", address)
    if identifier is None:
        chosen = choose_person(known, crm)
        if chosen is None:
            return [address]
        identifier = str(chosen.id)
    live = {r.key for r in records.by_id("person", identifier) if not r.tombstone} | {address}
    group = sorted(live)
    if len(group) > 1:
        kinds = ("deal", "lead")
        group.sort(
            key=lambda a: not any(records.get(k, a) or journal.open_row(k, a) for k in kinds)
        )
    return group


def _reconcile(session: Session, address: str, changes: list[Change]) -> list[Change]:
    """Take back what is on its way and no longer wanted; what of the plan has to wait for it."""
    journal = session.ledger.journal
    wanted = {change.kind: change for change in changes}
    lead = journal.open_row("lead", address)
    for kind in ("person", "lead", "deal"):
        row = journal.open_row(kind, address)
        change = wanted.get(kind)
        if row is None or row.action == "archive" or not _can_be_taken_back(row):
            continue
        if change is None or change.action != row.action or row.action == "update":
            journal.drop(row)
    if lead is not None and lead.action == "create" and not _can_be_taken_back(lead):
        # It may exist already: once that is known, this sender is planned again.
        return [change for change in changes if change.kind != "deal"]
    return changes


def _take_back_creation(session: Session, kind: str, key: str) -> None:
    """What would have been made was there before it was."""
    row = session.ledger.journal.open_row(kind, key)
    if row is not None and row.action == "create" and _can_be_taken_back(row):
        session.ledger.journal.drop(row)


def _can_be_taken_back(row: JournalRow) -> bool:
    on_its_way = row.state == "sending" or row.unknown or row.conversion is not None
    # What waits after a failure keeps its pause.
    return not on_its_way and (row.state != "waiting" or row.action != "update")
