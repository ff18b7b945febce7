"""How long something that failed is left alone: one formula for all retries of the program.

Pure: the number of failures in a row is an argument, and so is the random number that keeps those
apart which failed together. Each caller names its steps, mostly one of those below.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from daemon.errors import AuthProblem, ConfigProblem, Problem, RetryLater

LONGEST_ASKED = 21_600.0  # seconds; a server that asks for more is asked again after that


def doubling(first: float, longest: float) -> tuple[float, ...]:
    """Steps in seconds, each twice the one before, from `first` to `longest`."""
    steps = []
    while first < longest:
        steps.append(first)
        first *= 2
    return (*steps, longest)


AWAY = doubling(30.0, 900.0)  # a server that can't be reached
CONFIG = doubling(30.0, 3600.0)  # a certificate, a folder: somebody may have mended it
PERSON = doubling(30.0, 21_600.0)  # only a person can mend it
FOLDER = doubling(60.0, 21_600.0)
# Refused logins, tried often, lock an account. After the last one a mailbox is parked.
LOGIN = (300.0, 1800.0, 7200.0, 21_600.0, 21_600.0)
# A message that can't be read; after the last one only `mail2deal retry` tries it again.
UNREADABLE = (60.0, 600.0, 3600.0, 21_600.0, 86_400.0)
CHANGE = doubling(5.0, 21_600.0)  # a write to Pipedrive that failed or got no answer
REFUSED = (900.0, 3600.0, 21_600.0, 86_400.0)  # by Pipedrive, for a reason that may pass
UNKNOWN = (5.0, 30.0, 120.0, 600.0, 3600.0, 21_600.0)  # looks for a write that got no answer
CONVERSION = doubling(2.0, 1800.0)  # looks at a lead conversion that is running
READ = doubling(0.5, 8.0)  # a read from Pipedrive, tried again within its call
TOO_MANY = doubling(2.0, 60.0)  # answers 429
BLOCKED = doubling(900.0, 4 * 3600.0)  # answers of the firewall before Pipedrive's API


def pause(
    steps: Sequence[float],
    failures: int,
    *,
    asked: float | None = None,
    jitter: float | None = None,
) -> float:
    """Seconds to wait after the `failures`-th failure in a row; the last step repeats.

    What the other side `asked` for wins. `jitter` between 0 and 1 spreads the pause; None: exact.
    """
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_ASKED) + steps[0] * (jitter or 0.0)
    seconds = steps[min(max(failures, 1), len(steps)) - 1]
    return seconds if jitter is None else seconds * (0.75 + jitter / 2)


def of_mailbox(problem: Problem, failures: int, jitter: float) -> float | None:
    """Seconds until a mailbox is tried again; None parks it until a person has done something."""
    if isinstance(problem, AuthProblem):
        return None if failures > len(LOGIN) else pause(LOGIN, failures, jitter=jitter)
    asked = problem.after if isinstance(problem, RetryLater) else None
    steps = CONFIG if isinstance(problem, ConfigProblem) else AWAY
    return pause(steps, failures, asked=asked, jitter=jitter)


def due(now: datetime, seconds: float | None) -> datetime | None:
    """The instant of the next try; None stays None."""
    return None if seconds is None else now + timedelta(seconds=seconds)
