"""Files that hold personal data: made for their owner alone, and no link is followed."""

import errno
import os
import stat
from pathlib import Path

from daemon.errors import LedgerProblem


def make_privately(path: Path) -> None:
    """Make the file for SQLite where there is none.

    One that is there isn't touched: were it opened and closed here, all of this process's locks on
    it would be gone, those of other threads' connections too (https://sqlite.org/howtocorrupt.html,
    2.2), and the next command to leave would take the log away from under them.
    """
    if not path.exists():
        os.close(opened_privately(path))


def opened_privately(path: Path) -> int:
    """Open `path` for reading and writing, made with its directory for our eyes only.

    Made by root, it belongs to the directory's owner: an administrator's command must leave nothing
    behind that the service can't open. A link isn't followed: the service's user could have it
    point at a file of root's.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        if not path.parent.exists():
            # Another thread may make it between our look and this.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Made by us with its mode, since SQLite would follow the umask.
            number = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _opened(path, flags)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(number, owner.st_uid, owner.st_gid)
    except OSError as error:
        hint = "check the directory and its owner"
        if error.errno == errno.ELOOP:
            hint = "it is a link, which is never followed: remove it"
        raise LedgerProblem(str(error.strerror), what=str(path), hint=hint) from error
    return number


def _opened(path: Path, flags: int) -> int:
    number = os.open(path, flags)
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(number)
        raise LedgerProblem(
            "isn't a file of its own, but another name of one",
            what=str(path),
            hint="remove it: it is made anew",
        )
    return number


def refuse_links(path: Path) -> None:
    """Refuse links by which another user would have us open or make a file somewhere else.

    An administrator's own link, to a ledger on another disk, is followed.
    """
    for name in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        try:
            found = name.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in {0, os.geteuid()}:
            raise LedgerProblem(
                "is a link of another user, which isn't followed", what=str(name), hint="remove it"
            )
