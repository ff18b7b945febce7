"""The heartbeat for systemd: only while passes get on and the ledger can be used."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from functools import partial

import pytest
from notify_socket import Listener, eventually, listening
from service_kit import QUICK, Clocks, Company, live

from daemon.errors import LedgerProblem, RetryLater
from daemon.service.process import Service
from daemon.service.schedule import Timetable
from daemon.service.work import Timing


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with listening() as listener:
        monkeypatch.setenv("NOTIFY_SOCKET", str(listener.path))
        yield listener


def test_a_hung_mailbox_stops_the_watchdog(
    systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    company, clocks = Company(), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)
    inside, release = threading.Event(), threading.Event()

    def poll(_: str) -> None:
        inside.set()
        release.wait()

    company.on_poll = poll

    def script() -> None:
        inside.wait()
        systemd.next("WATCHDOG=1")
        clocks.offset += 125
        eventually(lambda: "service.hangs" in caplog.text)
        systemd.drain()
        company.looked_around()
        assert not any("WATCHDOG" in text for text in systemd.drain())
        release.set()
        systemd.next("WATCHDOG=1")

    live(service, company, script)
    assert 'service.hangs reason="sales: hangs, for 1' in caplog.text


def read_here(items: Iterator[int]) -> None:
    list(items)


def read_ahead(items: Iterator[int]) -> None:
    with ThreadPoolExecutor(1) as pool:  # the thread of the pass itself has nothing to say
        pool.submit(copy_context().run, lambda: list(items)).result()


@pytest.mark.parametrize("read", [read_here, read_ahead])
def test_a_long_pass_that_gets_on_feeds_the_watchdog(
    read: Callable[[Iterator[int]], None], systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    company, clocks = Company(), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)
    steps = 0

    def slowly() -> Iterator[int]:
        nonlocal steps
        while service.carry_on():
            steps += 1
            service.stopping.wait(0.001)
        yield steps

    def has_stepped(times: int) -> bool:
        return steps >= times

    company.on_poll = lambda _: read(slowly())

    def script() -> None:
        for _ in range(5):
            clocks.offset += 30
            service.wake_sync()
            eventually(partial(has_stepped, steps + 2))
            company.looked_around()
        systemd.next("WATCHDOG=1")

    live(service, company, script)
    assert "service.hangs" not in caplog.text


def test_a_locked_ledger_stops_the_watchdog(
    systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    company, clocks = Company(Timetable(("sales",), timedelta(seconds=1))), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)

    def poll(_: str) -> None:
        raise LedgerProblem("locked by another program", what="ledger.db")

    company.on_poll = poll

    def script() -> None:
        eventually(lambda: company.calls["poll sales"] >= 1)
        systemd.next("WATCHDOG=1")
        clocks.offset += 62
        eventually(lambda: "service.hangs" in caplog.text)
        systemd.drain()
        company.looked_around()
        assert not any("WATCHDOG" in text for text in systemd.drain())

    live(service, company, script)
    assert 'service.hangs reason="sales: ledger.db: locked by another program, for' in caplog.text


def test_an_outage_of_the_other_side_feeds_the_watchdog(
    systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    company, clocks = Company(Timetable(("sales",), timedelta(seconds=0.02))), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)

    def away(*_: str) -> None:
        raise RetryLater("away")

    company.on_poll = away
    company.on_sync = away

    def script() -> None:
        for _ in range(10):
            clocks.offset += 25
            service.wake_sync()
            company.looked_around()
        systemd.next("WATCHDOG=1")

    live(service, company, script)
    assert "service.hangs" not in caplog.text


def test_a_hung_sync_is_told_from_a_slow_crm_by_ten_times_the_patience(
    caplog: pytest.LogCaptureFixture,
) -> None:
    company, clocks = Company(), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)
    release = threading.Event()

    def sync() -> None:
        release.wait()

    company.on_sync = sync

    def script() -> None:
        eventually(lambda: company.calls["sync"] == 1)
        clocks.offset += 550
        company.looked_around()
        assert "service.hangs" not in caplog.text
        clocks.offset += 60
        eventually(lambda: "service.hangs" in caplog.text)
        release.set()

    live(service, company, script)
    assert 'service.hangs reason="sync: hangs, for 6' in caplog.text


def test_a_dead_sync_thread_stops_the_watchdog(
    systemd: Listener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    company, service = Company(), Service(QUICK)

    monkeypatch.setattr(service, "_sync_forever", lambda: None)

    def script() -> None:
        eventually(lambda: "service.hangs" in caplog.text)
        systemd.drain()
        company.looked_around()
        assert not any("WATCHDOG" in text for text in systemd.drain())

    live(service, company, script)
    assert 'service.hangs reason="the sync has died"' in caplog.text


def test_patience_is_half_of_the_watchdogs_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    timing = Service()._timing
    assert (timing.patience, timing.look) == (4.0, 2.0)
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Service()._timing == Timing()
