"""Who waits for a person's consent because old mail has got a new meaning, and what is told of it.

Mail was read again after an upgrade, or the configuration was edited: what only that would make in
Pipedrive waits, however little it is. Called inside the caller's transaction. `held_since` of a
sender says that it waits; a condition of the ledger says how many do and why; a setting spares
everybody else the question.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from daemon.ledger.message_row import MessageRow
from daemon.ledger.reports import last_poll
from daemon.ledger.rereading import HELD, ClassNow
from daemon.ledger.store import Ledger
from daemon.ledger.timestamp import stamp
from daemon.rules.quantities import counted

OLD_MAIL = "old mail"  # the part of `conditions`
READ_AGAIN = "mail that an earlier version had read, read again,"
EDITED = "the changed configuration"
OLD_BEFORE = "old_mail_before"  # setting: by account, when its configuration was edited
_READING = "reading"  # setting: by account, which folders are read and from when on
_CLASSES = ("ignore", "lead", "person_with_deal")  # each more than the one before


def hold(
    ledger: Ledger, before: Mapping[str, ClassNow], senders: AbstractSet[str], now: datetime
) -> None:
    """Have those of these senders wait whose class has risen; `before`: how they stood."""
    after = ledger.rereading.standing(senders)
    risen = [one for one in after if _rank(after[one]) > _rank(before.get(one))]
    _wait(ledger, risen, now, READ_AGAIN)


def hold_edited(
    ledger: Ledger, before: Mapping[str, ClassNow], senders: Iterable[str], now: datetime
) -> None:
    """Have these wait whom an edit changed; planning lets go whom it makes nothing for.

    Who had something to plan `before` had news of its own, which an edit doesn't hold up.
    """
    there = ledger.rereading.standing(senders)
    _wait(
        ledger, [one for one in there if not (one in before and before[one].pending)], now, EDITED
    )


def read_further(ledger: Ledger, reading: Mapping[str, object], now: datetime) -> None:
    """Note whose folders or oldest date were edited: mail from before that is old mail.

    `reading` says by account what is read of it, in JSON. Mail since its last poll is news.
    """
    before = ledger.setting(_READING)
    if before == reading:
        return
    if before is not None and not ledger.records.none_created():
        old = ledger.setting(OLD_BEFORE) or {}
        edited = [one for one, what in reading.items() if before.get(one) != what]
        old |= {one: stamp(last_poll(ledger, one) or now) for one in edited}
        ledger.set(OLD_BEFORE, old)
    ledger.set(_READING, dict(reading))


def read_through(ledger: Ledger, account: str) -> None:
    """Note that nothing from before an edit is left to be read of an account."""
    old = ledger.setting(OLD_BEFORE) or {}
    ledger.set(OLD_BEFORE, {one: at for one, at in old.items() if one != account})


def _rank(stands: ClassNow | None) -> int:
    return _CLASSES.index(stands.class_) if stands else 0


def _wait(ledger: Ledger, senders: list[str], now: datetime, why: str) -> None:
    if senders:
        ledger.rereading.hold(senders, now)
        ledger.set(HELD, sorted({*_reasons(ledger), why}))


def _reasons(ledger: Ledger) -> list[str]:
    kept = ledger.setting(HELD)
    return kept if isinstance(kept, list) else [READ_AGAIN] if kept else []


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


def release(ledger: Ledger, now: datetime, creates: int | None = None) -> None:
    """Have those planned who wait, but for no more than so many records: a person has consented."""
    if ledger.setting(HELD):
        ledger.rereading.release(creates)
        keep(ledger, now)


def forget_unless_held(ledger: Ledger, now: datetime) -> None:
    """Stop asking where nobody waits any more: who did may be a sender no longer."""
    if ledger.setting(HELD) and not why_held(ledger):
        keep(ledger, now)


def keep(ledger: Ledger, now: datetime) -> None:
    """Keep in the ledger's conditions what waits now; nothing, where nobody does."""
    if why := why_held(ledger):
        ledger.conditions.failed(OLD_MAIL, why, now, needs_person=True)
    else:
        ledger.set(HELD, False)  # noqa: FBT003 - a value
        ledger.conditions.forget(OLD_MAIL)


def why_held(ledger: Ledger) -> str:
    """What waits, in words; empty if nothing does."""
    held = ledger.rereading.held()
    some = [counted(n, what) for what in ("deal", "lead") if (n := held.get(what, 0))]
    if n := held.get("other", 0):
        some.append(f"other records of {counted(n, 'sender')}")
    if not some:
        return ""
    last = some.pop()
    made = f"{', '.join(some)} and {last}" if some else last
    return f"{' and '.join(_reasons(ledger))} would newly make up to {made}"
