"""What every part of a sync is handed: the ledger, the client, the rules, the clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.intake.states import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.pipedrive.client import Client
from daemon.pipedrive.usage import TokenUsage
from daemon.rules.case import Policy
from daemon.rules.deals import DealRules, InCopy
from daemon.rules.events import Subscriber
from daemon.rules.routing import Route
from daemon.sync.safety_limit import SafetyLimit

LAG = "lag_s"  # setting: the most seconds that Pipedrive took to show what we wrote
UNCLAIMED = "unclaimed"  # setting: activities were adopted of which only the mark is known
LOST_UNTIL = "lost_until"  # setting: when the newest activity was made that a backup lacked
_ROUNDED = timedelta(seconds=2)
_LONGEST_LAG = timedelta(hours=1)
FRESH = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """What the configuration says about Pipedrive."""

    policy: Policy
    pipeline: str | None  # None: the company's first
    stage: str
    owners: dict[str, str] = field(default_factory=dict)  # user's e-mail by mailbox name
    # How old the listings may be when a record is made: people may have made it since.
    refresh: timedelta = timedelta(minutes=2)
    emails: bool = True
    meetings: bool = True
    workers: int = 8
    routes: tuple[Route, ...] = ()  # where records go, the first that fits
    # Whether who is only in To or Cc of others' mail gets a person; None: no.
    in_copy: InCopy | None = None
    join: bool = True  # whether an address that is proved to be a known person's is added to it
    deals: DealRules = field(default_factory=DealRules)
    subscribers: tuple[Subscriber, ...] = ()  # who is told what happened
    # How long something that may have been made is looked for before it is made again; longer if
    # Pipedrive has taken more than a quarter of that to show something.
    settled_after: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Session:
    """One company and one ledger."""

    ledger: Ledger
    client: Client
    usage: TokenUsage
    scoring: ScoringSettings
    settings: SyncSettings
    wall: Callable[[], datetime]  # our own clock; see `now`
    run: int | None = None
    limit: SafetyLimit | None = None  # what may be done without approval; None: anything
    stopping: Callable[[], bool] = lambda: False
    progress: Callable[[str, int, int], None] = lambda *_: None  # phase, done, total (0: unknown)
    rest: Callable[[float], object] = lambda _: None  # sleeps, so that others get the ledger
    looked: dict[str, datetime] = field(default_factory=dict)  # when we looked at a deal, by its id
    reopened: set[str] = field(default_factory=set)  # senders of deals that people have reopened
    unseen: set[int] = field(default_factory=set)  # changes that a look hasn't shown to be made
    works: dict[str, bool] = field(default_factory=dict)  # by part, as the ledger was last told

    def now(self) -> datetime:
        """The time by Pipedrive's clock, as far as it has told it: what a sync goes by.

        Times of records and windows of listings are the CRM's; ours may be wrong, and may jump.
        """
        return self.wall() - self._offset()

    def fresh_since(self) -> datetime:
        """Senders in touch since then go before everybody else, and may use the reserve."""
        return self.now() - FRESH

    def by_our_clock(self, moment: datetime) -> datetime:
        """The same moment for those who wait by our clock."""
        return moment + self._offset()

    def _offset(self) -> timedelta:
        offset = self.client.clock_offset
        # A `Date` is cut to seconds, so that a small offset is none.
        return timedelta() if offset is None or abs(offset) < _ROUNDED else offset

    def settled_after(self) -> timedelta:
        """How long Pipedrive may take to show what a request did, by what we have seen so far."""
        return min(max(self.settings.settled_after, 4 * self.client.lag), _LONGEST_LAG)

    def owner_of(self, mailbox: str | None) -> str | None:
        """The e-mail address of the user who owns what comes from a mailbox, None without one."""
        owner = self.settings.owners.get(mailbox or "")
        return owner.lower() if owner else None

    def keep_usage(self) -> None:
        """Write down the tokens spent so far."""
        if usage := self.usage.take():
            with self.ledger.transaction("usage"):
                self.ledger.runs.spend(self.now().strftime("%Y-%m-%d"), usage)


def note_lag(session: Session, lag: timedelta) -> None:
    """Keep the longest time that Pipedrive took to show what it had made; in a transaction."""
    if lag > session.client.lag:
        session.client.lag = min(lag, _LONGEST_LAG)
        session.ledger.set(LAG, round(session.client.lag.total_seconds()))
