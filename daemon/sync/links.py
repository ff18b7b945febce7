"""Which objects in Pipedrive a change hangs on, as the ledger knows them when it is sent."""

from collections.abc import Mapping, Sequence

from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.pipedrive.objects import Links
from daemon.sync.joins import JOINS
from daemon.sync.session import Session

Around = Mapping[tuple[str, str], str]  # Pipedrive's ids by kind and record key


def ids_around(
    session: Session, row: JournalRow, sender: SenderRow | None
) -> tuple[Around, set[str]]:
    """The ids of what a change may hang on, by kind and key, and those not proven to be there."""
    if row.sender is None and "participants" not in row.fields:
        return {}, set()
    key = row.fields.get("organization") or row.organization
    if row.kind == "activity" or "unlinked" in row.fields:
        key = sender.organization if sender else None
    live = session.ledger.records.around({*_names(row), row.sender or ""}, key)
    there = [r for r in live if r.pipedrive_id is not None and not r.missing]
    found: Around = {(r.kind, r.key): r.pipedrive_id or "" for r in there}
    return found, {r.pipedrive_id or "" for r in there if not r.shown}


def persons_of(session: Session, row: JournalRow, around: Around) -> dict[str, int] | None:
    """Ids of the persons that a change names, by address; None while one is being made."""
    if row.kind in {"person", "organization", "field"}:
        return {}
    persons: dict[str, int] = {}
    for name in _names(row):
        identifier = around.get(("person", name))
        if identifier is not None:
            persons[name] = int(identifier)
        elif _is_coming(session, name):
            return None
    return persons


def links_of(session: Session, row: JournalRow, persons: Sequence[int], around: Around) -> Links:
    """What a change is linked to; `persons` are Pipedrive's ids, the sender's first."""
    organization = next((i for (kind, _), i in around.items() if kind == "organization"), None)
    hangs = row.kind == "activity" and row.sender is not None
    return Links(
        organization=int(organization) if organization else None,
        person=persons[0] if persons else None,
        deal=_deal(session, row, around) if hangs else None,
        lead=first_live("lead", row, around) if hangs else None,
        participants=tuple(persons),
    )


def waits_for_link(session: Session, row: JournalRow, links: Links, sender: SenderRow) -> bool:
    """Whether something that this should be linked to is parked, or not to be seen."""
    if row.kind not in {"lead", "deal", "activity"}:
        return False
    journal, records = session.ledger.journal, session.ledger.records
    key = sender.organization
    if key is not None and links.organization is None:
        live = records.live_id("organization", key)
        if live is not None or journal.open_row("organization", key) is not None:
            return True
    if row.kind != "activity" or links.deal is not None or links.lead is not None:
        return False
    if "deal" in row.fields:
        return False  # that deal was closed meanwhile
    whose = row.deal or sender.address
    coming = journal.open_rows(whose)
    deal = records.live_id("deal", whose)
    if deal is not None and "deal" not in coming:
        return _takes_mail(session, deal)  # else it was closed, and its mail hangs on nothing
    lead = records.live_id("lead", whose)
    return bool({"lead", "deal"} & coming.keys()) or lead is not None


def _deal(session: Session, row: JournalRow, around: Around) -> int | None:
    """The deal that an activity is linked to: the one that is named, else the sender's."""
    deal = row.fields.get("deal")
    if deal is None and row.deal is not None:
        deal = session.ledger.records.live_id("deal", row.deal)
    deal = deal or first_live("deal", row, around)
    return int(deal) if deal and _takes_mail(session, deal) else None


def _takes_mail(session: Session, deal: str) -> bool:
    """Whether new mail goes to a deal; one that isn't listed must be ours, and young."""
    listed, rules = session.ledger.crm.deal(deal), session.settings.deals
    if listed is not None:
        return rules.takes_mail(listed.status, archived=listed.archived)
    return any(not record.tombstone for record in session.ledger.records.by_id("deal", deal))


def _is_coming(session: Session, sender: str) -> bool:
    """Whether the person of a sender is being made."""
    row = session.ledger.journal.open_row("person", sender)
    if row is None or row.state == "parked":
        return False
    return row.action == "create" or JOINS in row.fields


def _names(row: JournalRow) -> Sequence[str]:
    """The senders whose persons a change names."""
    return row.fields.get("participants") or ([row.sender] if row.sender else [])


def first_live(kind: str, row: JournalRow, around: Around) -> str | None:
    """The lead or deal of a sender, or of another address of the same person."""
    sender = row.sender or ""
    person = around.get(("person", sender))
    twins = sorted(key for (k, key), i in around.items() if person and (k, i) == ("person", person))
    found = (around.get((kind, address)) for address in (sender, *twins))
    return next((identifier for identifier in found if identifier is not None), None)
