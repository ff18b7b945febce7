"""Which folders are listened to, and whether a mailbox is worth another line; for any thread."""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from daemon.rules import backoff

INBOX = "INBOX"
Key = tuple[str, str]  # mailbox and folder


@dataclass(slots=True)
class _Folder:
    """How listening to one folder has gone."""

    watched: bool = False
    notified: bool = False  # of all folders, by the line of INBOX
    failures: int = 0
    not_before: float = 0.0


class Trust:
    """What is known of the lines of every mailbox."""

    def __init__(self, again: Sequence[float], monotonic: Callable[[], float]) -> None:
        """`again`: seconds until the next line after each failure in a row but the first."""
        self._again = again
        self._monotonic = monotonic
        self._folders: defaultdict[Key, _Folder] = defaultdict(_Folder)
        self._lock = threading.Lock()

    def watched(self) -> int:
        """How many mailboxes have a line."""
        with self._lock:
            return len({name for (name, _), one in self._folders.items() if one.watched})

    def wants(self, name: str, folder: str) -> bool:
        """Whether a connection for this folder of a mailbox is welcome now."""
        with self._lock:
            one = self._folders[name, folder]
            hears_of_all = self._folders[name, INBOX].notified
            return (
                not one.watched
                and self._monotonic() >= one.not_before
                and (folder == INBOX or not hears_of_all)
            )

    def begun(self, key: Key, *, notified: bool) -> None:
        """A line was handed over for this folder."""
        with self._lock:
            self._folders[key].watched, self._folders[key].notified = True, notified

    def renewed(self, key: Key) -> None:
        """A line has lasted until its renewal: earlier failures don't count any more."""
        with self._lock:
            self._folders[key].failures = 0

    def ended(self, key: Key) -> None:
        """There is no line any more."""
        with self._lock:
            if key in self._folders:
                self._folders[key].watched = self._folders[key].notified = False

    def failed(self, key: Key, *, at_once: bool = False) -> int:
        """A line was dropped; how often in a row. `at_once`: it couldn't be opened at all."""
        with self._lock:
            one = self._folders[key]
            one.failures = max(one.failures, int(at_once)) + 1
            # Once may be a restart of the server; again and again, it drops such lines.
            again = one.failures - 1
            wait = backoff.pause(self._again, again) if again else 0.0
            one.not_before = max(one.not_before, self._monotonic() + wait)
            return one.failures

    def refused(self, key: Key, seconds: float) -> None:
        """The server doesn't let us listen: leave it to polling for so long."""
        with self._lock:
            self._folders[key].not_before = self._monotonic() + seconds

    def clear(self) -> None:
        """Know nothing any more."""
        with self._lock:
            self._folders.clear()
