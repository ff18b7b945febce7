"""How a command is found, given its configuration, and turned into an exit status."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from daemon.cli import output
from daemon.cli.packages import check_packages, lacks
from daemon.config import load
from daemon.errors import DONE, ConfigProblem, Problem, RetryLater
from daemon.wiring import Wiring

_NOT_OURS = {errno.EACCES, errno.EPERM}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DEFAULTS = (Path("config.yaml"), Path("/etc/mail2deal/config.yaml"))


class Modules(Mapping[str, click.Command]):
    """The commands that live in modules of their own, each loaded when it is used."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._names:
            raise KeyError(name)
        command: click.Command = import_module(f"daemon.cli.{name}").command
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Commands(click.Group):
    """Commands that return their exit status; a Problem becomes one clear line and its status."""

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands, each with its whole sentence: click would cut it at the line's end."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self.commands[name].get_short_help_str(1000)) for name in self.commands]
            )

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run as a program; where what is printed finds no room, say so instead of a traceback."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            why = f"what it has to write finds no room: {error.strerror}"
            status = output.tell(RetryLater(why, hint="make room, then run it again"))
            # What is left is flushed at the end, which would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(status)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and end with its status."""
        try:
            check_packages()
            ctx.exit(super().invoke(ctx) or DONE)
        except Problem as problem:
            ctx.exit(output.tell(problem))
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] == "daemon":
                raise  # a fault of ours, which another package doesn't mend
            ctx.exit(output.tell(lacks(error.name)))
        except OSError as error:
            if error.filename is None or error.errno == errno.EPIPE:
                raise
            why = f"{error.strerror or type(error).__name__}".lower()
            hint = (
                "run it with sudo, or as the user whose file it is"
                if error.errno in _NOT_OURS
                else ""
            )
            ctx.exit(output.tell(ConfigProblem(why, what=str(error.filename), hint=hint)))


def find_config(given: Path | None) -> Path:
    """The configuration file to use; raises ConfigProblem when there is none."""
    if given is not None:
        return given
    for path in _DEFAULTS:
        if path.exists():
            return path
    places = " or ".join(str(path) for path in _DEFAULTS)
    raise ConfigProblem(
        f"no configuration at {places}",
        hint="write one with `mail2deal init`, or name one with --config",
    )


def wire(ctx: click.Context) -> Wiring:
    """The configuration of this call, its warnings told, logging set up.

    The root context's `obj` is the path that --config names, or a Wiring that a test made.
    """
    given: Path | Wiring | None = ctx.find_root().obj
    if isinstance(given, Wiring):
        return given
    config = load(find_config(given))
    output.log_to_stderr(config.log.format, config.log.level, quiet=output.errors.is_terminal)
    for warning in config.warnings:
        output.note(f"warning: {warning}")
    return Wiring(config)


def pass_wiring(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the Wiring of this call as its first argument."""

    @wraps(command)
    @click.pass_context
    def wired(ctx: click.Context, /, **options: Any) -> int:
        return command(wire(ctx), **options)

    return wired


def stop_on_signal(wiring: Wiring) -> None:
    """End at the next safe point on the first ^C or SIGTERM, at once on the second ^C."""

    def on_signal(number: int, _frame: object) -> None:
        if wiring.stop.is_set():
            sys.exit(128 + number)
        output.note("ending after the current step; the same command goes on from here")
        wiring.stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
