"""Every mailbox in turn: one APScheduler job each, over a few worker threads.

A mailbox is never polled twice at once. A poll that comes due while one is running is skipped; if
somebody asked for it meanwhile (`soon`), another one follows at once. What a pass does and what its
failure means isn't known here: `attempt` runs it and keeps the JobState.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_SCHEDULER_STARTED, JobExecutionEvent
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from daemon.service.job import JobState


@dataclass(frozen=True, slots=True)
class Timetable:
    """Which mailboxes are polled, how often, and by how much each poll may be late on purpose."""

    mailboxes: tuple[str, ...]
    every: timedelta
    jitter: timedelta = timedelta()


class PollSchedule:
    """The polling of all mailboxes; `jobs` has the state of each."""

    def __init__(
        self,
        attempt: Callable[[JobState], object],
        *,
        workers: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.jobs: dict[str, JobState] = {}
        self.timetable = Timetable((), timedelta(seconds=60))
        self._attempt = attempt
        self._monotonic = monotonic
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="poll")
        # APScheduler's own default drops a run that starts a second late (misfire_grace_time).
        self._scheduler = BlockingScheduler(
            executors={"default": _Workers(self._pool)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )
        self._thread = threading.Thread(target=self._scheduler.start, name="schedule", daemon=True)
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED)
        # It warns of every run that it skips, which happens all the time here.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def start(self) -> None:
        """Start the scheduler in its thread; return when it runs."""
        running = threading.Event()
        self._scheduler.add_listener(lambda _: running.set(), EVENT_SCHEDULER_STARTED)
        self._thread.start()
        running.wait()

    def follow(self, timetable: Timetable) -> None:
        """Poll these mailboxes from now on, all of them now; those no longer named never again."""
        self.timetable = timetable
        for gone in self.jobs.keys() - set(timetable.mailboxes):
            del self.jobs[gone]
            self._scheduler.remove_job(gone)
        for mailbox in timetable.mailboxes:
            # Wanted, so that it follows a pass that is just ending, too.
            self.jobs.setdefault(mailbox, JobState(mailbox, self._monotonic())).wanted = True
            self._scheduler.add_job(
                self._run,
                IntervalTrigger(
                    seconds=timetable.every.total_seconds(),
                    jitter=timetable.jitter.total_seconds() or None,
                    timezone=UTC,
                ),
                args=[mailbox],
                id=mailbox,
                replace_existing=True,
                next_run_time=datetime.now(UTC),
            )

    def soon(self, mailbox: str) -> None:
        """Poll this mailbox now; if a pass is running, again when it has ended."""
        job = self.jobs.get(mailbox)
        if job is not None:
            job.wanted = True
            self._hasten(mailbox)

    def is_running(self) -> bool:
        """Say whether the scheduler's thread lives: an error in the scheduler itself ends it."""
        return self._thread.is_alive()

    def has_idle_workers(self) -> bool:
        """Say whether a job that is due could start at once."""
        return sum(job.running for job in tuple(self.jobs.values())) < self._workers

    def stop(self) -> None:
        """Start no further pass and wait until the running ones have ended."""
        # Don't let APScheduler wait: it would hold its lock meanwhile, and a pass that asks it for
        # anything would never end.
        self._scheduler.shutdown(wait=False)
        self._pool.shutdown(wait=True)

    def _run(self, mailbox: str) -> None:
        job = self.jobs.get(mailbox)
        if job is None:
            return
        job.wanted = False
        self._attempt(job)

    def _ended(self, ended: JobExecutionEvent) -> None:
        # APScheduler says so after it has counted the pass as ended, so the next one can start.
        job = self.jobs.get(ended.job_id)
        if job is not None and job.wanted:
            self._hasten(job.name)

    def _hasten(self, mailbox: str) -> None:
        with suppress(JobLookupError):  # the mailbox has left the configuration meanwhile
            self._scheduler.modify_job(mailbox, next_run_time=datetime.now(UTC))


class _Workers(BasePoolExecutor):  # type: ignore[misc]  # APScheduler has no type information
    """APScheduler's executor around a pool that is ours to wait for."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        super().__init__(pool)
