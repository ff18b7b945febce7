"""A generated company, its mail on a Dovecot of its own, and everything wired as the program does.

It has 600 mails, every kind among them; MAIL2DEAL_MAILS sets another size (`make test-all`: 2,000).

The Pipedrive plan of these tests has no burst limit, so that thousands of writes take seconds;
pacing has tests of its own.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from correspondence import generate

from daemon.intake.poll import Pass, Tally, poll
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Account, Mailbox
from daemon.message.verdict import Us
from daemon.pipedrive.client import Client
from daemon.pipedrive.pacing import Subscription
from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.rules.organization import public_providers
from daemon.sandbox.company import Scenario, demo
from daemon.sandbox.crm import Sandbox, SandboxAdapter, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer, installed, start_imap
from daemon.sync import Session, Sync, SyncSettings, TokenUsage

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
MAILS = int(os.environ.get("MAIL2DEAL_MAILS", "600"))
UNLIMITED = Subscription("unlimited", burst=1_000_000, multiplier=1_000)


def reading(scenario: Scenario, batch: int = 500) -> ScoringSettings:
    office = scenario.office
    us = Us(
        addresses=frozenset(office.addresses),
        domains=frozenset(office.domains),
        authserv_ids=frozenset({office.authserv_id}),
        ignored_addresses=frozenset(office.ignored_addresses),
        ignored_domains=frozenset(office.ignored_domains),
    )
    return ScoringSettings(us=us, rules=Rules(), public=public_providers((), ()), batch=batch)


@dataclass(frozen=True)
class Office:
    """A scenario whose mail lies on a running server."""

    scenario: Scenario
    server: ImapServer

    def account(self, mailbox: str, folders: tuple[str, ...] | None = None) -> Account:
        inboxes = tuple(name for name, role in self.scenario.roles if role == "inbox")
        return Account(
            name=mailbox,
            host=self.server.host,
            port=self.server.port,
            tls="none",
            username=mailbox,
            password=lambda: "secret",
            inbox=folders or inboxes,
        )

    def read(
        self,
        ledger: Ledger,
        *,
        batch: int = 500,
        mailbox: str = "sales",
        folders: tuple[str, ...] | None = None,
    ) -> Tally:
        """Take in one mailbox, its inbox folders in the order given."""
        run = Pass(reading(self.scenario, batch), mailbox, None, lambda: NOW)
        with Mailbox.connect(self.account(mailbox, folders)) as connection:
            return poll(connection, ledger, run)


@contextmanager
def office(scenario: Scenario, kind: Any = "dovecot") -> Iterator[Office]:
    mailboxes = {mail.mailbox for mail in scenario.mails}
    with start_imap(kind, users=dict.fromkeys(sorted(mailboxes), "secret")) as server:
        for mailbox in mailboxes:
            for name, _role in scenario.roles:
                mails = [(m.raw, m.internal_date) for m in scenario.folder(name, mailbox)]
                if mailbox == "sales" or mails:
                    server.deliver_many(mailbox, name, mails)
        yield Office(scenario, server)


@pytest.fixture(scope="session")
def company() -> Iterator[Office]:
    """Its mails in INBOX, Sent and two more folders, on Dovecot; nobody changes the folders."""
    if "dovecot" not in installed():
        pytest.skip("Dovecot 2.3 isn't installed (apt-get install dovecot-imapd)")
    with office(generate(5, MAILS, now=NOW)) as running:
        yield running


@pytest.fixture(scope="session")
def small_company() -> Iterator[Office]:
    """The demo's 300 mails on whichever server there is."""
    with office(demo(now=NOW), "auto") as running:
        yield running


@dataclass(frozen=True)
class Crm:
    """A sandbox and what it takes to keep it in agreement with a ledger."""

    sandbox: Sandbox
    url: str
    session: requests.Session | None

    def sync(self, ledger: Ledger, scenario: Scenario, **changes: Any) -> Sync:
        usage = TokenUsage()
        client = Client(
            self.url,
            lambda: DEFAULT_TOKEN,
            plan=UNLIMITED,
            session=self.session,
            wall=lambda: NOW,
            on_usage=usage.add,
        )
        settings = SyncSettings(
            policy=Policy(rules=Rules()), pipeline="Sales", stage="Initial Contact", **changes
        )
        session = Session(ledger, client, usage, reading(scenario), settings, lambda: NOW)
        return Sync(session)


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Callable[..., Crm]]:
    """Makes sandboxes without limits: over a real socket, or in this process."""
    opened: list[Any] = []

    def make(name: str = "crm", *, socket: bool = False) -> Crm:
        settings = Settings(
            burst_requests=1_000_000, daily_tokens=10_000_000, plan="ultimate", open_cap=10**6
        )
        sandbox = Sandbox(tmp_path / f"{name}.db", settings=settings, clock=NOW.timestamp)
        if socket:
            server = Server(sandbox)
            opened.extend((server, sandbox))
            return Crm(sandbox, server.url, None)
        opened.append(sandbox)
        session = requests.Session()
        session.mount("https://", SandboxAdapter(sandbox))
        return Crm(sandbox, "https://sandbox.pipedrive.com", session)

    yield make
    for one in opened:
        with closing(one):
            pass


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened
