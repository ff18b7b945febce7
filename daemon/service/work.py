"""What the process is given: the work that it runs, and how patient it is with it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from daemon.service.schedule import Timetable


@dataclass(frozen=True, slots=True)
class Work:
    """The callables that the service runs; each may raise a Problem."""

    prepare: Callable[[], Timetable]  # opens the ledger; READY follows when it returns
    poll: Callable[[str], object]  # one pass over one mailbox, in any worker thread
    sync: Callable[[], datetime | None]  # pushes what is due; when the next change is, if known
    reload: Callable[[], Timetable]  # reads the configuration again; raises: the old one stays
    close: Callable[[], object]  # after the last pass has ended
    # Told in the sync's thread why a pass failed, and the seconds until the next try.
    sync_failed: Callable[[Exception, float], object] = lambda *_: None
    status: Callable[[], str] = str  # more for `systemctl status`; answers at once, never raises


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient the service is, in seconds."""

    grace: float = 9.0  # from STOPPING to the end, whatever a pass is doing
    patience: float = 120.0  # without a sign of life a pass has hung; half the watchdog's time
    look: float = 5.0  # how often the main thread looks around
    idle: float = 60.0  # how long the sync sleeps when nothing is due
    workers: int = 16  # mailboxes polled at the same time

    @classmethod
    def for_watchdog(cls, watchdog: float | None) -> Self:
        """As patient as a watchdog of so many seconds allows; None: there is none."""
        usual = cls()
        if watchdog is None:
            return usual
        return replace(usual, patience=watchdog / 2, look=min(usual.look, watchdog / 4))
