"""One small company in one process: a postbox, a ledger file, a sandbox Pipedrive, one clock.

`World.settle()` passes until nothing is due any more, by moving the clock. Everything between the
bytes of a mail and the sandbox's store is the real thing but the IMAP line and the HTTP socket.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from acts import Acts
from crm_kit import copy_database
from postbox import START, WE, Postbox, calendar, letter
from snapshots import snapshot

from daemon.intake.poll import Pass, Tally, poll
from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.message.verdict import Us
from daemon.pipedrive.client import Client
from daemon.rules.case import Policy
from daemon.rules.classify import Rules
from daemon.rules.marks import mark_of
from daemon.rules.organization import public_providers
from daemon.sandbox.crm import Sandbox, SandboxAdapter
from daemon.sandbox.crm import Settings as Company
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sync import Pushed, Session, Sync, SyncSettings, TokenUsage

URL = "https://sandbox.pipedrive.com"
READING = ScoringSettings(
    us=Us(
        addresses=frozenset({WE}),
        domains=frozenset({"ours.example"}),
        authserv_ids=frozenset(),
        ignored_addresses=frozenset(),
        ignored_domains=frozenset(),
    ),
    rules=Rules(),
    public=public_providers((), ()),
    batch=4,
)


class Clock:
    """One time for all: our wall clock, our monotonic clock and the sandbox's."""

    def __init__(self, now: datetime = START + timedelta(days=30)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        # As a real clock: something always passes, and no less than it can show.
        self.now += timedelta(seconds=max(seconds, 0.001))


class World:
    """See the module; with `stays` one program lives through all rounds until it is ended."""

    def __init__(
        self,
        home: Path,
        company: Company | None = None,
        *,
        url: str | None = None,
        store: str | Path = ":memory:",
        **settings: Any,
    ) -> None:
        self.clock = Clock()
        self.box = Postbox()
        self.path = home / "ledger.db"
        self.url = url
        company = company or Company(burst=False, plan="ultimate", seats=4)
        self.sandbox = Sandbox(store, settings=company, clock=self.clock.seconds)
        self.acts = Acts(self.sandbox)
        self.number = 0
        self.stays = False
        self.ahead = timedelta()  # how far our own clock is off
        self.token = DEFAULT_TOKEN
        self._alive: tuple[Ledger, Sync] | None = None
        self.timeout = (5.0, 5.0)
        self.settings = SyncSettings(
            policy=Policy(rules=Rules()),
            pipeline="Sales",
            stage="Initial Contact",
            **({"workers": 1} | settings),
        )

    def copy(self, home: Path) -> "World":
        """The same company in another folder, as after a restart; its store must be `crm.db`."""
        home.mkdir()
        for name in ("ledger.db", "crm.db"):
            copy_database(self.path.with_name(name), home / name)
        other = World(home, self.sandbox.settings, store=home / "crm.db")
        other.settings, other.number = self.settings, self.number
        other.clock.now, other.box = self.clock.now, deepcopy(self.box)
        return other

    def receives(self, sender: str, *, answers: int | None = None, **more: Any) -> int:
        """A mail of theirs arrives; its number."""
        self.number += 1
        at = START + timedelta(hours=self.number)
        raw = letter(sender, WE, number=self.number, at=at, answers=answers, **more)
        self.box.deliver("INBOX", raw, at)
        return self.number

    def sends(self, to: str, *, answers: int | None = None, **more: Any) -> int:
        """A mail of ours lies in Sent; its number."""
        self.number += 1
        at = START + timedelta(hours=self.number)
        raw = letter(WE, to, number=self.number, at=at, answers=answers, **more)
        self.box.deliver("Sent", raw, at)
        return self.number

    def invites(self, sender: str, uid: str, *, method: str = "REQUEST", **more: Any) -> int:
        """An invitation of theirs arrives."""
        part = calendar(method, uid, organizer=sender, attendee=WE, **more)
        return self.receives(sender, calendar=part)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, opened anew."""
        with Ledger.open(self.path) as ledger:
            yield ledger

    def session(self, ledger: Ledger, run: int | None = None) -> Session:
        """A fresh session on an open ledger."""
        usage, token = TokenUsage(), self.token
        http = requests.Session()
        http.trust_env = False
        if self.url is None:
            # Pipedrive's own host, which tells where a company is, too: nothing leaves the process.
            http.mount("https://", SandboxAdapter(self.sandbox, sleep=self.clock.sleep))
        client = Client(
            self.url or URL,
            lambda: token,
            plan="ultimate",
            seats=4,
            session=http,
            clock=self.clock.seconds,
            sleep=self.clock.sleep,
            wall=self.wall,
            timeout=self.timeout,
            on_usage=usage.add,
        )
        return Session(ledger, client, usage, READING, self.settings, self.wall, run=run)

    def wall(self) -> datetime:
        """Our own clock."""
        return self.clock() + self.ahead

    def take_in(self, ledger: Ledger) -> Tally:
        """One pass over the postbox."""
        return poll(self.box.connect(), ledger, self.run_of())  # type: ignore[arg-type]

    def run_of(self) -> Pass:
        """What one pass over the postbox needs."""
        return Pass(READING, "sales", None, self.clock)

    def round(self, *, run: str | None = None) -> list[Pushed]:
        """One start of the program: intake, then passes until nothing is due soon."""
        if self.stays:
            return self._go_on()
        with self.ledger() as ledger:
            number = None
            if run is not None:
                with ledger.transaction("run"):
                    number = ledger.runs.begin(run, self.clock())
            self.take_in(ledger)
            sync = Sync(self.session(ledger, number))
            try:
                return self._drain(ledger, sync)
            finally:
                sync.session.client.close()

    def _go_on(self) -> list[Pushed]:
        """The same as `round`, by the program that runs already; a failure doesn't end it."""
        if self._alive is None:
            ledger = Ledger.open(self.path)
            ledger.rows("PRAGMA busy_timeout = 20")  # a test waits for no lock
            self._alive = (ledger, Sync(self.session(ledger)))
        try:
            self.take_in(self._alive[0])
            return self._drain(*self._alive)
        except Exception:
            raise
        except BaseException:  # killed
            self.end()
            raise

    def end(self) -> None:
        """End the program that stays."""
        if self._alive is not None:
            ledger, sync = self._alive
            self._alive = None
            sync.session.client.close()
            ledger.close()

    def _drain(self, ledger: Ledger, sync: Sync) -> list[Pushed]:
        pushed = []
        for _ in range(200):
            pushed.append(sync.sync())
            last = pushed[-1]
            rest = last.resume_at and last.resume_at - self.ahead
            due = rest or ledger.backlog.next_due()
            if ledger.senders.due(1) and not last.resume_at:
                continue
            if due is None or due - self.clock.now > timedelta(hours=8):
                return pushed
            self.clock.now = max(self.clock.now, due)
        raise AssertionError(f"never settles: {ledger.rows('SELECT * FROM journal')}")

    def settle(self) -> None:
        """Rounds until a quiet point, the daily listing included."""
        self.round()
        self.clock.sleep(25 * 3600)
        self.round()

    def crm(self) -> dict[str, list[dict[str, Any]]]:
        """What people see."""
        return snapshot(self.sandbox)

    def writes(self, after: int = 0) -> list[str]:
        """Requests that changed something, as `METHOD /path`."""
        return [f"{w.method} {w.path}" for w in self.sandbox.writes(after)]

    def doubled(self) -> list[str]:
        """What we made twice, whether or not people have deleted one of them since."""
        made = [
            _made(write.path.rpartition("/")[2], json.loads(write.body))
            for write in self.sandbox.writes()
            if write.method == "POST"
        ]
        made += [f"deal {_mail_key(doc)}" for doc in self.acts.every("deals", deleted=True)]
        return sorted(
            {one for one in made if one and not one.endswith(" ") and made.count(one) > 1}
        )


def _made(path: str, body: dict[str, Any]) -> str | None:
    """What tells that two creations are of one thing; deals are told by their Mail key instead."""
    match path:
        case "persons":
            return f"person {body['emails'][0]['value']}"
        case "organizations":
            return f"organization {body['name']}"
        case "leads":
            return f"lead {body['origin_id']}"
        case "activities":
            return f"activity {mark_of(body)}"
        case "personFields" | "dealFields":
            return f"field {body['field_name']}"
    return None


def _mail_key(deal: dict[str, Any]) -> str:
    return next((v for v in deal["custom_fields"].values() if "@" in str(v)), "")
