"""One company with one service that is never restarted: Dovecot, Pipedrive, a receiver, a disk, clocks.

The service is the installed command. Its wall clock is libfaketime's and may be moved while it runs
(`ahead`); time passes for all of them with `passes`. Its ledger lies on a small file system of its
own where this process may mount one.
"""

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from acts import Acts
from event_hook import Hook, hooked
from service_process import PATIENCE, ServiceProcess
from storm_story import Script, Step, furnish

from daemon.sandbox import dovecot, process_group
from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.sandbox.imap_server import ImapServer, start_imap

USER = "sales@ours.example"
FOLLOW_UP_DAYS = 20
DISK = 16 * 1024 * 1024
_FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


def can_move_clocks() -> bool:
    """Whether libfaketime is here (Debian's package of that name)."""
    return bool(_FAKETIME)


class StormCompany:
    """See the module; made by `living`."""

    def __init__(
        self, home: Path, base: datetime, server: ImapServer, state: Path, receiver: Hook
    ) -> None:
        self.base = base
        self.home = home
        self.state = state
        self.offset = self.wrong = 0.0
        self.sandbox = Sandbox(
            settings=Settings(plan="ultimate", seats=4, burst=False, search_lag=5.0),
            clock=lambda: time.time() + self.offset,
        )
        self.acts = Acts(self.sandbox)
        self.imap = server
        self.receiver = receiver
        self.ledger_path = state / "ledger.db"
        self._moves = threading.Lock()
        self._set_clock()
        self._todo: list[tuple[Script, list[Step]]] = []
        self._sent: dict[str, list[str]] = {}
        self._beside: list[tuple[Path, subprocess.Popen[bytes]]] = []

    # clocks

    def passes(self, seconds: float) -> None:
        """Time passes for everybody."""
        with self._moves:
            self.offset += seconds
            self._set_clock()

    def ahead(self, seconds: float) -> None:
        """The service's machine has a wrong clock; 0: a right one."""
        with self._moves:
            self.wrong = seconds
            self._set_clock()

    def now(self) -> float:
        """Seconds of the epoch, by the service's clock."""
        return time.time() + self.offset + self.wrong

    def _set_clock(self) -> None:
        draft = self.home / "clock.new"
        draft.write_text(f"{self.offset + self.wrong:+.3f}\n")
        draft.rename(self.home / "clock")

    def environment(self) -> dict[str, str]:
        """What has a process go by that clock; only the wall clock, as a machine's that is set."""
        if not _FAKETIME:
            return {}
        return {
            "LD_PRELOAD": str(_FAKETIME[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.home / "clock"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    # mail

    def deliver(self, folder: str, raw: bytes, at: datetime) -> None:
        self.imap.deliver(USER, folder, raw, at)

    def plays(self, scripts: list[Script]) -> None:
        self._todo = [(script, list(script.steps)) for script in scripts]

    def goes_on(self, most: int) -> bool:
        """Take so many steps of the scripts whose time has come; whether any is left."""
        for script, steps in self._todo:
            if not most:
                break
            if steps and self._may(steps[0]):
                step = steps.pop(0)
                step.act(self)
                if step.message:
                    self._sent.setdefault(script.who, []).append(step.message)
                most -= 1
        self._todo.append(self._todo.pop(0))
        return any(steps for _, steps in self._todo)

    def _may(self, step: Step) -> bool:
        if step.task_of and self.task_of(step.task_of) is None:
            return False
        if step.answers and not self.rows(
            "SELECT 1 FROM messages WHERE message_id = ?", step.answers
        ):
            return False
        if step.noticed and not self.rows(
            "SELECT 1 FROM records r LEFT JOIN crm_deals d ON d.id = r.pipedrive_id"
            " WHERE r.kind = ? AND r.key = ? AND (tombstone IS NOT NULL OR d.status <> 'open')",
            *step.noticed,
        ):
            return False
        return all(self.is_settled(who) for who in step.after)

    def is_settled(self, who: str) -> bool:
        """Whether all that was written is read, planned and through."""
        wanted = self._sent.get(who, [])
        marks = ", ".join("?" * len(wanted))
        read = self.rows(f"SELECT 1 FROM messages WHERE message_id IN ({marks})", *wanted)
        if len(read) < len(wanted):
            return False
        due = self.rows("SELECT 1 FROM senders WHERE address = ? AND version > synced_version", who)
        waits = "SELECT 1 FROM journal WHERE (sender = ? OR key = ?) AND state <> 'done'"
        return (
            not due
            and not self.rows(waits, who, who.partition("@")[2])
            and not self.rows(waits, who, who)
        )

    def identifier(self, kind: str, key: str) -> Any:
        (row,) = self.rows(
            "SELECT pipedrive_id FROM records WHERE kind = ? AND key = ? AND tombstone IS NULL",
            kind, key,
        )  # fmt: skip
        found = row["pipedrive_id"]
        return int(found) if found.isdigit() else found

    def task_of(self, who: str) -> int | None:
        """The id of the task to answer a sender; None while there is none."""
        found = self.rows(
            "SELECT r.pipedrive_id FROM senders s JOIN records r ON r.key = s.follow_up"
            " WHERE s.address = ? AND r.tombstone IS NULL",
            who,
        )
        return int(found[0]["pipedrive_id"]) if found else None

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """A read of the ledger, beside everybody."""
        with closing(sqlite3.connect(f"file:{self.ledger_path}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, values)]

    # the service and its surroundings

    @contextmanager
    def running(self) -> Iterator[None]:
        with Server(self.sandbox) as crm:
            (self.home / "password").write_text("secret")
            config = {
                "mailboxes": [
                    {
                        "name": "sales",
                        "host": self.imap.host,
                        "port": self.imap.port,
                        "tls": "none",
                        "username": USER,
                        "password": {"file": "password"},
                        "since": "2020-01-01",
                    }
                ],
                "pipedrive": {
                    "base_url": crm.url,
                    "token": DEFAULT_TOKEN,
                    "plan": "ultimate",
                    "seats": 4,
                    "pipeline": "Sales",
                },
                "fields": {"every": "1s", "our_response_hours": True},
                "deals": {"per": "conversation"},
                "people": {"cc": "all"},
                "activities": {"follow_up": f"{FOLLOW_UP_DAYS}d"},
                "routes": [
                    {
                        "name": "iota",
                        "domain": ["iota.example", "firm3.example"],
                        "owner": ["bob@example.com"],
                        "channel_id": "storm",
                    }
                ],
                "events": [
                    {
                        "name": "chat",
                        "url": self.receiver.url,
                        "kinds": [
                            "lead_created",
                            "deal_created",
                            "lead_converted",
                            "first_reply",
                            "follow_up_due",
                        ],
                    }
                ],
                "poll": {"every": "15s", "jitter": "1s"},
                "ledger": str(self.ledger_path),
            }
            furnish(self.acts)
            self.service = ServiceProcess(self.home, config, self.environment())
            with self.service.running():
                yield

    def starts(self, *arguments: str) -> None:
        """A command begins beside the service."""
        path = self.home / f"said.{len(self._beside)}.{'.'.join(arguments)}"
        with path.open("wb") as said:
            self._beside.append((path, self.service.start(*arguments, said=said)))

    def said(self) -> dict[str, tuple[int, str]]:
        """Exit status and words of those commands, which end by themselves, by their files."""
        try:
            return {
                path.name: (process.wait(PATIENCE), path.read_text())
                for path, process in self._beside
            }
        finally:
            for _, process in self._beside:
                process.kill()
                process.wait()

    def reloads(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        return self.service.process

    def kills(self) -> None:
        """The service dies, and systemd starts it again."""
        self.process.kill()
        self.process.wait()
        self.service.launch()

    def cuts_imap(self) -> None:
        """Every line to the mailbox breaks."""
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                pid, _, rest = file.read_text().partition(" (")
                name, _, fields = rest.rpartition(") ")
                if int(fields.split()[2]) == self.imap.process.pid and name.startswith("imap"):
                    os.kill(int(pid), signal.SIGKILL)

    def stops_imap(self) -> None:
        self.imap.stop()

    def starts_imap(self) -> None:
        command = [dovecot.binary() or "", "-F", "-c", str(self.imap.home / "dovecot.conf")]
        self.imap.process = process_group.start(command, self.imap.home, self.imap.owner)

    def fills_disk(self) -> None:
        """No byte more fits beside the ledger."""
        with (self.state / "ballast").open("ab", buffering=0) as ballast, suppress(OSError):
            for size in (65536, 4096, 512):
                with suppress(OSError):
                    while ballast.write(b"x" * size):
                        pass

    def frees_disk(self) -> None:
        (self.state / "ballast").unlink(missing_ok=True)


@contextmanager
def living(home: Path, base: datetime, *, disk: bool) -> Iterator[StormCompany]:
    """A company until the block ends; with `disk` the ledger has a small one for itself."""
    home.mkdir()
    state = home / "state"
    state.mkdir(mode=0o700)
    with ExitStack() as stack:
        if disk:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "none", str(state)]
            subprocess.run(mount, check=True)
            stack.callback(subprocess.run, ["umount", "--lazy", str(state)], check=True)
        server = stack.enter_context(start_imap("dovecot", users={USER: "secret"}))
        company = StormCompany(home, base, server, state, stack.enter_context(hooked()))
        stack.callback(company.sandbox.close)
        yield company


def can_mount(home: Path) -> bool:
    """Whether this process may mount a file system."""
    if os.geteuid() != 0:
        return False
    place = home / "mounted"
    place.mkdir(exist_ok=True)
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "none", str(place)], capture_output=True, check=False
    )
    if tried.returncode == 0:
        subprocess.run(["umount", str(place)], check=True)
    return tried.returncode == 0
