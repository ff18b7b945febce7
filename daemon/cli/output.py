"""Output of the commands, and their questions: results on stdout, everything else on stderr.

On a terminal lines break between words, and tables fit its width. In pipes and files nothing is
broken or cut.
"""

import codecs
import json
import logging
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from daemon.cli.progress import Phases, Show, bars, lines
from daemon.errors import ConfigProblem, Problem, exit_status
from daemon.ledger.store import Ledger
from daemon.log import JsonLines, TextLines, is_journal
from daemon.rules.quantities import counted

_WIDE = 10_000  # columns
_WORD = re.compile(r"\s*(?:[^\s`]*`[^`]*`\S*|\S+)")  # a command in backticks is one word
# No markup and no emoji: what came by mail is shown as it is.
# A terminal that can't show a character shows another in its place instead of ending the command.
_IN_ASCII = {"→": ">", "←": "<", "…": "~", "–": "-", "—": "-", "‘": "'", "’": "'"}  # noqa: RUF001


def _in_place(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - only output goes through here
    unknown = error.object[error.start : error.end]
    return "".join(_IN_ASCII.get(character, "?") for character in unknown), error.end


codecs.register_error("in_place", _in_place)
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="in_place")
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


def say(text: str, hang: int = 2) -> None:
    """Print one line of the result, on stdout; where it is wrapped, `hang` columns indent it."""
    _print(console, text, hang)


def note(text: str) -> None:
    """Print one line about what is going on, on stderr."""
    _print(errors, text, 2)


def command(text: str) -> None:
    """Print a command to type, on stdout: in one line, so that it can be copied."""
    console.print(text)


def _print(to: Console, text: str, hang: int) -> None:
    for line in text.split("\n") if to.is_terminal else [text]:
        for part in wrapped(line, to.width, hang) if to.is_terminal else [line]:
            to.print(part)


def wrapped(line: str, width: int, hang: int = 2) -> list[str]:
    """A line as several of at most `width` columns, broken between words only."""
    indent = " " * (len(line) - len(line.lstrip(" ")) + hang)
    parts = [""]
    for word in _WORD.findall(line):
        if parts[-1].strip() and cell_len(parts[-1] + word) > width:
            parts.append(indent + word.lstrip())
        else:
            parts[-1] += word
    return parts


def ask(
    question: str,
    default: str | None = None,
    *,
    check: Callable[[str], str] = str.strip,
    hidden: bool = False,
) -> str:
    """Ask until `check` takes the answer: it returns it, or raises click.BadParameter.

    An empty answer is the default; without one, the question is asked again.
    """
    offered = f" [{default}]" if default and not hidden else ""
    while True:
        last = _last_line(question, f"{offered}: ")
        answer = click.prompt(
            last, default=default, show_default=bool(offered), hide_input=hidden, err=True
        )
        try:
            return check(str(answer))
        except click.BadParameter as error:
            note(f"Error: {error.message}")


def confirm(question: str) -> bool:
    """Ask a question whose answer is no unless somebody says yes."""
    return click.confirm(_last_line(question, " [y/N]: "), default=False, err=True)


def confirm_or_abort(question: str) -> None:
    """Go on only if somebody says yes; raises click.Abort, and ConfigProblem where nobody can."""
    # Elsewhere ^C ends after the current step, which a question never does by itself.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        agreed = confirm(question)
    except click.Abort:
        if sys.stdin.isatty():
            raise  # ^C
        note("")
        raise ConfigProblem("nobody is there to answer", hint="--yes answers it") from None
    finally:
        signal.signal(signal.SIGINT, before)
    if not agreed:
        raise click.Abort


def _last_line(question: str, ending: str) -> str:
    """Print all of a question but its last line, which leaves room for what click appends."""
    if not errors.is_terminal:
        return question
    *above, last = wrapped(question + "_" * cell_len(ending), errors.width)
    for line in above:
        errors.print(line)
    return last[: len(last) - cell_len(ending)]


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
    """One JSON document on stdout, the same on a terminal of any width and in a pipe.

    Where stdout has another encoding than UTF-8 its letters are escaped, so that none is lost.
    """
    in_unicode = "utf" in (console.encoding or "")
    click.echo(json.dumps(document, indent=2, ensure_ascii=not in_unicode))


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
