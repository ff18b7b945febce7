"""FLOW why a sender has its class, from the ledger alone."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from daemon.errors import Rejected
from daemon.intake.states import ScoringSettings, known_us, state_of
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.message.nature import words
from daemon.message.parse import Address
from daemon.message.verdict import Judgement, judge
from daemon.rules.correspondence import Correspondence
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
NEWEST = 50  # messages, and meetings, of one sender that are told unless all are asked for


@dataclass(frozen=True, slots=True)
class Told:
    """Everything about one sender: its state, why it has its class, its records, what waits."""

    state: SenderState
    explained: Explanation
    records: tuple[dict[str, Any], ...]  # kind, id, url, origin, reason, tombstone, tombstone_at
    activities: int
    waiting: tuple[dict[str, Any], ...]  # kind, action, state, not_before, last_error
    left_alone: str  # what the sync didn't do, and why; empty if nothing
    not_told: tuple[int, int] = (0, 0)  # earlier messages and meetings, which aren't in `explained`


def tell(
    ledger: Ledger, settings: ScoringSettings, address: str, newest: int | None = NEWEST
) -> Told:
    """Gather what there is to say about an address, written in any way.

    `newest`: how many of its messages and meetings are told one by one, None for all.
    """
    key = Address("", address.strip().lower()).key
    row = ledger.senders.get(key)
    state = state_of(ledger, settings, [key]) if row else None
    if row is None or state is None:
        raise Rejected("isn't a sender in this ledger", what=address, hint=_seen(ledger, key))
    standing = ledger.histories.standing(key)
    letters = ledger.histories.correspondence([key])
    letters.sort(key=lambda letter: (letter.sent_at, letter.key))
    earlier = max(0, len(letters) - newest) if newest else 0
    shown = letters[earlier:]
    explained = explanation(
        state,
        shown,
        ledger.senders.subjects(key),
        settings.rules,
        row.class_,
        known_before=standing.known_before,
        has_deal=standing.has_deal,
        count=settings.count,
        judgements=_judgements(ledger, settings, shown),
    )
    past = max(0, len(explained.meetings) - newest) if newest else 0
    return Told(
        state=state,
        explained=replace(explained, meetings=explained.meetings[past:]),
        records=_records(ledger, key, row.organization),
        activities=reports.activities_of(ledger, key),
        waiting=tuple(reports.waiting_for(ledger, key, row.organization)),
        left_alone=row.notes,
        not_told=(earlier, past),
    )


def _judgements(
    ledger: Ledger, settings: ScoringSettings, letters: Iterable[Correspondence]
) -> dict[str, Judgement]:
    """The steps by which each message was judged, from the facts that the ledger keeps of it."""
    us = known_us(ledger, settings.us)
    return {
        key: judge(stored.message, in_sent=stored.in_sent, us=us)
        for key, stored in ledger.messages.stored(letter.key for letter in letters).items()
    }


def _seen(ledger: Ledger, key: str) -> str:
    """What was read from an address that no state is kept of."""
    found = reports.read_from(ledger, key)
    if not found:
        return "no message from it was read"
    return "; ".join(f"{n} messages, {REASONS.get(why, why)}" for why, n in found.items())


def _records(ledger: Ledger, key: str, organization: str | None) -> tuple[dict[str, Any], ...]:
    base = ledger.setting("pipedrive_url")
    rows = reports.records_of(ledger, key, organization)
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
            "our_response_hours": state.our_response_hours,
        },
        "facts": [
            {"kind": fact.kind, "value": fact.value, "source": fact.way} for fact in state.facts
        ],
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
                "author": line.author,
                "signals": [
                    {"signal": signal, "weight": weight, "says": words(signal)}
                    for signal, weight in line.signals
                ],
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
        "not_told": dict(zip(("messages", "meetings"), told.not_told, strict=True)),
    }


def _iso(moment: Any) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
