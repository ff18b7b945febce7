"""The commands and their options; each hands over to the module that does its work."""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from daemon import __version__
from daemon.cli import output
from daemon.cli.wiring import Wiring
from daemon.config import load
from daemon.errors import ConfigProblem, Problem

_DEFAULTS = (Path("config.yaml"), Path("/etc/mail2deal/config.yaml"))


class _Commands(click.Group):
    """Turns our own errors into one clear line and the documented exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Problem as problem:
            ctx.exit(output.tell(problem))


@click.group(
    cls=_Commands, invoke_without_command=True, context_settings={"max_content_width": 100}
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="The configuration file; else ./config.yaml, else /etc/mail2deal/config.yaml.",
)
@click.option(
    "--catch-up",
    is_flag=True,
    help="Read what lies in the mailboxes, make Pipedrive agree with it, then exit.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="With --catch-up: read back to this day instead of the configured one.",
)
@click.option("--mailbox", help="With --catch-up: only the mailbox of this name.")
@click.option("--intake-only", is_flag=True, help="With --catch-up: mailbox to ledger only.")
@click.option("--sync-only", is_flag=True, help="With --catch-up: ledger to Pipedrive only.")
@click.version_option(__version__)
@click.pass_context
def main(
    ctx: click.Context,
    config_path: Path | None,
    catch_up: bool,
    since: datetime | None,
    mailbox: str | None,
    intake_only: bool,
    sync_only: bool,
) -> None:
    """Turn a sales mailbox into a clean Pipedrive pipeline, each record exactly once.

    Without a command it runs as a service until SIGTERM.
    """
    ctx.obj = config_path
    only = {
        "--since": since,
        "--mailbox": mailbox,
        "--intake-only": intake_only,
        "--sync-only": sync_only,
    }
    given = [name for name, value in only.items() if value]
    if given and (not catch_up or ctx.invoked_subcommand):
        raise click.UsageError(f"{given[0]} goes with --catch-up")
    if intake_only and sync_only:
        raise click.UsageError("--intake-only and --sync-only exclude each other")
    if ctx.invoked_subcommand is not None:
        return
    if catch_up:
        from daemon.cli.catch_up import catch_up as run  # noqa: PLC0415 - each command loads its own

        wiring = wire(ctx)
        stop_on_signal(wiring)
        floor = since.replace(tzinfo=UTC) if since else None
        ctx.exit(
            run(wiring, since=floor, mailbox=mailbox, intake_only=intake_only, sync_only=sync_only)
        )
    from daemon.cli.serve import serve  # noqa: PLC0415 - each command loads its own

    ctx.exit(serve(find_config(config_path)))


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
        hint="name one with --config, or copy the commented config.yaml of the repository",
    )


def wire(ctx: click.Context) -> Wiring:
    """The configuration of this call, its warnings told, logging set up."""
    config = load(find_config(ctx.find_root().obj))
    output.log_to_stderr(config.log.format, quiet=output.errors.is_terminal)
    for warning in config.warnings:
        output.errors.print(f"warning: {warning}", markup=False)
    return Wiring(config)


def stop_on_signal(wiring: Wiring) -> None:
    """End at the next safe point on the first ^C or SIGTERM, at once on the second ^C."""

    def on_signal(number: int, _frame: object) -> None:
        if wiring.stop.is_set():
            sys.exit(128 + number)
        output.errors.print("ending after the current step; the same command goes on from here")
        wiring.stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)


@main.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Try every login, folder, token, stage and field: each line ok, or what to do."""
    from daemon.cli.check import check as run  # noqa: PLC0415 - each command loads its own

    ctx.exit(run(wire(ctx)))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show polls, senders by class, what waits or is parked, quarantine and budget."""
    from daemon.cli.status import status as run  # noqa: PLC0415 - each command loads its own

    ctx.exit(run(wire(ctx), as_json=as_json))


@main.command()
@click.argument("address")
@click.pass_context
def explain(ctx: click.Context, address: str) -> None:
    """Say why a sender is what it is: each message, verdict, count, the rule, the records."""
    from daemon.cli.explain import explain as run  # noqa: PLC0415 - each command loads its own

    ctx.exit(run(wire(ctx), address))


@main.group(cls=_Commands, invoke_without_command=True)
@click.option("--port", type=int, default=8080, show_default=True, help="Loopback port; 0: any.")
@click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("sandbox.db"),
    show_default=True,
    help="Its SQLite file; ':memory:' keeps nothing.",
)
@click.pass_context
def sandbox(ctx: click.Context, port: int, store: Path) -> None:
    """Run a Pipedrive on loopback, for trying things out."""
    ctx.obj = store
    if ctx.invoked_subcommand is None:
        from daemon.cli.sandbox import serve_sandbox  # noqa: PLC0415 - each command loads its own

        ctx.exit(serve_sandbox(port, store))


@sandbox.command()
@click.option("--pipeline", help="Only this pipeline.")
@click.pass_context
def board(ctx: click.Context, pipeline: str | None) -> None:
    """Print the sandbox's leads inbox and pipelines as a board."""
    from daemon.cli.sandbox import print_board  # noqa: PLC0415 - each command loads its own

    ctx.exit(print_board(ctx.parent.obj if ctx.parent else Path("sandbox.db"), pipeline))


@main.command()
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Keep ledger, sandbox and configuration in this directory.",
)
@click.option(
    "--server",
    type=click.Choice(["auto", "dovecot", "pymap"]),
    default="auto",
    show_default=True,
    help="The embedded IMAP server.",
)
@click.pass_context
def demo(ctx: click.Context, keep: Path | None, server: str) -> None:
    """Do the main job on embedded servers: a small company's mailbox into a sandbox Pipedrive."""
    from daemon.cli.demo import demo as run  # noqa: PLC0415 - each command loads its own

    ctx.exit(run(keep, server))
