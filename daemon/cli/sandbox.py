"""`mail2deal sandbox`: a Pipedrive on loopback, and its pipeline as a board."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from daemon.cli import output
from daemon.cli.arguments import PORT
from daemon.cli.commands import Commands
from daemon.errors import DONE, ConfigProblem
from daemon.ledger.private_file import make_privately
from daemon.rules.quantities import counted
from daemon.sandbox.crm import Card, Column, Sandbox, board, run_server

_CARDS = 4  # a column on a board


@click.group("sandbox", cls=Commands, invoke_without_command=True)
@click.option("--port", type=PORT, default=8080, show_default=True, help="Loopback port; 0: any.")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("sandbox.db"),
    show_default=True,
    help="Its SQLite file; ':memory:' keeps nothing.",
)
@click.pass_context
def command(ctx: click.Context, port: int, store: Path) -> int:
    """Run a Pipedrive on loopback, for trying things out."""
    ctx.obj = store
    return DONE if ctx.invoked_subcommand else _serve(port, store)


@command.command("board")
@click.option("--pipeline", help="Only this pipeline.")
@click.pass_obj
def _board(store: Path, pipeline: str | None) -> int:
    """Print the sandbox's leads inbox and pipelines as a board."""
    if not store.exists():
        raise ConfigProblem("there is no sandbox", what=str(store), hint="name it with --store")
    with closing(Sandbox(store)) as sandbox:
        show_board(board(sandbox, pipeline))
    return DONE


def _serve(port: int, store: Path) -> int:
    """Serve until ^C or SIGTERM."""

    def ready(url: str, tokens: Mapping[str, str]) -> None:
        output.say(f"a Pipedrive sandbox listens on {url}")
        for token, user in tokens.items():
            output.say(f"  token of {user}: {token}")

    make_privately(store)  # what is tried with it may be somebody's real mail
    try:
        run_server(port, store, ready=ready)
    except OSError as error:
        raise ConfigProblem(
            f"port {port} can't be used: {error.strerror}", hint="choose another with --port"
        ) from error
    return DONE


def show_board(columns: tuple[Column, ...]) -> None:
    """One column a stage that has cards, the leads inbox first; the busiest cards on top."""
    table = Table(expand=True)
    filled = [column for column in columns if column.cards]
    for column in filled:
        table.add_column(f"{column.name} ({len(column.cards)})", ratio=1, overflow="fold")
    shown = [sorted(column.cards, key=_busiest_first)[:_CARDS] for column in filled]
    for row in range(max((len(cards) for cards in shown), default=0)):
        table.add_row(*(_card(cards[row]) if row < len(cards) else Text() for cards in shown))
    more = [len(column.cards) - _CARDS for column in filled]
    if any(count > 0 for count in more):
        table.add_row(*(Text(f"and {n} more" if n > 0 else "", style="dim") for n in more))
    output.console.print(table)
    empty = [column.name for column in columns if not column.cards]
    if empty:
        output.console.print("nothing in: " + ", ".join(empty), style="dim")


def _busiest_first(card: Card) -> tuple[int, str]:
    return -card.activities, card.title


def _card(card: Card) -> Text:
    mails = counted(card.activities, "activity")
    where = f"{card.organization}, " if card.organization else ""
    return Text(card.person or card.title).append(f"\n {where}{mails}", style="dim")
