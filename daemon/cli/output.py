"""Output of the commands: tables on a terminal, plain lines elsewhere, errors in one line."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from daemon.cli.progress import Phases, Show, bars, lines
from daemon.errors import ConfigProblem, Problem, exit_status
from daemon.ledger.store import Ledger
from daemon.log import JsonLines, TextLines, is_journal

_WIDE = 10_000  # columns
# No markup and no emoji: what came by mail is shown as it is.
# A terminal that can't show a character shows `?` instead of ending the command.
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def tell(problem: Problem) -> int:
    """Print a problem, each of its lines with what to do next; the exit status it stands for."""
    if isinstance(problem, ConfigProblem) and len(problem.problems) > 1:
        note(f"{problem.what or 'configuration'}:")
        for line in problem.problems:
            note(f"  {line}")
    else:
        note(f"mail2deal: {problem}")
    return exit_status(problem)


def say(text: str) -> None:
    """Print one line of the result, on stdout."""
    console.print(text)


def note(text: str) -> None:
    """Print one line about what is going on, on stderr."""
    errors.print(text)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; nothing if it has no row."""
    shown = Table(title=title, title_justify="left")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*map(str, row))
    if shown.row_count:
        # In a pipe or a file a row is a line, however long, and nothing is cut.
        console.print(shown, width=None if console.is_terminal else _WIDE, crop=False)


def counted(number: int, kind: str) -> str:
    """`1 lead`, `3 activities`."""
    plural = kind[:-1] + "ies" if kind.endswith("y") else kind + "s"
    return f"{number} {kind if number == 1 else plural}"


def listed(counts: Mapping[str, int]) -> str:
    """`2 persons, 1 lead` out of numbers by kind; empty if there are none."""
    return ", ".join(counted(number, kind) for kind, number in counts.items() if number)


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner can read; a link in its place is replaced, not followed."""
    data = content.encode() if isinstance(content, str) else content
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
        try:
            new.write(data)
            new.flush()
            os.replace(new.name, path)  # noqa: PTH105 - mode 0600, as tempfile makes it
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise


def print_json(document: object) -> None:
    """One JSON document on stdout, the same on a terminal of any width and in a pipe."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def log_to_stderr(style: str, level: str = "info", *, quiet: bool = False) -> None:
    """Send events to stderr: as text, or as one JSON object a line.

    `quiet`, for a person at a terminal who reads sentences: only what nobody expected.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else TextLines(journal=is_journal()))
    logger = logging.getLogger("mail2deal")
    logger.handlers[:] = [handler]
    logger.propagate = False
    lowest = logging.getLevelNamesMapping()[level.upper()]
    logger.setLevel(max(lowest, logging.ERROR) if quiet else lowest)


@contextmanager
def progress(ledger: Ledger | None = None) -> Iterator[Show]:
    """A function that shows (phase, done, total): bars on a terminal, a line at times elsewhere.

    With a `ledger`, owned by the same thread, totals that nobody names are looked up there.
    """
    phases = Phases(ledger)
    if not errors.is_terminal:
        yield lines(errors, phases)
        return
    with bars(errors, phases) as show:
        yield show
