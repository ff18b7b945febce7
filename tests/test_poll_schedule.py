"""Mailboxes and the sync, again and again: side by side, never twice at once, after failures later."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from notify_socket import eventually
from service_kit import QUICK, Clocks, Company, live

from daemon.errors import RetryLater
from daemon.service.process import Service
from daemon.service.schedule import Timetable


def test_mailboxes_are_polled_side_by_side_and_each_again_and_again() -> None:
    company = Company(Timetable(("a", "b", "c"), timedelta(seconds=0.05), timedelta(seconds=0.02)))
    service = Service(QUICK)
    together = threading.Barrier(3, timeout=20)

    def poll(name: str) -> None:
        if company.calls[f"poll {name}"] == 1:
            together.wait()

    company.on_poll = poll

    def script() -> None:
        eventually(lambda: all(company.calls[f"poll {name}"] >= 3 for name in "abc"))

    live(service, company, script)


def test_one_mailbox_is_never_polled_twice_at_once() -> None:
    company = Company(Timetable(("sales",), timedelta(seconds=0.01)))
    service = Service(QUICK)
    only = threading.Lock()
    overlaps = []

    def poll(_: str) -> None:
        if not only.acquire(blocking=False):
            overlaps.append(1)
            return
        time.sleep(0.03)
        only.release()

    company.on_poll = poll

    def script() -> None:
        while company.calls["poll sales"] < 10:
            service.poll_soon("sales")
            time.sleep(0.001)

    live(service, company, script)
    assert not overlaps


def test_a_poll_that_is_wished_for_comes_at_once() -> None:
    company, service = Company(), Service(QUICK)

    def polled(times: int) -> bool:
        return company.calls["poll sales"] == times

    def script() -> None:
        for times in range(1, 20):
            eventually(partial(polled, times))
            service.poll_soon("sales")
        service.poll_soon("nobody")

    live(service, company, script)


def test_a_wish_during_a_pass_is_fulfilled_after_it() -> None:
    company, service = Company(), Service(QUICK)
    inside, release = threading.Event(), threading.Event()

    def poll(_: str) -> None:
        inside.set()
        release.wait()

    company.on_poll = poll

    def script() -> None:
        inside.wait()
        service.poll_soon("sales")
        company.looked_around()
        assert company.calls["poll sales"] == 1
        release.set()
        eventually(lambda: company.calls["poll sales"] == 2)

    live(service, company, script)


def test_a_job_that_fails_is_told_once_left_alone_and_told_when_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    company, clocks = Company(Timetable(("bad", "good"), timedelta(seconds=0.02))), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)

    def poll(name: str) -> None:
        if name == "bad" and company.calls["poll bad"] < 3:
            raise ValueError("a bug")

    company.on_poll = poll

    def script() -> None:
        eventually(lambda: company.calls["poll good"] >= 5)
        assert company.calls["poll bad"] == 1
        clocks.offset += 60
        eventually(lambda: company.calls["poll bad"] >= 2)  # a jump may bring the third at once
        clocks.offset += 120
        eventually(lambda: company.calls["poll bad"] >= 3)
        eventually(lambda: "job.recovered" in caplog.text)

    live(service, company, script)
    failed = [r.getMessage() for r in caplog.records if r.getMessage().startswith("job.failed")]
    assert len(failed) == 2
    assert 'reason="ValueError: a bug" failures=1' in failed[0]
    assert "Traceback" in failed[0]
    assert "failures=2" in failed[1]
    assert "Traceback" not in failed[1]
    assert "job.recovered job=bad failures=2" in caplog.text


def test_the_sync_runs_when_woken_and_when_a_row_is_due() -> None:
    company, service = Company(), Service(QUICK)

    def script() -> None:
        eventually(lambda: company.calls["sync"] == 1)
        service.wake_sync()
        eventually(lambda: company.calls["sync"] == 2)
        company.on_sync = lambda: datetime.now(UTC) + timedelta(seconds=0.05)
        service.wake_sync()
        eventually(lambda: company.calls["sync"] >= 5)

    live(service, company, script)


def test_a_sync_that_is_asked_to_wait_waits_even_when_woken() -> None:
    company, clocks = Company(), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)

    def sync() -> None:
        if company.calls["sync"] == 1:
            raise RetryLater("busy", after=1000)

    company.on_sync = sync

    def script() -> None:
        eventually(lambda: company.calls["sync"] == 1)
        service.wake_sync()
        company.looked_around()
        assert company.calls["sync"] == 1
        clocks.offset += 1002
        service.wake_sync()
        eventually(lambda: company.calls["sync"] == 2)

    live(service, company, script)


def test_a_clock_that_jumps_makes_every_mailbox_polled_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    company, clocks = Company(), Clocks()
    service = Service(QUICK, now=clocks.now)

    def script() -> None:
        eventually(lambda: company.calls["poll sales"] == 1)
        company.looked_around()
        clocks.wall_offset = timedelta(hours=-1)
        eventually(lambda: company.calls["poll sales"] == 2)

    live(service, company, script)
    assert "service.clock_jump jumped_s=-3600" in caplog.text
