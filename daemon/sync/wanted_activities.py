"""Ledger → the activities that a sender still lacks: its mails, and its meetings as they stand."""

import json
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any

from daemon.ledger.timestamp import instant
from daemon.message.parse import Address
from daemon.rules.activities import (
    MailView,
    MeetingView,
    email,
    meeting,
    meeting_key,
    participants,
    undelivered,
)
from daemon.rules.case import RANK_FIELDS
from daemon.rules.correspondence import Undelivered
from daemon.rules.deals import DealChoice
from daemon.rules.marks import short
from daemon.rules.records import Change
from daemon.sync.deals import choice_by, placed
from daemon.sync.session import UNCLAIMED, Session


def wanted_activities(
    session: Session, address: str, now: datetime, choice: DealChoice, *, met: bool
) -> list[Change]:
    """Changes for the activities of a sender who has, or is about to have, a person.

    `choice`: where its mail goes, if not simply to its own lead or deal; `met`: whether there may
    be a meeting with it.
    """
    changes: list[Change] = []
    if session.settings.emails:
        changes += _emails(session, address, choice)
    if session.settings.meetings and met:
        changes += _meetings(session, address, now, choice)
    return changes


def note_of_bounce(session: Session, address: str, bounce: Undelivered | None) -> list[Change]:
    """The note that no mail arrives at an address, if it is wanted and not there yet."""
    if bounce is None or not session.settings.policy.bounce.note:
        return []
    note = undelivered(address, bounce)
    claim(session, [note])
    return [] if session.ledger.records.get("activity", note.key) is not None else [note]


def claim(session: Session, wanted: list[Change]) -> bool:
    """Match these with activities of a lost ledger, of which only the marks are known."""
    made = {short(one.key): one.key for one in wanted if one.action == "create"}
    records = session.ledger.records
    if made and records.unclaimed is None:
        records.unclaimed = bool(session.ledger.setting(UNCLAIMED))
    return bool(made and records.unclaimed) and records.claim(made) > 0


def owned(changes: list[Change], owner: str | None) -> list[Change]:
    """The same changes, what they make owned by the user who owns the sender's records."""
    if owner is None:
        return changes
    return [
        replace(one, fields={**one.fields, "owner": owner}) if one.action == "create" else one
        for one in changes
    ]


def link_later(session: Session, address: str) -> None:
    """Link what was made while this sender's organization, lead or deal couldn't be linked to."""
    ledger, now = session.ledger, session.now()
    for one in ledger.records.unlinked_of_person(address):
        link = {"unlinked": False}
        change = Change(one.kind, one.key, "update", link, RANK_FIELDS, address)
        ledger.journal.plan(change, now, session.run)


def take_back(session: Session, address: str) -> AbstractSet[str]:
    """Take back what is on its way for a sender; the others who are named in it."""
    named = session.ledger.backlog.named_in_activities(address)
    session.ledger.journal.drop_of(address)
    return named - {address}


def _emails(session: Session, address: str, choice: DealChoice) -> list[Change]:
    changes = []
    for row in session.ledger.activities.missing(address):
        sent = row["direction"] == "sent"
        named = _named(session, address, row["id"], row["facts"]) if sent else (address,)
        mail = MailView(row["key"], row["subject"], instant(row["sent_at"]), named)
        change = email(mail, text=row["snippet"], fresh_since=session.fresh_since())
        if row["there"]:
            # It exists already, without this sender, whose record is newer.
            change = replace(change, action="update", fields={"participants": list(named)})
        else:
            change = _placed(session, change, address, choice, row["key"])
        changes.append(change)
    return changes


def _placed(session: Session, change: Change, address: str, choice: DealChoice, key: str) -> Change:
    """The change at the deal of its sender, who may be another than the one that is planned."""
    if change.sender != address and session.settings.deals.per != "person":
        choice = choice_by(session, change.sender or address)
    elif change.sender != address:
        return change
    return placed(change, choice.of(key))


def _named(session: Session, address: str, message: int, facts: str) -> tuple[str, ...]:
    """The senders with a record among those whom a mail of ours went to."""
    recipients = [Address(*pair).key for pair in json.loads(facts).get("to", ())]
    parties = session.ledger.activities.parties(message)
    # This sender is being planned, so it will have a record.
    return participants(recipients, [p for p, _ in parties], dict(parties) | {address: "lead"})


def _meetings(session: Session, address: str, now: datetime, choice: DealChoice) -> list[Change]:
    changes = []
    for row in session.ledger.activities.meetings(address):
        key = meeting_key(row["uid"])
        named = session.ledger.activities.meeting_parties(row["uid"]) | {
            address: bool(row["counts"])
        }
        view = MeetingView(
            uid=row["uid"],
            summary=row["summary"],
            starts_at=instant(row["starts_at"]) if row["starts_at"] else None,
            ends_at=instant(row["ends_at"]) if row["ends_at"] else None,
            status=row["status"],
            all_day=bool(row["all_day"]),
            participants=tuple(sorted(party for party, counts in named.items() if counts)),
        )
        record = session.ledger.records.get("activity", key)
        if record is not None and record.tombstone:
            continue
        change = meeting(
            view,
            _written(session, key),
            now=now,
            fresh_since=session.fresh_since(),
        )
        if change is not None and change.action == "create":
            change = _placed(session, change, address, choice, key)
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
