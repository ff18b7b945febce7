import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from notify_socket import Listener, eventually, listening
from service_kit import QUICK, Company, live

from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem
from daemon.service.process import Service
from daemon.service.schedule import Timetable
from daemon.service.work import Work


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with listening() as listener:
        monkeypatch.setenv("NOTIFY_SOCKET", str(listener.path))
        yield listener


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

    def refuse() -> Timetable:
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


def test_reload_follows_the_new_configuration_and_forgives(systemd: Listener) -> None:
    company, service = Company(), Service(QUICK)

    def poll(name: str) -> None:
        if company.calls[f"poll {name}"] == 1:
            raise AuthProblem("password refused")

    company.on_poll = poll

    def script() -> None:
        systemd.next("READY=1")
        eventually(lambda: company.calls["poll sales"] == 1)
        company.schedule = Timetable(("sales", "support"), timedelta(hours=1))
        os.kill(os.getpid(), signal.SIGHUP)
        lines = systemd.next("RELOADING=1").splitlines()
        assert int(lines[1].removeprefix("MONOTONIC_USEC=")) > 0
        assert "2 mailboxes" in systemd.next("READY=1")
        eventually(lambda: company.calls["poll sales"] == 2 and company.calls["poll support"] == 1)
        company.schedule = Timetable(("support",), timedelta(hours=1))
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

    def refuse() -> Timetable:
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
    from daemon.service.schedule import Timetable
    from daemon.service.process import Service
    from daemon.service.work import Timing, Work
    logging.basicConfig(level="INFO", format="%(message)s")
    service = Service(Timing(grace={grace}, look=0.05))
    def poll(name):
        {poll}
    schedule = Timetable(("sales",), timedelta(seconds=1))
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
        assert "service.torn_off running=sales after_s=0.3" in process.stderr.read()


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
