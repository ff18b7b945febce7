"""Errors, named by what to do next rather than by the library they came from.

Every error carries the thing it is about (`what`) and, where a person can act, the next step
(`hint`). Anything that isn't a `Problem` is a bug in mail2deal and crashes loudly.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

# Exit statuses: done; done, but a person should look; usage or configuration; try again later.
DONE, ATTENTION, USAGE, LATER = 0, 1, 2, 75


# Characters from which on no ordinary word is mistaken for a secret; a shorter one is hidden where
# it stands as a word of its own, and one of less than four would hide half of every line.
_LONG, _SHORTEST = 8, 4
_secrets: dict[str, re.Pattern[str]] = {}


def hide(secret: str) -> str:
    """Never show this secret from now on, in whatever text a server repeats it; returns it."""
    if len(secret) >= _SHORTEST:
        for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
            text = re.escape(form)
            _secrets[form] = re.compile(text if len(secret) >= _LONG else rf"(?<!\w){text}(?!\w)")
    return secret


def without_secrets(text: str) -> str:
    """The text with every secret that was read so far made unreadable."""
    for secret, pattern in tuple(_secrets.items()):
        if secret in text:
            text = pattern.sub("***", text)
    return text


class Problem(Exception):
    """Something went wrong that mail2deal expects to meet; `str()` is the line a person reads."""

    def __init__(self, message: str, *, what: str = "", hint: str = "") -> None:
        """Keep the message, the thing it is about and the next step, each one line."""
        super().__init__(message)
        self.message = message
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """`what: message (hint)`, without the parts that are empty."""
        text = f"{self.what}: {self.message}" if self.what else self.message
        return without_secrets(f"{text} ({self.hint})" if self.hint else text)


class ConfigProblem(Problem):
    """The configuration can't work: stop, and list every problem at once."""

    def __init__(
        self, message: str = "", *, what: str = "", hint: str = "", problems: tuple[str, ...] = ()
    ) -> None:
        """Keep all `problems`, each `path: what is wrong`; without any, the message is the one."""
        super().__init__(message or "; ".join(problems), what=what, hint=hint)
        self.problems = problems or (str(self),)


class AuthProblem(Problem):
    """A login or a token was refused: this mailbox or the CRM needs a person, nothing else does."""


class RetryLater(Problem):
    """The other side is away or asks for patience: postpone this item, the rest goes on."""

    def __init__(
        self, message: str, *, what: str = "", hint: str = "", after: float | None = None
    ) -> None:
        """Keep `after`, the seconds the other side asked for, or None when it named none."""
        super().__init__(message, what=what, hint=hint)
        self.after = after


class Rejected(Problem):
    """The other side understood and refused: park the item and show it to a person."""


class Unreadable(Problem):
    """One message can't be read: quarantine it, the folder goes on."""


class LedgerProblem(Problem):
    """The ledger can't be used (foreign, newer, locked, full, corrupt): stop before any write."""


def exit_status(problem: Problem) -> int:
    """The exit status that a problem stands for."""
    match problem:
        case RetryLater():
            return LATER
        case ConfigProblem() | AuthProblem() | LedgerProblem():
            return USAGE
        case _:
            return ATTENTION


def worst(statuses: Iterable[int]) -> int:
    """The most serious of several exit statuses; DONE without any."""
    return max(statuses, default=DONE, key=(DONE, ATTENTION, LATER, USAGE).index)
