"""The daily token budget: what is left of it for us, and when it starts anew.

Promises: `take` and the arithmetic behind it are one step, so threads together never overdraw;
tokens that others in the company spend are seen through the headers and respected. Doesn't do:
keeping the count over a restart (`start` is told it by the ledger). The budget is company-wide,
30,000 x plan x seats, and resets at midnight in a zone Pipedrive doesn't name; UTC is assumed, and
where the server itself said "spent", one call an hour is let through to find out.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from daemon.pipedrive.outcomes import BudgetSpent
from daemon.pipedrive.pacing import days_for, share_of

PROBE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """Tokens set aside for one request, and the UTC day they belong to."""

    day: date
    cost: int


class Budget:
    """Thread-safe count of one UTC day; `limit` is the company's, `share` (0-1] ours of it.

    `reserve` is the part of our share that only what is new may spend.
    """

    def __init__(
        self, limit: int, share: float, wall: Callable[[], datetime], *, reserve: float = 0.0
    ) -> None:
        self._wall = wall
        self._reserve = reserve
        self._lock = threading.Lock()
        self._limit = limit
        self._share = share
        self._day = wall().astimezone(UTC).date()
        self._spent = 0
        self._in_flight = 0
        self._company_left: int | None = None  # None until a header has said it today
        self._next_probe: datetime | None = None

    def start(self, day: date, tokens_spent: int) -> None:
        """Seed today's count from the ledger; the count of any other day is ignored."""
        with self._lock:
            self._roll()
            if day == self._day:
                self._spent = max(self._spent, tokens_spent)

    @property
    def limit(self) -> int:
        """Tokens a day for the whole company: the header's number, else the plan's."""
        with self._lock:
            return self._limit

    @property
    def share_of_day(self) -> int:
        """Tokens a day that are ours."""
        return share_of(self.limit, self._share)

    @property
    def spent(self) -> int:
        """Tokens that we spent today, those on their way included."""
        with self._lock:
            self._roll()
            return self._spent

    @property
    def resets_at(self) -> datetime:
        """The next UTC midnight."""
        with self._lock:
            self._roll()
            return self._midnight()

    def remaining(self) -> int:
        """Tokens that we may still spend today."""
        with self._lock:
            self._roll()
            return max(0, self._left())

    def for_backlog(self) -> int:
        """Tokens that may still be spent today on what has waited for long."""
        with self._lock:
            self._roll()
            kept = share_of(share_of(self._limit, self._share), self._reserve)
            return max(0, self._left() - kept)

    def days_for(self, backlog: int) -> int:
        """How many days after today a backlog of so many tokens takes."""
        day = self.share_of_day
        return days_for(backlog, self.for_backlog(), day - share_of(day, self._reserve))

    def take(self, cost: int, *, what: str = "") -> Taken:
        """Set tokens aside for a request about to leave, or raise BudgetSpent."""
        with self._lock:
            now = self._roll()
            if cost > self._left() and not self._probe(cost, now):
                raise self._refusal(cost, now, what)
            self._spent += cost
            self._in_flight += cost
            return Taken(self._day, cost)

    def settle(self, taken: Taken, *, charged: bool) -> None:
        """End what `take` began; a request that was certainly not processed costs nothing."""
        with self._lock:
            self._roll()
            if taken.day == self._day:
                self._in_flight -= taken.cost
                if not charged:
                    self._spent -= taken.cost
                elif self._company_left is not None:
                    self._company_left -= taken.cost

    def heard(self, taken: Taken, *, limit: int | None, left: int | None) -> None:
        """Take over the headers of the answer to that request, after it was settled."""
        with self._lock:
            now = self._roll()
            if taken.day != self._day:
                return  # sent before midnight: what it says is about yesterday
            if limit is not None and limit > 0:
                self._limit = limit
            if left is not None:
                self._say_left(max(0, left), now)
            elif self._company_left is not None and self._company_left <= 0:
                self._say_left(None, now)  # a probe got through, without numbers

    def exhausted(self, *, what: str = "") -> BudgetSpent:
        """The server said that the day's tokens are gone: keep that, return the error to raise."""
        with self._lock:
            now = self._roll()
            self._company_left = 0
            self._next_probe = now + PROBE_EVERY
            return self._refusal(0, now, what)

    def _say_left(self, left: int | None, now: datetime) -> None:
        self._company_left = left
        if left is None or left > 0:
            self._next_probe = None
        elif self._next_probe is None:
            self._next_probe = now + PROBE_EVERY

    def _left(self) -> int:
        ours = self._ours()
        if self._company_left is None:
            return ours
        return min(ours, self._company_left - self._in_flight)

    def _ours(self) -> int:
        """What is left of our share, whatever the company has left."""
        return share_of(self._limit, self._share) - self._spent

    def _probe(self, cost: int, now: datetime) -> bool:
        if self._ours() < cost:
            return False  # our own share is spent, which needs no asking
        if self._next_probe is None:
            self._next_probe = now + PROBE_EVERY
        if now < self._next_probe:
            return False
        self._next_probe = now + PROBE_EVERY
        return True

    def _refusal(self, cost: int, now: datetime, what: str) -> BudgetSpent:
        resets_at = self._midnight()
        until = resets_at
        if self._ours() >= cost and self._next_probe is not None:
            until = min(until, self._next_probe)
        return BudgetSpent(
            f"{self._spent} of {self._limit} tokens spent by us today, {max(0, self._left())} left "
            f"for us; the budget resets at {resets_at:%Y-%m-%dT%H:%MZ}",
            what=what,
            after=max(1.0, (until - now).total_seconds()),
            resets_at=resets_at,
        )

    def _midnight(self) -> datetime:
        return datetime.combine(self._day + timedelta(days=1), time(), UTC)

    def _roll(self) -> datetime:
        now = self._wall().astimezone(UTC)
        if now.date() > self._day:  # only forward: a clock set back gives no second budget
            self._day = now.date()
            self._spent = 0
            self._in_flight = 0
            self._company_left = None
            self._next_probe = None
        return now
