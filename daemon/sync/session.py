"""What every part of a sync is handed: the ledger, the client, the rules, the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from daemon.ledger.store import Ledger
from daemon.pipedrive.client import Client
from daemon.plan import Policy
from daemon.reckoning import Reading
from daemon.sync.valve import Valve


class Usage:
    """Calls and tokens by kind, counted by the workers and taken by the ledger's thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spent: dict[str, tuple[int, int]] = {}
        self.total = 0

    def add(self, kind: str, tokens: int) -> None:
        """Count one processed request; called by any thread."""
        with self._lock:
            calls, total = self._spent.get(kind, (0, 0))
            self._spent[kind] = (calls + 1, total + tokens)
            self.total += tokens

    def take(self) -> dict[str, tuple[int, int]]:
        """What was counted since the last time, as (calls, tokens) by kind."""
        with self._lock:
            spent, self._spent = self._spent, {}
            return spent


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says about Pipedrive."""

    policy: Policy
    pipeline: str | None  # None: the company's first
    stage: str
    owners: dict[str, str] = field(default_factory=dict)  # user's e-mail by mailbox name
    refresh: timedelta = timedelta(hours=1)  # how old the listings may be before a deal is made
    emails: bool = True
    meetings: bool = True
    workers: int = 8


@dataclass(frozen=True, slots=True)
class Session:
    """One company and one ledger."""

    ledger: Ledger
    client: Client
    usage: Usage
    reading: Reading
    settings: Settings
    now: Callable[[], datetime]
    run: int | None = None
    valve: Valve | None = None  # what a first run may do unasked; None: anything
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda *_: None  # phase, done, total (0: unknown)

    def keep_usage(self) -> None:
        """Write down the tokens spent so far."""
        if usage := self.usage.take():
            with self.ledger.transaction("usage"):
                self.ledger.runs.spend(self.now().strftime("%Y-%m-%d"), usage)
