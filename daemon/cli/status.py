"""`mail2deal status`: on one screen what needs a person, what fails, and how far all is."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.rules.quantities import counted, no_longer_made
from daemon.service.health import HealthLine, exit_status_of, health, report
from daemon.wiring import Wiring

_HEADINGS = {
    "person": "needs you",
    "failing": "fails, and is tried again by itself",
    "note": "worth knowing",
}
_FOLDERS = 12  # more aren't listed when they work


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_wiring
def command(wiring: Wiring, *, as_json: bool) -> int:
    """Show what needs you, what fails, and how polls, senders, changes and budget are."""
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        lines = health(ledger, wiring.now())
        found = report(wiring, ledger)
    if as_json:
        output.print_json(found)
    else:
        _show_health(lines)
        _show(found)
    return exit_status_of(lines)


def _show_health(lines: list[HealthLine]) -> None:
    if not lines:
        output.say("all is well")
    for weight, heading in _HEADINGS.items():
        mine = [line for line in lines if line.weight == weight]
        if mine:
            output.say(f"{heading}:")
        for line in mine:
            output.say(f"  {line}" + (f"\n    → {line.do}" if line.do else ""))


def _show(found: Mapping[str, Any]) -> None:
    sync, folders = found["sync"], found["folders"]
    output.say(f"service: {found['service'] or 'not running'}")
    output.say(f"sync: last good pass {sync['good_at'] or 'never'}")
    shown = folders if len(folders) <= _FOLDERS else [row for row in folders if row["failures"]]
    output.table(
        "folders",
        ("mailbox", "folder", "role", "good poll (UTC)", "failures", "quarantined", "error"),
        [
            (
                row["mailbox"],
                row["folder"],
                row["role"],
                _minute(row["polled_at"]),
                row["failures"],
                row["quarantined"],
                row["last_error"] or "",
            )
            for row in shown
        ],
    )
    if len(shown) < len(folders):
        oldest = min(row["polled_at"] or "never" for row in folders)
        output.say(f"{len(folders) - len(shown)} more folders, all read since {oldest}")
    for mailbox, works in found["reply_detection"].items():
        if works is False:
            output.say(
                f"{mailbox}: reply detection off, no Sent folder found (name it as folders.sent)"
            )
    for mailbox, sent in found["sent"].items():
        where = ", ".join(
            f"{row['folder']} ({_at_least(row['messages'])}, newest {row['newest'] or 'none'})"
            for row in sent["folders"]
        )
        if where:
            output.say(f"{mailbox}: mail of ours is looked for in {where}")
        if sent["unmatched_answers"] >= reports.MANY_ANSWERS:
            output.say(
                f"{mailbox}: {sent['unmatched_answers']} answers came in, and none of our mails was"
                " found in a folder for sent mail: name the one that is used as folders.sent"
            )
    for sentence in _worth_knowing(found):
        output.say(sentence)
    for name in ("messages", "senders", "records", "journal"):
        ordered = dict(sorted(found[name].items()))
        counts = ", ".join(f"{n} {key}" for key, n in ordered.items())
        output.say(f"{name}: {(output.listed(ordered) if name == 'records' else counts) or 'none'}")
    budget = found["budget"]
    output.say(
        f"budget: {budget['spent_today']} of {budget['daily']} tokens spent today;"
        f" the backlog costs {budget['backlog']} tokens{_until(budget['days_for_backlog'])}"
    )


def _at_least(messages: int) -> str:
    several = counted(messages, "message")
    return several if messages < reports.COUNTED else f"at least {several}"


def _worth_knowing(found: Mapping[str, Any]) -> Iterator[str]:
    for host, limit in found["crowded_hosts"].items():
        yield (
            f"{host} takes {counted(limit, 'connection')} of ours at once: mailboxes"
            " take turns, with IDLE only where there is room"
        )
    if found["to_read_again"]:
        yield (
            f"{found['to_read_again']} messages were read by an earlier version: they are read"
            " again in the background (mail2deal --catch-up does it at once)"
        )
    if sentence := no_longer_made(**found["no_longer_made"]):
        yield sentence


def _until(days: int) -> str:
    """How long the backlog goes on."""
    return f", done in {counted(days, 'day')}" if days else ""


def _minute(at: str | None) -> str:
    """`2026-10-03 13:58` of the ledger's time, so that the table fits 80 columns."""
    return at[:16].replace("T", " ") if at else "never"
