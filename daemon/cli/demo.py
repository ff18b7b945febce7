"""`mail2deal demo`: the main job for real, on servers that live as long as the command.

The ordinary `mail2deal --catch-up` runs twice: the second time it must write nothing.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import click

from daemon.cli import output
from daemon.cli.sandbox import show_board
from daemon.errors import ATTENTION, DONE
from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.rehearsal.demo import SECRETS, Demo, servers
from daemon.rules.explain import REASONS
from daemon.sandbox.crm import board, duplicates


@click.command("demo")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Keep ledger, sandbox and configuration in this directory.",
)
@click.option(
    "--server",
    type=click.Choice(["auto", "dovecot", "pymap"]),
    default="auto",
    show_default=True,
    help="The embedded IMAP server.",
)
def command(keep: Path | None, server: Literal["auto", "dovecot", "pymap"]) -> int:
    """Do the main job on embedded servers: a small company's mailbox into a sandbox Pipedrive."""
    started = time.monotonic()
    with servers(keep, server) as demo:
        scenario = demo.scenario
        output.say(
            f"an IMAP server ({demo.imap.kind}) holds {len(scenario.mails)} mails of "
            f"{scenario.office.name}"
        )
        output.say(f"a Pipedrive sandbox listens on {demo.url}")
        output.say(f"\n$ mail2deal --config {demo.config.name} --catch-up")
        first = _catch_up(demo.config)
        _show(demo)
        before = demo.writes()
        output.say(f"\n$ mail2deal --config {demo.config.name} --catch-up    # once more")
        second = _catch_up(demo.config)
        written = demo.writes() - before
        doubled = duplicates(demo.sandbox)
        output.say(
            f"\nthe second run wrote {written} times; records that exist twice: {len(doubled)}"
        )
        output.say(
            f"done in {time.monotonic() - started:.0f} s"
            + (f"; everything is kept in {keep}" if keep else "")
        )
    return ATTENTION if first or second or written or doubled else DONE


def _catch_up(config: Path) -> int:
    """The command as a person would type it, over real sockets; its exit status."""
    command = [sys.executable, "-m", "daemon", "--config", str(config), "--catch-up"]
    sys.stdout.flush()
    return subprocess.run(command, check=False, env=os.environ | SECRETS).returncode  # noqa: S603 - our own program


def _show(demo: Demo) -> None:
    show_board(board(demo.sandbox, "Sales"))
    with Ledger.open(demo.ledger, readonly=True) as ledger:
        _rows("senders by class", reports.by_class(ledger))
        rows = [
            row | {"reason": REASONS.get(str(row["reason"]), row["reason"])}
            for row in reports.without_record(ledger)
        ]
        _rows("messages that make no record", rows)
    usage = demo.sandbox.usage()
    output.say(f"tokens spent: {usage.tokens} in {usage.calls} calls")


def _rows(title: str, rows: list[dict[str, object]]) -> None:
    if rows:
        output.table(title, tuple(rows[0]), [tuple(row.values()) for row in rows])
