"""What a server advertises and can't do: one rung down to plain RFC 3501 for each extension.

Pure memory: extensions that have failed, each with the reason, for a day; then the server gets
another chance. It belongs to an account, not to a connection, and a flow may keep it in the ledger.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DAY = 86_400.0  # seconds
LOST = "the connection was lost"  # the reason to give up what costs the connection, however it went

# Every name that may be given up, and what is done instead.
INSTEAD = {
    "AUTH=PLAIN": "logs in with LOGIN",
    "ID": "doesn't say its name",
    "LIST-EXTENDED": "lists folders with a plain LIST",
    "LIST-STATUS": "asks for each folder's STATUS",
    "CONDSTORE": "sees later that a folder was restored",
    "ESEARCH": "searches with a plain SEARCH",
    "SEARCH": "fetches the UIDs of all messages",
    "PIPELINING": "waits for each answer",
    "PARTIAL": "fetches whole parts",
    "COMPRESS=DEFLATE": "doesn't compress",
    "NAMESPACE": "takes every folder for the user's own",
    "NOTIFY": "listens to INBOX alone",
    "IDLE": "polls",
}


@dataclass(slots=True)
class Ladder:
    """Which extensions of one account's server are given up, until when, and why."""

    clock: Callable[[], float] = time.time
    changed: bool = False  # since it was last saved
    loaded: bool = False
    batch: int | None = None  # messages that the server manages in one command, if it is slow
    sent: tuple[str, ...] = ()  # folders that hold what we sent, by what lies in them
    _looked_at: float | None = None  # when these were looked for
    _broken: dict[str, tuple[float, str]] = field(default_factory=dict)

    def gave_up(self, name: str) -> bool:
        """Whether this extension isn't to be used now."""
        known = self._broken.get(name)
        # A time far in the future was left by a wrong clock.
        return known is not None and 0.0 <= known[0] - self.clock() <= DAY

    def give_up(self, name: str, reason: str) -> bool:
        """Don't use this extension for a day; whether that is news."""
        if self.gave_up(name):
            return False
        self._broken[name] = (self.clock() + DAY, reason)
        self.changed = True
        return True

    def forgive(self, name: str, reason: str) -> None:
        """Use it again if it was given up for this reason, which has now come without it."""
        if name in self._broken and self._broken[name][1] == reason:
            del self._broken[name]
            self.changed = True

    def slow_down(self, batch: int) -> None:
        """Ask for no more messages than this in one command."""
        if self.batch is None or batch < self.batch:
            self.batch, self.changed = max(1, batch), True

    def looked_for_sent(self) -> bool:
        """Whether folders were looked into for what we sent, within a day."""
        return self._looked_at is not None and 0.0 <= self.clock() - self._looked_at <= DAY

    def found_sent(self, names: Sequence[str]) -> None:
        """Keep which folders were found to hold what we sent."""
        self.sent, self._looked_at, self.changed = tuple(names), self.clock(), True

    def broken(self) -> dict[str, str]:
        """What is given up now, with the reasons."""
        return {name: why for name, (_, why) in sorted(self._broken.items()) if self.gave_up(name)}

    def save(self) -> dict[str, Any]:
        """All of it, for JSON."""
        self.changed = False
        kept = {name: list(self._broken[name]) for name in self.broken()}
        return {
            "broken": kept,
            "batch": self.batch,
            "since": self.clock(),
            "sent": list(self.sent),
            "looked": self._looked_at,
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """What `save` gave, perhaps by an earlier process."""
        self._broken.update(
            {
                name: (float(until), str(why))
                for name, (until, why) in saved.get("broken", {}).items()
                if name in INSTEAD
            }
        )
        if 0.0 <= self.clock() - saved.get("since", 0.0) <= DAY and saved.get("batch"):
            self.batch = int(saved["batch"])
        self.sent, self._looked_at = tuple(saved.get("sent", ())), saved.get("looked")
        self.changed, self.loaded = False, True
