"""Names every point between two durable effects, so that a test can count them and kill us at each.

In production `step` does nothing. With `MAIL2DEAL_STEP_LOG` every step is appended to that file;
with `MAIL2DEAL_KILL_AT=n` the process dies by SIGKILL at its n-th step: no clean-up, no flush,
exactly what a power cut or the kernel's out-of-memory killer does.
"""

import itertools
import os
import signal

_counter = itertools.count(1)
_log = os.environ.get("MAIL2DEAL_STEP_LOG")
_kill_at = int(os.environ.get("MAIL2DEAL_KILL_AT", "0"))


def step(name: str) -> None:
    """Mark the point just after one durable effect (a commit, a request) and before the next."""
    if not (_log or _kill_at):
        return
    number = next(_counter)
    if _log:
        with open(_log, "a", encoding="ascii") as log:  # noqa: PTH123 - opened at each step, kept cheap
            log.write(f"{number} {name}\n")
    if number == _kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
