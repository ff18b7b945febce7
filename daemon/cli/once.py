"""What runs once and ends: the catch-up and its rehearsal, and which options go with which."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from daemon.wiring import Wiring

_OF_BOTH = {"since", "mailbox", "sync_only"}
_OF_CATCH_UP = {"intake_only", "yes", "max_creates"}
_OF_DRY_RUN = {"as_json", "html"}
_COMMANDS = {"--catch-up": _OF_BOTH | _OF_CATCH_UP, "--dry-run": _OF_BOTH | _OF_DRY_RUN}


def check_options(
    options: Mapping[str, Any], *, catch_up: bool, dry_run: bool, alone: bool
) -> None:
    """Refuse options that don't go together, rather than ignore one; `alone`: no command named."""
    chosen = "--dry-run" if dry_run else "--catch-up" if catch_up else ""
    allowed = _COMMANDS[chosen] if chosen and alone else set()
    for name, value in options.items():
        if value and name not in allowed:
            flag = "--json" if name == "as_json" else f"--{name.replace('_', '-')}"
            with_ = " or ".join(command for command, names in _COMMANDS.items() if name in names)
            raise click.UsageError(f"{flag} goes with {with_}")
    if options["intake_only"] and options["sync_only"]:
        raise click.UsageError("--intake-only and --sync-only exclude each other")


def run(wiring: Wiring, options: Mapping[str, Any], *, dry_run: bool) -> int:
    """The catch-up, or with `dry_run` its rehearsal; the exit status."""
    since: datetime | None = options["since"]
    common = {
        "since": since.replace(tzinfo=UTC) if since else None,
        "mailbox": options["mailbox"],
        "sync_only": options["sync_only"],
    }
    if dry_run:
        from daemon.cli.dry_run import dry_run as rehearse  # noqa: PLC0415 - each loads its own

        return rehearse(wiring, **common, as_json=options["as_json"], html=options["html"])
    from daemon.cli.catch_up import catch_up  # noqa: PLC0415 - each command loads its own

    return catch_up(
        wiring,
        **common,
        intake_only=options["intake_only"],
        valve=None if options["intake_only"] else wiring.valve(),
        granted="all" if options["yes"] else options["max_creates"],
    )
