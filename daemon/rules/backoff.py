"""How long a mailbox that failed is left alone, and when it is left to a person.

Pure: the failure and how many there were are arguments. The answer is kept in the ledger, so that
a restart tries nobody sooner. Wrong credentials tried often lock accounts; so they are tried less
and less, and after some hours not at all until a person has changed something.
"""

from datetime import datetime, timedelta

from daemon.errors import AuthProblem, ConfigProblem, Problem, RetryLater

# Seconds after each refused login; when they are used up, the mailbox is parked.
_LOGINS = (300.0, 1800.0, 7200.0, 21_600.0, 21_600.0)
_FIRST = 30.0
_LONGEST = 900.0  # a server that is away
_LONGEST_CONFIG = 3600.0  # a certificate, a folder: somebody may have mended it
_LONGEST_ASKED = 21_600.0  # that a server may ask for


def wait(problem: Problem, failures: int, spread: float) -> float | None:
    """Seconds until the next try after the `failures`-th failure in a row; None parks the mailbox.

    `spread` between 0 and 1 sets mailboxes apart that failed together.
    """
    if isinstance(problem, AuthProblem):
        if failures > len(_LOGINS):
            return None
        return _LOGINS[failures - 1] * (1 + spread / 4)
    if isinstance(problem, RetryLater) and problem.after is not None:
        return min(max(problem.after, 0.0), _LONGEST_ASKED) + _FIRST * spread
    longest = _LONGEST_CONFIG if isinstance(problem, ConfigProblem) else _LONGEST
    return min(_FIRST * 2.0 ** min(failures - 1, 16), longest) * (0.75 + spread / 2)


def due(now: datetime, seconds: float | None) -> datetime | None:
    """The instant of the next try; None stays None."""
    return None if seconds is None else now + timedelta(seconds=seconds)
