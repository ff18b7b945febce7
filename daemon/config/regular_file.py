"""Reading a file that a person named: whatever stands there, the read ends and is bounded.

A pipe would make us wait for whoever writes into it, and a device may have no end.
"""

import errno
import os
import stat
from pathlib import Path

from daemon.errors import ConfigProblem

_HINT = "name the right file"


def read_regular_file(path: Path, longest: int) -> bytes:
    """Return what the file holds, `longest` bytes at most.

    Raises OSError, and ConfigProblem if it isn't a regular file or is longer.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise ConfigProblem("isn't a regular file", what=str(path), hint=_HINT)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(longest + 1)
    finally:
        os.close(descriptor)
    if len(data) > longest:
        raise ConfigProblem(f"is longer than {longest} bytes", what=str(path), hint=_HINT)
    return data
