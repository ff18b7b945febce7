"""Tells the running service to reload, after making sure that the process is the service.

A signal ends a process that has no handler for it, and the number in the lock file may belong to
another process by now. So the signal is sent only to a process that holds the ledger's lock and
handles SIGHUP. What the service does then isn't waited for. Needs Linux, as the service does.
"""

import os
import re
import signal
from pathlib import Path

from daemon.ledger.lock import Lock

SERVICE = "mail2deal"  # what the service writes into the lock; commands add their own name
_HOLDER = re.compile(rf"{SERVICE} \(pid ([1-9]\d{{0,9}})\)")


def is_service(holder: str) -> bool:
    """Whether who holds a ledger, as `Held` says, is the service and not a command."""
    return _HOLDER.fullmatch(holder) is not None


def reload_service(ledger: Path, holder: str) -> bool:
    """Have the service that holds a ledger read its configuration again, which forgives pauses.

    `holder` is what `Held` says. False if it isn't the service, if it isn't listening (it starts or
    leaves), or if it is somebody else's and we may not.
    """
    named = _HOLDER.fullmatch(holder)
    if named is None:
        return False
    pid = int(named[1])
    try:
        process = os.pidfd_open(pid)  # from here on the number can't become another process
    except OSError:
        return False
    try:
        lock = Lock(ledger)
        if not (lock.holder() == holder and _has_locked(pid, lock.path) and _listens(pid)):
            return False
        signal.pidfd_send_signal(process, signal.SIGHUP)
    except OSError:
        return False
    finally:
        os.close(process)
    return True


def _has_locked(pid: int, path: Path) -> bool:
    """Whether one of the process's open files is `path`, with a lock on it; see proc(5), fdinfo."""
    ours = path.stat()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            is_it = os.path.samestat(file.stat(), ours)
            if is_it and "FLOCK" in Path(f"/proc/{pid}/fdinfo/{file.name}").read_text():
                return True
        except FileNotFoundError:
            continue  # closed meanwhile, or no file with a name
    return False


def _listens(pid: int) -> bool:
    """Whether the process has a handler for SIGHUP; see proc(5), SigCgt."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGHUP - 1) & 1)
    return False
