"""The service as systemd starts it: a process of its own, a real mailbox, a Pipedrive over HTTP."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dovecot import Post
from service_process import PATIENCE, ServiceProcess, eventually

from daemon.sandbox.crm import Sandbox, Server, Settings, duplicates
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.ports import kept_ports
from daemon.service.running import SERVICE, reload_service


class Service(ServiceProcess):
    """A service and its sandbox."""

    def __init__(self, home: Path, sandbox: Sandbox, config: dict[str, Any]) -> None:
        self.sandbox = sandbox
        super().__init__(home, config)

    def persons(self) -> int:
        return len([one for one in self.sandbox.writes(0) if one.path.endswith("/persons")])


@pytest.fixture
def service(dovecot: Post, tmp_path: Path) -> Iterator[Service]:
    settings = Settings(plan="ultimate", burst=False)
    with closing(Sandbox(settings=settings)) as sandbox, Server(sandbox) as crm:
        config = {
            "mailboxes": [dovecot.section(tmp_path)],
            "pipedrive": {
                "base_url": crm.url,
                "token": DEFAULT_TOKEN,
                "plan": "ultimate",
                "pipeline": "Sales",
            },
            "poll": {"every": "1h"},
            "ledger": str(tmp_path / "ledger.db"),
        }
        yield Service(tmp_path, sandbox, config)


def mail(name: str) -> bytes:
    return (
        f"From: {name} <{name}@{name}.example>\r\nTo: us@example.com\r\nSubject: an offer\r\n"
        f"Message-ID: <{name}@x>\r\n\r\nhello\r\n"
    ).encode()


def test_a_mail_becomes_a_record_at_once_although_polls_are_hourly(
    dovecot: Post, service: Service
) -> None:
    with service.running() as process:
        eventually(service.logged("service.ready"), process)
        eventually(service.logged("watch.begun", "mailbox=sales"), process)
        for number, name in enumerate(("ada", "grace"), 1):
            dovecot.deliver(mail(name))
            eventually(lambda number=number: service.persons() == number, process)  # type: ignore[misc]


@pytest.mark.long  # Pipedrive is slow in it
def test_a_catch_up_that_follows_a_service_goes_on_when_that_ends(
    dovecot: Post, service: Service
) -> None:
    names = [f"stranger{number}" for number in range(24)]
    service.sandbox.change(latency=4.0)
    for name in names:
        dovecot.deliver(mail(name))
    said = service.home / "said"
    with service.running() as process, said.open("wb") as out:
        eventually(service.logged("sync.listed", "kind=lead"), process)
        follower = subprocess.Popen(
            [*service.command, "--catch-up"],
            stdout=out,
            stderr=out,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        eventually(lambda: "is at work" in said.read_text(), process)
    assert service.persons() < len(names)
    service.sandbox.change(latency=0.0)
    try:
        assert follower.wait(PATIENCE) == 0, said.read_text()
    finally:
        follower.kill()
        follower.wait()

    assert "going on without it" in said.read_text()
    assert service.persons() == len(names)
    assert duplicates(service.sandbox) == []


def scraped(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as page:
        return str(page.read(), "utf-8").splitlines()


def test_a_reload_brings_metrics_and_a_new_chance_for_a_parked_login(
    dovecot: Post, service: Service
) -> None:
    (service.home / "password").write_text("wrong")
    with kept_ports(1) as (port,), service.running() as process:
        eventually(service.logged("job.failed", "login refused"), process)
        (service.home / "password").write_text("secret")
        service.configure(metrics=f"127.0.0.1:{port}")
        process.send_signal(signal.SIGHUP)
        eventually(service.logged("service.reloaded"), process)
        dovecot.deliver(mail("ada"))
        eventually(lambda: service.persons() == 1, process)
        # The service counts a request once it is answered, which may be later than it is done.
        for line in (
            'mail2deal_mailbox_parked{mailbox="sales"} 0.0',
            'mail2deal_request_seconds_count{kind="persons.create"} 1.0',
        ):
            eventually(lambda line=line: line in scraped(port), process)  # type: ignore[misc]


def test_retry_reaches_a_login_that_the_running_service_leaves_alone(
    dovecot: Post, service: Service
) -> None:
    (service.home / "password").write_text("wrong")
    dovecot.deliver(mail("ada"))
    with service.running() as process:
        eventually(service.logged("job.failed", "login refused"), process)
        assert process.poll() is None
        (service.home / "password").write_text("secret")
        said = service.run("retry")
        assert f"mail2deal (pid {process.pid}) is at work: it was told" in said
        eventually(service.logged("service.reloaded"), process)
        eventually(lambda: service.persons() == 1, process)


def test_reloads_and_retries_within_a_pass_end_in_peace(dovecot: Post, service: Service) -> None:
    names = [f"stranger{number}" for number in range(12)]
    service.sandbox.change(latency=0.3)
    for name in names:
        dovecot.deliver(mail(name))
    with service.running() as process:
        eventually(lambda: service.persons() > 0, process)
        process.send_signal(signal.SIGHUP)
        assert service.persons() < len(names)
        assert "it was told" in service.run("retry")
        process.send_signal(signal.SIGHUP)
        service.sandbox.change(latency=0.0)
        eventually(lambda: service.persons() == len(names), process)
        dovecot.deliver(mail("late"))
        eventually(lambda: service.persons() == len(names) + 1, process)
        log = service.log()
    assert "service.reloaded" in log
    assert "Traceback" not in log
    assert "job.failed" not in log
    assert duplicates(service.sandbox) == []


LOCK_HOLDER = """
import pathlib, signal, sys
from daemon.ledger.lock import owned
if "listening" in sys.argv: signal.signal(signal.SIGHUP, lambda *_: print("told", flush=True))
with owned(pathlib.Path(sys.argv[1]), sys.argv[2]): print("mine", flush=True); input()
"""


@pytest.mark.parametrize(
    ("holder", "more", "told"),
    [
        ("mail2deal", ["listening"], True),
        ("mail2deal", [], False),  # SIGHUP would end it
        ("mail2deal --catch-up", ["listening"], False),
    ],
    ids=["the service", "a service that only starts", "a command"],
)
def test_only_a_service_that_listens_is_told(
    service: Service, holder: str, more: list[str], told: bool
) -> None:
    ledger = service.home / "ledger.db"
    command = [sys.executable, "-c", LOCK_HOLDER, str(ledger), holder, *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"mine\n"
            assert ("it was told" in service.run("retry")) == told
            rest, _ = process.communicate(b"\n")
            assert (rest == b"told\n") == told
            assert process.returncode == 0
        finally:
            process.kill()


def test_a_number_that_is_no_holder_any_more_is_never_told(tmp_path: Path) -> None:
    """This process listens and is named, but another one holds the lock, or nobody."""
    ledger, heard = tmp_path / "ledger.db", []
    named = f"{SERVICE} (pid {os.getpid()})"
    before = signal.signal(signal.SIGHUP, lambda *_: heard.append(1))
    try:
        assert not reload_service(ledger, named)
        command = [sys.executable, "-c", LOCK_HOLDER, str(ledger), SERVICE]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert not reload_service(ledger, named)
            (tmp_path / "ledger.db.lock").write_text(
                named + "\n"
            )  # as if it had yet to write its own
            assert not reload_service(ledger, named)
            process.communicate(b"\n")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert heard == []


def test_a_log_for_programs(service: Service) -> None:
    service.configure(log={"format": "json"})
    with service.running() as process:
        eventually(service.logged('{"event": "service.ready"', '"mailboxes": 1'), process)
