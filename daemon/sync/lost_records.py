"""What a ledger has done and doesn't remember: it was restored from a backup, or lost.

Leads, deals, persons and organizations are recognised in the listings, by their markers. This looks
for activities, once a start: all that were changed since the last one we know of, or since we made
our custom fields, which come before any; 500 for 10 tokens. Everything only where the ledger knows
of neither and something in the CRM says that we have been there: a deal or lead with our marker, or
our custom fields, which this ledger didn't make.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.log import event
from daemon.pipedrive.costs import Call, Scalar
from daemon.rules.plan import Adoption
from daemon.sync.session import Session

_MARGIN = timedelta(minutes=2)  # their clock and ours may differ
_MARKER = re.compile(r"\[mail2deal:([0-9a-z-]+)\]")
_WRITTEN = ("subject", "due_date", "due_time", "duration")


def adopt_lost_activities(session: Session, fields_made: datetime | None) -> int:
    """Adopt the activities that carry our marker and that the ledger doesn't know; how many.

    `fields_made`: when our fields were made, as far as the ledger knew at this start.
    """
    ledger = session.ledger
    last = ledger.records.last_written("activity") or fields_made
    if last is None and not _have_been_here(session):
        return 0
    query: dict[str, Scalar] = {}
    if last is not None:
        query["updated_since"] = (last - _MARGIN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    count = 0
    for page in session.client.pages(Call.to("activities.list", query=query)):
        unknown = {
            key: row
            for row in page
            for key in _MARKER.findall(row.get("note") or "")[-1:]
            if ledger.records.get("activity", key) is None and not _is_looked_for(session, key)
        }
        if unknown:
            with ledger.transaction("lost records"):
                for key, row in unknown.items():
                    _adopt(session, key, row)
            count += len(unknown)
    if count:
        event("sync.recognised", activities=count)
    return count


def _have_been_here(session: Session) -> bool:
    ledger = session.ledger
    return ledger.crm.holds_our_marks() or any(
        field.origin == "adopted" for field in ledger.records.live("field")
    )


def _is_looked_for(session: Session, key: str) -> bool:
    """Whether the journal knows that it may have been made, and finds out for itself."""
    row = session.ledger.journal.open_row("activity", key)
    return row is not None and row.unknown


def _adopt(session: Session, key: str, row: Mapping[str, Any]) -> None:
    """Let an activity stand for its message or meeting, as it is now."""
    ledger = session.ledger
    waiting = ledger.journal.open_row("activity", key)
    if waiting is not None and waiting.action == "create":
        ledger.journal.drop(waiting)
    people = [item["person_id"] for item in row.get("participants") or ()]
    addresses = [email for person in people for email in ledger.crm.emails_of(person)]
    fields = {name: row[name] for name in _WRITTEN if row.get(name)}
    adoption = Adoption("activity", key, str(row["id"]), "carries our marker", ours=True)
    ledger.records.adopt(
        adoption,
        addresses[0] if addresses else None,
        session.now(),
        fields=fields | {"participants": addresses},
    )
