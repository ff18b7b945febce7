"""What is in the CRM by now, as far as the plans that are due depend on it.

Everything is swept once a day. In between only what was updated is listed, and only when something
that hangs on it is about to be made: strangers need the persons and organizations, new leads and
deals need those that there are. Objects that are about to be adopted because of an older listing
are read first, for a token each.
"""

from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import datetime

from daemon.errors import Rejected, RetryLater
from daemon.intake.states import known_us
from daemon.ledger.senders import SenderRow
from daemon.ledger.timestamp import instant_or_none
from daemon.log import event
from daemon.message.us import Us
from daemon.pipedrive import directory
from daemon.pipedrive.directory import Absence
from daemon.pipedrive.objects import Target
from daemon.pipedrive.outcomes import BudgetSpent
from daemon.rules.case import RANK_FRESH
from daemon.sync import listing
from daemon.sync.external_changes import EVERYTHING_EVERY, follow
from daemon.sync.joins import JOINS
from daemon.sync.planning import Draft, Drafts, draft
from daemon.sync.session import Session

LISTING = "listing"  # part of the health in the ledger
_DRAFTS = 1000  # due senders that decide what is listed
# Setting: kinds that a refusal showed to be other than we thought.
_LOOK_AGAIN = "look_again"


def refresh(
    session: Session, place: Target, started: datetime | None = None
) -> tuple[list[str], Drafts]:
    """List what the plans of the due senders depend on, unless that was listed lately.

    A listing from before this process `started` doesn't count: the ledger may be a backup.

    Gives the senders who may be planned on the strength of that, deals first, and the drafts of
    their plans as far as there are any.
    """
    rows = _due(session)
    us = known_us(session.ledger, session.scoring.us)
    due = [row.address for row in rows]
    swept = everything_due(session)
    if swept is None or session.now() >= swept:
        with _noted(session):
            listing.sweep(session, place, _strangers(session))
            if session.ledger.crm.is_any_as_made(_strangers(session)):
                listing.list_archived(session, place)
        due += _follow(session, place, directory.KINDS, whole=True)
        if not listing.is_complete(session):
            listing.search(session, place, _strangers(session))
        return due, {}
    rank = None if session.client.budget.for_backlog() else RANK_FRESH
    waiting = session.ledger.backlog.kinds_to_make(session.now(), rank)
    asked: set[str] = set()
    seen: set[tuple[str, str]] = set()
    drafts: Drafts = {}
    archived = False
    while True:
        drafts = _drafts(session, place, us, rows[:_DRAFTS], drafts)
        more = len(rows) > _DRAFTS
        kinds = _needs(session, drafts.values(), started, waiting, more=more) - asked
        if not kinds:
            # What is gone from where it was may be elsewhere: merged, or made anew.
            kinds = _look_before_adopting(session, place, drafts.values(), seen) - asked
        if not kinds and not archived and any(map(_made_in_lost_time, drafts.values())):
            archived = True
            with _noted(session):
                listing.list_archived(session, place)
            continue
        if not kinds:
            return due, drafts
        asked |= kinds
        with _noted(session):
            seen |= listing.list_updated(session, place, kinds)
        due += _follow(session, place, kinds, whole=False)
        if "person" in kinds and not listing.is_complete(session):
            listing.search(session, place, _strangers(session))
        rows = _due(session)


@contextmanager
def _noted(session: Session) -> Iterator[None]:
    """Keep in the ledger whether listings work, where that is news."""
    ledger, works = session.ledger, session.works
    try:
        yield
    except (RetryLater, Rejected) as problem:
        if not isinstance(problem, BudgetSpent) and not session.stopping():
            works[LISTING] = False
            with ledger.transaction("listing fails", repeatable=True):
                ledger.conditions.failed(LISTING, str(problem), session.wall())
        raise
    if not works.get(LISTING):  # it failed, or nothing was listed yet since the start
        works[LISTING] = True
        with ledger.transaction("listing works", repeatable=True):
            ledger.conditions.good(LISTING, session.wall())


def _due(session: Session) -> list[SenderRow]:
    """Who is to be planned now; while the backlog has no tokens, only those who are fresh."""
    only_fresh = not session.client.budget.for_backlog()
    return session.ledger.senders.due(-1, session.fresh_since() if only_fresh else None)


def everything_due(session: Session) -> datetime | None:
    """When the next full listing is due; None before the first."""
    swept = instant_or_none(session.ledger.setting("swept_at"))
    return swept + EVERYTHING_EVERY if swept else None


def look_again(session: Session, kinds: Collection[str]) -> None:
    """Have these kinds listed in the next pass, whenever they were last; inside a transaction."""
    before = session.ledger.setting(_LOOK_AGAIN) or []
    wanted = {kind for kind in kinds if kind in directory.KINDS}
    if wanted - set(before):
        session.ledger.set(_LOOK_AGAIN, sorted({*before, *wanted}))


def _follow(session: Session, place: Target, kinds: Collection[str], *, whole: bool) -> list[str]:
    touched = follow(session, place, whole=whole) | session.reopened
    session.reopened.clear()
    asked = set(session.ledger.setting(_LOOK_AGAIN) or ())
    if asked & set(kinds):
        with session.ledger.transaction("looked"):
            session.ledger.set(_LOOK_AGAIN, sorted(asked - set(kinds)))
    return sorted(touched)


def _drafts(
    session: Session, place: Target, us: Us, rows: Sequence[SenderRow], before: Drafts
) -> dict[str, Draft]:
    """The plans of these senders as things stand; those made `before` if nothing has changed."""
    found: dict[str, Draft] = {}
    for row in rows:
        made = before.get(row.address)
        if made is None or (made.row, made.changes) != (row, session.ledger.changes):
            made = draft(session, row, place, us, made)
        if made is not None:
            found[row.address] = made
    return found


def _strangers(session: Session) -> list[str]:
    """Due senders who have no person yet and are to have one."""
    live = session.ledger.records.live_id
    return [
        row.address
        for row in _due(session)
        if (row.class_.name != "ignore" or row.copied) and live("person", row.address) is None
    ]


def _needs(
    session: Session,
    drafts: Collection[Draft],
    started: datetime | None,
    waiting: AbstractSet[str],
    *,
    more: bool,
) -> set[str]:
    """The kinds to list before these plans, or what waits in the journal, create anything.

    `waiting`: the kinds that wait there; `more`: there are others, whose plans cost too much to
    draft.
    """
    ledger = session.ledger
    marks = ledger.settings(_LOOK_AGAIN, *map(listed_at, directory.KINDS))
    urgent: set[str] = set(marks.get(_LOOK_AGAIN) or ())
    tolerant = set(waiting)
    if more:
        urgent |= set(directory.KINDS)
    for item in drafts:
        made = {(c.kind, c.action) for c in item.plan.changes if c.action != "update"}
        if made & {("organization", "create"), ("person", "create")}:
            # Somebody may have made them a minute ago: always asked, for 20 tokens together.
            urgent |= {"organization", "person"}
        if any(JOINS in change.fields for change in item.plan.changes):
            urgent |= {"person"}  # somebody may have made one of its own
        if ("person", "create") in made:
            continue  # who isn't in the CRM has no deal there
        if any(adoption.kind == "person" for adoption in item.plan.adoptions):
            urgent |= {"deal", "lead"}  # a person that has just turned up may have one, too
        tolerant |= {"deal"} if made & {("deal", "convert")} else set()
        tolerant |= {"deal", "lead"} if made & {("deal", "create"), ("lead", "create")} else set()
    latest = session.now() - session.settings.refresh
    latest = max(latest, started or latest)
    listed = {kind: instant_or_none(marks.get(listed_at(kind))) for kind in directory.KINDS}
    return urgent | {k for k, at in listed.items() if k in tolerant and (at is None or at < latest)}


def _made_in_lost_time(drafted: Draft) -> bool:
    """Whether its person is ours although the ledger doesn't know it: more may have been made."""
    kinds = {one.kind: one for one in drafted.plan.adoptions}
    person = kinds.get("person")
    is_new = person is not None and person.ours and drafted.group == [drafted.row.address]
    return is_new and not kinds.keys() & {"lead", "deal"}


def listed_at(kind: str) -> str:
    """The setting that says when a kind was last listed."""
    return f"listed_at:{kind}"


def _look_before_adopting(
    session: Session, place: Target, drafts: Collection[Draft], seen: set[tuple[str, str]]
) -> set[str]:
    """See that what is about to be adopted is still there, unless that has just been listed.

    Gives the kinds of what isn't; adds to `seen` what is.
    """
    wanted = {(a.kind, a.pipedrive_id) for item in drafts for a in item.plan.adoptions}
    gone: set[str] = set()
    for kind, identifier in sorted(wanted - seen):
        found = directory.look(session.client, kind, identifier, place.marker(kind))
        with session.ledger.transaction("looked"):
            if isinstance(found, Absence):
                session.ledger.crm.drop(kind, identifier)
                event("sync.gone", kind=kind, id=identifier)
                gone.add(kind)
            else:
                seen.add((kind, identifier))
                session.ledger.crm.keep([found], session.ledger.setting("sweep") or 0)
    return gone
