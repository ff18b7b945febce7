"""Which deals the mail of a sender goes to, from ledger and listings; see `rules.deals`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.log import event
from daemon.rules.case import RANK_FIELDS, SenderPlan
from daemon.rules.deals import (
    PARTICIPANT,
    Conversation,
    DealChoice,
    OpenDeal,
    choice,
    choose,
    participant_key,
)
from daemon.rules.records import Change, CrmDeal, LocalRecords, RemoteMatches
from daemon.sync.session import Session

Talks = Callable[[], Sequence[Conversation]]  # a sender's conversations, read when they matter


def choose_deal(
    session: Session,
    row: SenderRow,
    known: LocalRecords,
    crm: RemoteMatches,
    coming: Mapping[str, JournalRow],
    talks: Talks,
) -> DealChoice:
    """Where a sender's mail goes as things stand; `talks` gives its conversations.

    Its own open deals come before those of others, and existing deals before one being made.
    """
    rules = session.settings.deals
    own = _own(row.address, known, crm)
    if len(own) > 1:
        return choice(_with_people(session, own), talks(), joins=False)
    if own:
        return DealChoice()
    taken = session.ledger.deals.participants_of(row.address)
    joined = frozenset(str(one.fields["deal"]) for one in taken if one.fields.get("joined"))
    if rules.per == "person" and not joined:
        return DealChoice()
    found = DealChoice()
    if not _is_under_way(coming.get("deal")):
        if rules.per != "person":
            found = _others(session, row, known, crm, coming, talks)
        if found.deal is None and joined:
            # What was joined stays so while it is open, whatever `deals.per` has become.
            there = [one for one in session.ledger.deals.open_of([row.address]) if one.id in joined]
            found = choice(there, talks(), joins=True)
    if found.deal is None and joined:
        closed = choose(session.ledger.deals.taking(joined, rules), None)
        found = DealChoice(*closed) if closed is not None else found
    made = frozenset(str(one.fields["deal"]) for one in taken if one.pipedrive_id is not None)
    return replace(found, joined_before=bool(joined), participates_in=made)


def choice_by(session: Session, address: str) -> DealChoice:
    """The same for a sender who isn't the one that is being planned."""
    ledger = session.ledger
    row = ledger.senders.get(address)
    if row is None:
        return DealChoice()
    known = ledger.records.known(address, row.organization)
    person = known.person
    identifier = person.pipedrive_id if person is not None and not person.tombstone else None
    crm = ledger.crm.for_sender(address, row.organization, identifier)
    coming, talks = ledger.journal.open_rows(address), partial(conversations, session, address)
    return choose_deal(session, row, known, crm, coming, talks)


def placed(change: Change, deal: OpenDeal | None) -> Change:
    """A change that hangs on this deal, whether that is there or on its way."""
    if deal is None:
        return change
    if deal.id is None:
        return replace(change, deal=deal.key)
    return replace(change, fields={**change.fields, "deal": deal.id})


def join(session: Session, address: str, plan: SenderPlan, choice: DealChoice) -> list[Change]:
    """What follows from taking part in a deal, inside the transaction of its plan.

    The participant is noted. What was logged for a sender who has never had a deal, on its lead or
    on nothing, is linked.
    """
    deals = session.ledger.deals
    if session.settings.deals.per == "person" and plan.joins is None:
        return []
    wanted = {change.key for change in plan.changes if change.kind == PARTICIPANT}
    for key in deals.coming_participants(address):
        row = session.ledger.journal.open_row(PARTICIPANT, key)
        if key not in wanted and row is not None:
            session.ledger.journal.drop(row)
    if plan.joins is None or plan.joins.id is None:
        return []
    before = {one.key for one in deals.participants_of(address) if one.fields.get("joined")}
    unlinked = session.ledger.records.unlinked(address)
    keys = {one.key for one in unlinked if one.kind == "activity"}
    if participant_key(plan.joins.id, address) not in before:
        event("sync.joined", sender=address, deal=plan.joins.id, why=choice.why)
    if not before and session.ledger.records.get("deal", address) is None:
        keys |= set(deals.without_deal(address))
    for deal in choice.deals():
        if deal.id is not None:
            deals.note_participant(deal.id, address, choice.why)
    link = {"unlinked": False}
    return [
        placed(Change("activity", key, "update", link, RANK_FIELDS, address), choice.of(key))
        for key in sorted(keys)
    ]


def to_be_told(session: Session, row: SenderRow, identifier: str | None) -> set[str]:
    """The senders who may join the open deal of this one, with that id, and haven't yet."""
    settings, ledger = session.settings, session.ledger
    if identifier is None or (settings.deals.per == "person" and settings.in_copy is None):
        return set()
    near, told = set[str](), set[str]()
    if settings.deals.per == "organization" and row.organization:
        told = ledger.deals.companions_who_could_join(identifier, row.organization)
    if settings.deals.per == "conversation" or settings.in_copy is not None:
        for thread in ledger.threads.of(row.address):
            near |= thread.people | thread.copied
    return (told | ledger.deals.who_could_join(identifier, sorted(near))) - {row.address}


def participants_in_copy(session: Session, row: SenderRow, plan: SenderPlan) -> list[Change]:
    """Make a sender who has a person a participant of the deals whose mail it was copied on.

    That doesn't decide where its own mail goes, and isn't done for a sender with an open deal of
    its own.
    """
    deals, settings = session.ledger.deals, session.settings
    if not row.copied or settings.in_copy is None or not settings.deals.participants:
        return []
    found = {one.kind for one in plan.changes} | {one.kind for one in plan.adoptions}
    if "deal" in found:
        return []
    if "person" not in found and session.ledger.records.live_id("person", row.address) is None:
        return []
    talks = conversations(session, row.address)
    people = sorted({one for talk in talks for one in talk.people})
    wanted = choice(deals.open_of(people), talks, joins=False, in_conversation=True)
    there = {one.key for one in deals.participants_of(row.address) if one.pipedrive_id is not None}
    keys = {participant_key(one.id or "", row.address): one for one in wanted.deals()}
    return [
        Change(PARTICIPANT, key, "create", {"deal": deal.id}, RANK_FIELDS + "0", row.address)
        for key, deal in keys.items()
        if key not in there
        and row.address not in deal.people
        and deals.who_could_join(deal.id or "", [row.address])
    ]


def _own(address: str, known: LocalRecords, crm: RemoteMatches) -> list[OpenDeal]:
    gone = known.deal.pipedrive_id if known.deal is not None and known.deal.tombstone else None
    listed = {str(one.id): one for one in crm.deals}
    found = {
        identifier: _open(address, one)
        for identifier, one in listed.items()
        if one.is_open and identifier != gone
    }
    deal = known.deal
    if deal is not None and not deal.tombstone and deal.pipedrive_id not in listed:
        identifier = deal.pipedrive_id  # ours and young
        found[identifier or ""] = OpenDeal(identifier, address, made=True)
    return list(found.values())


def _open(address: str, deal: CrmDeal) -> OpenDeal:
    made = deal.mail_key == address
    key = address if made else None
    return OpenDeal(str(deal.id), key, made, touched_at=deal.touched_at or "")


def _with_people(session: Session, own: list[OpenDeal]) -> list[OpenDeal]:
    people = session.ledger.deals.people([one.id or "" for one in own])
    return [replace(one, people=one.people | people.get(one.id or "", frozenset())) for one in own]


def _is_under_way(row: JournalRow | None) -> bool:
    """Whether a deal of its own may be there already, so that nothing else may be planned."""
    return row is not None and (row.state == "sending" or row.unknown or bool(row.conversion))


def _others(
    session: Session,
    row: SenderRow,
    known: LocalRecords,
    crm: RemoteMatches,
    coming: Mapping[str, JournalRow],
    talks: Talks,
) -> DealChoice:
    """The deal of somebody else that a sender without an open one joins."""
    deals, found_talks = session.ledger.deals, talks()
    people = sorted({p for one in found_talks for p in one.people} | {row.address})
    by_organization = session.settings.deals.per == "organization"
    there = deals.open_of(people)
    if by_organization:
        if row.organization is None:
            return DealChoice()
        live = known.organization is not None and not known.organization.tombstone
        identifier = known.organization.pipedrive_id if known.organization and live else None
        if identifier is None and crm.organization is not None:
            identifier = str(crm.organization[0])
        near = {one.id or "" for one in there}.union(*(one.deals for one in found_talks))
        there = deals.open_of_organization(row.organization, identifier, sorted(near))
    found = choice(there, found_talks, joins=True, in_conversation=not by_organization)
    if found.deal is not None or "deal" in coming:
        return found
    on_its_way = (
        deals.coming_of_organization(row.organization, but=row.address)
        if by_organization and row.organization
        else deals.coming_of(one for one in people if one != row.address)
    )
    return choice(on_its_way, found_talks, joins=True, in_conversation=not by_organization)


def conversations(session: Session, address: str) -> list[Conversation]:
    """The latest conversations of a sender, each with its other people and its deals."""
    threads = session.ledger.threads.of(address)
    linked = session.ledger.deals.linked(key for one in threads for key in one.messages)
    return [
        Conversation(
            one.messages,
            one.people - {address},
            frozenset(linked[key] for key in one.messages if key in linked),
        )
        for one in threads
    ]
