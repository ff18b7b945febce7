"""What every part of a sync is handed: the ledger, the client, the rules, the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.intake.scoring import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.pipedrive.client import Client
from daemon.pipedrive.usage import Usage
from daemon.rules.events import Subscriber
from daemon.rules.plan import Policy
from daemon.sync.safety_limit import SafetyLimit


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
    subscribers: tuple[Subscriber, ...] = ()  # who is told what happened


@dataclass(frozen=True, slots=True)
class Session:
    """One company and one ledger."""

    ledger: Ledger
    client: Client
    usage: Usage
    reading: ScoringSettings
    settings: Settings
    now: Callable[[], datetime]
    run: int | None = None
    valve: SafetyLimit | None = None  # what a first run may do unasked; None: anything
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda *_: None  # phase, done, total (0: unknown)

    def keep_usage(self) -> None:
        """Write down the tokens spent so far."""
        if usage := self.usage.take():
            with self.ledger.transaction("usage"):
                self.ledger.runs.spend(self.now().strftime("%Y-%m-%d"), usage)
