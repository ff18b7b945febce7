"""The service as systemd starts it: the program itself, a real IMAP server, a Pipedrive on loopback."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import yaml
from notify_socket import Listener, eventually, listening

from daemon.sandbox.crm import Sandbox, Server, serve
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer, installed, start_imap

MAIL = b"From: ada@acme.example\r\nTo: sales@example.com\r\nSubject: Offer\r\n\r\nHow much?\r\n"


class Machine:
    """One small server: mail, a CRM, a configuration, and the service once it is started."""

    def __init__(self, home: Path, imap: ImapServer, crm: Server, systemd: Listener) -> None:
        self.imap, self.crm, self.systemd = imap, crm, systemd
        self.ledger = home / "ledger.db"
        self.config = home / "config.yaml"
        self.log = home / "log"
        self.configure("sales")
        self.process: subprocess.Popen[bytes]

    def start(self, watchdog: int = 4) -> None:
        """Start it as systemd does, with so many seconds of patience with its heartbeat."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "daemon", "--config", str(self.config)],
                stderr=log,
                env=os.environ
                | {"NOTIFY_SOCKET": str(self.systemd.path), "WATCHDOG_USEC": f"{watchdog}000000"}
                | {"PYTHONPATH": str(Path(__file__).parent.parent), "TOKEN": DEFAULT_TOKEN},
            )

    def configure(self, *names: str, **more: object) -> None:
        box = {"host": self.imap.host, "port": self.imap.port, "tls": "none", "password": "secret"}
        document = {
            "mailboxes": [
                box | {"name": name, "username": f"{name}@example.com"} for name in names
            ],
            "pipedrive": {"base_url": self.crm.url, "token": {"env": "TOKEN"}},
            "poll": {"every": "1s", "jitter": "0s"},
            "ledger": str(self.ledger),
        }
        self.config.write_text(yaml.safe_dump(document | more))
        self.config.chmod(0o600)

    def logged(self, words: str) -> bool:
        return words in self.log.read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if not installed():
        pytest.skip("neither Dovecot 2.3 nor pymap is installed")
    with ExitStack() as stack:
        users = {f"{name}@example.com": "secret" for name in ("sales", "support")}
        imap = stack.enter_context(start_imap(users=users))
        sandbox = stack.enter_context(closing(Sandbox()))
        crm = stack.enter_context(serve(sandbox))
        systemd = stack.enter_context(listening())
        machine = Machine(tmp_path, imap, crm, systemd)
        try:
            yield machine
        finally:
            machine.process.kill()
            machine.process.wait()


def test_it_is_ready_when_the_ledger_is_there_and_leaves_when_it_is_told_to(
    machine: Machine,
) -> None:
    machine.start()
    assert "STATUS=1 mailboxes" in machine.systemd.next("READY=1")
    assert machine.ledger.stat().st_mode & 0o777 == 0o600
    machine.imap.deliver("sales@example.com", "INBOX", MAIL)
    eventually(lambda: machine.logged("sync.pushed"))
    machine.systemd.next("WATCHDOG=1")
    machine.process.send_signal(signal.SIGTERM)
    machine.systemd.next("STOPPING=1")
    assert machine.process.wait() == 0
    assert "Traceback" not in machine.log.read_text()


def test_it_reads_a_changed_configuration_and_refuses_a_bad_one(machine: Machine) -> None:
    machine.start()
    machine.systemd.next("READY=1")
    machine.configure("sales", "support")
    machine.process.send_signal(signal.SIGHUP)
    machine.systemd.next("RELOADING=1")
    assert "2 mailboxes" in machine.systemd.next("READY=1")
    machine.configure("sales", bogus=1)
    machine.process.send_signal(signal.SIGHUP)
    machine.systemd.next("RELOADING=1")
    refused = machine.systemd.next("READY=1")
    assert "new configuration refused, the old one stays: bogus: unknown key; 2 mail" in refused
    machine.systemd.next("WATCHDOG=1")


def test_a_locked_ledger_stops_the_heartbeat(machine: Machine) -> None:
    machine.start()
    machine.systemd.next("WATCHDOG=1")
    with closing(sqlite3.connect(machine.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        machine.imap.deliver("sales@example.com", "INBOX", MAIL)
        eventually(lambda: machine.logged("service.hangs"))
        machine.systemd.drain()
        other.execute("ROLLBACK")
    machine.systemd.next("WATCHDOG=1")
    eventually(lambda: machine.logged("service.gets_on"))
    eventually(lambda: machine.logged("sync.pushed"))


def test_a_hung_imap_server_stops_the_heartbeat(machine: Machine) -> None:
    machine.start()
    machine.systemd.next("WATCHDOG=1")
    os.killpg(machine.imap.process.pid, signal.SIGSTOP)
    eventually(lambda: machine.logged('service.hangs reason="sales: hangs'))
    machine.systemd.drain()
    os.killpg(machine.imap.process.pid, signal.SIGCONT)
    machine.systemd.next("WATCHDOG=1")


def test_an_outage_of_pipedrive_does_not(machine: Machine) -> None:
    machine.start(watchdog=16)  # on a busy computer a pass may take a few seconds
    machine.systemd.next("WATCHDOG=1")
    machine.crm.close()
    machine.imap.deliver("sales@example.com", "INBOX", MAIL)
    eventually(lambda: machine.logged("job.failed job=sync"))
    machine.systemd.drain()
    for _ in range(2):
        machine.systemd.next("WATCHDOG=1")
    assert not machine.logged("service.hangs")
