"""How the command line speaks: tables on a terminal, plain lines elsewhere, errors in one line."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.text import Text

from daemon.cli import progress
from daemon.cli.progress import Phases, Show
from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem, Problem, RetryLater
from daemon.ledger.store import Ledger
from daemon.log import JsonLines

DONE, ATTENTION, USAGE, LATER = 0, 1, 2, 75

__all__ = ["ATTENTION", "DONE", "LATER", "USAGE", "Show"]

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def tell(problem: Problem) -> int:
    """Print a problem, each of its lines with what to do next; the exit status it stands for."""
    if isinstance(problem, ConfigProblem) and len(problem.problems) > 1:
        errors.print(f"{problem.what or 'configuration'}:", markup=False)
        for line in problem.problems:
            errors.print(f"  {line}", markup=False)
    else:
        errors.print(f"mail2deal: {problem}", markup=False)
    return status_of(problem)


def status_of(problem: Problem) -> int:
    """The exit status that a problem stands for."""
    match problem:
        case RetryLater():
            return LATER
        case ConfigProblem() | AuthProblem() | LedgerProblem():
            return USAGE
        case _:
            return ATTENTION


def severity(status: int) -> int:
    """How bad an exit status is, for picking the worst of several."""
    return (DONE, ATTENTION, LATER, USAGE).index(status)


def print_json(document: object) -> None:
    """One JSON document on stdout, the same on a terminal of any width and in a pipe."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def plain(text: str) -> Text:
    """Text for a table as it is: no markup is read out of what came by mail."""
    return Text(text)


def log_to_stderr(style: str, *, quiet: bool = False) -> None:
    """Send events to stderr: as text, or as one JSON object a line; `quiet` only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else logging.Formatter("%(message)s"))
    logger = logging.getLogger("mail2deal")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.WARNING if quiet else logging.INFO)


@contextmanager
def progress_bars(*, terminal: bool, ledger: Ledger | None = None) -> Iterator[Show]:
    """A function that shows (phase, done, total): bars on a terminal, a line at times elsewhere.

    With a `ledger`, owned by the same thread, totals that nobody names are looked up there.
    """
    phases = Phases(ledger)
    if not terminal:
        yield progress.lines(errors, phases)
        return
    with progress.bars(errors, phases) as show:
        yield show
