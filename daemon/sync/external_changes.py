"""What people did in Pipedrive to what we know: marked gone, followed, and planned again.

An absence proves little: a list leaves out what this token may not see, and may lag. A record is
gone when Pipedrive says so, or when two looks an hour apart haven't found it that was shown before.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from daemon.ledger.timestamp import instant_or_none, stamp
from daemon.log import event
from daemon.pipedrive import directory
from daemon.pipedrive.directory import Absence
from daemon.pipedrive.objects import Target
from daemon.rules.records import Adoption, Record
from daemon.sync import listing
from daemon.sync.session import Session

BY_PEOPLE = "by people, in Pipedrive"
EVERYTHING_EVERY = timedelta(days=1)
_LOOK_EVERY = timedelta(hours=4)
_LATELY = timedelta(days=7)
_SHOWN_WITHIN = timedelta(hours=1)  # a list shows what was written by then
_AT_MOST = 200  # senders at a look
_OVERLAP = timedelta(minutes=2)  # their clock and ours may differ
_LOOKED = "looked_lately_at"  # setting


def follow(session: Session, place: Target, *, whole: bool) -> set[str]:
    """Respect what people did: mark what is gone, follow what they converted.

    Gives the senders that are to be planned again, as it has noted. `whole`: everything has just
    been listed, so what the lists don't show may be gone.
    """
    ledger, now = session.ledger, session.now()
    doubtful = ledger.crm.unlisted() if whole else []
    gone = _gone(session, place, doubtful)
    worked = ledger.crm.worked_leads()
    touched: set[str] = set()
    if not (gone or worked or whole):
        return _overtaken(session)
    with ledger.transaction("external changes"):
        for lead, deal in worked:
            what = "archived" if deal is None else "converted"
            ledger.records.mark_gone("lead", lead.key, what, now, BY_PEOPLE)
            touched.add(lead.key)
            if deal is not None:
                # A person converted our lead in Pipedrive: its deal takes its place.
                reason = "converted from our lead"
                adoption = Adoption("deal", lead.key, str(deal), reason, ours=True)
                ledger.records.adopt(adoption, lead.key, now)
        for record in gone:
            touched |= set(ledger.records.senders_of(record.kind, record.key))
            ledger.records.mark_gone(record.kind, record.key, "deleted", now, BY_PEOPLE)
        if whole:
            touched |= ledger.crm.found_again() | _part(session, now)
        ledger.senders.touch(touched)
        if whole:
            ledger.set("swept_at", stamp(now))
    for record in gone:
        event("sync.gone", kind=record.kind, key=record.key)
    return touched | _overtaken(session)


def _part(session: Session, now: datetime) -> set[str]:
    """Let go of persons from which people have removed an address that we added."""
    parted = session.ledger.crm.parted(now - _SHOWN_WITHIN)
    for record in parted:
        session.ledger.records.mark_gone("person", record.key, "parted", now, BY_PEOPLE)
        event("sync.parted", key=record.key, id=record.pipedrive_id)
    return {record.key for record in parted}


def look_due(session: Session) -> datetime | None:
    """When people's deletions are to be looked for, by `look_lately` or by listing everything.

    None before the first listing.
    """
    marks = session.ledger.settings(_LOOKED, "swept_at")
    last = [instant_or_none(marks.get(name)) for name in (_LOOKED, "swept_at")]
    if last[1] is None:
        return None
    lately = max(one for one in last if one is not None) + _LOOK_EVERY
    return min(lately, last[1] + EVERYTHING_EVERY)


def look_lately(session: Session, place: Target) -> set[str]:
    """Look for what people have deleted since the last look of what was written to lately.

    Persons and organizations by their ids (10 tokens for 100), deals by their status (10 for 500);
    leads have no such list and wait for the full one. Gives the kinds of what is gone.
    """
    ledger, now, client = session.ledger, session.now(), session.client
    due = look_due(session) or now
    gone: list[Record] = []
    if client.budget.for_backlog():
        doubtful = ledger.records.by_id(
            "deal", *directory.deleted_deals(client, due - _LOOK_EVERY - _OVERLAP)
        )
        lately = ledger.presence.touched_lately(now - _LATELY, _AT_MOST)
        for kind, records in lately.items():
            ids = [record.pipedrive_id or "" for record in records]
            there: set[str] = set()
            for page in directory.own(client, kind, ids, place.marker(kind)):
                listing.keep(session, kind, page)
                there |= {str(item.id) for item in page}
            doubtful += [one for one in records if one.pipedrive_id not in there]
        gone = _gone(session, place, [r for r in doubtful if not r.tombstone])
        _follow_gone(session, gone)
    with ledger.transaction("looked"):
        ledger.set(_LOOKED, stamp(now))
    return {record.kind for record in gone}


def look_twice(session: Session, place: Target) -> None:
    """Look once more for what was missed an hour ago."""
    ledger, now = session.ledger, session.now()
    _follow_gone(session, _gone(session, place, ledger.presence.to_look_for(now)))


def _follow_gone(session: Session, gone: Sequence[Record]) -> None:
    ledger, now = session.ledger, session.now()
    touched: set[str] = set()
    if gone:
        with ledger.transaction("external changes"):
            for record in gone:
                touched |= set(ledger.records.senders_of(record.kind, record.key))
                ledger.records.mark_gone(record.kind, record.key, "deleted", now, BY_PEOPLE)
                if record.kind != "activity":
                    ledger.crm.drop(record.kind, record.pipedrive_id or "")
            ledger.senders.touch(touched)


def _overtaken(session: Session) -> set[str]:
    """Senders for whom we were about to make something that people have made meanwhile."""
    found = session.ledger.backlog.overtaken()
    if found:
        with session.ledger.transaction("touch"):
            session.ledger.senders.touch(found)
    return found


def _gone(session: Session, place: Target, doubtful: Iterable[Record]) -> list[Record]:
    """Those of these records that a look shows, or proves, to be gone."""
    ledger = session.ledger
    gone: list[Record] = []
    for record in doubtful:
        identifier = record.pipedrive_id or ""
        if record.kind == "activity":
            found = directory.absence(session.client, record.kind, identifier)
            listed = []
        else:
            looked = directory.look(
                session.client, record.kind, identifier, place.marker(record.kind)
            )
            found = looked if isinstance(looked, Absence) else None
            listed = [] if isinstance(looked, Absence) else [looked]
        now = session.now()
        listing.keep(session, record.kind, listed)
        with ledger.transaction("looked"):
            if found is None:
                ledger.presence.show(record.kind, [identifier])
            elif found == Absence.DELETED:
                gone.append(record)
            elif not ledger.presence.is_young(record.kind, identifier, now):
                if ledger.presence.miss(record.kind, identifier, str(found), now):
                    gone.append(record)
                elif not record.missing:
                    event("sync.not_visible", kind=record.kind, key=record.key, why=found)
    return gone
