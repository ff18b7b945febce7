"""Every mailbox in turn: one APScheduler job each, over a few worker threads.

A mailbox is never polled twice at once; a turn that comes while one is running is left out, unless
somebody asked for it meanwhile (`soon`), then it follows at once. What a pass does and what its
failure means isn't known here: `attempt` runs it and keeps the JobState.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from daemon.service.job import JobState

_BRIEFLY = timedelta(milliseconds=50)  # until APScheduler, too, knows that a pass has ended


@dataclass(frozen=True, slots=True)
class Timetable:
    """Which mailboxes are polled, how often, and by how much each turn may be late on purpose."""

    mailboxes: tuple[str, ...]
    every: timedelta
    jitter: timedelta = timedelta()


class PollSchedule:
    """The polling of all mailboxes; `turns` tells how each fares."""

    def __init__(
        self,
        attempt: Callable[[JobState], object],
        *,
        workers: int,
        monotonic: Callable[[], float],
    ) -> None:
        self.turns: dict[str, JobState] = {}
        self.schedule = Timetable((), timedelta(seconds=60))
        self._attempt = attempt
        self._monotonic = monotonic
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="poll")
        # APScheduler's own default drops a turn that starts a second late (misfire_grace_time).
        self._scheduler = BackgroundScheduler(
            executors={"default": _Workers(self._pool)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
        )
        self._scheduler.add_listener(self._left_out, EVENT_JOB_MAX_INSTANCES)
        # It warns of every turn left out, which is daily life here.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def start(self) -> None:
        """Start the scheduler's thread."""
        self._scheduler.start()

    def follow(self, schedule: Timetable) -> None:
        """Poll these mailboxes from now on, all of them now; those no longer named never again."""
        self.schedule = schedule
        for gone in self.turns.keys() - set(schedule.mailboxes):
            del self.turns[gone]
            self._scheduler.remove_job(gone)
        for mailbox in schedule.mailboxes:
            self.turns.setdefault(mailbox, JobState(mailbox, self._monotonic()))
            self._scheduler.add_job(
                self._take_turn,
                IntervalTrigger(
                    seconds=schedule.every.total_seconds(),
                    jitter=schedule.jitter.total_seconds() or None,
                    timezone=UTC,
                ),
                args=[mailbox],
                id=mailbox,
                replace_existing=True,
                next_run_time=datetime.now(UTC),
            )

    def soon(self, mailbox: str) -> None:
        """Poll this mailbox now; if a pass is running, again when it has ended."""
        turn = self.turns.get(mailbox)
        if turn is not None:
            turn.wanted = True
            self._hasten(mailbox)

    def is_running(self) -> bool:
        """Say whether the scheduler's thread lives: nothing in it survives an error of its own."""
        thread = self._scheduler._thread  # noqa: SLF001 -- APScheduler offers no other way to ask
        return thread is not None and thread.is_alive()

    def has_idle_workers(self) -> bool:
        """Say whether a turn that is due could start at once."""
        return sum(turn.running for turn in tuple(self.turns.values())) < self._workers

    def stop(self) -> None:
        """Start no pass any more and wait until those that run have ended."""
        # Never wait inside APScheduler: it holds its lock meanwhile, and a pass that asks it for
        # anything would wait for ever.
        self._scheduler.shutdown(wait=False)
        self._pool.shutdown(wait=True)

    def _take_turn(self, mailbox: str) -> None:
        turn = self.turns.get(mailbox)
        if turn is None:
            return
        turn.wanted = False
        self._attempt(turn)
        if turn.wanted:
            self._hasten(mailbox)

    def _left_out(self, left_out: JobSubmissionEvent) -> None:
        # The wish came while a pass was ending: it has been looked at for the last time, but
        # APScheduler still counted it.
        turn = self.turns.get(left_out.job_id)
        if turn is not None and turn.wanted and not turn.running:
            self._hasten(turn.name, _BRIEFLY)

    def _hasten(self, mailbox: str, after: timedelta = timedelta()) -> None:
        with suppress(JobLookupError):  # the mailbox has left the configuration meanwhile
            self._scheduler.modify_job(mailbox, next_run_time=datetime.now(UTC) + after)


class _Workers(BasePoolExecutor):  # type: ignore[misc]  # APScheduler has no type information
    """APScheduler's executor around a pool that is ours to wait for."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        super().__init__(pool)
