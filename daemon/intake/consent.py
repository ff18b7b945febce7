"""Who waits for a person's consent because mail was read again, and what a person is told of it.

Called inside the caller's transaction. `held_since` of a sender says that it waits; a condition of
the ledger says how many do; a setting spares everybody else the question.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from daemon.ledger.message_row import MessageRow
from daemon.ledger.rereading import HELD
from daemon.ledger.store import Ledger
from daemon.rules.counted import counted

READ_AGAIN = "read again"  # the part of `conditions`
_CLASSES = ("ignore", "lead", "person_with_deal")  # each more than the one before


def hold(
    ledger: Ledger, before: Mapping[str, str], senders: AbstractSet[str], now: datetime
) -> None:
    """Have those of these senders wait whose class has risen; `before` has their classes."""
    after = ledger.rereading.classes(senders)
    rank = _CLASSES.index
    risen = [one for one, name in after.items() if rank(name) > rank(before.get(one, "ignore"))]
    if risen:
        ledger.rereading.hold(risen, now)
        ledger.set(HELD, True)  # noqa: FBT003 - a value


def let_go(ledger: Ledger, new: Iterable[MessageRow], now: datetime) -> None:
    """Have nobody wait any more who writes, or is written to, in these new messages."""
    parties = {
        party.key
        for entry in new
        if entry.judgement.verdict.kind == "contact"
        for party in entry.judgement.parties
    }
    if ledger.rereading.let_go(parties):
        keep(ledger, now)


def release(ledger: Ledger) -> None:
    """Have all planned who wait: a person has consented."""
    if ledger.setting(HELD):
        ledger.rereading.release()
        keep(ledger, None)


def keep(ledger: Ledger, now: datetime | None) -> None:
    """Keep in the ledger's conditions what waits now; nothing, where nobody does."""
    if (why := why_held(ledger)) and now is not None:
        ledger.conditions.failed(READ_AGAIN, why, now, needs_person=True)
    else:
        ledger.set(HELD, False)  # noqa: FBT003 - a value
        ledger.conditions.forget(READ_AGAIN)


def why_held(ledger: Ledger) -> str:
    """What waits, in words; empty if nothing does."""
    held = ledger.rereading.held()
    some = [
        counted(n, what)
        for class_, what in (("person_with_deal", "deal"), ("lead", "lead"))
        if (n := held.get(class_, 0))
    ]
    if not some:
        return ""
    return (
        "mail that an earlier version had read, read again, would newly make up to"
        f" {' and '.join(some)}"
    )
