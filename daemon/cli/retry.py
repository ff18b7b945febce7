"""`mail2deal retry`: quarantined messages and parked changes again, now.

While a service is running, this only makes them due and tells the service, which does the rest.
"""

from pathlib import Path

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring, stop_on_signal
from daemon.errors import ATTENTION, DONE, worst
from daemon.ledger.lock import Held, owned
from daemon.ledger.store import Ledger
from daemon.maintenance.retry import quarantined, release, run_once
from daemon.service.running import reload_service
from daemon.wiring import Wiring


@click.command("retry")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the quarantined messages into this directory, for a report.",
)
@pass_wiring
def command(wiring: Wiring, save: Path | None) -> int:
    """Try quarantined messages and parked changes again, now."""
    stop_on_signal(wiring)
    if save is not None:
        save.mkdir(mode=0o700, parents=True, exist_ok=True)
        with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
            for name, raw in quarantined(wiring, ledger):
                output.write_private(save / name, raw)
                output.say(f"saved {save / name}")
    try:
        with owned(wiring.config.ledger, "mail2deal retry", wiring.now()) as ledger:
            _release(wiring, ledger)
            return run(wiring, ledger, "retry")
    except Held as held:
        with Ledger.open(wiring.config.ledger) as ledger:
            _release(wiring, ledger)
        # The service has a mailbox's pause in memory, where the ledger doesn't reach it.
        told = reload_service(wiring.config.ledger, held.holder)
        follows = (
            "it was told to read its configuration again and to try at once"
            if told
            else "it will try with its next pass, a mailbox that failed when its pause is over"
        )
        output.say(f"{held.holder} is at work: {follows}")
        return DONE


def _release(wiring: Wiring, ledger: Ledger) -> None:
    messages, changes, mailboxes = release(ledger, wiring.now())
    output.say(
        f"trying again: {messages} messages, {changes} changes, {mailboxes} mailboxes that failed"
    )


def run(wiring: Wiring, ledger: Ledger, name: str) -> int:
    """Read and write once, for the command `name`; print what is left, return the exit status."""
    with output.progress(ledger) as show:
        result = run_once(wiring, ledger, name, show)
    parked, quarantined = ledger.backlog.counts().get("parked", 0), ledger.quarantine.count()
    writes = result.pushed.writes if result.pushed else 0
    output.say(
        f"read {result.new} messages, wrote {writes} changes for {wiring.usage.total} tokens;"
        f" left: {quarantined} in quarantine, {parked} parked"
    )
    left = ATTENTION if parked or quarantined else DONE
    return worst([left, *map(output.tell, result.problems)])
