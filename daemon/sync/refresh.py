"""What is in the CRM by now, as far as the plans that are due depend on it.

Everything is swept once a day. In between only what was updated is listed, and only when something
that hangs on it is about to be made: strangers need the persons and organizations, new leads and
deals need those that there are. What is about to be adopted on an older word is looked at first,
for a token each.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from daemon.ledger.timestamp import instant_or_none
from daemon.log import event
from daemon.pipedrive import directory
from daemon.pipedrive.objects import Target
from daemon.sync import listing
from daemon.sync.external_changes import notice
from daemon.sync.planning import Draft, draft
from daemon.sync.session import Session

_EVERYTHING_EVERY = timedelta(days=1)
_DRAFTS = 1000  # due senders that decide what is listed
# Setting: kinds that a refusal showed to be other than we thought.
_LOOK_AGAIN = "look_again"


def refresh(session: Session, place: Target) -> list[str]:
    """List what the plans of the due senders depend on, as far as it isn't known freshly enough.

    Gives the senders who may be planned on the strength of that, deals first.
    """
    due = [row.address for row in session.ledger.senders.due(-1)]
    swept = instant_or_none(session.ledger.setting("swept_at"))
    if swept is None or session.now() - swept >= _EVERYTHING_EVERY:
        listing.sweep(session, place, _strangers(session))
        due += _noticed(session, place, directory.KINDS, whole=True)
        if not listing.is_complete(session):
            listing.search(session, _strangers(session))
        return due
    asked: set[str] = set()
    seen: set[tuple[str, str]] = set()
    while True:
        drafts = _drafts(session)
        kinds = _needs(session, drafts) - asked
        if not kinds:
            # What is gone from where it was may be elsewhere: merged, or made anew.
            kinds = _look_before_adopting(session, place, drafts, seen) - asked
        if not kinds:
            return due
        asked |= kinds
        seen |= listing.list_updated(session, place, kinds)
        due += _noticed(session, place, kinds, whole=False)
        if "person" in kinds and not listing.is_complete(session):
            listing.search(session, _strangers(session))


def everything_due(session: Session) -> datetime | None:
    """When the next full listing is due; None before the first."""
    swept = instant_or_none(session.ledger.setting("swept_at"))
    return swept + _EVERYTHING_EVERY if swept else None


def look_again(session: Session, kinds: Collection[str]) -> None:
    """Have these kinds listed in the next pass, whenever they were last; inside a transaction."""
    before = session.ledger.setting(_LOOK_AGAIN) or []
    wanted = {kind for kind in kinds if kind in directory.KINDS}
    if wanted - set(before):
        session.ledger.set(_LOOK_AGAIN, sorted({*before, *wanted}))


def _noticed(session: Session, place: Target, kinds: Collection[str], *, whole: bool) -> list[str]:
    touched = notice(session, place, whole=whole)
    asked = set(session.ledger.setting(_LOOK_AGAIN) or ())
    if asked & set(kinds):
        with session.ledger.transaction("looked"):
            session.ledger.set(_LOOK_AGAIN, sorted(asked - set(kinds)))
    return sorted(touched)


def _drafts(session: Session) -> list[Draft]:
    made = (draft(session, row) for row in session.ledger.senders.due(_DRAFTS))
    return [item for item in made if item is not None]


def _strangers(session: Session) -> list[str]:
    """Due senders who have no person yet and are to have one."""
    live = session.ledger.records.live_id
    return [
        row.address
        for row in session.ledger.senders.due(-1)
        if row.class_.name != "ignore" and live("person", row.address) is None
    ]


def _needs(session: Session, drafts: Sequence[Draft]) -> set[str]:
    """The kinds to list before these plans, or what waits in the journal, create anything."""
    ledger = session.ledger
    urgent: set[str] = set(ledger.setting(_LOOK_AGAIN) or ())
    tolerant: set[str] = set()
    if len(drafts) == _DRAFTS:  # there are more, whose plans cost too much to draft
        urgent |= set(directory.KINDS)
    for item in drafts:
        made = {(c.kind, c.action) for c in item.plan.changes if c.action != "update"}
        if made & {("organization", "create"), ("person", "create")}:
            # Somebody may have made them a minute ago: always asked, for 20 tokens together.
            urgent |= {"organization", "person"}
        if ("person", "create") in made:
            continue  # who isn't in the CRM has no deal there
        if any(adoption.kind == "person" for adoption in item.plan.adoptions):
            urgent |= {"deal", "lead"}  # a person that has just turned up may have one, too
        tolerant |= {"deal"} if made & {("deal", "convert")} else set()
        tolerant |= {"deal", "lead"} if made & {("deal", "create"), ("lead", "create")} else set()
    pending = ledger.journal.pending()
    tolerant |= {kind for kind, action in pending if action in {"create", "convert"}}
    return urgent | {k for k in tolerant if k in directory.KINDS and _is_stale(session, k)}


def _is_stale(session: Session, kind: str) -> bool:
    listed = instant_or_none(session.ledger.setting(f"listed_at:{kind}"))
    return listed is None or session.now() - listed >= session.settings.refresh


def _look_before_adopting(
    session: Session, place: Target, drafts: Sequence[Draft], seen: set[tuple[str, str]]
) -> set[str]:
    """See that what is about to be adopted is still there, unless that has just been listed.

    Gives the kinds of what isn't; adds to `seen` what is.
    """
    code = place.codes.get("mail_key")
    wanted = {(a.kind, a.pipedrive_id) for item in drafts for a in item.plan.adoptions}
    gone: set[str] = set()
    for kind, identifier in sorted(wanted - seen):
        found = directory.look(session.client, kind, identifier, code)
        with session.ledger.transaction("looked"):
            if found is None:
                session.ledger.crm.drop(kind, identifier)
                event("sync.gone", kind=kind, id=identifier)
                gone.add(kind)
            else:
                seen.add((kind, identifier))
                session.ledger.crm.keep([found], session.ledger.setting("sweep") or 0)
    return gone
