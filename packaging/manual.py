"""Man pages and shell completion of `mail2deal`, made from its own command line.

Usage: python packaging/manual.py DIRECTORY; writes `man1/*.1.gz`, `bash/mail2deal`,
`zsh/_mail2deal` and `fish/mail2deal.fish` below it, the same bytes each time.
"""

import gzip
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from daemon import __version__
from daemon.cli import main

_SHELLS = {"bash": "bash/mail2deal", "zsh": "zsh/_mail2deal", "fish": "fish/mail2deal.fish"}

# What the command line itself can't tell; docs/operating.md says the same with more words.
_FILES = (
    ("/etc/mail2deal/config.yaml", "the configuration, where ./config.yaml isn't there"),
    ("/etc/mail2deal/credentials/", "one secret a file, for root only"),
    ("/var/lib/mail2deal/ledger.db", "the ledger, an SQLite file"),
)
_STATUSES = (
    ("0", "done"),
    ("1", "done, but something needs a person"),
    ("2", "usage or configuration"),
    ("75", "try again later"),
)


def pages(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """(file name, roff) of a command and of those below it."""
    context = click.Context(command, info_name=name)
    yield f"{name.replace(' ', '-')}.1", page(command, name, context)
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            below = command.get_command(context, sub)
            if below is not None and not below.hidden:
                yield from pages(below, f"{name} {sub}")


def page(command: click.Command, name: str, context: click.Context) -> str:
    """One page in the macros of man(7)."""
    day = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", "0"))))
    title = name.replace(" ", "-")
    lines = [
        f'.TH "{title.upper()}" 1 "{day}" "mail2deal {__version__}"',
        ".SH NAME",
        rf"{roff(title)} \- {roff(command.get_short_help_str(200))}",
        ".SH SYNOPSIS",
        rf"\fB{roff(name)}\fR {roff(' '.join(command.collect_usage_pieces(context)))}",
        ".SH DESCRIPTION",
        *paragraphs(command.help or ""),
    ]
    options = (one.get_help_record(context) for one in command.get_params(context))
    records = [option for option in options if option]
    if records:
        lines.append(".SH OPTIONS")
        for option, text in records:
            lines += [".TP", rf"\fB{roff(option)}\fR", roff(text)]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for sub in command.list_commands(context):
            below = command.get_command(context, sub)
            if below is not None and not below.hidden:
                lines += [".TP", rf"\fB{title}-{sub}\fR(1)", roff(below.get_short_help_str(200))]
        lines += table("FILES", _FILES)
    lines += table("EXIT STATUS", _STATUSES)
    return "\n".join(lines) + "\n"


def table(heading: str, rows: tuple[tuple[str, str], ...]) -> list[str]:
    """A section of tagged paragraphs."""
    lines = [f".SH {heading}"]
    for tag, text in rows:
        lines += [".TP", rf"\fB{roff(tag)}\fR", roff(text)]
    return lines


def paragraphs(text: str) -> list[str]:
    """Help text as click writes it: paragraphs between blank lines."""
    lines: list[str] = []
    for block in text.replace("\b", "").split("\n\n"):
        lines += [".PP", roff(" ".join(block.split()))]
    return lines


def roff(text: str) -> str:
    """Text that roff prints as it stands."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def write(directory: Path) -> None:
    """Write everything below `directory`."""
    for name, text in pages(main, "mail2deal"):
        path = directory / "man1" / f"{name}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    for shell, place in _SHELLS.items():
        kind = get_completion_class(shell)
        assert kind is not None, shell  # noqa: S101 - click knows these three
        path = directory / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(kind(main, {}, "mail2deal", "_MAIL2DEAL_COMPLETE").source())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
