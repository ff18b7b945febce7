"""Which mailboxes are slow, told in the ledger while their servers are still at an answer.

A server may send just fast enough not to be disconnected: one answer without end, or each of many
within its time. Its mail is late then, for minutes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.ledger.store import Ledger
from daemon.log import event

_PART = "slow"  # of the ledger's conditions
_AFTER = 20.0  # seconds that a server may take for one answer without a word about it
_LONG = 5.0  # seconds of an answer that is long …
_RATE = 10_000  # … if it brings fewer bytes a second: a long answer may just say much
_MUCH = 60.0  # seconds in long answers, which are told if they come …
_WITHIN = timedelta(minutes=5)  # … within this time


@dataclass(slots=True)
class _LongAnswers:
    """The long answers of one server since a moment; the present one is the last of them."""

    since: datetime
    number: int = 0
    seconds: float = 0.0  # of all but the present one
    present: float = 0.0

    def goes_on(self, seconds: float) -> None:
        """The present answer has taken so long; or the next one, where that is shorter."""
        if seconds < self.present or not self.number:
            self.number, self.seconds = self.number + 1, self.seconds + self.present
        self.present = seconds

    @property
    def total(self) -> float:
        return self.seconds + self.present

    @property
    def mean(self) -> float:
        """Of those that have ended: one takes less than `_AFTER`, so there are some."""
        return self.seconds / max(1, self.number - 1)


class Slowness:
    """What is told of a mailbox stands until a poll of it isn't slow; usable from any thread."""

    def __init__(self, ledger: Callable[[], Ledger], now: Callable[[], datetime]) -> None:
        """`ledger` gives the ledger of the thread that calls it."""
        self._ledger, self._now = ledger, now
        self._told: dict[str, bool] = {}  # mailboxes that are told to be slow; in this poll, too?
        self._long: dict[str, _LongAnswers] = {}

    def forget(self, ledger: Ledger) -> None:
        """Nothing is known; called in a transaction."""
        self._told.clear()
        self._long.clear()
        ledger.conditions.keep_only(_PART, ())

    def begins(self, name: str) -> None:
        """A poll of a mailbox begins."""
        if name in self._told:
            self._told[name] = False

    def waits(self, name: str, seconds: float, size: int = 0) -> None:
        """The server has been at one answer for so long, and has sent so many bytes of it.

        Called by the thread that waits.
        """
        if self._told.get(name):
            return
        is_long = seconds >= _LONG and size < seconds * _RATE
        if seconds >= _AFTER:
            self._tell(name, f"the server takes over {_AFTER:.0f} s for one answer: mail is late")
        elif is_long and name in self._told:
            self._told[name] = True
        elif is_long:
            now = self._now()
            known = self._long.get(name)
            if known is None or not timedelta() <= now - known.since <= _WITHIN:
                known = self._long[name] = _LongAnswers(now)
            known.goes_on(seconds)
            if known.total >= _MUCH:
                reason = f"the server takes {known.mean:.0f} s for each answer: mail is late"
                self._tell(name, reason)

    def _tell(self, name: str, reason: str) -> None:
        if name not in self._told:
            ledger = self._ledger()
            with ledger.transaction("slow"):
                ledger.conditions.failed(_PART, reason, self._now(), name)
            event("mailbox.slow", mailbox=name, reason=reason)
        self._told[name] = True  # not before the ledger has it: it may be locked now

    def ends(self, name: str, ledger: Ledger) -> None:
        """A poll of a mailbox has ended."""
        if self._told.get(name) is False:
            with ledger.transaction("not slow"):
                ledger.conditions.forget(_PART, name)
            del self._told[name]
            self._long.pop(name, None)
