"""What the daemon is doing and what it can't, from the ledger alone."""

from typing import Any

from daemon.ledger import reports
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
        "folders": reports.folders(ledger),
        "troubles": reports.troubles(ledger),
        "reply_detection": {
            box.name: ledger.setting(f"reply_detection:{box.name}")
            for box in wiring.config.mailboxes
        },
        "messages": ledger.counts("messages"),
        "senders": ledger.counts("senders"),
        "records": ledger.counts("records"),
        "journal": ledger.journal.counts(),
        "next_change": reports.next_change(ledger),
        "parked": reports.parked(ledger, 20),
        "quarantine": {
            "messages": ledger.folders.quarantined(),
            "reasons": reports.quarantine_reasons(ledger),
        },
        "budget": {
            "daily": daily,
            "spent_today": spent,
            "left_today": max(0, daily - spent),
            "backlog": backlog,
            "days_for_backlog": round(backlog / daily, 2) if daily else None,
        },
    }
