"""What in the CRM may stand for a sender, and which of our senders are the same person there."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.rules.plan import choose_person
from daemon.rules.records import LocalRecords, Record, RemoteMatches
from daemon.sync.session import Session


def in_crm(
    session: Session, row: SenderRow, known: LocalRecords, coming: Mapping[str, JournalRow]
) -> tuple[RemoteMatches, list[Record]]:
    """What may stand for a sender, and the records of those persons.

    Persons that we made are marked, or they would seem adopted.
    """
    ledger = session.ledger
    person = live(known.person)
    organization = None if live(known.organization) else row.organization
    identifier = person.pipedrive_id if person is not None else None
    crm = ledger.crm.for_sender(row.address, organization, identifier)
    ids = {str(one.id) for one in crm.persons} | ({identifier} if identifier else set())
    twins = ledger.records.by_id("person", *ids) if ids else []
    may_be_ours = "person" in coming and coming["person"].unknown
    ours = {twin.pipedrive_id for twin in twins if twin.origin == "created"}
    persons = tuple(
        replace(p, ours=p.ours or may_be_ours or str(p.id) in ours) for p in crm.persons
    )
    return replace(crm, persons=persons), twins


def live(record: Record | None) -> Record | None:
    """The record, if it isn't a tombstone."""
    return None if record is None or record.tombstone else record


def same_person(
    session: Session,
    address: str,
    known: LocalRecords,
    crm: RemoteMatches,
    twins: Iterable[Record],
) -> list[str]:
    """The addresses that stand for one person, the one with its lead or deal first."""
    person = live(known.person)
    identifier = person.pipedrive_id if person is not None else None
    if identifier is None:
        chosen = choose_person(known.person, crm)
        if chosen is None:
            return [address]
        identifier = str(chosen.id)
    alive = {r.key for r in twins if r.pipedrive_id == identifier and not r.tombstone} | {address}
    group = sorted(alive)
    if len(group) > 1:
        records, journal = session.ledger.records, session.ledger.journal
        kinds = ("deal", "lead")
        group.sort(
            key=lambda a: not any(records.get(k, a) or journal.open_row(k, a) for k in kinds)
        )
    return group
