import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from daemon.pipedrive.budget import Budget
from daemon.pipedrive.outcomes import BudgetSpent

DAY = date(2026, 11, 24)


class Wall:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)


def _budget(limit: int = 100, share: float = 1.0) -> tuple[Budget, Wall]:
    wall = Wall()
    return Budget(limit, share, wall), wall


def test_a_share_of_the_days_tokens_is_ours() -> None:
    budget, _ = _budget(100, 0.5)
    budget.take(45)
    assert (budget.remaining(), budget.spent) == (5, 45)
    with pytest.raises(BudgetSpent) as caught:
        budget.take(10)
    assert caught.value.after == 6 * 3600
    assert caught.value.resets_at == datetime(2026, 11, 25, tzinfo=UTC)
    assert "2026-11-25T00:00Z" in str(caught.value)


def test_the_ledger_tells_what_was_spent_before_a_restart() -> None:
    budget, _ = _budget()
    budget.start(DAY, 90)
    assert budget.remaining() == 10
    budget.start(DAY - timedelta(days=1), 99)
    assert budget.remaining() == 10


def test_a_request_that_was_not_processed_costs_nothing() -> None:
    budget, _ = _budget()
    budget.settle(budget.take(40), charged=False)
    assert (budget.spent, budget.remaining()) == (0, 100)


def test_midnight_utc_starts_anew_and_a_clock_set_back_does_not() -> None:
    budget, wall = _budget()
    budget.take(100)
    wall.passes(hours=-24)
    assert budget.remaining() == 0
    wall.passes(hours=30)
    assert budget.remaining() == 100


def test_what_others_spent_is_seen_in_the_headers() -> None:
    budget, _ = _budget(100)
    taken = budget.take(5)
    budget.settle(taken, charged=True)
    budget.heard(taken, limit=200, left=12)
    assert (budget.limit, budget.remaining()) == (200, 12)
    budget.take(10)
    assert budget.remaining() == 2


def test_requests_on_their_way_count_against_what_the_header_left() -> None:
    budget, _ = _budget(1000)
    first, second = budget.take(5), budget.take(40)
    budget.settle(first, charged=True)
    budget.heard(first, limit=None, left=50)
    assert budget.remaining() == 10
    budget.settle(second, charged=True)
    assert budget.remaining() == 10


def test_where_the_server_said_spent_one_call_an_hour_may_ask_again() -> None:
    budget, wall = _budget(1000)
    refusal = budget.exhausted(what="deals.create")
    assert refusal.after == 3600
    with pytest.raises(BudgetSpent):
        budget.take(5)
    wall.passes(minutes=61)
    probe = budget.take(5)
    with pytest.raises(BudgetSpent):
        budget.take(5)
    budget.settle(probe, charged=True)
    budget.heard(probe, limit=None, left=500)
    assert budget.remaining() == 500


def test_a_probe_that_gets_through_without_numbers_opens_the_budget() -> None:
    budget, wall = _budget(1000)
    budget.exhausted()
    wall.passes(minutes=61)
    probe = budget.take(5)
    budget.settle(probe, charged=True)
    budget.heard(probe, limit=None, left=None)
    assert budget.remaining() == 995


def test_our_own_share_is_never_probed() -> None:
    budget, wall = _budget(100, 0.5)
    budget.take(50)
    wall.passes(hours=2)
    with pytest.raises(BudgetSpent) as caught:
        budget.take(5)
    assert caught.value.after == 4 * 3600


def test_an_answer_from_before_midnight_says_nothing_about_today() -> None:
    budget, wall = _budget(100)
    taken = budget.take(5)
    wall.passes(hours=7)
    budget.settle(taken, charged=True)
    budget.heard(taken, limit=100, left=0)
    assert (budget.spent, budget.remaining()) == (0, 100)


def test_threads_together_never_overdraw() -> None:
    budget, _ = _budget(1000)
    let_through = []

    def spend() -> None:
        try:
            while True:
                let_through.append(budget.take(7).cost)
        except BudgetSpent:
            pass

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(let_through) == 994


def test_a_backlog_takes_so_many_days_after_today_by_what_is_kept_for_the_fresh() -> None:
    wall = Wall()
    budget = Budget(1000, 0.5, wall, reserve=0.2)  # 500 are ours, 400 of them for a backlog
    budget.take(100)
    assert [budget.days_for(n) for n in (0, 300, 301, 700, 701)] == [0, 0, 1, 1, 2]
