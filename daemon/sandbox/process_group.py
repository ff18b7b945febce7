"""A server and all its processes as one group, which starts and ends as a whole."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

_END_SECONDS = 10.0


def start(
    command: list[str], home: Path, owner: tuple[int, int] | None
) -> "subprocess.Popen[bytes]":
    """Start it in `home` as this user and group; what it says goes into the file `output`."""
    with (home / "output").open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home,
            start_new_session=True,
            user=owner[0] if owner else None,
            group=owner[1] if owner else None,
            extra_groups=[] if owner else None,
        )


def kill(first: "subprocess.Popen[bytes]") -> None:
    """End the group of a process that `start` gave, unasked, and return once all are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    # The others end a moment later, and until then they listen and write.
    deadline = time.monotonic() + _END_SECONDS
    while _is_alive(first.pid) and time.monotonic() < deadline:
        time.sleep(0.001)


def _is_alive(group: int) -> bool:
    """Whether any of its processes runs; one that has ended and isn't reaped yet doesn't.

    Where there is no /proc (it's Linux's, proc(5)) none is seen.
    """
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, _, its_group = file.read_bytes().rpartition(b")")[2].split()[:3]
            if int(its_group) == group and state not in (b"Z", b"X"):
                return True
    return False
