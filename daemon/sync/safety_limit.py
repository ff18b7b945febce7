"""The safety valve: a first run that would change much asks a person before its first write.

First means that this ledger has no record yet that we created. Counted are records to be created,
activities apart, and persons that were in Pipedrive before and would be written to.
"""

from dataclasses import dataclass, replace
from typing import Literal

from daemon.errors import ConfigProblem
from daemon.ledger.store import Ledger

_GRANTED = "first_run_may_create"
_FEW = 10  # persons that may be touched whatever their share


class AskFirst(ConfigProblem):
    """The first run would do more than it may without a person's word; nothing was written."""


@dataclass(frozen=True, slots=True)
class SafetyLimit:
    """What a first run may do unasked."""

    max_creates: int = 500
    max_touched: float = 0.3  # share of the persons that are in Pipedrive already

    def objection(self, creates: int, touched: int, persons: int | None) -> str | None:
        """Why to ask first, in words; `persons` None: too many to have been counted."""
        if creates > self.max_creates:
            return (
                f"the first run would create {creates} records (activities apart),"
                f" more than the {self.max_creates} of safety.max_creates"
            )
        if persons is not None and touched > max(_FEW, self.max_touched * persons):
            return (
                f"the first run would write to {touched} of the {persons} persons that are in"
                f" Pipedrive already, more than {self.max_touched:.0%}"
            )
        return None


def grant(ledger: Ledger, creates: int | Literal["all"]) -> None:
    """Keep a person's word on the first run, for a service that waits for it, too.

    So many records may be created; "all" also lets as many persons be written to as there are.
    Called inside a transaction.
    """
    ledger.set(_GRANTED, creates)


def is_first(ledger: Ledger) -> bool:
    """Whether nothing was ever created out of this ledger."""
    return ledger.records.none_created()


def strangers_touched(ledger: Ledger, *, done: bool) -> int:
    """How many persons that people made are, or with `done` were, to be written to.

    Those who carry our marks are ours, although a new ledger has to adopt them.
    """
    return ledger.journal.persons_touched(done=done)


def check(ledger: Ledger, valve: SafetyLimit, *, persons: int | None) -> None:
    """Raise AskFirst if what is planned goes beyond the valve and what was granted."""
    granted = ledger.setting(_GRANTED)
    if granted == "all":
        return
    valve = replace(valve, max_creates=max(valve.max_creates, granted or 0))
    pending = ledger.journal.pending()
    creates = sum(
        n
        for (kind, action), n in pending.items()
        if action in {"create", "convert"} and kind not in {"activity", "field"}
    )
    why = valve.objection(creates, strangers_touched(ledger, done=False), persons)
    if why is not None:
        raise AskFirst(
            why,
            hint="nothing was written; look with --dry-run, then go on with"
            f" `mail2deal --catch-up --yes` or --max-creates {max(creates, valve.max_creates)}",
        )
