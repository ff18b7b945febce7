"""The command line against running servers: a configuration, a clock, a Pipedrive over HTTP."""

import io
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from acts import Acts
from company_kit import NOW, Office

from daemon.cli import main
from daemon.cli.catch_up import catch_up
from daemon.config import load
from daemon.ledger.store import Ledger
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.wiring import Wiring


def clock() -> datetime:
    """The scenario's day, but time passes as it does."""
    return NOW + (datetime.now(UTC) - _STARTED)


_STARTED = datetime.now(UTC)


@dataclass(frozen=True)
class Desk:
    """A configured program and the servers it talks to."""

    home: Path
    sandbox: Sandbox
    server: Server
    config: Path

    def command(self, *arguments: str) -> list[str]:
        """The program as a person starts it."""
        return [sys.executable, "-m", "daemon", "--config", str(self.config), *arguments]

    @property
    def acts(self) -> Acts:
        return Acts(self.sandbox)

    @property
    def ledger(self) -> Path:
        return self.home / "ledger.db"

    def wiring(self) -> Wiring:
        return Wiring(load(self.config), now=clock)

    def change(self, **sections: Any) -> None:
        """Change whole sections of the configuration file."""
        document = yaml.safe_load(self.config.read_text())
        self.config.write_text(yaml.safe_dump(document | sections, sort_keys=False))

    def writes(self, after: int = 0) -> int:
        return len(self.sandbox.writes(after))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with Ledger.open(self.ledger, readonly=True) as opened:
            return opened.rows(sql)

    def forget_listings(self) -> None:
        """As if the ledger had never met this CRM."""
        with Ledger.open(self.ledger) as opened, opened.transaction("test"):
            opened.rows("DELETE FROM journal")
            opened.rows("DELETE FROM settings WHERE name NOT LIKE 'reply%'")
            opened.rows("UPDATE senders SET synced_version = 0")

    def requests(self) -> int:
        return len(self.sandbox.requests_after(0))


def run(command: click.Command, wiring: Wiring, *arguments: str) -> int:
    """A command with a Wiring that is there already; its exit status."""
    status: int = command.main(list(arguments), obj=wiring, standalone_mode=False)
    return status


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The whole program in this process, as if it were started: its exit status and what it says.

    What only a process has, such as a terminal or what is left after its end, needs a real one.
    """
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    out, err = io.StringIO(), io.StringIO()
    try:
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(arguments, prog_name="mail2deal")
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
    return subprocess.CompletedProcess(
        arguments, int(ended.value.code or 0), out.getvalue(), err.getvalue()
    )


def configuration(office: Office, url: str, ledger: Path) -> dict[str, Any]:
    scenario, server = office.scenario, office.server
    us = scenario.office
    return {
        "mailboxes": [
            {
                "name": "sales",
                "host": server.host,
                "port": server.port,
                "tls": "none",
                "username": "sales",
                "password": "secret",
                "folders": {"inbox": [n for n, role in scenario.roles if role == "inbox"]},
            }
        ],
        "pipedrive": {
            "base_url": url,
            "token": DEFAULT_TOKEN,
            "plan": "ultimate",
            "pipeline": "Sales",
            "stage": "Initial Contact",
        },
        "us": {
            "domains": list(us.domains),
            "addresses": list(us.addresses),
            "authserv_id": us.authserv_id,
        },
        "ignore": {"addresses": list(us.ignored_addresses), "domains": list(us.ignored_domains)},
        "ledger": str(ledger),
    }


@contextmanager
def desk(office: Office, home: Path, *, latency: float = 0.0) -> Iterator[Desk]:
    """A new sandbox and a new ledger for the office's mail; no burst limit."""
    settings = Settings(plan="ultimate", burst=False, daily_tokens=210_000, latency=latency)
    with (
        closing(
            Sandbox(home / "crm.db", settings=settings, clock=lambda: clock().timestamp())
        ) as sandbox,
        Server(sandbox) as server,
    ):
        config = home / "config.yaml"
        content = configuration(office, server.url, home / "ledger.db")
        config.write_text(yaml.safe_dump(content, sort_keys=False))
        config.chmod(0o600)
        yield Desk(home, sandbox, server, config)


@pytest.fixture
def office_desk(small_company: Office, tmp_path: Path) -> Iterator[Desk]:
    """The demo's mail, of which nothing was read yet."""
    with desk(small_company, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def read_ledger(small_company: Office, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger after `--catch-up --intake-only`."""
    with desk(small_company, tmp_path_factory.mktemp("read")) as opened:
        assert not caught_up(opened, intake_only=True)
    return opened.ledger


@pytest.fixture
def read_desk(office_desk: Desk, read_ledger: Path) -> Desk:
    """The demo's mail, all of it read, and a Pipedrive that nothing was written to."""
    shutil.copy(read_ledger, office_desk.ledger)
    return office_desk


def caught_up(at: Desk, **more: Any) -> int:
    """What --catch-up does; its exit status."""
    usual = {"since": None, "mailbox": None, "intake_only": False, "sync_only": False}
    return catch_up(at.wiring(), **usual | more)


def days_ago(number: int) -> datetime:
    return NOW - timedelta(days=number)
