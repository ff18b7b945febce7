"""The CRM's persons, organizations, deals and leads as a whole: listed, or known well enough.

All of a kind is listed once; then once a day, again or by looking at our own records alone,
whichever costs less. Organizations, deals and leads are always listed the first time (no search
finds an organization by its website). Persons are searched one by one instead while that is
cheaper, which only a few senders against a very large CRM are; once the searches together would
cost as much as the listing, the listing is made.
"""

import logging
import math
from collections.abc import Collection, Sequence
from datetime import timedelta

from daemon.errors import Rejected
from daemon.ledger.timestamp import instant_or_none, stamp
from daemon.log import event
from daemon.pipedrive import directory
from daemon.pipedrive.costs import PRICES
from daemon.pipedrive.objects import Target
from daemon.pipedrive.outcomes import NothingListed, Unknown
from daemon.pipedrive.paging import PAGE
from daemon.rules.crm_objects import Listed
from daemon.sync.session import Session
from daemon.sync.wanted_activities import link_later

_OVERLAP = timedelta(minutes=2)  # their clock and ours may differ
_SEARCH = PRICES["persons.search"].tokens
_PAGE_PRICE = PRICES["persons.list"].tokens
# settings: pages of persons not listed, tokens spent on searches, and who was searched in vain
_UNLISTED, _SPENT, _SEARCHED = "persons_unlisted_pages", "search_spent", "searched"


def is_complete(session: Session) -> bool:
    """Whether all persons were listed: then a person who isn't among them doesn't exist."""
    return not session.ledger.setting(_UNLISTED)


def sweep(session: Session, place: Target, strangers: Sequence[str]) -> None:
    """Bring everything up to date; what is gone from the lists is gone from the ledger's copy.

    The listing counts once `follow` has drawn its conclusions, which also notes the time.
    """
    ledger = session.ledger
    number = (ledger.setting("sweep") or 0) + 1
    with ledger.transaction("sweep"):
        # The time of its beginning: what is deleted meanwhile must show in the next one.
        ledger.set("sweep", number)
    for kind in directory.KINDS:
        first = ledger.setting(f"listed_at:{kind}") is None
        ours = [r.pipedrive_id for r in ledger.records.live(kind) if r.pipedrive_id is not None]
        full = directory.full_price(kind, ledger.crm.count(kind))
        own = directory.own_price(kind, len(ours))
        if first and kind == "person":
            _persons(session, place, strangers, number)
        elif first or (full <= own and (kind != "person" or is_complete(session))):
            _everything(session, place, kind, number)
        else:
            _own(session, place, kind, ours, number)


def list_updated(session: Session, place: Target, kinds: Collection[str]) -> set[tuple[str, str]]:
    """List what was updated since the last listing; the (kind, id) of what that showed."""
    seen: set[tuple[str, str]] = set()
    marks = session.ledger.settings("sweep", *(f"listed_at:{kind}" for kind in kinds))
    for kind in sorted(kinds):
        now, spent = session.now(), session.usage.total
        listed_at = instant_or_none(marks.get(f"listed_at:{kind}"))
        since = listed_at - _OVERLAP if listed_at else None
        code = place.marker(kind)
        rows, last = 0, list[Listed]()
        try:
            for page in directory.listing(session.client, kind, since, code, null_is_empty=False):
                keep(session, kind, last, marks.get("sweep") or 0)
                last = list(page)
                seen |= {(kind, str(item.id)) for item in page}
                rows += len(page)
        except NothingListed:
            if session.ledger.records.live(kind) or session.ledger.crm.count(kind):
                raise
        with session.ledger.transaction("listed"):
            _keep(session, kind, last, marks.get("sweep") or 0)
            session.ledger.set(f"listed_at:{kind}", stamp(now))
        _log(session, kind, "updated", rows, spent)
    return seen


def list_archived(session: Session, place: Target) -> None:
    """List all archived deals and leads, of which a list of what was updated says nothing."""
    for kind in ("deal", "lead"):
        spent, rows = session.usage.total, 0
        for page in directory.archived(session.client, kind, place.marker(kind)):
            keep(session, kind, page)
            rows += len(page)
        _log(session, kind, "archived", rows, spent)


def search(session: Session, place: Target, strangers: Sequence[str]) -> None:
    """Search the persons of those whom the listings don't show, or list the rest after all."""
    ledger = session.ledger
    searched = set(ledger.setting(_SEARCHED) or ()) & set(strangers)
    todo = [address for address in strangers if address not in searched]
    todo = [address for address in todo if not ledger.crm.for_sender(address, None).persons]
    pages, before = ledger.setting(_UNLISTED) or 0, ledger.setting(_SPENT) or 0
    if todo and before + len(todo) * _SEARCH > pages * _PAGE_PRICE:
        _persons(session, place, None, ledger.setting("sweep") or 0)
        return
    spent = session.usage.total
    for address in todo:
        try:
            hits = directory.search_person(session.client, address, place.marker("person"))
        except Rejected as problem:  # e.g. an address that Pipedrive refuses to search for
            event("sync.search_refused", sender=address, problem=problem)
            hits = []
        keep(session, "person", hits)
        searched.add(address)
        with ledger.transaction("searched"):
            ledger.set(_SEARCHED, sorted(searched))
            ledger.set(_SPENT, before + session.usage.total - spent)
    if todo:
        _log(session, "person", "searched", len(todo), spent)


def _persons(session: Session, place: Target, strangers: Sequence[str] | None, number: int) -> None:
    """List persons, newest first, as long as that is cheaper than to search for the strangers.

    None for `strangers`: to the end, whatever it costs.
    """
    ledger, now, spent = session.ledger, session.now(), session.usage.total
    count = left = newest = 0
    for page in directory.listing(session.client, "person", None, place.marker("person")):
        keep(session, "person", page, number)
        count += len(page)
        session.progress("listing persons", count, 0)
        left = 0
        if len(page) == PAGE:
            # Ids are given in order, so the lowest so far tells how many more there may be, if the
            # rest has as many gaps (deleted records, others' ids) as what was listed.
            newest, lowest = newest or int(page[0].id), int(page[-1].id)
            left = math.ceil((lowest - 1) * count / max(newest - lowest + 1, count) / PAGE)
        if strangers is not None and left:
            missing = [a for a in strangers if not ledger.crm.for_sender(a, None).persons]
            if left * _PAGE_PRICE > len(missing) * _SEARCH:
                break
        left = 0
    _doubt_nothing(session, "person", count)
    with ledger.transaction("listed"):
        ledger.set("listed_at:person", stamp(now))
        ledger.set(_UNLISTED, left)
        ledger.set(_SPENT, 0)
        if not left:
            ledger.crm.end_sweep("person", number)
    how = "everything" if not left else f"the newest, as {left} more pages cost more than searches"
    _log(session, "person", how, count, spent)


def _everything(session: Session, place: Target, kind: str, number: int) -> None:
    ledger, now, spent = session.ledger, session.now(), session.usage.total
    count = 0
    for page in directory.listing(session.client, kind, None, place.marker(kind)):
        keep(session, kind, page, number)
        count += len(page)
        session.progress(f"listing {kind}s", count, 0)
    _doubt_nothing(session, kind, count)
    with ledger.transaction("listed"):
        ledger.set(f"listed_at:{kind}", stamp(now))
        ledger.crm.end_sweep(kind, number)
    _log(session, kind, "everything", count, spent)


def _doubt_nothing(session: Session, kind: str, count: int) -> None:
    """Raise Unknown if a full list is empty although something of that kind is there."""
    known = None if count else session.ledger.crm.newest(kind)
    if known is not None and directory.absence(session.client, kind, known) is None:
        raise Unknown(f"an empty list, although {kind} {known} is there", what=f"{kind}s")


def _own(session: Session, place: Target, kind: str, ours: Sequence[str], number: int) -> None:
    """Look at our own records, by their ids; what isn't there is no longer in the copy."""
    spent = session.usage.total
    there: set[str] = set()
    for page in directory.own(session.client, kind, ours, place.marker(kind)):
        keep(session, kind, page, number)
        there |= {str(item.id) for item in page}
    if gone := set(ours) - there:
        with session.ledger.transaction("listing"):
            for identifier in gone:
                session.ledger.crm.drop(kind, identifier)
    _log(session, kind, "our own", len(ours), spent)
    list_updated(session, place, [kind])


def keep(session: Session, kind: str, page: Sequence[Listed], number: int | None = None) -> None:
    """Keep what a page showed; what had seemed gone, and what waited for it, goes on."""
    if page:
        with session.ledger.transaction("listing"):
            sweep = number if number is not None else session.ledger.setting("sweep") or 0
            _keep(session, kind, page, sweep)


def _keep(session: Session, kind: str, page: Sequence[Listed], sweep: int) -> None:
    if not page:
        return
    ledger = session.ledger
    if kind == "deal" and session.settings.policy.follow_up is not None:
        # Mail that waited while their deal was closed waits for an answer again.
        reopened = ledger.crm.reopened(page)
        waiting = ledger.deals.senders_in(reopened) if reopened else set()
        ledger.senders.touch(waiting)
        session.reopened.update(waiting)
    ledger.crm.keep(page, sweep)
    for key in ledger.presence.show(kind, [str(item.id) for item in page]):
        event("sync.shown_again", kind=kind, key=key)
        ledger.senders.touch(ledger.records.senders_of(kind, key))
        if kind in {"organization", "lead", "deal"}:
            for sender in ledger.records.senders_of(kind, key):
                link_later(session, sender)
        if kind == "person":
            ledger.journal.release_for_person(key)


def _log(session: Session, kind: str, how: str, rows: int, spent: int) -> None:
    tokens = session.usage.total - spent
    # What was updated is listed many times a day; that is no news.
    level = logging.DEBUG if how == "updated" else logging.INFO
    event("sync.listed", level, kind=kind, how=how, rows=rows, tokens=tokens)
