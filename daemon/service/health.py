"""What the daemon is doing and what it can't, from the ledger alone."""

from typing import Any

from daemon.ledger.store import Ledger
from daemon.pipedrive.costs import PRICES
from daemon.wiring import Wiring

_CALLS = {
    ("organization", "create"): "organizations.create",
    ("person", "create"): "persons.create",
    ("person", "update"): "persons.update",
    ("lead", "create"): "leads.create",
    ("lead", "archive"): "leads.update",
    ("deal", "create"): "deals.create",
    ("deal", "convert"): "leads.convert",
    ("activity", "create"): "activities.create",
    ("activity", "update"): "activities.update",
}


def report(wiring: Wiring, ledger: Ledger) -> dict[str, Any]:
    """What `status` shows; this is the shape of `--json`."""
    now = wiring.now()
    pending = ledger.journal.pending()
    backlog = sum(
        PRICES[_CALLS[change]].tokens * n for change, n in pending.items() if change in _CALLS
    )
    daily = wiring.daily_tokens()
    spent = ledger.runs.spent(now.date().isoformat())
    return {
        "folders": ledger.rows("SELECT * FROM health ORDER BY mailbox, folder"),
        "troubles": ledger.rows("SELECT * FROM troubles ORDER BY mailbox"),
        "reply_detection": {
            box.name: ledger.setting(f"reply_detection:{box.name}")
            for box in wiring.config.mailboxes
        },
        "messages": ledger.counts("messages"),
        "senders": ledger.counts("senders"),
        "records": ledger.counts("records"),
        "journal": ledger.journal.counts(),
        "next_change": (ledger.rows("SELECT min(not_before) AS due FROM waiting") or [{}])[0][
            "due"
        ],
        "parked": ledger.rows("SELECT * FROM parked ORDER BY planned_at LIMIT 20"),
        "quarantine": {
            "messages": ledger.folders.quarantined(),
            "reasons": _counts(
                ledger, "SELECT reason, count(*) AS n FROM quarantine GROUP BY reason"
            ),
        },
        "budget": {
            "daily": daily,
            "spent_today": spent,
            "left_today": max(0, daily - spent),
            "backlog": backlog,
            "days_for_backlog": round(backlog / daily, 2) if daily else None,
        },
    }


def _counts(ledger: Ledger, sql: str) -> dict[str, int]:
    return {str(first): n for first, n in (tuple(row.values()) for row in ledger.rows(sql))}
