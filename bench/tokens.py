"""What a backfill costs in API tokens: ours, the floor, and the recipe that searches for each mail.

One run over one generated mailbox against the sandbox (in this process, its burst limits off, its
search lagging as it does):

- ours: intake's ledger, then one sync from an empty company
- the floor: every record that the rules ask for (counted by the tests' oracle, which shares no code
  with us) created once, plus the pages that list who is there
- the recipe, as it is commonly written: for each received mail search the organization, search the
  person, make what isn't found (a new person with a lead), read the person's deals, log an
  activity; for each mail of ours search the first recipient, and log it if there is such a person.
  A request takes 0.1 s. It has no verdicts, so newsletters, bounces and no-reply addresses are
  searched for and made as well

Then the same mailbox with every option on (`everything_on.py`).

The recipe's calls are v1, which costs twice as much; both prices are printed.

    python bench/tokens.py [mails]
"""

import json
import logging
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import everything_on
import requests
from acts import Acts
from corpus import generate
from measure import ratio
from snapshots import snapshot

from daemon.errors import Unreadable
from daemon.intake.scoring import IncomingMessage, add
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.message.parse import parse
from daemon.message.verdict import Us
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import PRICES, Call, Price
from daemon.pipedrive.pacing import Subscription
from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.rules.organization import PublicProviders, organization_key, public_providers
from daemon.sandbox.company import Scenario
from daemon.sandbox.crm import Sandbox, SandboxAdapter, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sync import Session, Sync, SyncSettings, TokenUsage

URL = "https://sandbox.test"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FAST = Subscription("unlimited", 1_000_000, 1_000)
REQUEST_SECONDS = 0.1
LISTS = ("organizations.list", "persons.list", "deals.list", "deals.archived", "leads.list")
PUBLIC = public_providers((), ())
# What the recipe calls, at v1's prices: https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting
# A call that we never make.
OF_THE_RECIPE = {"organizations.search": Price("GET", "/api/v2/organizations/search", 20)}
V1 = {"search": 40, "list": 20, "create": 10}


@dataclass
class Company:
    """A company of the sandbox whose clock moves with every request."""

    seconds: float = NOW.timestamp()
    sandbox: Sandbox = field(init=False)
    http: requests.Session = field(default_factory=requests.Session)
    usage: TokenUsage = field(default_factory=TokenUsage)

    def __post_init__(self) -> None:
        settings = Settings(burst=False, daily_tokens=10**9, open_cap=10**6)
        self.sandbox = Sandbox(":memory:", settings=settings, clock=lambda: self.seconds)
        self.http.trust_env = False
        self.http.mount(URL, _Ticking(self))

    def client(self) -> Client:
        """Its API, without pacing."""
        return Client(
            URL,
            lambda: DEFAULT_TOKEN,
            plan=FAST,
            session=self.http,
            clock=lambda: self.seconds,
            sleep=self.passes,
            wall=self.now,
            on_usage=self.usage.add,
        )

    def now(self) -> datetime:
        """The company's time."""
        return datetime.fromtimestamp(self.seconds, UTC)

    def passes(self, seconds: float) -> None:
        """Let time go by."""
        self.seconds += max(seconds, 0.001)

    def spent(self) -> int:
        """Tokens of all requests."""
        return sum(r.tokens for r in self.sandbox.requests)


class _Ticking(SandboxAdapter):
    def __init__(self, company: Company) -> None:
        super().__init__(company.sandbox, sleep=company.passes)
        self.company = company

    def send(self, *args: Any, **more: Any) -> requests.Response:
        self.company.passes(REQUEST_SECONDS)
        return super().send(*args, **more)


def read(scenario: Scenario, home: Path, *, copies: bool = False) -> tuple[Ledger, ScoringSettings]:
    """The mailbox in a ledger, without an IMAP server; `copies`: with those in To and Cc."""
    office = scenario.office
    us = Us(
        addresses=frozenset(office.addresses),
        domains=frozenset(office.domains),
        authserv_ids=frozenset({office.authserv_id}),
        ignored_addresses=frozenset(office.ignored_addresses),
        ignored_domains=frozenset(office.ignored_domains),
        copies=copies,
    )
    reading = ScoringSettings(us=us, rules=Rules(), public=PUBLIC)
    ledger = Ledger.open(home / "ledger.db")
    with ledger.transaction("bench"):
        ledger.folders.ensure("sales", list(scenario.roles), None)
    for folder in ledger.folders.of("sales"):
        seen = []
        for uid, mail in enumerate(scenario.folder(folder.name), 1):
            try:
                message = parse(mail.raw, size=len(mail.raw))
            except Unreadable:
                continue
            seen.append(IncomingMessage(uid, mail.internal_date, message))
        for start in range(0, len(seen), 500):
            with ledger.transaction("bench"):
                add(ledger, reading, folder.id, folder.role, 1, seen[start : start + 500])
    return ledger, reading


def ours(ledger: Ledger, reading: ScoringSettings, settings: SyncSettings, *team: str) -> Company:
    company = Company()
    for address in team:
        Acts(company.sandbox).add_user(address.partition("@")[0].title(), address)
    session = Session(ledger, company.client(), company.usage, reading, settings, company.now)
    sync = Sync(session)
    while True:
        sync.sync()
        due = ledger.backlog.next_due()
        if due is None:
            return company
        company.seconds = max(company.seconds, due.timestamp())


def with_everything_on(scenario: Scenario, home: Path) -> everything_on.Cost:
    """The same mailbox, with every option that writes something."""
    ledger, reading = read(scenario, home, copies=True)
    with ledger:
        company = ours(ledger, reading, everything_on.settings(), *everything_on.TEAM)
    return everything_on.cost(company.sandbox)


def floor(expected: Any) -> int:
    """Tokens of creating each record once and of listing an empty company."""
    made = {
        "organizations.create": len(expected.organizations),
        "persons.create": len(expected.persons),
        "leads.create": len(expected.leads),
        "deals.create": len(expected.deals),
        "activities.create": len(expected.activities) + len(expected.meetings),
        "person_fields.create": 3,
        "deal_fields.create": 1,
    }
    pages = sum(PRICES[kind].tokens for kind in (*LISTS, "leads.archived"))
    return pages + sum(PRICES[kind].tokens * count for kind, count in made.items())


@dataclass
class Recipe:
    """The recipe, and what its calls cost where v1 is meant."""

    company: Company
    client: Client
    v1: int = 0
    found: Counter[str] = field(default_factory=Counter)

    def send(self, price: str, call: Call) -> Any:
        """Send a call, and note what v1 asks for its like."""
        self.v1 += V1[price]
        return self.client.send(call).data

    def search(self, kind: str, term: str, fields: str) -> int | None:
        """The first hit."""
        query: dict[str, str | int | bool] = {"term": term, "fields": fields, "exact_match": True}
        with patch.dict(cast("dict[str, Price]", PRICES), OF_THE_RECIPE):
            items = self.send("search", Call.to(f"{kind}.search", query=query))["items"]
        return int(items[0]["item"]["id"]) if items else None

    def receive(self, address: str, name: str, subject: str, public: PublicProviders) -> None:
        """What the recipe does with one mail."""
        domain = organization_key(address.partition("@")[2], public)
        firm = None
        if domain is not None:
            firm = self.search("organizations", domain, "name")
            if firm is None:
                body = {"name": domain}
                firm = self.send("create", Call.to("organizations.create", body=body))["id"]
        person = self.search("persons", address, "email")
        if person is None:
            emails = [{"value": address, "primary": True, "label": "work"}]
            about = {"name": name or address, "emails": emails} | ({"org_id": firm} if firm else {})
            person = self.send("create", Call.to("persons.create", body=about))["id"]
            lead = {"title": name or address, "person_id": person}
            self.send("create", Call.to("leads.create", body=lead))
        self.send("list", Call.to("deals.list", query={"person_id": person, "limit": 100}))
        self.log(person, subject)

    def wrote(self, address: str, subject: str) -> None:
        """What the recipe does with one mail of ours."""
        person = self.search("persons", address, "email")
        if person is not None:
            self.log(person, subject)

    def log(self, person: int, subject: str) -> None:
        """An activity for a mail."""
        about = {
            "type": "email",
            "subject": subject or "-",
            "done": True,
            "participants": [{"person_id": person, "primary": True}],
        }
        self.send("create", Call.to("activities.create", body=about))


def recipe(ledger: Ledger) -> tuple[Recipe, int]:
    company = Company()
    run = Recipe(company, company.client())
    mails = ledger.rows(
        "SELECT direction, from_address, from_name, subject, facts FROM messages"
        " WHERE direction IS NOT NULL ORDER BY sent_at, key"
    )
    for mail in mails:
        if mail["direction"] == "received":
            run.receive(mail["from_address"], mail["from_name"] or "", mail["subject"], PUBLIC)
        else:
            run.wrote(json.loads(mail["facts"])["to"][0][1], mail["subject"])
    return run, len(mails)


def doubles(sandbox: Sandbox) -> tuple[int, int]:
    """How many persons and organizations there are beyond the first of each."""
    shown = snapshot(sandbox)
    people = Counter(email.lower() for doc in shown["persons"] for email in doc["emails"])
    firms = Counter(doc["name"].lower() for doc in shown["organizations"])
    return sum(n - 1 for n in people.values()), sum(n - 1 for n in firms.values())


def main() -> int:
    logging.disable(logging.WARNING)
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    started = time.monotonic()
    scenario = generate(11, size, now=NOW)
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    import oracle  # noqa: PLC0415 - it is one of the tests' files, which the line above makes known

    expected = oracle.expect(scenario)
    # Tokens are counted here, not the time that a disk takes.
    memory = Path("/dev/shm")  # noqa: S108 - TemporaryDirectory makes a private one in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as home:
        ledger, reading = read(scenario, Path(home))
        with ledger:
            usual = SyncSettings(Policy(reading.rules), "Sales", "Initial Contact", workers=1)
            company = ours(ledger, reading, usual)
            run, mails = recipe(ledger)
        (Path(home) / "all").mkdir()
        everything = with_everything_on(scenario, Path(home) / "all")
    lowest, spent, theirs = floor(expected), company.spent(), run.company.spent()
    print(f"{size} mails, {mails} of them distinct, from or to somebody outside")
    print(f"ours      {spent:>8} tokens  {spent / lowest:5.3f} x the floor (at most 1.05)")
    print(f"floor     {lowest:>8} tokens")
    print(
        f"with everything on {everything.spent.total()} tokens, {everything.ratio:5.3f} x the floor"
    )
    print(f"  above it: {everything.over()}")
    for name, tokens in (("v1", run.v1), ("v2", theirs)):
        each = tokens / mails
        print(f"recipe {name} {tokens:>8} tokens  {tokens / spent:5.1f} x ours, {each:.0f} a mail")
    for name, sandbox in (("ours", company.sandbox), ("the recipe", run.company.sandbox)):
        people, firms = doubles(sandbox)
        print(f"made twice by {name}: {people} persons, {firms} organizations")
    print(f"took {time.monotonic() - started:.0f} s")
    ratio("tokens: ours / the floor", spent / lowest, at_most=1.05)
    ratio("tokens: with everything on / the floor", everything.ratio, at_most=1.05)
    ratio("tokens: the recipe's (v1) / ours", run.v1 / spent, at_least=10)
    good = (
        max(spent / lowest, everything.ratio) <= 1.05
        and run.v1 >= 10 * spent
        and doubles(company.sandbox) == (0, 0)
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
