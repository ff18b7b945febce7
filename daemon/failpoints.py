"""Names every point between two durable effects, so that a test can count them and kill us at each.

In production `step` does nothing. With `MAIL2DEAL_STEP_LOG` every step is appended to that file;
with `MAIL2DEAL_KILL_AT=n` the process dies by SIGKILL at its n-th step: no clean-up, no flush,
exactly what a power cut or the kernel's out-of-memory killer does.
"""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(slots=True)
class _Armed:
    """What happens at steps; nothing unless a test asks for it."""

    log: str | None = None
    kill_at: int = 0
    die: Callable[[], None] = _kill
    counter: Iterator[int] = field(default_factory=lambda: itertools.count(1))


_armed = _Armed(os.environ.get("MAIL2DEAL_STEP_LOG"), int(os.environ.get("MAIL2DEAL_KILL_AT", "0")))


def arm(*, log: str | None = None, kill_at: int = 0, die: Callable[[], None] = _kill) -> None:
    """Count from 1 again; write the steps to `log`, and call `die` at the n-th and any later one.

    For tests that fork or that play a death within one process; `arm()` disarms.
    """
    global _armed  # noqa: PLW0603 - one process has one sequence of steps
    _armed = _Armed(log, kill_at, die)


def failpoint(name: str) -> None:
    """Mark the point just after one durable effect (a commit, a request) and before the next."""
    armed = _armed
    if not (armed.log or armed.kill_at):
        return
    number = next(armed.counter)
    if armed.log:
        with open(armed.log, "a", encoding="ascii") as log:  # noqa: PTH123 - opened at each failpoint, kept cheap
            log.write(f"{number} {name}\n")
    if armed.kill_at and number >= armed.kill_at:
        armed.die()
