"""FLOW ledger → Pipedrive: takes back what one run created and nobody touched since.

    records of the run → look at each → delete → tombstone `undone`

Activities go first, then leads and deals, then persons and organizations on which nothing else
hangs. A tombstone keeps each from being made again. Interrupted anywhere, the same command goes on
from there: deleting is the same done once or twice. Doesn't bring back what the run updated, nor
the lead that became a deal.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.ledger.timestamp import instant_or_none, stamp
from daemon.log import event
from daemon.pipedrive import directory, removal
from daemon.rules.plan import Record
from daemon.sync import Session

_ORDER = ("activity", "lead", "deal", "person", "organization")
_MARGIN = timedelta(minutes=2)  # their clock and ours may differ


@dataclass(slots=True)
class Undone:
    """What was deleted, by kind, and what was left: (kind, key, why)."""

    deleted: dict[str, int] = field(default_factory=dict)
    kept: list[tuple[str, str, str]] = field(default_factory=list)


def undo(session: Session, run: int) -> Undone:
    """Delete what a run created; raises what Client.send raises, then it goes on when repeated.

    The caller has seen that no change of the run has an unknown outcome (`open_questions`).
    """
    ledger, result = session.ledger, Undone()
    with ledger.transaction("undo"):
        ledger.journal.drop_of_run(run)
    _list(session)
    records = [r for r in ledger.records.created_by(run) if r.kind in _ORDER]
    records.sort(key=lambda r: _ORDER.index(r.kind))
    kept, begun = _kept(session, run, records)
    for record in records:
        if session.stopping():
            break
        why = kept.get(f"{record.kind} {record.key}")
        if why is None and begun:
            why = _touched(session, record, begun)
        if why is None:
            why = _hanging(session, record)
        if why is not None:
            result.kept.append((record.kind, record.key, why))
            continue
        assert record.pipedrive_id is not None  # noqa: S101 - created_by gives only those with one
        removal.delete(session.client, record.kind, record.pipedrive_id)
        with ledger.transaction("undone"):
            ledger.records.bury(record.kind, record.key, "undone", session.now(), f"run {run}")
            if record.kind != "activity":
                ledger.crm.drop(record.kind, record.pipedrive_id)
        result.deleted[record.kind] = result.deleted.get(record.kind, 0) + 1
        event("undo.deleted", kind=record.kind, key=record.key)
    return result


def open_questions(session: Session, run: int) -> int:
    """Changes of a run that may have been made without our knowing: to be settled first."""
    return session.ledger.journal.unsettled(run)


def _list(session: Session) -> None:
    """Bring the copy of the CRM up to date, since it says what hangs on what."""
    ledger = session.ledger
    for kind in directory.KINDS:
        since = instant_or_none(ledger.setting(f"listed_at:{kind}"))
        since = since - _MARGIN if since else None
        code = ledger.records.live_id("field", "mail_key")
        for page in directory.listing(session.client, kind, since, code):
            with ledger.transaction("listing"):
                ledger.crm.keep(page, ledger.setting("sweep") or 0)


def _kept(
    session: Session, run: int, records: list[Record]
) -> tuple[dict[str, str], datetime | None]:
    """What people had changed when the run's undoing began, and when that was if it was before.

    All is looked at before anything is deleted, since a deletion may itself count as a change of
    what it hung on.
    """
    ledger, name = session.ledger, f"undo:{run}"
    begun = ledger.setting(name)
    if begun is not None:
        return begun["kept"], instant_or_none(begun["at"])
    now = stamp(session.now())
    reasons = {f"{r.kind} {r.key}": _touched(session, r, None) for r in records}
    kept = {key: why for key, why in reasons.items() if why is not None}
    with ledger.transaction("undo begins"):
        ledger.set(name, {"at": now, "kept": kept})
    return kept, None


def _touched(session: Session, record: Record, begun: datetime | None) -> str | None:
    """Whether somebody has changed a record since we last wrote, or undid, anything of it."""
    changed = removal.changed_at(session.client, record.kind, record.pipedrive_id or "")
    last = max(_writes(session, record), default=None)
    if begun is not None and last is not None:
        last = max(last, begun, *_undone(session, record))
    if changed is None or (last is not None and changed <= last + _MARGIN):
        return None
    return "somebody has changed it since"


def _hanging(session: Session, record: Record) -> str | None:
    """What else hangs on a record, so that it may not be deleted."""
    if record.kind == "activity":
        return None
    identifier, whole = record.pipedrive_id or "", record.kind in {"person", "organization"}
    for linked in session.ledger.crm.hanging_on(record.kind, identifier) if whole else ():
        return f"a {linked} hangs on it"
    client = session.client
    if removal.foreign_activities(client, record.kind, identifier, ours_too=whole):
        return "an activity hangs on it"
    return None


def _senders(session: Session, record: Record) -> list[str]:
    return [*session.ledger.records.senders_of(record.kind, record.key), record.key]


def _writes(session: Session, record: Record) -> Iterator[datetime]:
    """When we wrote to a record, and last to anything of its senders."""
    if record.written_at is not None:
        yield record.written_at
    for sender in _senders(session, record):
        if (written := session.ledger.records.last_write(sender)) is not None:
            yield written


def _undone(session: Session, record: Record) -> Iterator[datetime]:
    for sender in _senders(session, record):
        if (undone := session.ledger.records.last_undo(sender)) is not None:
            yield undone
