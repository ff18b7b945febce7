"""FLOW ledger (→ Pipedrive): erases one sender here, and there too only if asked.

    (delete its records in Pipedrive →) erase → a salted hash stays

By the hash, later mail of that sender is recognised and dropped unread, as `forgotten`. The
erasure is one transaction; interrupted anywhere, the same command goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from daemon.intake import consent, states
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.pipedrive import removal
from daemon.pipedrive.client import Client
from daemon.rules.records import Record

# What is deleted first; an organization stands for more than one sender and stays, as does a deal
# in which others take part.
_ORDER = ("activity", "lead", "deal", "person")


@dataclass(frozen=True, slots=True)
class Remains:
    """A record that stays in Pipedrive."""

    kind: str
    pipedrive_id: str
    origin: str


def remains(ledger: Ledger, address: str) -> list[Remains]:
    """What of a sender is in Pipedrive, as far as the ledger knows; before it is erased."""
    return [
        Remains(record.kind, record.pipedrive_id or "", record.origin)
        for record in _records(ledger, address)
    ]


def delete_in_pipedrive(
    ledger: Ledger,
    client: Client,
    address: str,
    now: datetime,
    show: Callable[[str, int, int], object] = lambda *_: None,
) -> int:
    """Delete a sender's records there, adopted ones too; raises what Client.send raises.

    A person that has other senders' addresses stays without this one.
    """
    records, count = _records(ledger, address), 0
    for record in records:
        show("deleting", count, len(records))
        assert record.pipedrive_id is not None  # noqa: S101 - _records gives only those with one
        if record.kind == "person" and _others(ledger, record):
            removal.take_out(client, record.pipedrive_id, address)
        else:
            removal.delete(client, record.kind, record.pipedrive_id)
        with ledger.transaction("forgotten there"):
            ledger.records.mark_gone(record.kind, record.key, "forgotten", now)
        count += 1
        event("forget.deleted", kind=record.kind, id=record.pipedrive_id)
    show("deleting", count, len(records))
    return count


def erase(ledger: Ledger, settings: ScoringSettings, address: str, now: datetime) -> None:
    """Erase a sender key from the ledger, and from its file."""
    with ledger.shredding(), ledger.transaction("forget"):
        us = states.known_us(ledger, settings.us)
        touched = ledger.forgotten.erase(address, us, now)
        states.recompute(ledger, settings, touched)
        consent.forget_unless_held(ledger, now)


def _others(ledger: Ledger, record: Record) -> bool:
    """Whether a person stands for other senders, too."""
    twins = ledger.records.by_id("person", record.pipedrive_id or "")
    return any(twin.key != record.key and not twin.tombstone for twin in twins)


def _records(ledger: Ledger, address: str) -> list[Record]:
    """The live records of a sender alone, in the order in which they may be deleted."""
    live = [
        record
        for record in ledger.records.of_sender(address)
        if record.kind in _ORDER
        and record.pipedrive_id is not None
        and not record.tombstone
        and set(record.fields.get("participants") or [address]) == {address}
        and not (record.kind == "deal" and ledger.deals.participants_in(record.pipedrive_id))
    ]
    return sorted(live, key=lambda record: (_ORDER.index(record.kind), record.key))
