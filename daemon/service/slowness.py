"""Which mailboxes are slow, told in the ledger while their servers are still at an answer.

A server may send just fast enough not to be disconnected. Its mail is late then, for minutes.
"""

from collections.abc import Callable
from datetime import datetime

from daemon.ledger.store import Ledger
from daemon.log import event

_PART = "slow"  # of the ledger's conditions
_AFTER = 20.0  # seconds that a server may take for one answer without a word about it


class Slowness:
    """What is told of a mailbox stands until a poll of it isn't slow; usable from any thread."""

    def __init__(self, ledger: Callable[[], Ledger], now: Callable[[], datetime]) -> None:
        """`ledger` gives the ledger of the thread that calls it."""
        self._ledger, self._now = ledger, now
        self._told: dict[str, bool] = {}  # mailboxes that are told to be slow; in this poll, too?

    def forget(self, ledger: Ledger) -> None:
        """Nothing is known; called in a transaction."""
        self._told.clear()
        ledger.conditions.keep_only(_PART, ())

    def begins(self, name: str) -> None:
        """A poll of a mailbox begins."""
        if name in self._told:
            self._told[name] = False

    def waits(self, name: str, seconds: float) -> None:
        """The server has been at one answer for so long; called by the thread that waits."""
        if seconds < _AFTER or self._told.get(name):
            return
        if name not in self._told:
            reason = f"the server takes over {_AFTER:.0f} s for one answer: mail is late"
            ledger = self._ledger()
            with ledger.transaction("slow"):
                ledger.conditions.failed(_PART, reason, self._now(), name)
            event("mailbox.slow", mailbox=name, waits_s=round(seconds))
        self._told[name] = True  # not before the ledger has it: it may be locked now

    def ends(self, name: str, ledger: Ledger) -> None:
        """A poll of a mailbox has ended."""
        if self._told.get(name) is False:
            with ledger.transaction("not slow"):
                ledger.conditions.forget(_PART, name)
            del self._told[name]
