"""What is in the CRM by now, and what people have done there to what we know.

Listing is cheap (500 rows for 10 tokens) and consistent, so it comes before anything is created.
Everything is listed once a day; in between only what was updated, and only when something that
hangs on it is about to be made.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from daemon.ledger.senders import SenderRow
from daemon.ledger.timestamp import instant_or_none, stamp
from daemon.log import event
from daemon.pipedrive import directory
from daemon.pipedrive.objects import Place
from daemon.plan import Adoption
from daemon.sync.session import Session

_EVERYTHING_EVERY = timedelta(days=1)
_OVERLAP = timedelta(minutes=2)  # their clock and ours may differ


def refresh(session: Session, place: Place, due: Sequence[SenderRow]) -> None:
    """List what the plans of these senders depend on, as far as it isn't known freshly enough."""
    ledger, now = session.ledger, session.now()
    swept = instant_or_none(ledger.setting("swept_at"))
    if swept is None or now - swept >= _EVERYTHING_EVERY:
        _list(session, place, directory.KINDS, whole=True)
        notice(session, place, whole=True)
        return
    strangers, opportunities = _needs(session, due)
    kinds: list[str] = []
    if strangers:
        # Somebody may have made that person a minute ago: always asked, for 20 tokens together.
        kinds += ["organization", "person"]
    listed = instant_or_none(ledger.setting("listed_at:deal"))
    if opportunities and (listed is None or now - listed >= session.settings.refresh):
        kinds += ["deal", "lead"]
    if kinds:
        _list(session, place, kinds, whole=False)
        notice(session, place, whole=False)


def everything_due(session: Session) -> datetime | None:
    """When the next full listing is due; None before the first."""
    swept = instant_or_none(session.ledger.setting("swept_at"))
    return swept + _EVERYTHING_EVERY if swept else None


def _needs(session: Session, due: Sequence[SenderRow]) -> tuple[bool, bool]:
    """Whether a person, and whether a lead or deal, may have to be made for one of these."""
    live = session.ledger.records.live_id
    made = [row for row in due if row.class_.name != "ignore"]
    strangers = any(live("person", row.address) is None for row in made)
    opportunities = any(
        live("deal", row.address) is None
        and (row.class_.name == "person_with_deal" or live("lead", row.address) is None)
        and session.ledger.records.live_id("person", row.address) is not None
        for row in made
    )
    return strangers, opportunities


def _list(session: Session, place: Place, kinds: Sequence[str], *, whole: bool) -> None:
    ledger, now = session.ledger, session.now()
    spent = session.usage.total
    sweep = (ledger.setting("sweep") or 0) + whole
    for kind in kinds:
        listed = instant_or_none(ledger.setting(f"listed_at:{kind}"))
        since = None if whole or listed is None else listed - _OVERLAP
        code = place.codes.get("mail_key")
        count = 0
        for page in directory.listing(session.client, kind, since, code):
            with ledger.transaction("listing"):
                ledger.crm.keep(page, sweep)
            count += len(page)
            session.progress(f"listing {kind}s", count, 0)
        with ledger.transaction("listed"):
            ledger.set(f"listed_at:{kind}", stamp(now))
            if whole:
                ledger.crm.end_sweep(kind, sweep)
    if whole:
        with ledger.transaction("swept"):
            ledger.set("sweep", sweep)
            ledger.set("swept_at", stamp(now))
    how = "everything" if whole else "updated"
    event("sync.listed", how=how, kinds=",".join(kinds), tokens=session.usage.total - spent)


def notice(session: Session, place: Place, *, whole: bool) -> None:
    """Respect what people did: bury what is gone, follow what they converted, plan those again."""
    ledger, now = session.ledger, session.now()
    gone = _gone(session, place) if whole else []
    with ledger.transaction("notice"):
        touched: set[str] = set()
        for lead, deal in ledger.crm.converted_leads():
            # A person converted our lead in Pipedrive: its deal takes its place.
            ledger.records.bury("lead", lead.key, "converted", now, "by people, in Pipedrive")
            adoption = Adoption("deal", lead.key, str(deal), "converted from our lead", ours=True)
            ledger.records.adopt(adoption, lead.key, now)
            touched.add(lead.key)
        for lead in ledger.crm.archived_leads():
            ledger.records.bury("lead", lead.key, "archived", now, "by people, in Pipedrive")
            touched.add(lead.key)
        for kind, key in gone:
            touched |= set(ledger.records.senders_of(kind, key))
            ledger.records.bury(kind, key, "deleted", now, "by people, in Pipedrive")
        ledger.senders.touch(touched)
    for kind, key in gone:
        event("sync.gone", kind=kind, key=key)


def _gone(session: Session, place: Place) -> list[tuple[str, str]]:
    """Records that a full listing didn't show, and that a look confirms to be gone."""
    code = place.codes.get("mail_key")
    gone: list[tuple[str, str]] = []
    for record in session.ledger.crm.unlisted():
        assert record.pipedrive_id is not None  # noqa: S101 - the query asks for it
        found = directory.look(session.client, record.kind, record.pipedrive_id, code)
        if found is None:
            gone.append((record.kind, record.key))
        else:
            with session.ledger.transaction("listing"):
                session.ledger.crm.keep([found], session.ledger.setting("sweep") or 0)
    return gone
