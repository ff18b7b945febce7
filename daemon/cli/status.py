"""`mail2deal status`: what the daemon is doing and what it can't, from the ledger alone."""

from typing import Any

from rich.table import Table

from daemon.cli import output
from daemon.ledger.store import Ledger
from daemon.pipedrive.costs import PRICES
from daemon.pipedrive.pacing import PLANS
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


def status(wiring: Wiring, *, as_json: bool) -> int:
    """Print it; the exit status is 1 if something is parked or quarantined, a mailbox too."""
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        report = _report(wiring, ledger)
    if as_json:
        output.print_json(report)
    else:
        _show(report)
    attention = (
        report["journal"].get("parked")
        or report["quarantine"]["messages"]
        or any(row["next_due"] is None for row in report["troubles"])
    )
    return output.ATTENTION if attention else output.DONE


def _report(wiring: Wiring, ledger: Ledger) -> dict[str, Any]:
    now = wiring.now()
    pending = ledger.journal.pending()
    backlog = sum(
        PRICES[_CALLS[change]].tokens * n for change, n in pending.items() if change in _CALLS
    )
    pipedrive = wiring.config.pipedrive
    daily = int(PLANS[pipedrive.plan].daily_tokens(pipedrive.seats) * pipedrive.daily_share)
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


def _show(report: dict[str, Any]) -> None:
    table = Table(title="folders", title_justify="left")
    for name in ("mailbox", "folder", "role", "last good poll", "failures", "quarantined", "error"):
        table.add_column(name)
    for row in report["folders"]:
        values = (
            row["mailbox"],
            row["folder"],
            row["role"],
            row["polled_at"] or "never",
            row["failures"],
            row["quarantined"],
            row["last_error"] or "",
        )
        table.add_row(*map(str, values))
    output.console.print(table)
    for row in report["troubles"]:
        again = f"next try {row['next_due']}" if row["next_due"] else "parked"
        _say(f"{row['mailbox']} fails since {row['failing_since']}, {again}: {row['reason']}")
    for mailbox, works in report["reply_detection"].items():
        if works is False:
            _say(f"{mailbox}: reply detection off, no Sent folder found (name it as folders.sent)")
    for name in ("messages", "senders", "records", "journal"):
        counts = ", ".join(f"{n} {key}" for key, n in sorted(report[name].items())) or "none"
        _say(f"{name}: {counts}")
    for row in report["parked"]:
        _say(f"  parked {row['action']} {row['kind']} {row['key']}: {row['last_error']}")
    quarantine = report["quarantine"]
    _say(f"quarantine: {quarantine['messages']} messages")
    for reason, count in quarantine["reasons"].items():
        _say(f"  {count}: {reason}")
    budget = report["budget"]
    _say(
        f"budget: {budget['spent_today']} of {budget['daily']} tokens spent today;"
        f" the backlog costs {budget['backlog']}, {budget['days_for_backlog']} days"
    )


def _say(text: str) -> None:
    output.console.print(text, markup=False)
