"""The life of the process: start, poll every mailbox in turn, keep the sync going, stop.

    prepare ─▶ READY ─┬─ schedule: one job per mailbox ─▶ poll(name) in a few worker threads
                      ├─ sync thread: sync(), then rest until a row is due or intake wakes it
                      └─ main thread: signals, status and watchdog for systemd
    SIGHUP ─▶ reload       SIGTERM, SIGINT ─▶ STOPPING ─▶ every pass ends ─▶ close

The work itself is an argument: this module knows no mailbox, no ledger and no Pipedrive. It
promises that a mailbox is never polled twice at once, that a failing job is retried later and
delays no other, that the watchdog is fed only while passes make progress, and that the process has
ended `grace` seconds after it was asked to stop.
"""

import logging
import os
import queue
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TypeVar

from daemon.errors import ConfigProblem, Problem
from daemon.log import event
from daemon.service.job import JobState
from daemon.service.notify import notify, ready, reloading, status_line, stopping, watchdog_seconds
from daemon.service.schedule import PollSchedule
from daemon.service.work import Timing, Work

_Result = TypeVar("_Result")

_SHORTEST_REST = 0.05  # seconds, so that a row that stays due can't keep a core busy
# A CRM that accepts requests and never answers is an outage, too, and takes its time to time out.
_SYNC_PATIENCE = 10  # times the patience with a mailbox
_FAILING_SHOWN = 3  # jobs named in the status line
# Of the pass that runs in this thread, and in those that it starts with its context (see `ahead`).
_JOB: ContextVar[JobState | None] = ContextVar("job", default=None)
_CLOCK_JUMP = 5.0  # seconds by which wall clock and monotonic clock may drift apart in one look


class Service:
    """One run of the daemon; its callers' threads may use everything without an underscore."""

    def __init__(
        self,
        timing: Timing | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        timing = timing or Timing.for_watchdog(watchdog_seconds())
        self._timing = timing
        self._monotonic = monotonic
        self._now = now
        self.stopping = threading.Event()
        # A SimpleQueue, because a signal handler may put into it at any instruction; an Event's
        # own lock could be held by the very thread that the signal interrupts.
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._schedule = PollSchedule(self._poll, workers=timing.workers, monotonic=monotonic)
        self._sync_job = JobState("sync", monotonic())
        self._sync_wanted = False
        self._sync_stir = threading.Event()  # look again, whatever the reason
        self._exit_status = 1
        self._notice = ""
        self._said = ""
        self._in_trouble = False

    # What the work calls

    def carry_on(self) -> bool:
        """Say that the pass of this context is alive, and learn whether it should go on.

        A pass calls this between items, more often than every `patience` seconds.
        """
        job = _JOB.get()
        if job is not None:
            job.beat(self._monotonic())
        return not self.stopping.is_set()

    def wake_sync(self) -> None:
        """There may be something to push: sync now, or as soon as it stops backing off."""
        self._sync_wanted = True
        self._sync_stir.set()

    def poll_soon(self, mailbox: str) -> None:
        """Poll this mailbox now; if a pass is running, again when it has ended."""
        self._schedule.soon(mailbox)

    def stop(self) -> None:
        """Stop, as by SIGTERM."""
        self._orders.put("stop")

    # The life

    def run(self, work: Work) -> int:
        """Run until SIGTERM or SIGINT; return the exit status.

        Raises what `work.prepare` raises. Until that returns nothing is running, and signals end
        the process as they do any other.
        """
        self._work = work
        notify(status_line("starting"))
        try:
            timetable = work.prepare()
        except Problem as problem:
            notify(status_line(str(problem)))
            raise
        self._syncing = threading.Thread(target=self._sync_forever, name="sync", daemon=True)
        with self._signals():
            self._schedule.start()
            self._schedule.follow(timetable)
            self._syncing.start()
            self._say_ready()
            event("service.ready", mailboxes=len(timetable.mailboxes))
            try:
                self._serve()
                self._exit_status = 0
            finally:
                self._leave()
        return self._exit_status

    @contextmanager
    def _signals(self) -> Iterator[None]:
        orders = {signal.SIGTERM: "stop", signal.SIGINT: "stop", signal.SIGHUP: "reload"}
        before = {
            number: signal.signal(number, lambda *_, order=order: self._orders.put(order))
            for number, order in orders.items()
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _serve(self) -> None:
        apart = self._clocks_apart()
        while True:
            self._report()
            try:
                order = self._orders.get(timeout=self._timing.look)
            except queue.Empty:
                order = ""
            if order == "stop":
                return
            if order == "reload":
                self._reload()
            before, apart = apart, self._clocks_apart()
            if abs(apart - before) > _CLOCK_JUMP:
                # A clock set back by an hour would leave interval jobs asleep for that hour.
                event("service.clock_jump", logging.WARNING, jumped_s=round(apart - before))
                self._look_anew()

    def _look_anew(self) -> None:
        """Try at once what failed, and look for what is due: the clock was set, or we slept."""
        for job in self._all_jobs():
            job.forgive()
        self._schedule.follow(self._schedule.timetable)
        self.wake_sync()

    def _clocks_apart(self) -> float:
        return self._now().timestamp() - self._monotonic()

    def _leave(self) -> None:
        stopping()
        event("service.stopping")
        last_resort = threading.Timer(self._timing.grace, self._tear_off)
        last_resort.daemon = True
        last_resort.start()
        self.stopping.set()
        self._sync_stir.set()
        self._schedule.stop()
        self._syncing.join()
        self._work.close()
        last_resort.cancel()
        event("service.stopped")

    def _tear_off(self) -> None:
        # A pass that hangs in a socket can't be ended from outside. The ledger survives a kill at
        # any moment, so this is safe; only the servers aren't told goodbye.
        left = [job.name for job in self._all_jobs() if job.running]
        event("service.torn_off", logging.ERROR, running=",".join(left), after_s=self._timing.grace)
        logging.shutdown()
        os._exit(self._exit_status)

    def _reload(self) -> None:
        reloading()
        try:
            timetable = self._work.reload()
        except Problem as problem:
            problems = problem.problems if isinstance(problem, ConfigProblem) else (str(problem),)
            for one in problems:
                event("service.reload_refused", logging.ERROR, problem=one)
            self._notice = f"new configuration refused, the old one stays: {problems[0]}"
        else:
            self._notice = ""
            for job in self._all_jobs():
                job.forgive()
            self._schedule.follow(timetable)
            self.wake_sync()
            event("service.reloaded", mailboxes=len(timetable.mailboxes))
        self._say_ready()

    # The passes

    def _poll(self, job: JobState) -> None:
        if self.stopping.is_set():
            return
        if self._monotonic() < job.not_before:
            job.beat(self._monotonic())
            return
        self._attempt(job, lambda: self._work.poll(job.name))

    def _sync_forever(self) -> None:
        while not self.stopping.is_set():
            self._sync_wanted = False
            self._rest(self._attempt(self._sync_job, self._work.sync))

    def _note_failure(self, error: Exception, again_in_s: float) -> None:
        """Have a failure of the sync noted; if that fails, too, the log still says it."""
        try:
            self._work.sync_failed(error, again_in_s)
        except Problem as problem:
            event("sync.not_noted", logging.WARNING, reason=problem)

    def _rest(self, due: datetime | None) -> None:
        """Sleep until the sync is due or wanted, but never less than its pause after a failure."""
        rest = self._timing.idle
        if due is not None:
            rest = min(max((due - self._now()).total_seconds(), _SHORTEST_REST), rest)
        end = self._monotonic() + rest
        while not self.stopping.is_set():
            now = self._monotonic()
            self._sync_job.beat(now)
            wake = max(now if self._sync_wanted else end, self._sync_job.not_before)
            if wake <= now:
                return
            self._sync_stir.wait(min(wake - now, self._timing.idle))
            self._sync_stir.clear()

    def _attempt(self, job: JobState, call: Callable[[], _Result]) -> _Result | None:
        """Run one pass; a failure is kept in its JobState and logged; the next pass comes later."""
        _JOB.set(job)
        job.begin(self._monotonic())
        try:
            result = call()
        except Problem as problem:
            self._failed(job, problem, str(problem))
        except Exception as error:  # noqa: BLE001 -- the boundary: a bug in one job stops no other
            self._failed(job, error, f"{type(error).__name__}: {error}")
        else:
            failures = job.succeed(self._monotonic())
            if failures:
                event("job.recovered", job=job.name, failures=failures)
            return result
        return None

    def _failed(self, job: JobState, error: Exception, reason: str) -> None:
        now = self._monotonic()
        news = job.fail(error, reason, now, random.random())  # noqa: S311 -- only spreads retries
        is_bug = not isinstance(error, Problem)
        event(
            "job.failed",
            logging.ERROR if is_bug else logging.WARNING,
            job=job.name,
            reason=reason,
            failures=job.failures,
            again_in_s=round(max(job.not_before - now, 0.0)),
            traceback="".join(traceback.format_exception(error)) if is_bug and news else None,
        )
        if job is self._sync_job:
            self._note_failure(error, max(job.not_before - now, 0.0))

    # What systemd is told

    def _report(self) -> None:
        trouble = self._what_hangs()
        if bool(trouble) != self._in_trouble:
            self._in_trouble = bool(trouble)
            name = "service.hangs" if trouble else "service.gets_on"
            event(name, logging.ERROR if trouble else logging.INFO, reason=trouble or None)
        lines = [] if trouble else ["WATCHDOG=1"]
        status = self._status()
        if status != self._said:
            self._said = status
            lines.append(status_line(status))
        if lines:
            notify(*lines)

    def _what_hangs(self) -> str:
        """Name what needs a restart, or return an empty text.

        An unreachable server or CRM doesn't: its passes end, with a RetryLater.
        """
        if not self._schedule.is_running():
            return "the scheduler has died"
        if not self._syncing.is_alive():
            return "the sync has died"
        now, patience = self._monotonic(), self._timing.patience
        if self._sync_job.is_silent(now, patience * _SYNC_PATIENCE, self._timing.idle):
            return self._sync_job.silence(now)
        timetable = self._schedule.timetable
        rest = (timetable.every + timetable.jitter).total_seconds()
        # While every worker is busy, a mailbox that waits hasn't failed.
        may_start = self._schedule.has_idle_workers()
        for job in tuple(self._schedule.jobs.values()):
            blamed = job.running or job.without_ledger or may_start
            if blamed and job.is_silent(now, patience, rest):
                return job.silence(now)
        return ""

    def _status(self) -> str:
        jobs = tuple(self._schedule.jobs.values())
        parts = [f"{len(jobs)} mailboxes, {sum(job.running for job in jobs)} being polled"]
        parts.append("sync at work" if self._sync_job.running else "sync at rest")
        failing = [job for job in self._all_jobs() if job.failures]
        parts += [f"{job.name}: {job.reason}" for job in failing[:_FAILING_SHOWN]]
        if len(failing) > _FAILING_SHOWN:
            parts.append(f"{len(failing) - _FAILING_SHOWN} more fail")
        return "; ".join(part for part in (self._notice, *parts, self._work.status()) if part)

    def _say_ready(self) -> None:
        self._said = self._status()
        ready(self._said)

    def _all_jobs(self) -> tuple[JobState, ...]:
        return (self._sync_job, *self._schedule.jobs.values())
