"""`mail2deal login MAILBOX`: grant access once, in a browser; the service keeps it alive."""

import click

from daemon.cli import output
from daemon.cli.arguments import PORT
from daemon.cli.commands import pass_wiring
from daemon.errors import DONE
from daemon.mailbox.imap import Mailbox
from daemon.oauth import grant
from daemon.wiring import Wiring


@click.command("login")
@click.argument("mailbox")
@click.option("--browser", is_flag=True, help="In a browser here, not by a code for any browser.")
@click.option("--port", type=PORT, default=0, help="Where the browser comes back to; 0: any port.")
@pass_wiring
def command(wiring: Wiring, mailbox: str, *, port: int, browser: bool) -> int:
    """Grant access to a mailbox by OAuth once; the service keeps it alive."""
    (box,) = wiring.mailboxes(mailbox)
    tokens = wiring.tokens(box)
    provider = tokens.provider
    if provider.application is not None:
        tokens.access()
        output.say(f"{mailbox}: the application got its token; nobody needs to log in")
    else:
        by_code = provider.device_url is not None and not (browser or port)
        answer = (
            grant.device(provider, _show_code)
            if by_code
            else grant.loopback(provider, _show_address, port=port)
        )
        tokens.grant(answer)
        output.say(f"{mailbox}: granted, kept in {tokens.path}")
    with Mailbox.connect(wiring.account(box)):
        output.say(f"{mailbox}: logged in as {box.username} at {box.host}")
    output.say(
        "a running service tries again within the hour, after `systemctl reload mail2deal` at once"
    )
    return DONE


def _show_code(address: str, code: str) -> None:
    output.say(f"In a browser, on any machine, open {address}")
    output.say(f"and enter the code {code}")


def _show_address(address: str) -> None:
    output.say("In a browser on this machine, open")
    output.say(address)
    output.say(
        "(without a browser here: name a port with --port, connect with"
        " `ssh -L PORT:127.0.0.1:PORT`, and open it on your own machine)"
    )
