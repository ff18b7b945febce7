"""How long a mailbox that failed is left alone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import AuthProblem, ConfigProblem, Problem, RetryLater
from daemon.rules.backoff import (
    BLOCKED,
    CHANGE,
    FOLDER,
    REFUSED,
    UNKNOWN,
    UNREADABLE,
    doubling,
    due,
    of_mailbox,
    pause,
)

AUTH, CONFIG, AWAY = AuthProblem("no"), ConfigProblem("no"), RetryLater("no")
HOUR = 3600


@pytest.mark.parametrize(
    ("problem", "waits"),
    [
        (AUTH, [300, 1800, 2 * HOUR, 6 * HOUR, 6 * HOUR, None, None]),
        (AWAY, [30, 60, 120, 240, 480, 900, 900]),
        (CONFIG, [30, 60, 120, 240, 480, 960, 1920, HOUR, HOUR]),
        (RetryLater("busy", after=77), [77, 77, 77]),
        (RetryLater("busy", after=10**9), [6 * HOUR]),
        (RetryLater("busy", after=-5), [0]),
    ],
)
def test_each_failure_waits_longer_until_its_longest(
    problem: Problem, waits: list[float | None]
) -> None:
    asked = isinstance(problem, RetryLater) and problem.after is not None
    jitter = 0.0 if asked else 0.5
    assert [of_mailbox(problem, n, jitter) for n in range(1, len(waits) + 1)] == waits


@given(
    problem=st.sampled_from([AUTH, CONFIG, AWAY]),
    failures=st.integers(1, 10**6),
    jitter=st.floats(0, 1),
)
def test_a_wait_is_never_short_and_never_endless(
    problem: Problem, failures: int, jitter: float
) -> None:
    seconds = of_mailbox(problem, failures, jitter)
    assert seconds is None or 20 <= seconds <= 7.5 * HOUR
    assert seconds is not None or problem is AUTH


def test_mailboxes_that_failed_together_come_back_apart() -> None:
    for problem in (AUTH, CONFIG, AWAY, RetryLater("busy", after=60)):
        assert of_mailbox(problem, 1, 0.0) != of_mailbox(problem, 1, 1.0)


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 60), (0.5, 75), (1.0, 90)])
def test_an_asked_pause_is_spread_by_less_than_the_first_step(jitter: float, seconds: int) -> None:
    assert of_mailbox(RetryLater("busy", after=60), 9, jitter) == seconds


def test_a_parked_mailbox_has_no_next_try() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert due(now, None) is None
    assert due(now, 60) == now + timedelta(minutes=1)


def test_steps_double_up_to_the_longest_which_repeats() -> None:
    steps = doubling(5.0, 30.0)
    assert steps == (5.0, 10.0, 20.0, 30.0)
    assert [pause(steps, n) for n in (0, 1, 2, 4, 10**9)] == [5.0, 5.0, 10.0, 30.0, 30.0]
    assert (pause(steps, 3, jitter=0.0), pause(steps, 3, jitter=1.0)) == (15.0, 25.0)


@pytest.mark.parametrize(
    ("steps", "waits"),
    [
        (UNKNOWN, [5, 30, 120, 600, HOUR, 6 * HOUR, 6 * HOUR]),
        (UNREADABLE, [60, 600, HOUR, 6 * HOUR, 24 * HOUR]),
        (REFUSED, [15 * 60, HOUR, 6 * HOUR, 24 * HOUR, 24 * HOUR]),
        (FOLDER, [60, 120, 240]),
        (CHANGE, [5, 10, 20]),
        (BLOCKED, [15 * 60, 30 * 60, HOUR, 2 * HOUR, 4 * HOUR, 4 * HOUR]),
    ],
)
def test_each_kind_of_failure_waits_as_the_design_says(
    steps: tuple[float, ...], waits: list[int]
) -> None:
    assert [pause(steps, n) for n in range(1, len(waits) + 1)] == waits
