"""When a request may leave, so that the server's rolling two-second window never holds too many.

Promises: threads that `acquire` before each request and `release` after its answer stay below the
plan's burst limit as the *server* counts it, at 97 % of it when there is enough to send.

How. The server counts a request at some moment between its sending and its answer. A slot that is
used again only two seconds after the answer is always safe, but gives away the round trip (150 ms
is 7 %). So a slot is free again two seconds after the sending plus what this request may have been
late by: its round trip above the fastest of its kind lately and half of `JITTER` (the fastest
wasn't free of it either), at least `JITTER`. A request that opened its connection first, or met a
lost packet, has a long round trip and so holds its slot longer. As long as no fastest round trip
is known (the first two seconds, and again after a pause) a slot waits for its answer plus two
seconds. The `x-ratelimit-*` headers correct this where someone else uses the same token.
Source: https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting

Doesn't do: the daily budget, or repeating anything.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from daemon.log import event
from daemon.pipedrive.outcomes import Blocked, NotSent, TooMany
from daemon.rules import backoff

WINDOW = 2.0  # seconds, rolling, for every plan
JITTER = 0.06  # seconds that two requests may be late by differently without our seeing it
IDLE = 10.0  # seconds after which the fastest round trip is learned anew
PATIENCE = 30.0  # seconds that a thread waits at most for a pause to end
SEARCH_BURST = 10  # search requests per window, on every plan
LASTING = 6  # windows in a row that refuse us, until it must be more than the burst limit
_POLL = 0.02  # seconds between two looks while every slot is held by a request without an answer


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a Pipedrive plan allows: requests per window (api token), and its token multiplier."""

    name: str
    burst: int
    multiplier: int

    def daily_tokens(self, seats: int, share: float = 1.0) -> int:
        """Our share of a day's tokens in a company of that many seats, without top-ups."""
        return share_of(30_000 * self.multiplier * seats, share)


def share_of(tokens: int, share: float) -> int:
    """How many of a day's tokens are ours."""
    return int(tokens * share)


def days_for(tokens: int, today: int, a_day: int) -> int:
    """How many days after today it takes to spend so many tokens, `a_day` after `today`'s."""
    return -(-max(0, tokens - today) // max(1, a_day))


PLANS: Mapping[str, Subscription] = {
    "lite": Subscription("lite", 20, 1),
    "growth": Subscription("growth", 40, 2),
    "premium": Subscription("premium", 100, 5),
    "ultimate": Subscription("ultimate", 120, 7),
}


@dataclass(slots=True)
class Slot:
    """One request in a window; `free_at` is provisional until it is answered.

    A request that the server refused for its number still holds its slot (whether the server
    counts it isn't documented), but is no sign of how many of ours the server had counted.
    """

    sent_at: float
    free_at: float
    answered: bool = False
    counted: bool = True


class Window:
    """One rolling window as we believe the server sees it; its caller holds the lock."""

    def __init__(self, limit: int) -> None:
        self._plan_limit = limit
        self._slots: list[Slot] = []
        self._foreign = 0  # requests in the server's window that aren't ours
        self._foreign_until = 0.0
        self._awake_since = float("-inf")  # since when there were requests without a long pause
        self._last_sent = float("-inf")
        self._fastest: dict[str, float] = {}  # round trip by kind of call, these 10 s
        self._fastest_before: dict[str, float] = {}  # and the 10 s before
        self._turned_at = float("-inf")
        self.limit = limit
        self.paused_until = 0.0

    @property
    def on_their_way(self) -> bool:
        """Whether a request of this window has no answer yet."""
        return any(not s.answered for s in self._slots)

    def wait(self, now: float) -> float:
        """Seconds until a request may leave, 0 for now."""
        if now < self.paused_until:
            return self.paused_until - now
        held = [s for s in self._slots if not s.answered or s.free_at > now]
        foreign = self._foreign if now < self._foreign_until else 0
        # However wrong the headers are, one request a window goes out, and its answer corrects us.
        too_many = len(held) + 1 - max(1, self.limit - foreign)
        if too_many <= 0:
            return 0.0
        frees = sorted(s.free_at if s.answered else max(s.free_at, now + _POLL) for s in held)
        free_at = frees[too_many - 1]
        if foreign:
            free_at = min(free_at, self._foreign_until)
        return max(free_at - now, 0.001)

    def take(self, now: float) -> Slot:
        """Put a request that leaves now into the window."""
        if now - self._last_sent > IDLE:
            self._awake_since = now
            self._fastest, self._fastest_before = {}, {}
        self._last_sent = now
        on_their_way = min((s.sent_at for s in self._slots if not s.answered), default=now)
        keep = max(on_their_way, now - 2 * WINDOW)
        self._slots = [s for s in self._slots if not s.answered or s.free_at > keep]
        slot = Slot(now, now + WINDOW + JITTER)
        self._slots.append(slot)
        return slot

    def answered(
        self, slot: Slot, now: float, kind: str | None = None, *, counted: bool = True
    ) -> None:
        """End the request: done as a call of this kind, or (None) refused or given up."""
        trip = now - slot.sent_at
        late = trip
        if kind is not None:
            fastest = self._note(kind, trip, now)
            if slot.sent_at >= self._awake_since + WINDOW:
                late = trip - fastest
        slot.free_at = slot.sent_at + WINDOW + max(JITTER, late + JITTER / 2)
        slot.answered = True
        slot.counted = counted

    def _note(self, kind: str, trip: float, now: float) -> float:
        # By kind, because a create takes the server longer than a read without being sent later.
        if now - self._turned_at > IDLE:
            self._fastest_before, self._fastest = self._fastest, {}
            self._turned_at = now
        known = [d[kind] for d in (self._fastest, self._fastest_before) if kind in d]
        self._fastest[kind] = min(trip, self._fastest.get(kind, trip))
        return min(trip, *known) if known else 0.0  # the first of its kind: nothing to compare

    def heard(self, slot: Slot, now: float, *, limit: int | None, remaining: int | None) -> None:
        """Correct by the answer's `x-ratelimit-limit` and `-remaining`."""
        if limit is None or limit < 1:
            return
        if min(limit, self._plan_limit) != self.limit:
            self.limit = min(limit, self._plan_limit)
            event("pipedrive.limit", requests=self.limit, plan=self._plan_limit, said=limit)
        if remaining is None:
            return
        # Of ours, all that the server may have had in its window when it counted this one.
        could_be = [s for s in self._slots if not s.answered or s.free_at > slot.sent_at]
        ours = sum(s.counted and s.sent_at <= slot.free_at - WINDOW for s in could_be)
        foreign = max(0, limit - max(0, remaining) - ours)
        foreign += -(-foreign // 4)  # a quarter more, so that they aren't refused because of us
        if foreign >= self._foreign or now >= self._foreign_until:
            self._foreign = foreign
            self._foreign_until = now + WINDOW


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request's slots, in the general window and, for a search, in that of searches."""

    slots: tuple[tuple[Window, Slot], ...]
    search: bool


class Pacer:
    """Hands out the moments to send at, one queue for all threads."""

    def __init__(
        self,
        plan: Subscription,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        stopping: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._stopping = stopping
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # whoever holds it is next; the others queue behind
        self._search_turn = threading.Lock()  # searches queue apart, so that none blocks a write
        self._general = Window(plan.burst)
        self._search = Window(SEARCH_BURST)
        self._blocked_until = 0.0
        self._blocks = 0
        self._refusals = 0  # 429s in a row, counted once a window
        self._refused_at = float("-inf")
        self._refused_since = 0.0

    def acquire(self, *, search: bool, what: str = "") -> Ticket:
        """Wait for a slot; raise NotSent when stopping, or when a pause is longer than patience."""
        deadline = self._clock() + PATIENCE
        with self._search_turn if search else nullcontext():
            if search:
                self._wait(self._search, deadline, what)
            with self._turn:
                self._wait(self._general, deadline, what)
                with self._lock:
                    now = self._clock()
                    windows = (self._general, self._search) if search else (self._general,)
                    return Ticket(tuple((w, w.take(now)) for w in windows), search)

    def release(
        self,
        ticket: Ticket,
        *,
        kind: str | None = None,
        counted: bool = True,
        limit: int | None = None,
        remaining: int | None = None,
    ) -> None:
        """The request was done as a call of this `kind`, or (None) refused or given up.

        `counted` is False if it was a 429 or never left; the numbers are those of its
        `x-ratelimit-*` headers.
        """
        with self._lock:
            now = self._clock()
            for window, slot in ticket.slots:
                window.answered(slot, now, kind, counted=counted)
            window, slot = ticket.slots[-1]
            window.heard(slot, now, limit=limit, remaining=remaining)

    def succeeded(self) -> None:
        """An answer that is neither 429 nor a block: both counts start anew."""
        with self._lock:
            self._refusals = self._blocks = 0

    def refused(self, ticket: Ticket, asked: float | None, jitter: float) -> tuple[float, bool]:
        """429: pause; return its seconds, and whether refusals outlast any burst window.

        `asked` is what the answer asked for; without it, and when it didn't help, the pause
        doubles from 2 s to a minute, stretched by `jitter` (a fraction) so that many don't
        come back at once.
        """
        with self._lock:
            now = self._clock()
            if now - self._refused_at >= WINDOW or not self._refusals:
                self._refusals += 1
                self._refused_at = now
                if self._refusals == 1:
                    self._refused_since = now
            own = backoff.pause(backoff.TOO_MANY, self._refusals)
            pause = own if asked is None else asked
            if self._refusals > 1:
                pause = max(pause, own / 2)
            pause *= 1 + jitter
            window = self._search if ticket.search else self._general
            window.paused_until = max(window.paused_until, now + pause)
            lasting = self._refusals >= LASTING and now - self._refused_since > 10 * WINDOW
            return pause, lasting

    def blocked(self) -> float:
        """The firewall blocks us: nothing leaves for the seconds returned, doubled each time."""
        with self._lock:
            now = self._clock()
            if now >= self._blocked_until:
                self._blocks += 1
                self._blocked_until = now + backoff.pause(backoff.BLOCKED, self._blocks)
            return self._blocked_until - now

    def _wait(self, window: Window, deadline: float, what: str) -> None:
        while True:
            if self._stopping():
                raise NotSent("stopping", what=what)
            with self._lock:
                now = self._clock()
                blocked = self._blocked_until - now
                seconds = window.wait(now)
                if (self._refusals or self._blocks) and window.on_their_way:
                    # After a refusal one goes ahead and the others wait for what it meets.
                    seconds = max(seconds, _POLL)
                paused = window.paused_until - now
            if blocked > 0:
                raise Blocked("Pipedrive's gate shuts us out", what=what, after=blocked)
            if paused > 0 and now + paused > deadline:
                raise TooMany("Pipedrive asked for a pause", what=what, after=paused)
            if seconds <= 0:
                return
            self._sleep(seconds)
