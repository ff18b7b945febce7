"""The state of the sync, kept in the ledger: its last good pass, or since when and why it fails."""

from datetime import datetime, timedelta

from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem, Problem
from daemon.ledger.store import Ledger
from daemon.pipedrive.outcomes import BudgetSpent
from daemon.sync.pushed import Pushed

SYNC, BUDGET = "sync", "budget"
_SELDOM = timedelta(minutes=1)  # between two notes that all is well
_BRIEF = timedelta(minutes=1)  # a pause asked for by Pipedrive that is too short to report


def keep_pass(ledger: Ledger, pushed: Pushed, now: datetime) -> None:
    """Note a pass that ended, perhaps before its time, without an error."""
    resume_at = pushed.resume_at
    if isinstance(pushed.problem, BudgetSpent):
        with ledger.transaction("budget spent", repeatable=True):
            ledger.conditions.failed(BUDGET, str(pushed.problem), now, next_try=resume_at)
    elif resume_at is not None and resume_at - now > _BRIEF:
        why = str(pushed.problem or "Pipedrive refuses requests for a while")
        with ledger.transaction("sync paused", repeatable=True):
            ledger.conditions.failed(SYNC, why, now, next_try=resume_at)
        return
    _keep_good(ledger, now, spent=isinstance(pushed.problem, BudgetSpent))


def _keep_good(ledger: Ledger, now: datetime, *, spent: bool) -> None:
    """Write that all is well only where that is news, or seldom."""
    known = {row.part: row for row in ledger.conditions.of(SYNC, BUDGET)}
    sync = known.get(SYNC)
    fresh = sync is not None and sync.failing_since is None and sync.good_at is not None
    if sync is None or not fresh or now - (sync.good_at or now) >= _SELDOM:
        with ledger.transaction("sync works", repeatable=True):
            ledger.conditions.good(SYNC, now)
    if BUDGET in known and not spent:
        with ledger.transaction("budget anew", repeatable=True):
            ledger.conditions.forget(BUDGET)


def keep_failure(
    ledger: Ledger, error: Exception, now: datetime, next_try: datetime | None = None
) -> None:
    """Note that a pass failed; not where it is the ledger that fails."""
    if isinstance(error, LedgerProblem):
        return
    reason = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
    needs_person = isinstance(error, AuthProblem | ConfigProblem)
    with ledger.transaction("sync failed", repeatable=True):
        ledger.conditions.failed(SYNC, reason, now, next_try=next_try, needs_person=needs_person)
