"""A service for tests: work that counts itself, clocks that can be moved, a life beside a script."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from notify_socket import eventually

from daemon.service.process import Service
from daemon.service.schedule import Timetable
from daemon.service.work import Timing, Work

Result = TypeVar("Result")
HOURLY = Timetable(("sales",), timedelta(hours=1))
QUICK = Timing(grace=30, patience=60, look=0.02, idle=30, workers=4)


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

    def __init__(self, schedule: Timetable = HOURLY) -> None:
        self.schedule = schedule
        self.calls: Counter[str] = Counter()
        self.on_poll: Callable[[str], object] = lambda _: None
        self.on_sync: Callable[[], datetime | None] = lambda: None
        self.on_reload: Callable[[], Timetable] = lambda: self.schedule
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
