import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import TypeVar

import pytest
from notify_socket import Listener, eventually, listening

from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem, RetryLater
from daemon.rounds import Schedule
from daemon.service import Service, Timing, Work

Result = TypeVar("Result")
HOURLY = Schedule(("sales",), timedelta(hours=1))
QUICK = Timing(grace=30, patience=60, look=0.02, idle=30, workers=4)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with listening() as listener:
        monkeypatch.setenv("NOTIFY_SOCKET", str(listener.path))
        yield listener


class Clocks:
    """A wall clock and a monotonic clock that can be moved."""

    def __init__(self) -> None:
        self.wall_offset = timedelta()
        self.offset = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.wall_offset

    def monotonic(self) -> float:
        return time.monotonic() + self.offset


class Company:
    """Work that counts itself and does what a test puts in."""

    def __init__(self, schedule: Schedule = HOURLY) -> None:
        self.schedule = schedule
        self.calls: Counter[str] = Counter()
        self.on_poll: Callable[[str], object] = lambda _: None
        self.on_sync: Callable[[], datetime | None] = lambda: None
        self.on_reload: Callable[[], Schedule] = lambda: self.schedule
        self.looks = 0

    def work(self) -> Work:
        return Work(
            prepare=lambda: self._count("prepare", lambda: self.schedule),
            poll=lambda name: self._count(f"poll {name}", lambda: self.on_poll(name)),
            sync=lambda: self._count("sync", self.on_sync),
            reload=lambda: self._count("reload", self.on_reload),
            close=lambda: self._count("close", lambda: None),
            status=self._look,
        )

    def _count(self, name: str, call: Callable[[], Result]) -> Result:
        self.calls[name] += 1
        return call()

    def _look(self) -> str:
        self.looks += 1
        return "all well"

    def looked_around(self) -> None:
        """Wait until the main thread has looked around a few times more."""
        enough = self.looks + 5
        eventually(lambda: self.looks >= enough)


def live(service: Service, company: Company, script: Callable[[], object]) -> int:
    """Run the service in this, the main thread, and the script beside it."""
    failures: list[BaseException] = []

    def play() -> None:
        try:
            script()
        except BaseException as error:  # noqa: BLE001 -- handed to the test below
            failures.append(error)
        finally:
            service.stop()

    beside = threading.Thread(target=play)
    beside.start()
    try:
        return service.run(company.work())
    finally:
        beside.join()
        if failures:
            raise failures[0]


def test_a_life_from_ready_to_stopped(systemd: Listener) -> None:
    company, service = Company(), Service(QUICK)

    def script() -> None:
        assert systemd.next("READY=1").startswith("READY=1\nSTATUS=1 mailboxes, ")
        eventually(lambda: company.calls["poll sales"] == 1 and company.calls["sync"] == 1)
        systemd.next("WATCHDOG=1")

    assert live(service, company, script) == 0
    assert systemd.drain()[-1] == "STOPPING=1\nSTATUS=stopping"
    assert systemd.heard[0] == "STATUS=starting"
    assert company.calls == {"prepare": 1, "poll sales": 1, "sync": 1, "close": 1}


def test_ready_is_not_said_when_the_ledger_cannot_be_opened(systemd: Listener) -> None:
    company, service = Company(), Service(QUICK)

    def refuse() -> Schedule:
        raise LedgerProblem("is newer than this program", what="/x/ledger.db")

    work = company.work()
    with pytest.raises(LedgerProblem):
        service.run(Work(refuse, work.poll, work.sync, work.reload, work.close))
    assert systemd.drain() == [
        "STATUS=starting",
        "STATUS=/x/ledger.db: is newer than this program",
    ]
    assert not company.calls


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_life_and_gives_back_the_handlers(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    company, service = Company(), Service(QUICK)

    def script() -> None:
        eventually(lambda: company.calls["poll sales"] == 1)
        os.kill(os.getpid(), number)
        service.stopping.wait()

    assert live(service, company, script) == 0
    assert signal.getsignal(number) is before


def test_a_running_pass_is_asked_to_end_and_waited_for() -> None:
    company, service = Company(), Service(QUICK)
    passes = []

    def poll(_: str) -> None:
        while service.carry_on():
            service.stopping.wait(0.01)
        passes.append("ended")

    company.on_poll = poll
    live(service, company, lambda: eventually(lambda: company.calls["poll sales"] == 1))
    assert passes == ["ended"]
    assert company.calls["close"] == 1


def test_mailboxes_are_polled_side_by_side_and_each_again_and_again() -> None:
    company = Company(Schedule(("a", "b", "c"), timedelta(seconds=0.05), timedelta(seconds=0.02)))
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
    company = Company(Schedule(("sales",), timedelta(seconds=0.01)))
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

    def script() -> None:
        for times in range(1, 20):
            eventually(lambda times=times: company.calls["poll sales"] == times)
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
    company, clocks = Company(Schedule(("bad", "good"), timedelta(seconds=0.02))), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)

    def poll(name: str) -> None:
        if name == "bad" and company.calls["poll bad"] < 3:
            raise ValueError("a bug")

    company.on_poll = poll

    def script() -> None:
        eventually(lambda: company.calls["poll good"] >= 5)
        assert company.calls["poll bad"] == 1
        clocks.offset += 60
        eventually(lambda: company.calls["poll bad"] == 2)
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


def test_a_failing_mailbox_is_named_in_the_status(systemd: Listener) -> None:
    company, service = Company(), Service(QUICK)

    def poll(_: str) -> None:
        raise AuthProblem("password refused", what="sales")

    company.on_poll = poll
    live(
        service,
        company,
        lambda: systemd.next(
            "STATUS=1 mailboxes, 0 being polled; sync at rest; sales: sales: password refused; all well"
        ),
    )


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


def test_reload_follows_the_new_configuration_and_forgives(systemd: Listener) -> None:
    company, service = Company(), Service(QUICK)

    def poll(name: str) -> None:
        if company.calls[f"poll {name}"] == 1:
            raise AuthProblem("password refused")

    company.on_poll = poll

    def script() -> None:
        systemd.next("READY=1")
        eventually(lambda: company.calls["poll sales"] == 1)
        company.schedule = Schedule(("sales", "support"), timedelta(hours=1))
        os.kill(os.getpid(), signal.SIGHUP)
        lines = systemd.next("RELOADING=1").splitlines()
        assert int(lines[1].removeprefix("MONOTONIC_USEC=")) > 0
        assert "2 mailboxes" in systemd.next("READY=1")
        eventually(lambda: company.calls["poll sales"] == 2 and company.calls["poll support"] == 1)
        company.schedule = Schedule(("support",), timedelta(hours=1))
        os.kill(os.getpid(), signal.SIGHUP)
        eventually(lambda: company.calls["poll support"] == 2)
        service.poll_soon("sales")
        company.looked_around()
        assert company.calls["poll sales"] == 2

    live(service, company, script)


def test_a_bad_configuration_is_refused_and_the_old_one_stays(
    systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    company, service = Company(), Service(QUICK)

    def refuse() -> Schedule:
        raise ConfigProblem(problems=("mailboxes[1].host: missing", "us.domains: must be a list"))

    company.on_reload = refuse

    def script() -> None:
        systemd.next("READY=1")
        os.kill(os.getpid(), signal.SIGHUP)
        systemd.next("RELOADING=1")
        assert (
            systemd.next("READY=1")
            .splitlines()[1]
            .startswith(
                "STATUS=new configuration refused, the old one stays: mailboxes[1].host: missing; 1 mailboxes"
            )
        )
        eventually(lambda: company.calls["poll sales"] == 1)
        service.poll_soon("sales")
        eventually(lambda: company.calls["poll sales"] == 2)

    live(service, company, script)
    assert 'service.reload_refused problem="us.domains: must be a list"' in caplog.text


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
        clocks.offset += 65
        eventually(lambda: "service.hangs" in caplog.text)
        systemd.drain()
        company.looked_around()
        assert not any("WATCHDOG" in text for text in systemd.drain())
        release.set()
        systemd.next("WATCHDOG=1")

    live(service, company, script)
    assert 'service.hangs reason="sales: hangs, for 6' in caplog.text


def test_a_long_pass_that_gets_on_feeds_the_watchdog(
    systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    company, clocks = Company(), Clocks()
    service = Service(QUICK, monotonic=clocks.monotonic)
    steps = 0

    def poll(_: str) -> None:
        nonlocal steps
        while service.carry_on():
            steps += 1
            service.stopping.wait(0.001)

    company.on_poll = poll

    def script() -> None:
        for _ in range(5):
            clocks.offset += 30
            service.wake_sync()
            reached = steps + 2
            eventually(lambda reached=reached: steps >= reached)
            company.looked_around()
        systemd.next("WATCHDOG=1")

    live(service, company, script)
    assert "service.hangs" not in caplog.text


def test_a_locked_ledger_stops_the_watchdog(
    systemd: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    company, clocks = Company(Schedule(("sales",), timedelta(seconds=1))), Clocks()
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
    company, clocks = Company(Schedule(("sales",), timedelta(seconds=0.02))), Clocks()
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
    company.on_sync = lambda: release.wait() and None

    def script() -> None:
        eventually(lambda: company.calls["sync"] == 1)
        clocks.offset += 590
        company.looked_around()
        assert "service.hangs" not in caplog.text
        clocks.offset += 20
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
    assert "service.clock_jump seconds=-3600" in caplog.text


def test_patience_is_half_of_the_watchdogs_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "8000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    timing = Service()._timing
    assert (timing.patience, timing.look) == (4.0, 2.0)
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Service()._timing == Timing()


def test_without_systemd_and_with_a_dead_socket_the_service_lives_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    company = Company()
    live(Service(QUICK), company, lambda: eventually(lambda: company.calls["sync"] == 1))
    assert 'notify.failed reason="No such file or directory"' in caplog.text


def test_an_abstract_socket_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"mail2deal-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        company = Company()
        live(Service(QUICK), company, lambda: eventually(lambda: company.calls["sync"] == 1))
        assert listener.recv(4096) == b"STATUS=starting"


DAEMON = """
    import logging, sys, time
    from datetime import timedelta
    from daemon.rounds import Schedule
    from daemon.service import Service, Timing, Work
    logging.basicConfig(level="INFO", format="%(message)s")
    service = Service(Timing(grace={grace}, look=0.05))
    def poll(name):
        {poll}
    schedule = Schedule(("sales",), timedelta(seconds=1))
    sys.exit(service.run(Work(lambda: schedule, poll, lambda: None, lambda: schedule, lambda: None)))
"""


def start(poll: str, grace: float = 9.0) -> subprocess.Popen[str]:
    code = dedent(DAEMON).format(poll=poll, grace=grace)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_a_pass_that_hangs_cannot_keep_the_process(systemd: Listener) -> None:
    with start("time.sleep(600)", grace=0.3) as process:
        systemd.next("STATUS=1 mailboxes, 1 being polled")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert process.stderr is not None
        assert "service.torn_off running=sales after=0.3" in process.stderr.read()


def test_signals_that_rain_end_in_one_clean_stop(systemd: Listener) -> None:
    with start("service.stopping.wait(0.01)") as process:
        systemd.next("READY=1")
        for _ in range(50):
            process.send_signal(signal.SIGHUP)
        for _ in range(5):
            process.send_signal(signal.SIGTERM)
        assert process.wait() in {0, -signal.SIGTERM}  # a late one may meet the default handler
        assert process.stderr is not None
        assert process.stderr.read().count("service.stopping") == 1
