"""The demonstration: a small company's mailbox and a sandbox Pipedrive, as long as a block runs.

A real IMAP server holds the generated mails, the sandbox listens on loopback, and a configuration
file names both, for the ordinary `mail2deal --catch-up`.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import yaml

from daemon.sandbox.company import Scenario
from daemon.sandbox.company import demo as company
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.imap_server import ImapServer, start_imap

SECRETS = {
    "MAIL2DEAL_DEMO_PASSWORD": "demo",
    "MAIL2DEAL_DEMO_TOKEN": "sandbox-token-of-ada",  # the sandbox's own, printed by it
}
_NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # the same mails whenever it runs
_USER = "sales"
_PLAN: Final = "ultimate"


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demonstration runs on; `SECRETS` belong into the environment of a command."""

    config: Path
    ledger: Path
    scenario: Scenario
    imap: ImapServer
    sandbox: Sandbox
    url: str  # of the sandbox

    def writes(self) -> int:
        """How often the sandbox was written to."""
        return len(self.sandbox.writes())


@contextmanager
def servers(keep: Path | None, kind: Literal["auto", "dovecot", "pymap"]) -> Iterator[Demo]:
    """Start both servers; their files are kept in `keep`, or nowhere."""
    with ExitStack() as stack:
        home = (
            keep.absolute()
            if keep
            else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mail2deal-")))
        )
        home.mkdir(parents=True, exist_ok=True)
        scenario = company(now=_NOW)
        users = {_USER: SECRETS["MAIL2DEAL_DEMO_PASSWORD"]}
        imap = stack.enter_context(start_imap(kind, users=users))
        for name, _role in scenario.roles:
            mails = [(mail.raw, mail.internal_date) for mail in scenario.folder(name)]
            imap.deliver_many(_USER, name, mails)
        settings = Settings(plan=_PLAN)
        sandbox = stack.enter_context(closing(Sandbox(home / "sandbox.db", settings=settings)))
        crm = stack.enter_context(Server(sandbox))
        config = _configure(home, scenario, imap, crm.url)
        yield Demo(config, home / "ledger.db", scenario, imap, sandbox, crm.url)


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
        "log": {"level": "warning"},  # what goes well is told in sentences
        "ledger": str(home / "ledger.db"),
    }
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
