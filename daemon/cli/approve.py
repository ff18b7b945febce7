"""`mail2deal approve`: lets what waits behind the safety limit be created."""

import click

from daemon.cli import output
from daemon.cli.arguments import COUNT
from daemon.cli.commands import pass_wiring
from daemon.errors import DONE
from daemon.intake.consent import OLD_MAIL
from daemon.ledger.lock import Lock
from daemon.ledger.store import Ledger
from daemon.service.running import reload_service
from daemon.sync.safety_limit import APPROVAL, APPROVED_FOR, TASKS, approve
from daemon.wiring import Wiring


@click.command("approve")
@click.option(
    "--max-creates",
    type=COUNT,
    help="Only this many records, activities apart; else all that is planned within 24 hours.",
)
@click.option("--yes", is_flag=True, help="Without asking.")
@pass_wiring
def command(wiring: Wiring, max_creates: int | None, *, yes: bool) -> int:
    """Approve what waits because it would create far more than usual."""
    path = wiring.config.ledger
    with Ledger.open(path) as ledger:
        asked = [
            one
            for one in ledger.conditions.of(APPROVAL, OLD_MAIL, TASKS)
            if one.failing_since is not None
        ]
        if not asked:
            output.say("nothing waits for approval")
            return DONE
        for one in asked:
            output.say(one.reason)
        what = f"{max_creates} records" if max_creates else "all of it"
        if not yes:
            output.confirm_or_abort(f"approve {what}?")
        with ledger.transaction("approve"):
            approve(ledger, "mail2deal approve", max_creates, wiring.now())
        left = ledger.conditions.of(OLD_MAIL)
    hours = APPROVED_FOR.total_seconds() / 3600
    limit = "" if max_creates else f", and what is planned in the next {hours:.0f} hours"
    output.say(f"approved: {what}{limit}")
    for one in left:
        output.say(f"still waits: {one.reason}")
    holder = Lock(path).holder()
    if holder is None:
        output.say("next: mail2deal --catch-up, or start the service")
    elif reload_service(path, holder):
        output.say(f"{holder} goes on now")
    else:
        output.say(f"{holder} goes on with its next pass, within a minute")
    return DONE
