"""FLOW why a sender is what it is, from the ledger alone."""

from dataclasses import asdict, dataclass
from typing import Any

from daemon.errors import Rejected
from daemon.intake.scoring import ScoringSettings, state_of
from daemon.ledger.store import Ledger
from daemon.message.parse import Address
from daemon.rules.explain import REASONS, Explanation
from daemon.rules.explain import explain as explanation
from daemon.rules.sender import SenderState

# Where a record is in Pipedrive's web page, below the company's address.
_PATHS = {
    "organization": "organization",
    "person": "person",
    "lead": "leads/inbox",
    "deal": "deal",
}


@dataclass(frozen=True, slots=True)
class Told:
    """Everything about one sender: its state, why it has its class, its records, what waits."""

    state: SenderState
    explained: Explanation
    records: tuple[dict[str, Any], ...]  # kind, id, url, origin, reason, tombstone, tombstone_at
    activities: int
    waiting: tuple[dict[str, Any], ...]  # kind, action, state, not_before, last_error
    left_alone: str  # what the sync didn't do, and why; empty if nothing


def tell(ledger: Ledger, reading: ScoringSettings, address: str) -> Told:
    """Gather what there is to say about an address, written in any way."""
    key = Address("", address.strip().lower()).key
    row = ledger.senders.get(key)
    state = state_of(ledger, reading, [key]) if row else None
    if row is None or state is None:
        raise Rejected("isn't a sender in this ledger", what=address, hint=_seen(ledger, key))
    person = ledger.records.get("person", key)
    explained = explanation(
        state,
        ledger.senders.correspondence([key]),
        ledger.senders.subjects(key),
        reading.rules,
        row.class_,
        known_before=person is not None and person.origin == "adopted",
        has_deal=ledger.records.get("deal", key) is not None or ledger.crm.has_deal(key),
        count=reading.count,
    )
    (counted,) = ledger.rows(
        # `+` keeps SQLite from reading all activities by the primary key.
        "SELECT count(*) AS n FROM records WHERE sender = ? AND +kind = 'activity'"
        " AND tombstone IS NULL",
        key,
    )
    (notes,) = ledger.rows("SELECT notes FROM senders WHERE address = ?", key)
    return Told(
        state=state,
        explained=explained,
        records=_records(ledger, key, row.organization),
        activities=counted["n"],
        waiting=tuple(
            ledger.rows(
                # Two questions, each with an index of its own: together they read the whole table.
                "SELECT kind, action, state, not_before, last_error FROM journal WHERE id IN"
                " (SELECT id FROM journal WHERE sender = ? AND state <> 'done' UNION SELECT id"
                "  FROM journal WHERE kind = 'organization' AND key = ? AND state <> 'done')"
                " ORDER BY id",
                key,
                row.organization or "",
            )
        ),
        left_alone=notes["notes"],
    )


def _seen(ledger: Ledger, key: str) -> str:
    """What was read from an address that no state is kept of."""
    rows = ledger.rows(
        "SELECT reason, count(*) AS n FROM messages WHERE from_address = ? GROUP BY reason", key
    )
    if not rows:
        return "no message from it was read"
    return "; ".join(
        f"{row['n']} messages, {REASONS.get(row['reason'], row['reason'])}" for row in rows
    )


def _records(ledger: Ledger, key: str, organization: str | None) -> tuple[dict[str, Any], ...]:
    base = ledger.setting("pipedrive_url")
    rows = ledger.rows(
        "SELECT kind, pipedrive_id AS id, origin, reason, tombstone, tombstone_at FROM records"
        " WHERE (key = ? AND kind IN ('person', 'lead', 'deal'))"
        " OR (key = ? AND kind = 'organization')"
        " ORDER BY kind = 'deal', kind = 'lead', kind = 'person'",
        key,
        organization or "",
    )
    for row in rows:
        row["url"] = f"{base}/{_PATHS[row['kind']]}/{row['id']}" if base and row["id"] else None
    return tuple(rows)


def as_dict(told: Told) -> dict[str, Any]:
    """The explanation for programs; this is the shape of `--json`."""
    state, explained = told.state, told.explained
    return {
        "address": state.address,
        "name": state.name,
        "organization": state.organization,
        "class": explained.class_.name,
        "reason": explained.class_.reason,
        "rule": explained.rule,
        "thresholds": [asdict(threshold) for threshold in explained.thresholds],
        "would_change_it": list(explained.changes),
        "numbers": {
            "messages": state.msg_count,
            "sent": state.sent_count,
            "replies": state.replies,
            "meetings": state.meetings,
            "threads": state.thread_count,
            "first_contact": _iso(state.first_contact),
            "last_contact": _iso(state.last_contact),
            "avg_response_hours": state.avg_response_hours,
        },
        "messages": [
            {
                "key": line.key,
                "sent_at": _iso(line.sent_at),
                "direction": line.direction,
                "subject": line.subject,
                "verdict": line.verdict.kind,
                "reason": line.verdict.reason,
                "counts": line.counts,
                "why": line.why,
            }
            for line in explained.timeline
        ],
        "meetings": [
            {
                "summary": met.meeting.summary,
                "starts_at": _iso(met.meeting.starts_at),
                "status": met.meeting.status,
                "counts": met.meeting.counts,
                "why": met.why,
            }
            for met in explained.meetings
        ],
        "records": list(told.records),
        "activities": told.activities,
        "waiting": list(told.waiting),
        "left_alone": told.left_alone,
    }


def _iso(moment: Any) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
