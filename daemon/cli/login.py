"""`mail2deal login MAILBOX`: grant access once, in a browser; the service keeps it alive."""

from daemon.cli import output
from daemon.mailbox.imap import Mailbox
from daemon.oauth import grant
from daemon.wiring import Wiring


def login(wiring: Wiring, name: str, *, port: int, browser: bool) -> int:
    """Ask a person to grant access, keep what comes of it, and try it on the mailbox.

    `browser`: in a browser of this machine although the provider has codes for any browser.
    """
    (box,) = wiring.mailboxes(name)
    tokens = wiring.tokens(box)
    provider = tokens.provider
    if provider.application is not None:
        tokens.access()
        _say(f"{name}: the application got its token; nobody needs to log in")
    else:
        by_code = provider.device_url is not None and not (browser or port)
        answer = (
            grant.device(provider, _show_code)
            if by_code
            else grant.loopback(provider, _show_address, port=port)
        )
        tokens.grant(answer)
        _say(f"{name}: granted, kept in {tokens.path}")
    with Mailbox.connect(wiring.account(box)):
        _say(f"{name}: logged in as {box.username} at {box.host}")
    _say(
        "a running service tries again within the hour, after `systemctl reload mail2deal` at once"
    )
    return output.DONE


def _show_code(address: str, code: str) -> None:
    _say(f"In a browser, on any machine, open {address}")
    _say(f"and enter the code {code}")


def _show_address(address: str) -> None:
    _say("In a browser on this machine, open")
    _say(address)
    _say(
        "(without a browser here: name a port with --port, connect with"
        " `ssh -L PORT:127.0.0.1:PORT`, and open it on your own machine)"
    )


def _say(text: str) -> None:
    output.console.print(text, markup=False)
