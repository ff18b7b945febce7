"""The right to write a ledger: one process has it, and the lock names its holder."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from daemon.errors import LedgerProblem
from daemon.ledger.private_file import opened_privately
from daemon.ledger.store import Ledger
from daemon.log import event


class Held(LedgerProblem):
    """Another process owns the ledger; `holder` says which."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"{holder} is using this ledger",
            what=str(path),
            hint="stop it, or wait until it is done",
        )
        self.holder = holder


class Lock:
    """The one right to write a ledger, held by an open file; the kernel frees it if we die."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".lock")
        self._file: IO[str] | None = None

    def acquire(self, holder: str) -> None:
        """Take the lock; raises Held naming who has it."""
        file = os.fdopen(opened_privately(self.path), "r+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            first = file.read().strip() or "another process"
            file.close()
            raise Held(self.path, first) from None
        file.truncate(0)
        file.write(f"{holder} (pid {os.getpid()})\n")
        file.flush()
        self._file = file

    def is_held(self) -> bool:
        """Whether a process holds the lock, without taking it oneself; see proc(5), locks."""
        try:
            file = self.path.stat()
        except FileNotFoundError:
            return False
        device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}"
        locks = Path("/proc/locks").read_text(encoding="ascii")
        return f" {device}:{file.st_ino} " in locks

    def holder(self) -> str | None:
        """Who holds the lock, as it wrote itself down; None if nobody does."""
        return (self.path.read_text(encoding="utf-8").strip() or None) if self.is_held() else None

    def release(self) -> None:
        """Let the next one in."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def owned(path: Path, holder: str, now: datetime | None = None) -> Iterator[Ledger]:
    """The ledger at `path`, locked for us as `holder` while the block runs.

    With `now`, stamps that a wrong clock has left are brought back first.
    """
    lock = Lock(path)
    lock.acquire(holder)
    try:
        with Ledger.open(path) as ledger:
            if now is not None:
                _mend_stamps(ledger, now)
            yield ledger
    finally:
        lock.release()


def _mend_stamps(ledger: Ledger, now: datetime) -> None:
    with ledger.transaction("clock"):
        found = ledger.clock.clamp(now)
    if found:
        counts = ", ".join(f"{count} {name}" for name, count in found.items())
        event("ledger.stamps_from_the_future", logging.WARNING, brought_back=counts)
    elif ledger.clock.is_behind(now):
        event("ledger.clock_is_behind", logging.WARNING, now=now, hint="set the machine's clock")
