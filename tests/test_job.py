import pytest

from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem, Rejected, RetryLater
from daemon.service.job import JobState, pause

AWAY = RetryLater("away")


@pytest.mark.parametrize(
    ("error", "failures", "least", "most"),
    [
        (AWAY, 1, 22.5, 37.5),
        (AWAY, 2, 45, 75),
        (AWAY, 5, 360, 600),
        (AWAY, 6, 675, 1125),
        (AWAY, 100_000, 675, 1125),
        (ValueError("a bug"), 1, 22.5, 37.5),
        (Rejected("no"), 6, 675, 1125),
        (AuthProblem("wrong password"), 6, 720, 1200),
        (AuthProblem("wrong password"), 100_000, 16_200, 27_000),
        (ConfigProblem("no such folder"), 100_000, 16_200, 27_000),
        (RetryLater("busy", after=7), 9, 7, 7),
        (RetryLater("busy", after=10**9), 1, 21_600, 21_600),
        (RetryLater("busy", after=-5), 1, 0, 0),
        (LedgerProblem("locked"), 9, 0, 0),
    ],
)
def test_a_failing_job_is_left_alone_for(
    error: Exception, failures: int, least: float, most: float
) -> None:
    assert pause(error, failures, 0.0) == least
    assert pause(error, failures, 1.0) == most


def test_a_failure_is_news_until_it_repeats_and_again_after_a_success() -> None:
    turn = JobState("sales", heard=0.0)
    assert turn.fail(AWAY, "away", 1.0, 0.5)
    assert not turn.fail(AWAY, "away", 40.0, 0.5)
    assert turn.fail(AWAY, "refused", 110.0, 0.5)
    assert (turn.failures, turn.reason, turn.not_before) == (3, "refused", 110.0 + 120.0)
    assert turn.succeed(300.0) == 3
    assert (turn.failures, turn.reason, turn.not_before) == (0, "", 0.0)
    assert turn.succeed(301.0) == 0
    assert turn.fail(AWAY, "refused", 302.0, 0.5)


def test_a_pass_is_silent_after_patience_and_a_rest_after_rest_and_patience() -> None:
    turn = JobState("sales", heard=0.0)
    assert not turn.is_silent(180.0, patience=120, rest=60)
    assert turn.is_silent(180.1, patience=120, rest=60)
    turn.begin(200.0)
    assert not turn.is_silent(320.0, patience=120, rest=60)
    assert turn.is_silent(320.1, patience=120, rest=60)
    assert turn.silence(321.0) == "sales: hangs, for 121 s"
    turn.beat(300.0)
    assert not turn.is_silent(420.0, patience=120, rest=60)
    turn.succeed(420.0)
    assert not turn.is_silent(600.0, patience=120, rest=60)
    assert turn.silence(600.0) == "sales: doesn't start, for 180 s"


def test_a_server_that_is_away_is_no_silence() -> None:
    turn = JobState("sales", heard=0.0)
    turn.begin(100.0)
    turn.fail(AWAY, "away", 110.0, 0.5)
    assert turn.heard == 110.0
    turn.beat(170.0)
    assert turn.heard == 170.0


def test_without_the_ledger_neither_a_start_nor_a_rest_is_a_sign_of_life() -> None:
    turn = JobState("sales", heard=0.0)
    turn.begin(10.0)
    turn.fail(LedgerProblem("locked"), "locked", 40.0, 0.5)
    turn.beat(50.0)
    turn.begin(100.0)
    assert turn.heard == 10.0
    assert turn.is_silent(131.0, patience=120, rest=60)
    assert turn.silence(131.0) == "sales: locked, for 121 s"
    turn.beat(132.0)
    assert turn.heard == 132.0
    turn.succeed(133.0)
    turn.beat(140.0)
    assert turn.heard == 140.0


def test_a_pass_that_fails_after_a_reload_is_followed_by_one_at_once() -> None:
    job = JobState("sales", heard=0.0)
    job.begin(0.0)
    job.forgive()
    job.fail(AuthProblem("refused"), "refused", now=5.0, jitter=0.5)
    assert job.not_before == 5.0

    job.begin(6.0)
    job.fail(AuthProblem("refused"), "refused", now=7.0, jitter=0.5)
    assert job.not_before > 30.0
