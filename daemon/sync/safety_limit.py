"""The safety limit: what would create far more than usual waits until a person approves it.

Counted are records to be created, activities apart. Without approval no more are created within 24
hours than `safety.max_creates` or five times the busiest day of the last thirty. A first run, whose
ledger has created nothing yet, also asks before it writes to many persons that people made, and
makes no custom fields until then. Approval is a row in the ledger that only a person's command
writes: to ask again isn't to approve.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.errors import ConfigProblem
from daemon.intake import consent
from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.ledger.store import Ledger
from daemon.pipedrive.costs import PLURALS, tokens
from daemon.rules.quantities import counted
from daemon.rules.records import Change

APPROVAL = "approval"  # the part of `conditions` that says what waits for approval
TASKS = "follow-ups"  # the part of `conditions` that says how many tasks wait for approval
TASKS_FROM = "follow_ups_from"  # setting: tasks for mail that was overdue then need approval
APPROVED_FOR = timedelta(hours=24)  # what is planned within this time of an approval of all
_FEW = 10  # persons that may be written to whatever their share, tasks made without asking
_TIMES = 5  # the busiest day


class AskFirst(ConfigProblem):
    """More would be created than may be without a person's approval; none of it was."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the safety limit says to the planned records."""

    asks: AskFirst | None = None  # what a person has to approve first; None: nothing
    fresh_may_go: bool = True  # whether what people in touch lately wait for is within the limit


@dataclass(frozen=True, slots=True)
class SafetyLimit:
    """What may be done without approval."""

    max_creates: int = 500
    max_touched: float = 0.3  # share of the persons that are in Pipedrive already

    def objection(self, creates: int, touched: int, persons: int | None) -> str | None:
        """Why a first run has to ask, in words."""
        return self.to_creates(creates, first=True) or self.to_writes(touched, persons)

    def to_creates(
        self, creates: int, *, first: bool, today: int = 0, busiest: int = 0
    ) -> str | None:
        """What speaks against creating so many records; None: nothing.

        `today` were created within 24 hours already, `busiest` on the busiest of the last 30 days.
        """
        usual = _TIMES * busiest
        if creates + today <= max(self.max_creates, usual):
            return None
        what = "the first run" if first else "the next pass"
        already = f", after {today} in the last 24 hours" if today else ""
        limit = (
            f"the {self.max_creates} of safety.max_creates"
            if self.max_creates >= usual
            else f"{_TIMES} times the {busiest} of the busiest of the last 30 days"
        )
        return (
            f"{what} would create {creates} records (activities apart){already}, more than {limit}"
        )

    def to_writes(self, touched: int, persons: int | None) -> str | None:
        """What speaks against writing to so many persons that people made; None: nothing.

        `persons` is how many there are in Pipedrive, None: too many to have been counted.
        """
        if persons is None or touched <= max(_FEW, self.max_touched * persons):
            return None
        return (
            f"the first run would write to {touched} of the {persons} persons that are in"
            f" Pipedrive already, more than {self.max_touched:.0%}"
        )


def approve(ledger: Ledger, command: str, creates: int | None, now: datetime) -> None:
    """Keep a person's approval, for a service that waits for it, too; called in a transaction.

    So many records may be created; None: all that is planned within a day, and as many persons
    written to as there are.
    """
    until = None if creates is not None else now + APPROVED_FOR
    ledger.approvals.give(command, creates or 0, now, until=until)
    ledger.conditions.forget(APPROVAL)
    allow_tasks(ledger)
    consent.release(ledger, now, creates)


def withholds(ledger: Ledger, row: SenderRow, changes: Iterable[Change], now: datetime) -> bool:
    """Whether a sender's plan waits for consent; called in the transaction that plans it.

    It waits whole if it would create anything, else nothing of it does.
    """
    makes = any(one.action in {"create", "convert"} and one.kind != "field" for one in changes)
    waits = makes and not ledger.approvals.cover_all(now)
    if not waits:
        ledger.rereading.let_go([row.address])
    return waits


def held_back(ledger: Ledger) -> AskFirst | None:
    """What old mail would newly create, for a person to approve; None: nothing."""
    asked = [one for one in ledger.conditions.of(consent.OLD_MAIL) if one.failing_since is not None]
    if not asked:
        return None
    return AskFirst(
        asked[0].reason, hint="look with --dry-run, then approve it with `mail2deal approve`"
    )


def allow_tasks(ledger: Ledger) -> None:
    """Have the tasks made that wait for approval; called in a transaction."""
    ledger.set(TASKS_FROM, None)
    ledger.conditions.forget(TASKS)


def check_tasks(ledger: Ledger, overdue: datetime, now: datetime) -> AskFirst | None:
    """What a person has to approve before tasks are made for mail up to `overdue`.

    That mail had waited too long when follow-ups were switched on. None: nothing to approve.
    """
    count = ledger.backlog.tasks_for(overdue)
    asks = count > _FEW and not ledger.approvals.counted(now).covers_all
    with ledger.transaction("tasks"):
        if not asks:
            allow_tasks(ledger)
            return None
        what = f"activities.follow_up would make {count} tasks for mail that has waited for long"
        ledger.conditions.failed(TASKS, what, now, needs_person=True)
    return AskFirst(what, hint="approve it with `mail2deal approve`, or answer them first")


def is_first(ledger: Ledger) -> bool:
    """Whether nothing was ever created out of this ledger."""
    return ledger.records.none_created()


def creates_record(row: JournalRow) -> bool:
    """Whether a change counts for the limit."""
    return _makes(row.action, row.kind)


def _makes(action: str, kind: str) -> bool:
    return action in {"create", "convert"} and kind not in {"activity", "field", "participant"}


def check(
    ledger: Ledger, limit: SafetyLimit, now: datetime, *, persons: int | None, first: bool
) -> Checked:
    """Whether the planned records may be created.

    What a person should know stands in the ledger's conditions from then on.
    """
    known = ledger.approvals.counted(now)
    why = limit.to_creates(known.planned, first=first, today=known.today, busiest=known.busiest)
    if why is not None and known.planned <= known.left:
        why = None
    if why is None and first:
        why = limit.to_writes(strangers_touched(ledger, done=False), persons)
    if why is not None and not known.covers_all:
        fresh = limit.to_creates(known.fresh, first=False, today=known.today, busiest=known.busiest)
        return Checked(_ask(ledger, why, known.planned, now), fresh_may_go=fresh is None)
    if why is not None or known.asked:
        with ledger.transaction("approved"):
            ledger.conditions.forget(APPROVAL)
            if known.covers_all:
                ledger.approvals.extend(known.planned)
    return Checked()


def _ask(ledger: Ledger, why: str, creates: int, now: datetime) -> AskFirst:
    what = f"{why}: {summary(ledger.backlog.pending())}"
    with ledger.transaction("approval asked"):
        ledger.conditions.failed(APPROVAL, what, now, needs_person=True)
    return AskFirst(
        what,
        hint="nothing of it was written; look with --dry-run, then approve it with"
        " `mail2deal approve`, `mail2deal --catch-up --yes`, or for a number with"
        f" --max-creates {creates}",
    )


def summary(pending: Mapping[tuple[str, str], int]) -> str:
    """What planned changes would create and what that costs, in words."""
    made = {kind: pending.get((kind, "create"), 0) for kind in PLURALS}
    made["deal"] += pending.get(("deal", "convert"), 0)
    parts = [counted(n, kind) for kind, n in made.items() if n]
    cost = sum(n * tokens(kind, "create") for kind, n in made.items())
    return f"{', '.join(parts) or 'no new record'}, about {cost} tokens"


def strangers_touched(ledger: Ledger, *, done: bool) -> int:
    """How many persons that people made are, or with `done` were, to be written to.

    Those who carry our marks are ours, although a new ledger has to adopt them.
    """
    return ledger.backlog.persons_touched(done=done)
