"""Ledger → plan → journal: what changes for a sender, written down before anything is sent."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from daemon import reckoning
from daemon.activities import Mail, MeetingView, email, meeting, meeting_key, participants
from daemon.classify import Class
from daemon.ledger.senders import SenderRow
from daemon.ledger.timestamp import instant
from daemon.log import event
from daemon.message.parse import Address
from daemon.pipedrive.objects import note
from daemon.plan import Change, InCrm, choose_person, plan_sender
from daemon.sync.session import Session

_BATCH = 200  # senders planned in one transaction


def plan_due(session: Session) -> int:
    """Plan every sender whose state has changed; how many changes that put in the journal."""
    planned = done = 0
    while not session.stopping() and (due := session.ledger.senders.due(_BATCH)):
        now = session.now()
        with session.ledger.transaction("plan"):
            planned += sum(_plan(session, row, now) for row in due)
        done += len(due)
        session.progress("planning", done, 0)
    return planned


def _plan(session: Session, row: SenderRow, now: datetime) -> int:
    """Plan one sender, and note which version of it is planned."""
    ledger = session.ledger
    crm = ledger.crm.for_sender(row.address, row.organization)
    group = _same_person(session, row.address, crm)
    state = reckoning.state_of(ledger, session.reading, group)
    if state is None:
        return 0
    state = replace(state, address=row.address, organization=row.organization)
    owner = session.settings.owners.get(row.mailbox or "")
    policy = replace(session.settings.policy, owner=owner.lower() if owner else None)
    known = ledger.records.known(row.address, row.organization)
    plan = plan_sender(state, known, crm, policy)
    if row.address != group[0]:
        # One person with several addresses: the first of them stands for all in leads, deals
        # and fields; this one only brings its mails.
        ledger.senders.touch([group[0]])
        plan.changes.clear()
        plan.adoptions = [a for a in plan.adoptions if a.kind in {"organization", "person"}]
    for adoption in plan.adoptions:
        sender = None if adoption.kind == "organization" else row.address
        ledger.records.adopt(adoption, sender, now)
        event("sync.adopted", kind=adoption.kind, key=adoption.key, reason=adoption.reason)
    changes = plan.changes + _activities(session, row.address, plan.class_, now)
    for change in changes:
        ledger.journal.plan(change, now, session.run)
    ledger.senders.synced(row.address, row.version, plan.class_, "; ".join(plan.notes))
    return len(changes)


def _same_person(session: Session, address: str, crm: InCrm) -> list[str]:
    """The addresses that stand for one person, the one with its lead or deal first."""
    records = session.ledger.records
    identifier = records.live_id("person", address)
    if identifier is None:
        chosen = choose_person(None, crm)
        if chosen is None:
            return [address]
        identifier = str(chosen.id)
    live = {r.key for r in records.by_id("person", identifier) if not r.tombstone} | {address}
    group = sorted(live)
    if len(group) > 1:
        group.sort(key=lambda a: not (records.get("deal", a) or records.get("lead", a)))
    return group


def _activities(session: Session, address: str, class_: Class, now: datetime) -> list[Change]:
    person = session.ledger.records.get("person", address)
    if class_.name == "ignore" or (person is not None and person.tombstone):
        return []
    changes: list[Change] = []
    if session.settings.emails:
        changes += _emails(session, address)
    if session.settings.meetings:
        changes += _meetings(session, address, now)
    return changes


def _emails(session: Session, address: str) -> list[Change]:
    changes = []
    for row in session.ledger.senders.missing_activities(address):
        sent = row["direction"] == "sent"
        named = _named(session, address, row["id"], row["facts"]) if sent else (address,)
        mail = Mail(row["key"], row["subject"], instant(row["sent_at"]), named)
        change = email(mail, note=note(row["snippet"], row["key"]))
        if session.ledger.records.live_id("activity", row["key"]) is not None:
            # It is there, without this sender, who has got a record since.
            change = replace(change, action="update", fields={"participants": list(named)})
        changes.append(change)
    return changes


def _named(session: Session, address: str, message: int, facts: str) -> tuple[str, ...]:
    """The senders with a record among those whom a mail of ours went to."""
    recipients = [Address(*pair).key for pair in json.loads(facts).get("to", ())]
    parties = session.ledger.senders.parties(message)
    # This sender is being planned, so it will have a record.
    return participants(recipients, [p for p, _ in parties], dict(parties) | {address: "lead"})


def _meetings(session: Session, address: str, now: datetime) -> list[Change]:
    changes = []
    for row in session.ledger.senders.meeting_rows(address):
        key = meeting_key(row["uid"])
        named = session.ledger.senders.meeting_parties(row["uid"]) | {address: bool(row["counts"])}
        view = MeetingView(
            uid=row["uid"],
            summary=row["summary"],
            starts_at=instant(row["starts_at"]) if row["starts_at"] else None,
            ends_at=instant(row["ends_at"]) if row["ends_at"] else None,
            status=row["status"],
            participants=tuple(sorted(party for party, counts in named.items() if counts)),
        )
        record = session.ledger.records.get("activity", key)
        if record is not None and record.tombstone:
            continue
        change = meeting(view, _written(session, key), note=note("", key), now=now)
        if change is not None:
            changes.append(change)
    return changes


def _written(session: Session, key: str) -> dict[str, Any] | None:
    """What a meeting's activity says, or will say once its change is through."""
    record = session.ledger.records.get("activity", key)
    row = session.ledger.journal.open_row("activity", key)
    if record is None and row is None:
        return None
    return dict(record.fields if record else {}) | dict(row.fields if row else {})
