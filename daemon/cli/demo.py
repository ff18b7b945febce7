"""`mail2deal demo`: the main job for real, on servers that live as long as the command.

A real IMAP server holds the generated mailbox of a small company, a sandbox Pipedrive listens on
loopback, and the ordinary `mail2deal --catch-up` runs between them, twice: the second time it must
write nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, cast

import yaml
from rich.table import Table

from daemon.cli import output
from daemon.cli.sandbox import show_board
from daemon.ledger.store import Ledger
from daemon.sandbox.company import Scenario
from daemon.sandbox.company import demo as company
from daemon.sandbox.crm import Sandbox, Settings, board, duplicates, serve, snapshot
from daemon.sandbox.imap_server import ImapServer, start_imap

_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # the same mails whenever it runs
_USER, _PASSWORD = "sales", "demo"
_TOKEN = "sandbox-token-of-ada"  # noqa: S105 - the sandbox's own, printed by it
_PLAN: Final = "ultimate"


def demo(keep: Path | None, server: str) -> int:
    """Run the demonstration; the exit status is 0 only if the second run wrote nothing."""
    started = time.monotonic()
    kind = cast("Literal['auto', 'dovecot', 'pymap']", server)
    with ExitStack() as stack:
        home = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mail2deal-")))
        home.mkdir(parents=True, exist_ok=True)
        scenario = company(now=_NOW)
        imap = stack.enter_context(start_imap(kind, users={_USER: _PASSWORD}))
        for name, _role in scenario.roles:
            mails = [(mail.raw, mail.internal_date) for mail in scenario.folder(name)]
            imap.deliver_many(_USER, name, mails)
        _say(
            f"an IMAP server ({imap.kind}) holds {len(scenario.mails)} mails of "
            f"{scenario.office.name}"
        )
        settings = Settings(plan=_PLAN)
        sandbox = stack.enter_context(closing(Sandbox(home / "sandbox.db", settings=settings)))
        crm = stack.enter_context(serve(sandbox))
        _say(f"a Pipedrive sandbox listens on {crm.url}")
        config = _configure(home, scenario, imap, crm.url)
        _say(f"\n$ mail2deal --config {config.name} --catch-up")
        first = _catch_up(config)
        _show(home / "ledger.db", sandbox)
        before = _writes(sandbox)
        _say(f"\n$ mail2deal --config {config.name} --catch-up    # once more")
        second = _catch_up(config)
        written = _writes(sandbox) - before
        doubled = duplicates(snapshot(sandbox))
        _say(f"\nthe second run wrote {written} times; records that exist twice: {len(doubled)}")
        _say(
            f"done in {time.monotonic() - started:.0f} s"
            + (f"; everything is kept in {home}" if keep else "")
        )
    return output.ATTENTION if first or second or written or doubled else output.DONE


def _say(text: str) -> None:
    output.console.print(text, markup=False)


def _configure(home: Path, scenario: Scenario, imap: ImapServer, url: str) -> Path:
    office = scenario.office
    inboxes = [name for name, role in scenario.roles if role == "inbox"]
    config = {
        "mailboxes": [
            {
                "name": "sales",
                "host": imap.host,
                "port": imap.port,
                "tls": "none",
                "username": _USER,
                "password": {"env": "MAIL2DEAL_DEMO_PASSWORD"},
                "folders": {"inbox": inboxes, "sent": "auto"},
            }
        ],
        "pipedrive": {
            "base_url": url,
            "token": {"env": "MAIL2DEAL_DEMO_TOKEN"},
            "plan": _PLAN,
            "pipeline": "Sales",
            "stage": "Initial Contact",
        },
        "us": {
            "domains": list(office.domains),
            "addresses": list(office.addresses),
            "authserv_id": office.authserv_id,
        },
        "ignore": {
            "addresses": list(office.ignored_addresses),
            "domains": list(office.ignored_domains),
        },
        "ledger": str(home / "ledger.db"),
    }
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _catch_up(config: Path) -> int:
    """The command as a person would type it, over real sockets; its exit status."""
    secrets = {"MAIL2DEAL_DEMO_PASSWORD": _PASSWORD, "MAIL2DEAL_DEMO_TOKEN": _TOKEN}
    command = [sys.executable, "-m", "daemon", "--config", str(config), "--catch-up"]
    sys.stdout.flush()
    return subprocess.run(command, check=False, env=os.environ | secrets).returncode  # noqa: S603 - our own program


def _show(ledger_path: Path, sandbox: Sandbox) -> None:
    show_board(board(sandbox, "Sales"))
    with Ledger.open(ledger_path, readonly=True) as ledger:
        _table(
            "senders by class",
            ledger.rows(
                "SELECT class, count(*) AS senders, sum(msg_count) AS messages FROM senders"
                " GROUP BY class ORDER BY class DESC"
            ),
        )
        _table(
            "messages that make no record",
            ledger.rows(
                "SELECT verdict, reason, count(*) AS messages FROM messages"
                " WHERE verdict <> 'contact' GROUP BY verdict, reason ORDER BY 3 DESC, reason"
            ),
        )
    usage = sandbox.usage()
    _say(f"tokens spent: {usage.tokens} in {usage.calls} calls")


def _table(title: str, rows: list[dict[str, object]]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    output.console.print(table)


def _writes(sandbox: Sandbox) -> int:
    return len(sandbox.writes())
