"""Runs catch-ups in forked children that die at a chosen step, against real servers.

A child is the real program with its interpreter already warm: `catch_up` over a real Dovecot and a
sandbox Pipedrive that is a process of its own behind a real socket. Both read one clock that lies
in shared memory and moves only when somebody waits, so a run is the same each time.
"""

import json
import mmap
import os
import shutil
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from postbox import START, WE
from snapshots import snapshot

from daemon import failpoints
from daemon.cli.catch_up import catch_up
from daemon.config import load
from daemon.ledger.store import Ledger
from daemon.rules.organization import public_providers
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer
from daemon.wiring import Wiring, settings

DIED = -signal.SIGKILL
COMPANY = Settings(burst=False, plan="ultimate", seats=4)


class SharedClock:
    """Seconds since 1970 in memory that all children share; waiting moves it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.set(START.timestamp() + 30 * 86_400)

    def seconds(self) -> float:
        return float(struct.unpack("d", self._memory[:8])[0])

    def set(self, seconds: float) -> None:
        self._memory[:8] = struct.pack("d", seconds)

    def wait(self, timeout: float | None = None) -> bool:
        self.set(self.seconds() + max(timeout or 0, 0.001))
        return False

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)


@dataclass(frozen=True)
class Home:
    """The files of one company: ledger, sandbox store, configuration."""

    path: Path

    @property
    def ledger(self) -> Path:
        return self.path / "ledger.db"

    @property
    def store(self) -> Path:
        return self.path / "sandbox.db"

    def copy(self, to: Path) -> "Home":
        """The same files elsewhere, instead of what lay there."""
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.path, to)
        return Home(to)

    def configure(self, server: ImapServer, port: int) -> Path:
        """Write the configuration for these servers; its path."""
        path = self.path / "config.yaml"
        path.write_text(
            f"""
mailboxes:
  - name: sales
    host: {server.host}
    port: {server.port}
    tls: none
    username: {WE}
    password: secret
    since: 2020-01-01
pipedrive:
  base_url: http://127.0.0.1:{port}
  token: {DEFAULT_TOKEN}
  plan: ultimate
  seats: 4
  pipeline: Sales
  stage: Initial Contact
us: {{domains: [ours.example]}}
deals: {{per: organization}}
people: {{cc: all}}
ledger: {self.ledger}
"""
        )
        path.chmod(0o600)
        return path


def forked(work: Callable[[], int], log: Path) -> int:
    """Start `work` in a child whose output goes to `log`; the child's pid."""
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        with log.open("a") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        status = work()
    except BaseException:  # noqa: BLE001 - the boundary of the child
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def ended(child: int) -> int:
    """The exit status of a child once it has ended, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Rig:
    """Mail on a real server, and runs over copies of one company's files."""

    def __init__(self, server: ImapServer, work: Path) -> None:
        self.server = server
        self.work = work
        self.clock = SharedClock()
        public_providers((), ())  # read before the fork
        # One worker, so that the steps come in one order.
        settings._WORKERS["ultimate"] = 1

    @contextmanager
    def pipedrive(self, home: Home) -> Iterator[int]:
        """The sandbox over a store, in a process of its own; its port."""
        reading, writing = os.pipe()

        def work() -> int:
            sandbox = Sandbox(home.store, settings=COMPANY, clock=self.clock.seconds)
            with Server(sandbox) as listening:
                os.write(writing, struct.pack("H", listening.port))
                signal.pause()
            return 0

        child = forked(work, self.work / "server.log")
        os.close(writing)
        try:
            with os.fdopen(reading, "rb") as pipe:
                yield struct.unpack("H", pipe.read(2))[0]
        finally:
            os.kill(child, signal.SIGKILL)
            ended(child)

    def run(self, home: Home, port: int, *, kill_at: int = 0, log: Path | None = None) -> int:
        """One catch-up; its exit status, DIED if it was killed at a failpoints."""
        config = home.configure(self.server, port)

        def work() -> int:
            failpoints.arm(kill_at=kill_at, log=str(log) if log else None)
            stop = threading.Event()
            stop.wait = self.clock.wait  # type: ignore[method-assign]
            wiring = Wiring(load(config), now=self.clock.now, stop=stop)
            return catch_up(wiring, since=None, mailbox=None, intake_only=False, sync_only=False)

        return ended(forked(work, self.work / "client.log"))

    def said(self) -> str:
        """The last words of the children."""
        log = self.work / "client.log"
        return log.read_text()[-3000:] if log.exists() else ""


def crm(home: Home) -> dict[str, Any]:
    """What people see, and how many objects were ever made."""
    sandbox = Sandbox(home.store, settings=COMPANY, clock=lambda: 4e9)
    try:
        with sandbox.at_work() as call:
            kinds = ("organizations", "persons", "deals", "leads", "activities", "fields")
            made = {kind: call.store.count(kind) for kind in kinds}
        return {"seen": snapshot(sandbox), "made": made}
    finally:
        sandbox.close()


def ledger(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The ledger without what may differ between two equal runs: ids, times of our own work."""
    with Ledger.open(path, readonly=True) as opened:
        deals = opened.rows("SELECT pipedrive_id AS id, key FROM records WHERE kind = 'deal'")
        whose = {row["id"]: row["key"] for row in deals}
        return {
            name: sorted((_plain(row, whose) for row in opened.rows(sql)), key=repr)
            for name, sql in _CONTENT.items()
        }


def _plain(row: dict[str, Any], deals: dict[str, str]) -> tuple[Any, ...]:
    """The values of a row; JSON in an order of its own, deals by their record keys."""
    if row.get("kind") == "participant":
        deal, _, sender = row["key"].partition(" ")
        row["key"] = f"{deals[deal]} {sender}"
    if "fields" in row:
        fields = json.loads(row["fields"])
        if "deal" in fields:
            fields["deal"] = deals[fields["deal"]]
        # A null says what an absent one says: what was made without it isn't written again.
        said = {name: value for name, value in fields.items() if value is not None}
        row["fields"] = json.dumps(said, sort_keys=True)
    return tuple(row.values())


_CONTENT = {
    "folders": "SELECT mailbox, name, role, uidnext, floor, failures, last_error, active FROM folders",
    "sightings": "SELECT f.name, s.uid, m.key FROM sightings s JOIN folders f ON f.id = s.folder"
    " LEFT JOIN messages m ON m.id = s.message",
    "messages": "SELECT key, message_id, direction, verdict, reason, from_address, subject, snippet,"
    " date, arrived_at, sent_at, in_sent, size, answers, invites, facts FROM messages",
    "answers": "SELECT a.answered, m.key FROM answers a JOIN messages m ON m.id = a.message",
    "senders": "SELECT address, name, organization, msg_count, sent_count, replies, meetings,"
    " thread_count, first_contact, last_contact, avg_response_hours, class, reason, notes,"
    " version > synced_version FROM senders",
    "correspondence": "SELECT c.sender, m.key, c.verdict, c.reason FROM correspondence c"
    " JOIN messages m ON m.id = c.message",
    "meetings": "SELECT * FROM meetings",
    "records": "SELECT kind, key, origin, fields, tombstone, sender FROM records"
    " WHERE kind <> 'field'",
    "journal": "SELECT kind, key, action, state, sender, fields FROM journal WHERE state <> 'done'",
    "quarantine": "SELECT uid, reason FROM quarantine",
}
