"""`mail2deal inspect`: the ledger in the browser, read-only."""

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring
from daemon.errors import DONE
from daemon.maintenance.inspect import inspect
from daemon.wiring import Wiring


@click.command("inspect")
@click.option("--port", type=int, default=8001, show_default=True, help="Loopback port; 0: any.")
@pass_wiring
def command(wiring: Wiring, port: int) -> int:
    """Look at the ledger in the browser: read-only, with canned queries and charts."""
    inspect(wiring.config.ledger, port, _ready)
    return DONE


def _ready(tables: str, charts: str) -> None:
    output.say(f"the ledger, read-only: {tables}")
    output.say(f"charts: {charts}")
    output.say("^C ends it; the address is new each time")
