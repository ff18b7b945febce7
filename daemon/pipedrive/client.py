"""The HTTP side of Pipedrive: paces a call, sends it, and says what came of it.

Promises: a write leaves at most once per `send`, never more often; the token goes into the
`x-api-token` header of the configured host only, into no log, no error and no redirect; every
end of a call is an `Answer` or one of the errors in `outcomes`. `send` may be used by many
threads at once; `on_usage` is called in the thread that sends. Doesn't do: retrying a write,
knowing records, or keeping anything over a restart.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any

import requests

from daemon.errors import ConfigProblem, Problem, RetryLater
from daemon.log import event
from daemon.pipedrive.answers import HttpReply, asked_pause, read
from daemon.pipedrive.budget import Budget, Taken
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import (
    Answer,
    Blocked,
    BudgetSpent,
    Moved,
    NothingListed,
    NotSent,
    TooLong,
    TooMany,
    Unknown,
)
from daemon.pipedrive.pacing import PLANS, Pacer, Subscription, Ticket
from daemon.pipedrive.paging import first_page, next_page, rows_of, smaller_page
from daemon.pipedrive.transport import Transport, checked_token
from daemon.rules import backoff

_APART = timedelta(minutes=1)  # between our clocks, since the last answer
READ_TRIES = 3  # a read is sent at most this often
_RANDOM = SystemRandom()
_DOMAIN = ".pipedrive.com"
_LOCATOR = "https://api.pipedrive.com"  # answers for every company, whatever its name is by now


class Client:
    """One company's API, with its pacing and its budget, for one token.

    `clock` is monotonic seconds, `wall` is aware UTC, `timeout` is (connect, read) seconds;
    `on_usage(kind, tokens)` is told what each processed request cost. `session` is for tests and
    the sandbox, whose adapter is mounted on it.
    """

    def __init__(
        self,
        base_url: str,
        token: Callable[[], str],
        *,
        plan: Subscription | str,
        seats: int = 1,
        daily_share: float = 1.0,
        reserve: float = 0.0,
        session: requests.Session | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        stop: threading.Event | None = None,
        timeout: tuple[float, float] = (10, 60),
        on_usage: Callable[[str, int], None] = lambda _kind, _tokens: None,
        on_answer: Callable[[str, float], None] = lambda _kind, _seconds: None,
    ) -> None:
        self.plan = PLANS[plan] if isinstance(plan, str) else plan
        self.moved = False  # a redirect was met since the last `locate`
        # A date by the server's clock, and when we had it by our two: the one that runs on evenly
        # but for the sleep of a machine, and the one that people set.
        self._dated: tuple[datetime, float, datetime] | None = None
        self.lag = timedelta()  # the longest until something was to be seen that wasn't at first
        self.answered = False  # whether there was any good answer yet
        self._timeout = timeout
        self._session = session
        self._token = token
        self._stop = stop or threading.Event()
        self._sleep = sleep or self._stop.wait
        self._clock = clock
        self._wall = wall
        self._on_usage = on_usage
        self._on_answer = on_answer
        self.budget = Budget(self.plan.daily_tokens(seats), daily_share, wall, reserve=reserve)
        self._line = Transport(base_url, timeout=timeout, session=session, clock=clock)
        self._pacer = Pacer(self.plan, clock=clock, sleep=self._sleep, stopping=self._stop.is_set)

    def send(self, call: Call) -> Answer:
        """Send a call once and return its answer; only a read is tried again, and boundedly.

        Raises: Unknown, NotSent (TooMany, Blocked, BudgetSpent), Refused (Capped, Gone),
        AuthProblem, ConfigProblem.
        """
        for earlier in range(0 if call.writes else READ_TRIES - 1):
            try:
                return self._once(call)
            except (Blocked, BudgetSpent, Moved, TooLong):
                raise
            except RetryLater as problem:
                if self._stop.is_set():
                    raise
                # After a 429 the pacer itself holds everyone back for as long as was asked.
                if not isinstance(problem, TooMany):
                    self._sleep(backoff.pause(backoff.READ, earlier + 1, jitter=_RANDOM.random()))
        return self._once(call)

    def pages(self, call: Call, *, null_is_empty: bool = True) -> Iterator[list[dict[str, Any]]]:
        """All rows of a list or search, a page at a time; a search gives its bare items.

        v1 pages count by offset: rows deleted while paging can hide others, so what must not be
        missed is read again by `updated_since`. Raises what `send` raises, Unknown for what is no
        list, and NothingListed for v1's null unless that `null_is_empty`.
        """
        page: Call | None = first_page(call)
        seen: set[tuple[tuple[str, str], ...]] = set()
        while page is not None:
            if page.query in seen:
                raise Unknown("paging goes in a circle", what=call.kind)
            seen.add(page.query)
            try:
                answer = self.send(page)
            except TooLong:
                page = smaller_page(page)
                if page is None:
                    raise
                continue
            try:
                rows = rows_of(page, answer)
            except NothingListed:
                if not null_is_empty:
                    raise
                rows = []
            yield rows
            page = next_page(page, answer, len(rows))

    def server_now(self) -> datetime:
        """The server's time: its last `Date` and what has passed since by our monotonic clock.

        Before the first answer our own time; it jumps with nobody's clock afterwards.
        """
        if self._dated is None:
            return self._wall()
        date, at, _ = self._dated
        return date + timedelta(seconds=self._clock() - at)

    @property
    def clock_offset(self) -> timedelta | None:
        """How far our clock is ahead of the server's; None before its first answer."""
        return None if self._dated is None else self._wall() - self.server_now()

    def check_clock(self) -> None:
        """Ask for the server's time once our two clocks have come apart (`users/me`, 2 tokens).

        Either ours was set, or the machine has slept: only the server knows how much time passed.
        What it doesn't answer now is asked again at the next look. Raises AuthProblem.
        """
        if self._dated is None:
            return
        _, at, wall = self._dated
        passed = timedelta(seconds=self._clock() - at)
        if abs(self._wall() - wall - passed) > _APART:
            with suppress(RetryLater):
                self.send(Call.to("users.me"))

    def locate(self) -> Mapping[str, Any] | None:
        """Who this token belongs to, asked at Pipedrive's own host: `users/me`, 2 tokens.

        None where the company is reached by another name than Pipedrive's, e.g. a proxy's.
        """
        if not self._line.host.endswith(_DOMAIN):
            return None
        asked = Transport(_LOCATOR, timeout=self._timeout, session=self._session, clock=self._clock)
        line, self._line = self._line, asked
        try:
            return self.send(Call.to("users.me")).object
        finally:
            self._line = line

    def move(self, company: str) -> None:
        """Go on at this company's host from now on."""
        self._line = Transport(
            f"https://{company}{_DOMAIN}",
            timeout=self._timeout,
            session=self._session,
            clock=self._clock,
        )
        self.moved = False

    def close(self) -> None:
        """Close the connections; a later `send` opens new ones."""
        self._line.close()

    def _once(self, call: Call) -> Answer:
        token = checked_token(self._token())
        taken = self.budget.take(call.cost, what=call.kind)
        try:
            ticket = self._pacer.acquire(search=call.is_search, what=call.kind)
        except Problem:
            self.budget.settle(taken, charged=False)
            raise
        started = self._clock()
        reply: HttpReply | Problem = Unknown("the request broke off", what=call.kind)
        try:
            reply = self._line.exchange(call, token)
        finally:
            self._settle(call, taken, ticket, reply)
        outcome = reply if isinstance(reply, Problem) else self._read(call, reply, ticket)
        seconds = self._clock() - started
        milliseconds = round(seconds * 1000)
        self._on_answer(call.kind, seconds)
        if isinstance(outcome, Problem):
            _log_refusal(call, reply, outcome, milliseconds)
            raise outcome
        event(
            "pipedrive.request",
            logging.DEBUG,
            kind=call.kind,
            status=outcome.status,
            ms=milliseconds,
            tokens=call.cost,
        )
        return outcome

    def _settle(self, call: Call, taken: Taken, ticket: Ticket, reply: HttpReply | Problem) -> None:
        """Give back the slot and the tokens, whatever happened to the request."""
        if isinstance(reply, Problem):
            charged = not isinstance(reply, NotSent | ConfigProblem)
            self._pacer.release(ticket, counted=charged)
        else:
            # What a call costs that the API refuses isn't documented: taken to be its price.
            charged = not reply.from_gate
            self._pacer.release(
                ticket,
                kind=call.kind if reply.succeeded else None,
                counted=charged,
                limit=reply.number("x-ratelimit-limit"),
                remaining=reply.number("x-ratelimit-remaining"),
            )
        self.budget.settle(taken, charged=charged)
        if not isinstance(reply, Problem):
            self.budget.heard(
                taken,
                limit=reply.number("x-daily-ratelimit-token-limit"),
                left=reply.number("x-daily-ratelimit-token-remaining"),
            )
        if charged:
            self._on_usage(call.kind, call.cost)

    def _read(self, call: Call, reply: HttpReply, ticket: Ticket) -> Answer | Problem:
        outcome = read(call, reply)
        if isinstance(outcome, Answer):
            self.answered, self.moved = True, False
            date = reply.date
            if date is not None:
                self._dated = (date, self._clock(), self._wall())
        match outcome:
            case Moved():
                self.moved = True
            case TooMany():
                return self._too_many(call, reply, ticket, outcome)
            case Blocked():
                outcome.after = self._pacer.blocked()
            case Unknown():
                outcome.after = asked_pause(reply, self._wall())
            case _:
                self._pacer.succeeded()
        return outcome

    def _too_many(self, call: Call, reply: HttpReply, ticket: Ticket, problem: TooMany) -> Problem:
        asked = asked_pause(reply, self._wall())
        problem.after, lasting = self._pacer.refused(ticket, asked, _RANDOM.uniform(0, 0.25))
        left = reply.number("x-daily-ratelimit-token-remaining")
        if left == 0 or reply.number("x-daily-requests-left") == 0 or (left is None and lasting):
            return self.budget.exhausted(what=call.kind)
        return problem


def _log_refusal(
    call: Call, reply: HttpReply | Problem, outcome: Problem, milliseconds: int
) -> None:
    answered = reply if isinstance(reply, HttpReply) else None
    after = outcome.after if isinstance(outcome, RetryLater) else None
    event(
        "pipedrive.refused",
        logging.WARNING,
        kind=call.kind,
        status=answered.status if answered else None,
        outcome=type(outcome).__name__,
        reason=outcome.message,
        after=None if after is None else round(after, 1),
        ms=milliseconds,
        correlation=answered.correlation if answered else None,
    )
