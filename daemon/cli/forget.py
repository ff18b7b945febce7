"""`mail2deal forget`: erases a sender here, and says what of it remains in Pipedrive."""

import click

from daemon.cli import output
from daemon.cli.commands import pass_wiring, stop_on_signal
from daemon.errors import ATTENTION, DONE, ConfigProblem
from daemon.ledger.lock import owned
from daemon.maintenance.forget import delete_in_pipedrive, erase, remains
from daemon.message.parse import Address
from daemon.pipedrive.removal import price
from daemon.rules.quantities import counted
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings


@click.command("forget")
@click.argument("address")
@click.option("--in-pipedrive", is_flag=True, help="Delete its records there too.")
@click.option("--yes", is_flag=True, help="Without asking.")
@pass_wiring
def command(wiring: Wiring, address: str, *, in_pipedrive: bool, yes: bool) -> int:
    """Erase a sender here, for its privacy, and ignore its mail from now on."""
    stop_on_signal(wiring)
    if "@" not in address:
        raise ConfigProblem(f"{address!r} isn't an e-mail address")
    key = Address("", address.strip().lower()).key
    with owned(wiring.config.ledger, "mail2deal forget", wiring.now()) as ledger:
        there = remains(ledger, key)
        known = ledger.senders.get(key) is not None
        if not yes:
            also = ""
            if in_pipedrive:
                cost = price(one.kind for one in there)
                records = counted(len(there), "record")
                also = f" and {records} in Pipedrive (about {cost} tokens)"
            output.confirm_or_abort(f"erase {key}{also}, for good?")
        if in_pipedrive and there:
            session = wiring.session(ledger, None)
            try:
                with output.progress(ledger) as show:
                    delete_in_pipedrive(ledger, session.client, key, wiring.now(), show)
            finally:
                session.keep_usage()
            there = []
        erase(ledger, scoring_settings(wiring.config), key, wiring.now())
    words = "erased" if known else "no mail of this address was known; nothing to erase"
    output.say(f"{key}: {words}. Mail from it is ignored from now on.")
    for one in there:
        output.say(f"still in Pipedrive: {one.kind} {one.pipedrive_id} ({one.origin})")
    return ATTENTION if there else DONE
