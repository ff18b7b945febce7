"""What a ledger has done and doesn't remember: it was restored from a backup, or lost.

Leads, deals, persons and organizations are recognised in the listings, by their marks. This looks
for activities, once a start: all that were changed since the last one we know of, or since we made
our custom fields, which come before any; 500 for 10 tokens. Everything only where the ledger knows
of neither and something in the CRM says that we have been there: a deal or lead with our marker, or
our custom fields, which this ledger didn't make.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.log import event
from daemon.pipedrive.costs import Call, Scalar
from daemon.rules import follow_up
from daemon.rules.marks import mark_of, short
from daemon.rules.records import Adoption
from daemon.sync.session import LOST_UNTIL, UNCLAIMED, Session

_MARGIN = timedelta(minutes=2)  # their clock and ours may differ
_WRITTEN = ("subject", "due_date", "due_time", "duration")


def adopt_lost_activities(session: Session, fields_made: datetime | None) -> int:
    """Adopt the activities that carry our mark and that the ledger doesn't know; how many.

    `fields_made`: when our fields were made, as far as the ledger knew at this start. A mark says
    only the end of a key: until a message, a meeting or a follow-up claims it, that is the key.
    """
    ledger = session.ledger
    last = ledger.records.last_written("activity") or fields_made
    if last is None and not _have_been_here(session):
        return 0
    query: dict[str, Scalar] = {}
    if last is not None:
        query["updated_since"] = (last - _MARGIN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    count, made = 0, ledger.setting(LOST_UNTIL) or ""
    coming: dict[str, str] | None = None
    for page in session.client.pages(Call.to("activities.list", query=query)):
        marks = ((mark_of(row), row) for row in page)
        unknown = {said: row for said, row in marks if said and _is_lost(session, said, row)}
        if unknown:
            if coming is None:
                coming = {short(key): key for key in ledger.backlog.keys("activity")}
            with ledger.transaction("lost records"):
                for said, row in unknown.items():
                    # What is on its way isn't lost: its answer was, and the journal knows of it.
                    if _adopt(session, coming.get(short(said), said), row):
                        count += 1
                        made = max(made, str(row.get("add_time") or ""))
                if made:
                    ledger.set(LOST_UNTIL, made)
    if count:
        event("sync.recognised", activities=count)
    return count


def _is_lost(session: Session, said: str, row: Mapping[str, Any]) -> bool:
    records = session.ledger.records
    known = records.get("activity", said) or records.by_id("activity", str(row["id"]))
    return not known


def _have_been_here(session: Session) -> bool:
    ledger = session.ledger
    return ledger.crm.holds_our_marks() or any(
        field.origin == "adopted" for field in ledger.records.live("field")
    )


def _adopt(session: Session, key: str, row: Mapping[str, Any]) -> bool:
    """Adopt an activity for its message, meeting or sender, as it is now; whether it was adopted.

    It isn't while the journal has it as perhaps made: then the journal looks for it.
    """
    ledger = session.ledger
    waiting = ledger.journal.open_row("activity", key)
    if waiting is not None and waiting.unknown:
        return False
    if waiting is not None and waiting.action == "create":
        ledger.journal.drop(waiting)
    people = [item["person_id"] for item in row.get("participants") or ()]
    addresses = [email for person in people for email in ledger.crm.emails_of(person)]
    fields = {name: row[name] for name in _WRITTEN if row.get(name)}
    if row.get("type") == follow_up.TYPE:
        fields |= follow_up.as_found(row)
    adoption = Adoption("activity", key, str(row["id"]), "carries our mark", ours=True)
    ledger.records.adopt(
        adoption,
        addresses[0] if addresses else None,
        session.now(),
        fields=fields | {"participants": addresses},
    )
    if len(key) == len(short(key)):
        ledger.set(UNCLAIMED, 1)
        ledger.records.unclaimed = True
    if "since" in fields and addresses:
        ledger.senders.remind(addresses[0], key)
    return True
