"""`mail2deal status`: what the daemon is doing and what it can't, from the ledger alone."""

from typing import Any

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring
from daemon.errors import ATTENTION, DONE
from daemon.ledger.store import Ledger
from daemon.service.health import report
from daemon.wiring import Wiring


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_wiring
def command(wiring: Wiring, *, as_json: bool) -> int:
    """Show polls, senders by class, what waits or is parked, quarantine and budget."""
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        found = report(wiring, ledger)
    if as_json:
        output.print_json(found)
    else:
        _show(found)
    attention = (
        found["journal"].get("parked")
        or found["quarantine"]["messages"]
        or any(row["next_due"] is None for row in found["troubles"])
    )
    return ATTENTION if attention else DONE


def _show(report: dict[str, Any]) -> None:
    output.table(
        "folders",
        ("mailbox", "folder", "role", "last good poll", "failures", "quarantined", "error"),
        [
            (
                row["mailbox"],
                row["folder"],
                row["role"],
                row["polled_at"] or "never",
                row["failures"],
                row["quarantined"],
                row["last_error"] or "",
            )
            for row in report["folders"]
        ],
    )
    for row in report["troubles"]:
        again = f"next try {row['next_due']}" if row["next_due"] else "parked"
        output.say(f"{row['mailbox']} fails since {row['failing_since']}, {again}: {row['reason']}")
    for mailbox, works in report["reply_detection"].items():
        if works is False:
            output.say(
                f"{mailbox}: reply detection off, no Sent folder found (name it as folders.sent)"
            )
    for name in ("messages", "senders", "records", "journal"):
        counts = ", ".join(f"{n} {key}" for key, n in sorted(report[name].items())) or "none"
        output.say(f"{name}: {counts}")
    for row in report["parked"]:
        output.say(f"  parked {row['action']} {row['kind']} {row['key']}: {row['last_error']}")
    quarantine = report["quarantine"]
    output.say(f"quarantine: {quarantine['messages']} messages")
    for reason, count in quarantine["reasons"].items():
        output.say(f"  {count}: {reason}")
    budget = report["budget"]
    output.say(
        f"budget: {budget['spent_today']} of {budget['daily']} tokens spent today;"
        f" the backlog costs {budget['backlog']}, {budget['days_for_backlog']} days"
    )
