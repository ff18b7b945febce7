"""FLOW ledger → Pipedrive: takes back what one run created and nobody touched since.

    records of the run → look at each → delete → tombstone `undone`

Participants and activities go first, then leads and deals, then persons and organizations on which
nothing else hangs. A tombstone keeps each from being made again. Interrupted anywhere, the same
command goes on from there: deleting twice does no harm. Doesn't bring back what the run
updated, nor the lead that became a deal or was archived for one.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.ledger.store import Ledger
from daemon.ledger.timestamp import instant_or_none, stamp
from daemon.log import event
from daemon.pipedrive import directory, participants, removal
from daemon.pipedrive.costs import PLURALS, PRICES
from daemon.pipedrive.objects import is_address, marker
from daemon.rules.records import Fields, Record
from daemon.rules.touched import changed_fields
from daemon.sync import Session

_ORDER = ("participant", "activity", "lead", "deal", "person", "organization")
_MARGIN = timedelta(minutes=2)  # what Pipedrive itself still does to an object that was written
_CHANGED = "somebody has changed it since"


@dataclass(slots=True)
class Undone:
    """What was deleted, by kind, and what was left: (kind, key, why)."""

    deleted: dict[str, int] = field(default_factory=dict)
    kept: list[tuple[str, str, str]] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)  # fields, by `kind key`


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
    codes = {one.pipedrive_id for one in ledger.records.live("field") if one.pipedrive_id}
    kept, begun = _kept(session, run, records, codes, result.changed)
    _part(session, run)
    for number, record in enumerate(records):
        if session.stopping():
            break
        session.progress("deleting", number, len(records))
        why = kept.get(f"{record.kind} {record.key}")
        if why is None and begun:
            why = _touched(session, record, begun, codes, result.changed)
        if why is None:
            why = _hanging(session, record)
        if why is not None:
            result.kept.append((record.kind, record.key, why))
            continue
        assert record.pipedrive_id is not None  # noqa: S101 - created_by gives only those with one
        if record.kind == "participant":
            participants.remove(session.client, record.fields["deal"], record.pipedrive_id)
        else:
            removal.delete(session.client, record.kind, record.pipedrive_id)
        with ledger.transaction("undone"):
            ledger.records.mark_gone(record.kind, record.key, "undone", session.now(), f"run {run}")
            if record.kind not in {"participant", "activity"}:
                ledger.crm.drop(record.kind, record.pipedrive_id)
        result.deleted[record.kind] = result.deleted.get(record.kind, 0) + 1
        event("undo.deleted", kind=record.kind, key=record.key)
    else:
        session.progress("deleting", len(records), len(records))
    return result


def _part(session: Session, run: int) -> None:
    """Take out the addresses that a run added to persons."""
    ledger = session.ledger
    for record in ledger.records.joined_by(run):
        removal.take_out(session.client, record.pipedrive_id or "", record.key)
        with ledger.transaction("undone"):
            ledger.records.mark_gone(record.kind, record.key, "undone", session.now(), f"run {run}")
        event("undo.parted", key=record.key, id=record.pipedrive_id)


def to_delete(ledger: Ledger, run: int) -> Counter[str]:
    """How many records of each kind a run created that are still there; our fields stay."""
    left = ledger.records.left_of(run)
    return Counter({kind: left[kind] for kind in _ORDER if kind in left})


def price(ledger: Ledger, run: int) -> int:
    """About how many tokens it takes to undo a run."""
    kinds = list(to_delete(ledger, run).elements())
    participants = kinds.count("participant")
    kinds = [kind for kind in kinds if kind != "participant"]
    listing = sum(PRICES[f"{PLURALS[kind]}.list"].tokens for kind in directory.KINDS)
    return removal.price(kinds) + listing + participants * PRICES["participants.delete"].tokens


def open_questions(session: Session, run: int) -> int:
    """Changes of a run that may have been made without our knowing: to be settled first."""
    return session.ledger.backlog.unsettled(run)


def _list(session: Session) -> None:
    """Bring the copy of the CRM up to date, since it says what hangs on what."""
    ledger = session.ledger
    for kind in directory.KINDS:
        since = instant_or_none(ledger.setting(f"listed_at:{kind}"))
        since = since - _MARGIN if since else None
        code = marker(ledger.records.live_ids("field"), kind)
        for page in directory.listing(session.client, kind, since, code):
            with ledger.transaction("listing"):
                ledger.crm.keep(page, ledger.setting("sweep") or 0)


def _kept(
    session: Session,
    run: int,
    records: list[Record],
    codes: Collection[str],
    changed: dict[str, list[str]],
) -> tuple[dict[str, str], datetime | None]:
    """What people had changed when the run's undoing began, and when that was if it was before.

    All is looked at before anything is deleted, since a deletion may itself count as a change of
    what it hung on.
    """
    ledger, name = session.ledger, f"undo:{run}"
    begun = ledger.setting(name)
    if begun is not None:
        changed |= begun.get("changed", {})
        return begun["kept"], instant_or_none(begun["at"])
    now, reasons = stamp(session.now()), {}
    for number, record in enumerate(records):
        session.progress("looking", number, len(records))
        reasons[f"{record.kind} {record.key}"] = _touched(session, record, None, codes, changed)
    session.progress("looking", len(records), len(records))
    kept = {key: why for key, why in reasons.items() if why is not None}
    with ledger.transaction("undo begins"):
        ledger.set(name, {"at": now, "kept": kept, "changed": changed})
    return kept, None


def _touched(
    session: Session,
    record: Record,
    begun: datetime | None,
    codes: Collection[str],
    changed: dict[str, list[str]],
) -> str | None:
    """Whether people changed a record: fields, which go into `changed`, or something since."""
    if record.kind == "participant":
        return None
    data = removal.read(session.client, record.kind, record.pipedrive_id or "")
    if data is None:
        return None
    if record.kind == "person":
        joined = [key for key, fields in _twins(session, record) if "joined" in fields]
        emails = data.get("emails") or ()
        left = [one for one in emails if not any(is_address(one, key) for key in joined)]
        data = {**data, "emails": left}
    # What people changed shows by itself, whenever that was and whatever we wrote since.
    if fields := changed_fields(record.kind, data, record.fields, codes):
        changed[f"{record.kind} {record.key}"] = list(fields)
        return _CHANGED
    last = max(_writes(session, record), default=None)
    if begun is not None and last is not None:
        last = max(last, begun, *_undone(session, record))
    at = removal.changed_at(data)
    return None if last is not None and at <= last + _MARGIN else _CHANGED


def _hanging(session: Session, record: Record) -> str | None:
    """What else hangs on a record, so that it may not be deleted."""
    if record.kind in {"participant", "activity"}:
        return None
    identifier, whole = record.pipedrive_id or "", record.kind in {"person", "organization"}
    for linked in session.ledger.crm.hanging_on(record.kind, identifier) if whole else ():
        return f"a {linked} hangs on it"
    client = session.client
    if removal.foreign_activities(client, record.kind, identifier, ours_too=whole):
        return "an activity hangs on it"
    return None


def _twins(session: Session, record: Record) -> list[tuple[str, Fields]]:
    """The other senders for whom a person stands, or stood, with what we wrote for them."""
    twins = session.ledger.records.by_id("person", record.pipedrive_id or "")
    return [(twin.key, twin.fields) for twin in twins if twin.key != record.key]


def _senders(session: Session, record: Record) -> list[str]:
    found = [*session.ledger.records.senders_of(record.kind, record.key), record.key]
    if record.kind == "person":
        found += [key for key, _ in _twins(session, record)]
    if record.kind == "deal":
        participants = session.ledger.deals.participants_in(record.pipedrive_id or "")
        found += [one.key.partition(" ")[2] for one in participants]
    return found


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
