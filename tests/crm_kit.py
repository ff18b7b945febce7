"""A ledger, a sandbox Pipedrive and one clock for both; mails are put straight into the ledger.

`Shop` is the smallest company that syncs: `shop.hears("ada@acme.example")` is a mail of theirs,
`shop.writes(...)` one of ours, `shop.sync()` passes until nothing is due within a few minutes,
`shop.acts` is what people do in Pipedrive. Every request is checked against the official description.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from acts import Acts
from openapi import Description
from snapshots import snapshot

from daemon.intake.scoring import IncomingMessage, add
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.message.bounce import Bounced
from daemon.message.invite import Invite
from daemon.message.parse import Address, Message
from daemon.message.verdict import Us
from daemon.pipedrive.client import Client
from daemon.pipedrive.pacing import Subscription
from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.rules.organization import public_providers
from daemon.sandbox.crm import Sandbox, SandboxAdapter, Server, duplicates
from daemon.sandbox.crm import Settings as Company
from daemon.sandbox.crm.core import Logged
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sync import Pushed, Session, Sync, SyncSettings, TokenUsage
from daemon.sync.planning import plan_due
from daemon.sync.prepare import prepare
from daemon.sync.push import Pusher
from daemon.sync.refresh import refresh

URL = "https://sandbox.test"
WE = "sales@ours.example"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FAST = Subscription("test", 1_000_000, 7)  # no pacing: the sandbox has no burst limit either
_PATIENCE = timedelta(minutes=10)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    slept: timedelta = timedelta()  # how long the machine has slept so far

    def seconds(self) -> float:
        return self.now.timestamp()

    def monotonic(self) -> float:
        """It stands still while a machine sleeps."""
        return (self.now - self.slept).timestamp()

    def sleeps(self, **more: float) -> None:
        """The machine sleeps for so long."""
        self.slept += timedelta(**more)
        self.passes(**more)

    def passes(self, seconds: float = 0, **more: float) -> None:
        self.now += timedelta(seconds=seconds, **more)

    def sleep(self, seconds: float) -> None:
        self.passes(max(seconds, 0.001))  # less than a microsecond would be no time at all


@dataclass
class Shop:
    """See the module."""

    ledger: Ledger
    sandbox: Sandbox
    sync_: Sync
    client: Client
    clock: Clock
    scoring: ScoringSettings
    folders: dict[str, int]
    _number: int = 0
    _checked: int = 0
    addresses: dict[int, str] = field(default_factory=dict)

    @property
    def acts(self) -> Acts:
        return Acts(self.sandbox)

    # mails

    def hears(
        self, sender: str, *, answers: int | None = None, also: tuple[str, ...] = (), **more: Any
    ) -> int:
        """A mail from a sender, `also` to others; `answers` names an earlier one. Its number."""
        return self._mail(sender, (WE, *also), answers, "inbox", **more)

    def writes(self, *to: str, answers: int | None = None, **more: Any) -> int:
        """A mail of ours in Sent."""
        return self._mail(WE, to, answers, "sent", **more)

    def hears_often(self, sender: str, count: int, **more: Any) -> None:
        for _ in range(count):
            self.hears(sender, **more)

    def _mail(
        self,
        sender: str,
        to: Iterable[str],
        answers: int | None,
        role: str,
        *,
        subject: str = "",
        snippet: str = "Hello",
        name: str = "",
        invite: Invite | None = None,
        at: datetime | None = None,
        signals: tuple[str, ...] = (),
        bounced: tuple[Bounced, ...] = (),
    ) -> int:
        self._number += 1
        number = self._number
        self.clock.passes(60)
        at = at or self.clock.now
        message = Message(
            key=f"{number:032x}",
            message_id=f"{number}@mail.example",
            answers=() if answers is None else (f"{answers}@mail.example",),
            from_=Address(name, sender),
            to=tuple(Address("", address) for address in to),
            subject=subject or f"Mail {number}",
            date=at,
            snippet=snippet,
            signals=signals,
            bounced=bounced,
            invites=() if invite is None else (invite,),
            opaque=False,
            thread=None,
            size=1000,
            recipients_count=1,
        )
        with self.ledger.transaction("test"):
            seen = [IncomingMessage(number, at, message)]
            add(self.ledger, self.scoring, self.folders[role], role, 1, seen)
        return number

    def invited(self, sender: str, uid: str = "lunch", **values: Any) -> int:
        """An invitation of theirs, or with `method` a change of it."""
        return self.hears(sender, invite=invitation(sender, WE, uid, **values))

    # the sync

    def sync(self) -> Pushed:
        """Passes until nothing is due within minutes; the clock moves to what is."""
        while True:
            pushed = self.sync_.sync()
            due = pushed.resume_at or self.ledger.backlog.next_due()
            self.check_requests()
            if pushed.problem or due is None or due - self.clock.now > _PATIENCE:
                return pushed
            self.clock.now = max(due, self.clock.now)

    def plan(self) -> None:
        """Only what comes before the first write: the lists and the journal."""
        session = self.sync_.session
        Pusher(session, prepare(session)).push(lambda row: row.kind == "field")
        place = prepare(session)
        plan_due(session, place, *refresh(session, place))

    def settings(self, **changes: Any) -> None:
        """Configure anew, as after a restart."""
        session = self.sync_.session
        self.sync_ = Sync(replace(session, settings=replace(session.settings, **changes)))

    def reopens(self, ledger: Path) -> None:
        """Start again with another file as the ledger."""
        self.ledger.close()
        self.ledger = Ledger.open(ledger)
        OPENED.append(self.ledger)
        self.sync_ = Sync(replace(self.sync_.session, ledger=self.ledger))

    def trusts(self, server: str) -> tuple[str, ...]:
        """Believe this server's Authentication-Results; the signals of a mail that it passes."""
        us = replace(self.scoring.us, authserv_ids=frozenset({server}))
        self.scoring = replace(self.scoring, us=us)
        self.sync_ = Sync(replace(self.sync_.session, scoring=self.scoring))
        return (f"authserv:{server}", f"dmarc-pass:{server}")

    def rules(self, **changes: Any) -> None:
        rules = replace(self.scoring.rules, **changes)
        self.scoring = replace(self.scoring, rules=rules)
        session = self.sync_.session
        policy = replace(session.settings.policy, rules=rules)
        settings = replace(session.settings, policy=policy)
        self.sync_ = Sync(replace(session, settings=settings, scoring=self.scoring))

    def next_day(self) -> Pushed:
        """Tomorrow's first pass, which lists everything anew."""
        self.clock.passes(days=1)
        return self.sync()

    # looking

    def shown(self) -> dict[str, list[Any]]:
        """What people see; that nothing is there twice is asserted every time."""
        seen = snapshot(self.sandbox)
        assert duplicates(self.sandbox) == []
        return seen

    def count(self) -> dict[str, int]:
        return {kind: len(rows) for kind, rows in self.shown().items()}

    def requests(self, after: int = 0) -> list[Logged]:
        return self.sandbox.requests_after(after)

    def mark(self) -> int:
        return len(self.sandbox.requests)

    def spent(self, after: int) -> dict[str, int]:
        """How many requests there were, by kind of call, after a mark."""
        calls = (r.call.replace("/api/v1", "").replace("/api/v2", "") for r in self.requests(after))
        return dict(Counter(calls))

    def tokens(self, after: int) -> int:
        return sum(r.tokens for r in self.requests(after))

    def record(self, kind: str, key: str) -> Any:
        return self.ledger.records.get(kind, key)

    def notes(self, address: str) -> str:
        rows = self.ledger.rows("SELECT notes FROM senders WHERE address = ?", address)
        return str(rows[0]["notes"])

    def parked(self) -> list[tuple[str, str]]:
        rows = self.ledger.rows("SELECT kind, key FROM parked ORDER BY kind, key")
        return [(row["kind"], row["key"]) for row in rows]

    def person(self, email: str) -> Any:
        return self.acts.person_of(email)

    def field(self, email: str, name: str) -> Any:
        (person,) = [p for p in self.shown()["persons"] if email in p["emails"]]
        return person["custom_fields"].get(name)

    def activities(self, type_: str = "email") -> list[Any]:
        return [a for a in self.acts.every("activities") if a["type"] == type_]

    def check_requests(self) -> None:
        """Hold every request that was answered well to the official description."""
        new = self.requests(self._checked)
        self._checked += len(new)
        known = Description.kept()
        for r in new:
            if r.outcome in (200, 201):
                body = json.loads(r.body) if r.body else None
                assert known.check_request(r.method, r.path, r.query, body) == [], r


def invitation(
    organizer: str,
    attendee: str,
    uid: str = "lunch",
    *,
    method: str = "REQUEST",
    partstat: str = "NEEDS-ACTION",
    sequence: int = 0,
    starts_at: datetime = START + timedelta(days=10),
    hours: float = 1,
    summary: str = "Lunch",
    stamped: datetime | None = None,
    also: tuple[str, ...] = (),
) -> Invite:
    return Invite(
        method=method,
        uid=uid,
        sequence=sequence,
        dtstamp=stamped,
        organizer=organizer,
        attendees=((attendee, partstat), *((a, "NEEDS-ACTION") for a in also)),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
        summary=summary,
        recurrence_id=None,
    )


OPENED: list[Any] = []  # and is closed at the end of the test


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Close what a test has opened and left here."""
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    """Where a company of Pipedrive's that has nothing yet is served."""
    sandbox = Sandbox()
    with Server(sandbox) as server:
        yield server.url
    sandbox.close()


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file that may be open."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def make_shop(
    home: Path,
    *,
    company: dict[str, Any] | None = None,
    url: Callable[[Sandbox], str] | None = None,
    store: str | Path = ":memory:",
    plan: Subscription | str = FAST,
    daily_share: float = 1.0,
    reserve: float = 0.0,
    workers: int = 2,
    ahead: timedelta = timedelta(),  # how far our own clock is off
    **settings: Any,
) -> Shop:
    """A new shop with its ledger in `home`; `company` are the sandbox's settings."""
    clock = Clock()
    world = {"burst": False, "plan": "ultimate", "conversion_polls": 1, **(company or {})}
    sandbox = Sandbox(store, settings=Company(**world), clock=clock.seconds)
    rules, copies = settings.pop("rules", Rules()), settings.pop("copies", False)
    scoring = ScoringSettings(
        us=Us(
            addresses=frozenset({WE}),
            domains=frozenset({"ours.example"}),
            authserv_ids=frozenset(),
            ignored_addresses=frozenset(),
            ignored_domains=frozenset(),
            copies=copies,
        ),
        rules=rules,
        public=public_providers((), ()),
    )
    ledger = Ledger.open(home / "ledger.db")
    with ledger.transaction("test"):
        ledger.folders.ensure("sales", [("INBOX", "inbox"), ("Sent", "sent")], None)
    folders = {f.role: f.id for f in ledger.folders.of("sales")}
    usage = TokenUsage()

    def wall() -> datetime:
        return clock() + ahead

    more = {"plan": plan, "daily_share": daily_share, "reserve": reserve, "wall": wall}
    client = _client(sandbox, clock, usage, url, **more)
    given = {"policy": Policy(rules), "pipeline": "Sales", "stage": "Initial Contact"}
    session = Session(
        ledger,
        client,
        usage,
        scoring,
        SyncSettings(**{**given, "workers": workers, **settings}),
        wall,
    )
    OPENED.extend((ledger, sandbox))
    return Shop(ledger, sandbox, Sync(session), client, clock, scoring, folders)


def _client(
    sandbox: Sandbox,
    clock: Clock,
    usage: TokenUsage,
    url: Callable[[Sandbox], str] | None,
    **more: Any,
) -> Client:
    http = requests.Session()
    http.trust_env = False
    if url is None:
        http.mount(URL, SandboxAdapter(sandbox, sleep=clock.sleep))
    return Client(
        URL if url is None else url(sandbox),
        lambda: DEFAULT_TOKEN,
        session=http,
        clock=clock.monotonic,
        sleep=clock.sleep,
        on_usage=usage.add,
        **more,
    )
