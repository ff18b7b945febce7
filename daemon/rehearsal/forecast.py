"""What a rehearsal found: what would be made, for whom, for how much, and who is left out.

Read from the scratch ledger after the rehearsal, in the shape of `--dry-run --json`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.pipedrive.costs import PLURALS
from daemon.rules.explain import REASONS

_IMPORTANT = 20
_EXAMPLES = 3
RouteOf = Callable[[str], str]  # the name of a sender's route by its address, "" for none


def forecast(
    ledger: Ledger,
    run: int,
    spent: Mapping[str, tuple[int, int]],
    adopted_before: Mapping[str, int],
    route_of: RouteOf,
) -> dict[str, Any]:
    """Gather what `run` did in the scratch ledger; `spent` is (calls, tokens) by kind of call."""
    made = ledger.records.made_by(run)
    done = ledger.backlog.done_counts()
    adopted = ledger.records.adopted_counts()
    return {
        "create": {plural: made.get(kind, 0) for kind, plural in PLURALS.items()},
        "participants": made.get("participant", 0),  # of deals, who joins somebody else's
        "tokens": sum(tokens for _, tokens in spent.values()),
        "conversions": done.get(("deal", "convert"), 0),  # deals that are made from leads
        "fields": made.get("field", 0),  # custom fields of ours
        "updates": {
            "persons": done.get(("person", "update"), 0),
            "activities": done.get(("activity", "update"), 0),
        },
        "adopted": {
            plural: adopted.get(kind, 0) - adopted_before.get(kind, 0)
            for kind, plural in PLURALS.items()
            if kind != "activity"
        },
        "refused": reports.parked_reasons(ledger),
        "no_longer_made": reports.unwanted(ledger, _EXAMPLES),
        "important": [
            _important(row, route_of) for row in reports.important(ledger, run, _IMPORTANT)
        ],
        "left_out": [
            {
                "reason": row["reason"],
                "words": REASONS.get(row["reason"], row["reason"]),
                "messages": row["messages"],
                "examples": reports.left_out_senders(ledger, row["reason"], _EXAMPLES),
            }
            for row in reports.left_out(ledger)
        ],
        "ignored_senders": ledger.counts("senders").get("ignore", 0),
        "tokens_by_call": [
            {"call": call, "calls": spent[call][0], "tokens": spent[call][1]}
            for call in sorted(spent, key=lambda call: (-spent[call][1], call))
        ],
    }


def everybody(ledger: Ledger, run: int, route_of: RouteOf) -> list[dict[str, Any]]:
    """All who would get a lead or a deal, the most important first."""
    return [_important(row, route_of) for row in reports.important(ledger, run, -1)]


def _important(row: Mapping[str, Any], route_of: RouteOf) -> dict[str, Any]:
    names = ("address", "name", "organization", "what", "reason")
    numbers = ("replies", "meetings", "last_contact")
    return {
        **{name: row[name] for name in names},
        "messages": row["msg_count"],
        **{name: row[name] for name in numbers},
        "route": route_of(row["address"]),
    }
