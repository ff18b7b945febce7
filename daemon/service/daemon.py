"""The work of the service: what each thread does, and with which ledger and connections."""

import contextlib
import logging
import resource
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.config import load
from daemon.errors import LedgerProblem
from daemon.ledger.lock import owned
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.service.events import Courier, receivers
from daemon.service.health import health, summary
from daemon.service.metrics import Metrics
from daemon.service.poll import Polling
from daemon.service.process import Service
from daemon.service.running import SERVICE
from daemon.service.schedule import Timetable
from daemon.service.work import Work
from daemon.sync import Pushed, Sync
from daemon.sync.condition import keep_failure, keep_pass
from daemon.wiring import Wiring

_ASK_EVERY = timedelta(days=1)
_NEVER = datetime.min.replace(tzinfo=UTC)
_LOOK_EVERY = timedelta(minutes=1)  # at the ledger, for the status line


class _Own:
    """A thread's ledger, closed by the end of the thread: then its `threading.local` lets go of it.

    Nobody else could: a connection of SQLite belongs to its thread, and those of a pool end unseen.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def __del__(self) -> None:
        self.ledger.close()


class Daemon:
    """The work of the service: every thread has its own ledger, every mailbox its connection."""

    def __init__(self, config_path: Path) -> None:
        self.service = Service()
        self._config_path = config_path
        self._wiring = self._wire()
        self._owned = ExitStack()
        self._mine = threading.local()  # an _Own in each thread
        self._polling = Polling(
            self._wiring,
            soon=self.service.poll_soon,
            carry_on=self.service.carry_on,
            ledger=self._ledger,
        )
        self._sync: tuple[Wiring, Sync] | None = None  # the sync of a configuration
        self._metrics: Metrics | None = None
        self._courier = Courier(lambda: Ledger.open(self._wiring.config.ledger), self._wiring.now)
        self._run = 0
        self._asked = self._looked = self._noted = _NEVER  # when last
        self._worst = ""  # of what the ledger says, at that look

    def work(self) -> Work:
        """The callables that the service runs."""
        return Work(
            prepare=self._prepare,
            poll=self._poll,
            sync=self._synchronize,
            reload=self._reload,
            close=self._close,
            sync_failed=self._sync_failed,
            status=self._status,
        )

    def _wire(self) -> Wiring:
        config = load(self._config_path)
        for warning in config.warnings:
            event("config.warning", logging.WARNING, problem=warning)
        return Wiring(config, stop=self.service.stopping)

    def _prepare(self) -> Timetable:
        path = self._wiring.config.ledger
        ledger = self._owned.enter_context(owned(path, SERVICE, self._wiring.now()))
        last_start = ledger.runs.last("service")
        with ledger.transaction("run"):
            self._run = ledger.runs.begin("service", self._wiring.now())
        _allow_many_files()
        self._listen(self._wiring)
        self._polling.begin(ledger, last_start)
        self._courier.follow(receivers(self._wiring.config), ledger)
        return self._schedule()

    def _listen(self, wiring: Wiring) -> None:
        """Serve metrics where the configuration says; raises ConfigProblem if that can't be."""
        listen = wiring.config.metrics
        before = self._metrics
        if (before.listen if before else None) != listen:
            # The old one is closed only once the new one listens.
            self._metrics = Metrics(listen, self._polling, wiring.now()) if listen else None
            if before is not None:
                before.close()
        if self._metrics is not None:
            wiring.on_answer = self._metrics.observe

    def _schedule(self) -> Timetable:
        config = self._wiring.config
        names = tuple(box.name for box in config.mailboxes)
        return Timetable(names, config.poll.every, config.poll.jitter)

    def _ledger(self) -> Ledger:
        """This thread's own connection."""
        own: _Own | None = getattr(self._mine, "own", None)
        if own is None:
            own = self._mine.own = _Own(Ledger.open(self._wiring.config.ledger))
        return own.ledger

    def _alive(self, *_: object) -> None:
        self.service.carry_on()

    def _status(self) -> str:
        """How many mailboxes are in IDLE, and the worst that the ledger knew of lately."""
        watched = f"{self._polling.watcher.watched()} in IDLE"
        return f"{self._worst}; {watched}" if self._worst else watched

    def _note_pass(self, pushed: Pushed) -> None:
        """Keep how the sync is, and what systemd is told of it."""
        now, ledger = self._wiring.now(), self._ledger()
        well = pushed.problem is None and pushed.resume_at is None
        if not well or now - self._noted >= _LOOK_EVERY:
            self._noted = now if well else _NEVER
            if pushed.problem is None or pushed.resume_at is not None:
                keep_pass(ledger, pushed, now)
        if now - self._looked >= _LOOK_EVERY:
            self._looked, self._worst = now, summary(health(ledger, now))
        if pushed.asks is not None and now - self._asked >= _ASK_EVERY:
            self._asked = now
            event("sync.asks", logging.WARNING, problem=pushed.asks)

    def _poll(self, name: str) -> None:
        if self._polling.poll(name, self._ledger()):
            self.service.wake_sync()

    def _synchronize(self) -> datetime | None:
        """Push what is due; when something is due again."""
        wiring = self._wiring  # a reload exchanges it, and this pass still ends with the old one
        if self._sync is None or self._sync[0] is not wiring:
            limit = wiring.safety_limit()
            session = wiring.session(self._ledger(), self._run, self._alive, limit=limit)
            self._sync = (wiring, Sync(session))
        sync = self._sync[1]
        pushed = sync.sync()
        self._courier.stir()
        self._note_pass(pushed)
        if pushed.writes or pushed.parked:
            event("sync.pushed", writes=pushed.writes, parked=pushed.parked)
        if pushed.resume_at is not None:
            event("sync.rests", until=f"{pushed.resume_at:%Y-%m-%dT%H:%M:%SZ}")
            return pushed.resume_at
        if pushed.problem is not None:
            raise pushed.problem
        return sync.next_due()

    def _sync_failed(self, error: Exception, again_in_s: float) -> None:
        now = self._wiring.now()
        self._noted = _NEVER
        keep_failure(self._ledger(), error, now, now + timedelta(seconds=again_in_s))
        self._worst = summary(health(self._ledger(), now))

    def _reload(self) -> Timetable:
        wiring = self._wire()
        if wiring.config.ledger != self._wiring.config.ledger:
            raise LedgerProblem("another ledger needs a restart", what="ledger")
        self._listen(wiring)
        self._polling.exchange(wiring, self._ledger())
        self._courier.follow(receivers(wiring.config), self._ledger())
        self._wiring = wiring
        return self._schedule()

    def _close(self) -> None:
        if self._metrics is not None:
            self._metrics.close()
        self._courier.close()
        self._polling.close(self._ledger())
        del self._mine.own  # this thread's, which doesn't end yet
        self._owned.close()


def _allow_many_files() -> None:
    """Two connections a mailbox are more than the 1,024 files that a process may open at first."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # few mailboxes get along without
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
