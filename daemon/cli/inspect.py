"""`mail2deal inspect`: the ledger in the browser, read-only."""

import click

from daemon.cli import output
from daemon.cli.arguments import PORT
from daemon.cli.commands import pass_wiring
from daemon.errors import DONE
from daemon.ledger.lock import Lock
from daemon.ledger.overview import overview
from daemon.ledger.questions import pages
from daemon.ledger.store import Ledger
from daemon.maintenance.first_page import Alert, Link, first_page
from daemon.maintenance.inspect import inspect
from daemon.service.health import HealthLine, health
from daemon.wiring import Wiring


@click.command("inspect")
@click.option("--port", type=PORT, default=8001, show_default=True, help="Loopback port; 0: any.")
@pass_wiring
def command(wiring: Wiring, port: int) -> int:
    """Look at the ledger in the browser: read-only; a first page in words, questions, charts."""
    inspect(wiring.config.ledger, port, lambda: _first_page(wiring), _ready)
    return DONE


def _first_page(wiring: Wiring) -> str:
    now = wiring.now()
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        return first_page(
            overview(ledger, now),
            [_alert(line) for line in health(ledger, now)],
            Lock(ledger.path).holder(),
            [Link(*page) for page in pages()],
        )


def _alert(line: HealthLine) -> Alert:
    return Alert(str(line), line.do, line.weight)


def _ready(url: str) -> None:
    output.say(f"the ledger, read-only: {url}")
    output.say("^C ends it; the address is new each time")
