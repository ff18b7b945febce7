"""Pacing on a simulated line: the server counts at a moment that only it knows."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.pipedrive.outcomes import Blocked, NotSent, TooMany
from daemon.pipedrive.pacing import PATIENCE, PLANS, SEARCH_BURST, WINDOW, Pacer, Slot, Window

Line = Callable[[int], tuple[float, float]]  # of the n-th request: seconds there, and back


@dataclass
class Server:
    """A rolling window as the documentation describes it."""

    limit: int
    counted: deque[float] = field(default_factory=deque)
    fullest: int = 0
    refused: int = 0

    def count(self, now: float) -> int | None:
        while self.counted and self.counted[0] <= now - WINDOW:
            self.counted.popleft()
        if len(self.counted) >= self.limit:
            self.refused += 1
            return None
        self.counted.append(now)
        self.fullest = max(self.fullest, len(self.counted))
        return self.limit - len(self.counted)


def _push(
    window: Window,
    server: Server,
    line: Line,
    *,
    workers: int,
    seconds: float,
    headers: bool = True,
) -> list[float]:
    """Let `workers` send as fast as the window allows; return the moments of sending."""
    now, order, sent = 0.0, 0, []
    free = workers
    events: list[tuple[float, int, str, Slot, Any]] = []  # (when, order, what, slot, remaining)
    while now < seconds:
        wait = window.wait(now) if free else float("inf")
        if wait <= 0:
            slot = window.take(now)
            sent.append(now)
            free -= 1
            there, back = line(len(sent))
            heapq.heappush(events, (now + there, order, "counted", slot, now + there + back))
            order += 1
        elif events and events[0][0] <= now + wait:
            now, _, what, slot, more = heapq.heappop(events)
            if what == "counted":
                heapq.heappush(events, (more, order, "answered", slot, server.count(now)))
                order += 1
            else:
                free += 1
                done = more is not None
                window.answered(slot, now, "persons.create" if done else None, counted=done)
                if headers:
                    window.heard(slot, now, limit=server.limit, remaining=more or 0)
        else:
            now += wait
    return sent


def _share(sent: list[float], limit: int) -> float:
    """How much of the limit is used, from the time between a slot's uses after the first one."""
    between = [
        later - earlier for earlier, later in zip(sent[limit:], sent[2 * limit :], strict=False)
    ]
    return WINDOW * len(between) / sum(between)


@pytest.mark.parametrize("plan", PLANS)
def test_a_steady_line_is_used_to_97_percent_without_one_refusal(plan: str) -> None:
    limit = PLANS[plan].burst
    server = Server(limit)
    sent = _push(Window(limit), server, lambda _n: (0.01, 0.14), workers=32, seconds=60)
    assert server.refused == 0
    assert _share(sent, limit) >= 0.965


@pytest.mark.parametrize("plan", PLANS)
def test_jitter_of_tens_of_milliseconds_costs_little_and_refuses_nothing(plan: str) -> None:
    limit = PLANS[plan].burst
    server, chance = Server(limit), random.Random(plan)
    sent = _push(
        Window(limit), server,
        lambda _n: (0.01 + chance.uniform(0, 0.05), 0.14 + chance.uniform(0, 0.03)),
        workers=32, seconds=60,
    )  # fmt: skip
    assert server.refused == 0
    assert _share(sent, limit) >= 0.95


def test_requests_that_open_their_connection_first_are_never_counted_too_close() -> None:
    """The first request of each worker arrives 300 ms late, the next ones at once."""
    server = Server(100)
    sent = _push(
        Window(100), server, lambda n: (0.31 if n <= 64 else 0.01, 0.14), workers=64, seconds=30
    )
    assert server.refused == 0
    assert _share(sent, 100) >= 0.95


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([20, 40, 120]), st.integers(1, 48), st.booleans())
def test_late_requests_hold_their_slot_longer(
    seed: int, limit: int, workers: int, headers: bool
) -> None:
    """One in twenty is late by up to a second on its way there, as after a lost packet."""
    chance = random.Random(seed)

    def line(_n: int) -> tuple[float, float]:
        late = chance.uniform(0.2, 1.0) if chance.random() < 0.05 else chance.uniform(0, 0.02)
        return 0.01 + late, 0.12

    server = Server(limit)
    _push(Window(limit), server, line, workers=workers, seconds=15, headers=headers)
    assert server.refused == 0


def test_slow_answers_hold_no_more_than_the_limit_on_its_way() -> None:
    server = Server(20)
    sent = _push(Window(20), server, lambda _n: (0.01, 6.0), workers=64, seconds=30)
    assert server.refused == 0
    assert len(sent) >= 80


def test_a_lower_limit_in_the_headers_is_taken_over() -> None:
    window, server = Window(100), Server(20)
    sent = _push(window, server, lambda _n: (0.01, 0.14), workers=4, seconds=30)
    assert window.limit == 20
    # Only the first moments, before the first answer, can have been too fast.
    assert server.refused <= 4
    assert len([t for t in sent if t > 4]) >= 0.9 * 26 / WINDOW * 20


def test_a_higher_limit_in_the_headers_never_goes_beyond_the_plan() -> None:
    window = Window(20)
    _push(window, Server(120), lambda _n: (0.01, 0.14), workers=8, seconds=10)
    assert window.limit == 20


def test_someone_else_with_the_same_token_is_seen_and_given_room() -> None:
    """Another program sends 5 a second; we use what is left and meet nearly no refusal."""
    window, server = Window(40), Server(40)
    others = iter([k / 5 for k in range(200)])
    upcoming = next(others)
    count = server.count

    refused = 0

    def count_with_others(now: float) -> int | None:
        nonlocal upcoming, refused
        while upcoming <= now:
            count(upcoming)
            upcoming = next(others, float("inf"))
        left = count(now)
        refused += left is None
        return left

    server.count = count_with_others  # type: ignore[method-assign] # the simulated company
    sent = _push(window, server, lambda _n: (0.01, 0.14), workers=16, seconds=30)
    assert refused <= 0.02 * len(sent)
    assert server.refused - refused <= 0.25 * 5 * 30
    assert len(sent) >= 0.8 * 15 * 30


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.stopping = False

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def _pacer(plan: str = "lite") -> tuple[Pacer, Clock]:
    clock = Clock()
    return Pacer(
        PLANS[plan], clock=clock, sleep=clock.sleep, stopping=lambda: clock.stopping
    ), clock


def _once(pacer: Pacer, *, search: bool = False, kind: str | None = "persons.create") -> None:
    pacer.release(pacer.acquire(search=search), kind=kind)


def test_searches_have_a_window_of_their_own_inside_the_general_one() -> None:
    pacer, clock = _pacer("ultimate")
    for _ in range(SEARCH_BURST):
        _once(pacer, search=True)
    assert clock.now == 1000.0
    _once(pacer)
    assert clock.now == 1000.0
    _once(pacer, search=True)
    assert clock.now >= 1000.0 + WINDOW


def test_searches_count_in_the_general_window_too() -> None:
    pacer, clock = _pacer("lite")
    for _ in range(SEARCH_BURST):
        _once(pacer, search=True)
        _once(pacer)
    assert clock.now == 1000.0
    _once(pacer)
    assert clock.now >= 1000.0 + WINDOW


def test_refusals_in_a_row_pause_longer_each_time_and_a_success_ends_it() -> None:
    pacer, clock = _pacer()
    pauses = []
    for _ in range(4):
        ticket = pacer.acquire(search=False)
        pacer.release(ticket)
        pauses.append(pacer.refused(ticket, None, 0.0)[0])
        clock.now += pauses[-1]
    assert pauses == [2.0, 4.0, 8.0, 16.0]
    pacer.succeeded()
    assert pacer.refused(pacer.acquire(search=False), None, 0.0) == (2.0, False)


def test_what_the_answer_asks_for_goes_before_our_own_guess_and_jitter_only_adds() -> None:
    pacer, _ = _pacer()
    ticket = pacer.acquire(search=False)
    pacer.release(ticket)
    assert pacer.refused(ticket, 1.0, 0.25)[0] == 1.25


def test_many_refusals_in_one_window_are_one() -> None:
    pacer, _ = _pacer()
    tickets = [pacer.acquire(search=False) for _ in range(10)]
    assert {pacer.refused(ticket, None, 0.0) for ticket in tickets} == {(2.0, False)}


def test_refusals_that_outlast_every_burst_window_are_told() -> None:
    pacer, clock = _pacer()
    lasting = []
    for _ in range(8):
        ticket = pacer.acquire(search=False)
        pacer.release(ticket)
        pause, told = pacer.refused(ticket, 2.0, 0.0)
        lasting.append(told)
        clock.now += pause
    assert lasting == [False] * 5 + [True] * 3


def test_a_refused_search_pauses_searches_only() -> None:
    pacer, clock = _pacer()
    ticket = pacer.acquire(search=True)
    pacer.release(ticket)
    pacer.refused(ticket, 20.0, 0.0)
    _once(pacer)
    assert clock.now == 1000.0
    _once(pacer, search=True)
    assert clock.now >= 1020.0


def test_after_a_refusal_one_goes_ahead_and_the_others_wait_for_it() -> None:
    pacer, clock = _pacer()
    first = pacer.acquire(search=False)
    pacer.release(first)
    pacer.refused(first, 2.0, 0.0)
    ahead = pacer.acquire(search=False)
    assert clock.now == 1002.0

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now > 1005:
            pacer.release(ahead, kind="persons.create")
            pacer.succeeded()

    pacer._sleep = sleep  # the other thread's answer arrives while this one waits
    _once(pacer)
    assert clock.now > 1005


def test_a_pause_longer_than_patience_is_an_error_with_its_seconds() -> None:
    pacer, _ = _pacer()
    ticket = pacer.acquire(search=False)
    pacer.release(ticket)
    pacer.refused(ticket, PATIENCE + 10, 0.0)
    with pytest.raises(TooMany) as caught:
        pacer.acquire(search=False)
    assert caught.value.after == PATIENCE + 10


def test_a_block_lets_nothing_through_and_doubles_until_a_success() -> None:
    pacer, clock = _pacer()
    ticket = pacer.acquire(search=False)
    pacer.release(ticket)
    assert pacer.blocked() == 900
    with pytest.raises(Blocked) as caught:
        pacer.acquire(search=False)
    assert caught.value.after == 900
    seen = []
    for _ in range(3):
        clock.now += 3601
        seen.append(pacer.blocked())
    assert seen == [1800, 3600, 7200]
    clock.now += 7201
    _once(pacer)
    pacer.succeeded()
    assert pacer.blocked() == 900


def test_stopping_ends_the_wait_at_once() -> None:
    pacer, clock = _pacer()
    clock.stopping = True
    with pytest.raises(NotSent, match="stopping"):
        pacer.acquire(search=False)


def test_plans_have_the_documented_budgets() -> None:
    assert {name: (p.burst, p.daily_tokens(2)) for name, p in PLANS.items()} == {
        "lite": (20, 60_000),
        "growth": (40, 120_000),
        "premium": (100, 300_000),
        "ultimate": (120, 420_000),
    }
