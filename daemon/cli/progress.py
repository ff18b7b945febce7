"""How far a long command has come: bars on a terminal, a line every 30 seconds elsewhere.

A phase is shown with its rate and, where its end is known, the time left. Written to stderr, so
that stdout stays for results.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console

from daemon.ledger.store import Ledger

if TYPE_CHECKING:
    from rich.progress import TaskID

LINE_EVERY = 30.0  # seconds

Show = Callable[[str, int, int], None]  # phase, done, total (0: unknown)

_CRM = {
    "listing organizations": "organization",
    "listing persons": "person",
    "listing deals": "deal",
    "listing leads": "lead",
}


@dataclass(slots=True)
class _Phase:
    """One phase since it began; it begins anew when its count falls."""

    started: float
    total: int
    done: int = 0
    is_named: bool = False  # whether the total was told rather than looked up
    task: "TaskID | None" = None

    def rate(self, now: float) -> float:
        return self.done / max(now - self.started, 0.001)


@dataclass(slots=True)
class Phases:
    """The phases of one command; totals that nobody names are taken from the ledger."""

    ledger: Ledger | None = None
    clock: Callable[[], float] = time.monotonic
    known: dict[str, _Phase] = field(default_factory=dict)

    def at(self, name: str, done: int, total: int) -> _Phase:
        """Note how far a phase is."""
        phase = self.known.get(name)
        if phase is None or done < phase.done:
            task = phase.task if phase else None
            expected = total or self._expected(name, done)
            phase = self.known[name] = _Phase(self.clock(), expected, task=task)
        phase.done, phase.is_named = done, bool(total)
        phase.total = total or max(phase.total, done if phase.total else 0)
        return phase

    def end(self) -> Iterator[_Phase]:
        """Every phase once nothing more is done; an estimated total becomes what it really was."""
        for name, phase in self.known.items():
            left = self._left(name)
            if left is not None or not phase.is_named:
                phase.total = phase.done + (left or 0)
            yield phase

    def _expected(self, name: str, done: int) -> int:
        left = self._left(name)
        if left is not None:
            return done + left
        return self.ledger.crm.count(_CRM[name]) if self.ledger and name in _CRM else 0

    def _left(self, name: str) -> int | None:
        """What the ledger says is left of a phase, None if it doesn't know."""
        if self.ledger is None or name not in {"planning", "writing"}:
            return None
        if name == "planning":
            return len(self.ledger.senders.due(-1))
        return self.ledger.backlog.unfinished()


@contextmanager
def bars(console: Console, phases: Phases) -> Iterator[Show]:
    """A bar for each phase."""
    from rich.progress import (  # noqa: PLC0415 - only a terminal has bars
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>9}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=False) as progress:

        def show(name: str, done: int, total: int) -> None:
            phase = phases.at(name, done, total)
            if phase.task is None:
                phase.task = progress.add_task(name, total=phase.total or None, rate="")
            rate = f"{phase.rate(phases.clock()):.0f}/s"
            progress.update(phase.task, completed=done, total=phase.total or None, rate=rate)

        yield show
        for phase in phases.end():  # not after an error: the bars show how far it came
            if phase.task is not None:
                progress.update(phase.task, completed=phase.done, total=phase.total)


def lines(console: Console, phases: Phases) -> Show:
    """A line for whatever is going on, at most one every 30 seconds."""
    last = phases.clock()

    def show(name: str, done: int, total: int) -> None:
        nonlocal last
        phase = phases.at(name, done, total)
        now = phases.clock()
        if now - last >= LINE_EVERY:
            last = now
            console.print(line(name, phase.done, phase.total, phase.rate(now)), markup=False)

    return show


def line(name: str, done: int, total: int, rate: float) -> str:
    """`writing: 400 of 1200, 20/s, 40 s left`."""
    text = f"{name}: {done}" + (f" of {total}" if total else "") + f", {rate:.0f}/s"
    if total > done and rate:
        seconds = round((total - done) / rate)
        left = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004 - two minutes
        text += f", {left} left"
    return text
