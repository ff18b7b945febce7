"""`mail2deal` itself: the service, and with --catch-up or --dry-run what runs once and ends."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from daemon import __version__
from daemon.cli.arguments import COUNT, DAY
from daemon.cli.commands import Commands, Modules, find_config, stop_on_signal, wire

_OF_BOTH = {"since", "mailbox", "sync_only"}
_OF_CATCH_UP = {"intake_only", "yes", "max_creates"}
_OF_DRY_RUN = {"as_json", "html", "csv"}
_OPTIONS = {"--catch-up": _OF_BOTH | _OF_CATCH_UP, "--dry-run": _OF_BOTH | _OF_DRY_RUN}


_COMMANDS = Modules(
    "approve",
    "audit",
    "check",
    "demo",
    "explain",
    "forget",
    "init",
    "inspect",
    "login",
    "retry",
    "sandbox",
    "status",
    "undo",
)


@click.group(
    cls=Commands,
    commands=_COMMANDS,
    invoke_without_command=True,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, readable=False),  # loading it says more than click does
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
    type=DAY,
    metavar="YYYY-MM-DD",
    help="Read back to this day instead of the configured one.",
)
@click.option("--mailbox", help="Only the mailbox of this name.")
@click.option("--intake-only", is_flag=True, help="With --catch-up: mailbox to ledger only.")
@click.option("--sync-only", is_flag=True, help="Leave the mailbox alone: ledger to Pipedrive.")
@click.option(
    "--yes",
    is_flag=True,
    help="With --catch-up: approve all that it would create beyond the safety limit.",
)
@click.option(
    "--max-creates",
    type=COUNT,
    help="With --catch-up: approve this many records, activities apart.",
)
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: for programs.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="With --dry-run: write a page to share.",
)
@click.option(
    "--csv",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="With --dry-run: write everybody who would get a record as a table.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _option, wanted: _version(ctx) if wanted else None,
    help="Show the version, and that of the ledger.",
)
@click.pass_context
def main(
    ctx: click.Context,
    /,
    config_path: Path | None,
    catch_up: bool,
    dry_run: bool,
    **options: Any,
) -> int | None:
    """Turn a sales mailbox into a clean Pipedrive pipeline, each record exactly once.

    Without a command it runs as a service until SIGTERM.
    """
    ctx.obj = ctx.obj or config_path
    alone = ctx.invoked_subcommand is None
    chosen = "--dry-run" if dry_run else "--catch-up" if catch_up else ""
    _check_options(options, _OPTIONS[chosen] if chosen and alone else set())
    if not alone:
        return None
    if chosen:
        return _once(ctx, options, dry_run=dry_run)
    from daemon.cli.serve import serve  # noqa: PLC0415 - loaded only when used, as commands are

    return serve(find_config(config_path))


def _version(ctx: click.Context) -> None:
    """Print what this is, and which ledger it keeps."""
    from daemon.ledger.schema import newest  # noqa: PLC0415 - loaded only when used

    click.echo(f"{ctx.find_root().info_name}, version {__version__}\nledger {newest()}")
    ctx.exit()


def _check_options(options: Mapping[str, Any], allowed: set[str]) -> None:
    """Refuse options that don't go together, rather than ignore one."""
    for name, value in options.items():
        if value and name not in allowed:
            flag = "--json" if name == "as_json" else f"--{name.replace('_', '-')}"
            with_ = " or ".join(command for command, names in _OPTIONS.items() if name in names)
            raise click.UsageError(f"{flag} goes with {with_}")
    if options["intake_only"] and options["sync_only"]:
        raise click.UsageError("--intake-only and --sync-only exclude each other")


def _once(ctx: click.Context, options: Mapping[str, Any], *, dry_run: bool) -> int:
    """The catch-up or its rehearsal; the exit status."""
    wiring = wire(ctx)
    stop_on_signal(wiring)
    since: datetime | None = options["since"]
    common = {
        "since": since.replace(tzinfo=UTC) if since else None,
        "mailbox": options["mailbox"],
        "sync_only": options["sync_only"],
    }
    if dry_run:
        from daemon.cli.dry_run import dry_run as rehearse  # noqa: PLC0415 - see above

        files = {"html": options["html"], "csv": options["csv"]}
        return rehearse(wiring, **common, as_json=options["as_json"], **files)
    from daemon.cli.catch_up import catch_up  # noqa: PLC0415 - see above

    return catch_up(
        wiring,
        **common,
        intake_only=options["intake_only"],
        limit=None if options["intake_only"] else wiring.safety_limit(),
        granted="all" if options["yes"] else options["max_creates"],
    )
