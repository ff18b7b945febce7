"""How the command line speaks: tables on a terminal, plain lines elsewhere, errors in one line."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem, Problem, RetryLater
from daemon.log import JsonLines

DONE, ATTENTION, USAGE, LATER = 0, 1, 2, 75
_LINE_EVERY = 30.0  # seconds between progress lines where there is no terminal

Show = Callable[[str, int, int], None]  # phase, done, total (0: unknown)

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


def log_to_stderr(style: str, *, quiet: bool = False) -> None:
    """Send events to stderr: as text, or as one JSON object a line; `quiet` only warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else logging.Formatter("%(message)s"))
    logger = logging.getLogger("mail2deal")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.WARNING if quiet else logging.INFO)


@contextmanager
def progress_bars(*, terminal: bool) -> Iterator[Show]:
    """A function that shows (phase, done, total): bars on a terminal, a line at times elsewhere."""
    if not terminal:
        yield _lines()
        return
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>9}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=False) as progress:
        tasks: dict[str, tuple[TaskID, float]] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                task = progress.add_task(phase, total=total or None, rate="")
                tasks[phase] = (task, time.monotonic())
            task, started = tasks[phase]
            rate = done / max(time.monotonic() - started, 0.001)
            progress.update(task, completed=done, total=total or None, rate=f"{rate:.0f}/s")

        yield show


def _lines() -> Show:
    last = 0.0

    def show(phase: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINE_EVERY:
            last = now
            errors.print(f"{phase}: {done}" + (f" of {total}" if total else ""), markup=False)

    return show
