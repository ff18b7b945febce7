"""`mail2deal audit`: mailbox against ledger against Pipedrive; 0 gaps is the promise."""

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring, stop_on_signal
from daemon.cli.retry import run
from daemon.errors import ATTENTION, DONE
from daemon.intake.rebuilding import rebuild as compute_anew
from daemon.ledger.lock import owned
from daemon.ledger.store import Ledger
from daemon.maintenance.audit import Gap, all_gaps, close, price
from daemon.rules.quantities import counted
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings


@click.command("audit")
@click.option("--repair", is_flag=True, help="Close the gaps, then look again.")
@click.option("--rebuild", is_flag=True, help="Compute every sender anew, in the ledger itself.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@pass_wiring
def command(wiring: Wiring, *, repair: bool, rebuild: bool, as_json: bool) -> int:
    """Compare mailbox, ledger and Pipedrive: the gaps, of which there should be none."""
    stop_on_signal(wiring)
    if not (repair or rebuild):
        with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
            return _report(_gaps(wiring, ledger), as_json=as_json)
    with owned(wiring.config.ledger, "mail2deal audit", wiring.now()) as ledger:
        if rebuild:
            changed = compute_anew(ledger, scoring_settings(wiring.config))
            output.note(f"computed every sender anew: {changed} differed")
        gaps = _gaps(wiring, ledger)
        if repair and gaps:
            close(ledger, scoring_settings(wiring.config), gaps, wiring.now())
            run(wiring, ledger, "audit --repair")
            output.note(f"found {len(gaps)} gaps, and looked again:")
            gaps = _gaps(wiring, ledger)
        return _report(gaps, as_json=as_json)


def _gaps(wiring: Wiring, ledger: Ledger) -> list[Gap]:
    """Look, having said what it costs, and show how far it is."""
    output.note(
        f"comparing takes about {price(ledger)} tokens and changes nothing, here or in Pipedrive"
    )
    with output.progress(ledger) as show:
        return all_gaps(wiring, ledger, show)


def _report(gaps: list[Gap], *, as_json: bool) -> int:
    if as_json:
        rows = [{"kind": gap.kind, "key": gap.key, "why": gap.why} for gap in gaps]
        output.print_json({"gaps": len(gaps), "found": rows})
    else:
        for gap in gaps:
            output.say(f"{gap.kind} {gap.key}: {gap.why}")
        output.say(counted(len(gaps), "gap"))
        output.note(
            "compared: every message of every folder, its activity, every record and what exists"
            " twice in Pipedrive or was made there by another ledger, and every sender's state"
            " computed anew"
        )
    return ATTENTION if gaps else DONE
