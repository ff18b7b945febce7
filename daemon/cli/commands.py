"""The commands and their options; each hands over to the module that does its work."""

import signal
import sys
from pathlib import Path
from typing import Any

import click

from daemon import __version__
from daemon.cli import once, output
from daemon.config import load
from daemon.errors import ConfigProblem, Problem
from daemon.wiring import Wiring

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
    "--dry-run",
    is_flag=True,
    help="Rehearse --catch-up: show what would be made and what it costs; write nothing.",
)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Read back to this day instead of the configured one.",
)
@click.option("--mailbox", help="Only the mailbox of this name.")
@click.option("--intake-only", is_flag=True, help="With --catch-up: mailbox to ledger only.")
@click.option("--sync-only", is_flag=True, help="Leave the mailbox alone: ledger to Pipedrive.")
@click.option(
    "--yes", is_flag=True, help="With --catch-up: let a first run create as much as there is."
)
@click.option(
    "--max-creates",
    type=click.IntRange(min=1),
    help="With --catch-up: let a first run create this many records, activities apart.",
)
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: for programs.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="With --dry-run: write a page to hand on.",
)
@click.version_option(__version__)
@click.pass_context
def main(
    ctx: click.Context,
    /,
    config_path: Path | None,
    catch_up: bool,
    dry_run: bool,
    **options: Any,
) -> None:
    """Turn a sales mailbox into a clean Pipedrive pipeline, each record exactly once.

    Without a command it runs as a service until SIGTERM.
    """
    ctx.obj = config_path
    once.check_options(
        options, catch_up=catch_up, dry_run=dry_run, alone=ctx.invoked_subcommand is None
    )
    if ctx.invoked_subcommand is not None:
        return
    if catch_up or dry_run:
        wiring = wire(ctx)
        stop_on_signal(wiring)
        ctx.exit(once.run(wiring, options, dry_run=dry_run))
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
        hint="write one with `mail2deal init`, or name one with --config",
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
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config.yaml"),
    show_default=True,
    help="The file to write.",
)
@click.option("--email", "address", help="Your e-mail address.")
@click.option("--host", help="The IMAP server; guessed from the address.")
@click.option("--company", help="Pipedrive company: the part before .pipedrive.com.")
@click.option("--pipeline", help="Pipeline for new deals; else the first that has the stage.")
@click.option("--stage", help="Stage for new deals; else Initial Contact.")
@click.option("--since", help="Read mail since this day (YYYY-MM-DD); else only new mail.")
@click.option(
    "--secrets",
    type=click.Choice(["files", "env", "credentials"]),
    help="Where password and token are kept; else files that only you can read, and below /etc"
    " systemd credentials.",
)
@click.option("--no-input", is_flag=True, help="Ask nothing.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init(path: Path, no_input: bool, force: bool, **given: str | None) -> None:
    """Write a commented config.yaml by asking a handful of questions."""
    from daemon.cli.init import init as run  # noqa: PLC0415 - each command loads its own

    click.get_current_context().exit(run(path, given, ask=not no_input, force=force))


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
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def explain(ctx: click.Context, address: str, as_json: bool) -> None:
    """Say why a sender is what it is: each message, verdict, count, the rule, the records."""
    from daemon.cli.explain import explain as run  # noqa: PLC0415 - each command loads its own

    ctx.exit(run(wire(ctx), address, as_json=as_json))


@main.command()
@click.argument("mailbox")
@click.option("--browser", is_flag=True, help="In a browser here, not by a code for any browser.")
@click.option("--port", type=int, default=0, help="Where the browser comes back to; 0: any port.")
@click.pass_context
def login(ctx: click.Context, mailbox: str, port: int, *, browser: bool) -> None:
    """Grant access to a mailbox by OAuth once; the service keeps it alive."""
    from daemon.cli.login import login as run  # noqa: PLC0415 - each command loads its own

    ctx.exit(run(wire(ctx), mailbox, port=port, browser=browser))


@main.command()
@click.option("--port", type=int, default=8001, show_default=True, help="Loopback port; 0: any.")
@click.pass_context
def inspect(ctx: click.Context, port: int) -> None:
    """Look at the ledger in the browser: read-only, with canned queries and charts."""
    from daemon.cli.inspect import inspect as run  # noqa: PLC0415 - each command loads its own

    ctx.exit(run(wire(ctx), port))


@main.command()
@click.option("--repair", is_flag=True, help="Close the gaps, then look again.")
@click.option("--rebuild", is_flag=True, help="Compute every sender anew, in the ledger itself.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def audit(ctx: click.Context, repair: bool, rebuild: bool, as_json: bool) -> None:
    """Compare mailbox, ledger and Pipedrive: the gaps, of which there should be none."""
    from daemon.cli.audit import audit as run  # noqa: PLC0415 - each command loads its own

    wiring = wire(ctx)
    stop_on_signal(wiring)
    ctx.exit(run(wiring, repair=repair, rebuild_all=rebuild, as_json=as_json))


@main.command()
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the quarantined messages into this directory, for a report.",
)
@click.pass_context
def retry(ctx: click.Context, save: Path | None) -> None:
    """Try quarantined messages and parked changes again, now."""
    from daemon.cli.retry import retry as run  # noqa: PLC0415 - each command loads its own

    wiring = wire(ctx)
    stop_on_signal(wiring)
    ctx.exit(run(wiring, save))


@main.command()
@click.argument("run", type=int, required=False)
@click.option("--yes", is_flag=True, help="Without asking.")
@click.pass_context
def undo(ctx: click.Context, run: int | None, yes: bool) -> None:
    """Delete in Pipedrive what a run created and nobody touched since; without RUN, list runs."""
    from daemon.cli.undo import undo_run  # noqa: PLC0415 - each command loads its own

    wiring = wire(ctx)
    stop_on_signal(wiring)
    ctx.exit(undo_run(wiring, run, yes=yes))


@main.command()
@click.argument("address")
@click.option("--in-pipedrive", is_flag=True, help="Delete its records there too.")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.pass_context
def forget(ctx: click.Context, address: str, in_pipedrive: bool, yes: bool) -> None:
    """Erase a sender here, for its privacy, and ignore its mail from now on."""
    from daemon.cli.forget import forget as run  # noqa: PLC0415 - each command loads its own

    wiring = wire(ctx)
    stop_on_signal(wiring)
    ctx.exit(run(wiring, address, in_pipedrive=in_pipedrive, yes=yes))


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
