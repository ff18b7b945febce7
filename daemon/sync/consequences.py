"""What else follows from a change that Pipedrive has taken; called in the outcome's transaction."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from daemon.ledger.journal import JournalRow
from daemon.rules.events import EventKind
from daemon.rules.records import Change
from daemon.sync.deals import to_be_told
from daemon.sync.news import tell
from daemon.sync.session import Session
from daemon.sync.wanted_activities import link_later

_TOLD: Mapping[tuple[str, str], EventKind] = {
    ("lead", "create"): "lead_created",
    ("deal", "create"): "deal_created",
    ("deal", "convert"): "lead_converted",
}


def apply_consequences(
    session: Session, row: JournalRow, made: str | None, now: datetime
) -> set[str]:
    """Record what follows from a finished change; gives the senders to plan again.

    `made`: the id of what it made, None if people have made something else of it.
    """
    _tell(session, row, made, now)
    again: set[str] = set()
    if row.action == "create":
        again.update(_created(session, row))
    again.update(_sharing(session, row))
    if row.kind == "deal":
        _replace_lead(session, row, now)
    return again


def _created(session: Session, row: JournalRow) -> Iterator[str]:
    """A record was made: what waited for it, or was made without it, goes on."""
    ledger = session.ledger
    match row.kind:
        case "person":
            ledger.journal.release_for_person(row.key)
            if session.settings.emails and ledger.activities.missing(row.key, 1):
                yield row.key  # its mails were logged without a link to it
        case "lead":
            if row.unknown:
                # A deal, its own or another's, was planned instead, too late to cancel the lead.
                yield row.key
            link_later(session, row.key)
        case "deal":
            link_later(session, row.key)
        case "organization" if row.last_error:
            for address in ledger.records.senders_of(row.kind, row.key):
                link_later(session, address)
                yield address  # its person may have been made without it


def _replace_lead(session: Session, row: JournalRow, now: datetime) -> None:
    """A deal takes the place of its sender's lead, and gets the labels of deals."""
    journal, records = session.ledger.journal, session.ledger.records
    if row.action == "convert":
        if row.fields.get("label_ids"):
            fields = {"label_ids": row.fields["label_ids"]}
            change = Change("deal", row.key, "update", fields, row.rank, row.sender)
            journal.plan(change, now, session.run)
        records.mark_gone("lead", row.key, "converted", now, "to the deal, by us")
    elif records.live_id("lead", row.key) is not None:
        journal.plan_archive(row, now, session.run)


def _sharing(session: Session, row: JournalRow) -> set[str]:
    """Those who may join this deal."""
    settings = session.settings
    shares = settings.deals.per != "person" or settings.in_copy is not None
    sender = session.ledger.senders.get(row.key) if shares and row.kind == "deal" else None
    if sender is None:
        return set()
    return to_be_told(session, sender, session.ledger.records.live_id("deal", row.key))


def _tell(session: Session, row: JournalRow, made: str | None, now: datetime) -> None:
    subscribers = session.settings.subscribers
    kind = _TOLD.get((row.kind, row.action)) if subscribers else None
    if kind is not None and made is not None:
        tell(session.ledger, subscribers, kind, row.key, now, (row.kind, made))
