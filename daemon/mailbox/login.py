"""From an account to an authenticated connection, or to the one error that says why not.

TLS is verified, with one shared context per CA; a password never travels in clear text except over
loopback; nothing in a configuration can put a second command on the wire. It knows nothing of
folders or messages.
"""

import contextlib
import functools
import ipaddress
import logging
import ssl
from collections.abc import Iterator
from imaplib import IMAP4

from daemon.errors import ConfigProblem, Problem
from daemon.mailbox import imap_errors, sasl
from daemon.mailbox.account import Account
from daemon.mailbox.client import LOGIN_BYTES, ImapClient
from daemon.mailbox.stream import Alive

# It logs every connection that it closes; our own events say what matters.
logging.getLogger("imapclient").setLevel(logging.WARNING)


def log_in(account: Account, alive: Alive = lambda *_: None) -> ImapClient:
    """A connection that is logged in, with its capabilities known.

    Raises ConfigProblem (certificate, clear text), AuthProblem (credentials), RetryLater (rest).
    """
    if account.tls == "none" and not is_loopback(account.host):
        raise ConfigProblem(
            f"tls: none would send the password of {account.username} in clear text",
            what=account.name,
            hint="only loopback may do without TLS",
        )
    try:
        return _authenticated(account, alive)
    except sasl.PlainLost as lost:
        try:
            client = _authenticated(account, alive, plain=False)
        except Problem:
            raise lost.problem from None
        account.ladder.give_up("AUTH=PLAIN", lost.problem.message)
        return client


def _authenticated(account: Account, alive: Alive, *, plain: bool = True) -> ImapClient:
    client = connect(account, alive)
    try:
        client.line.expect(seconds=account.read_timeout, size=LOGIN_BYTES)
        if not _is_logged_in(client):
            sasl.authenticate(client, account, plain=plain)
        with _as_ours(account):
            client.capabilities()  # now: later, imapclient might ask inside another command
    except BaseException:
        hang_up(client)
        raise
    return client


def hang_up(client: ImapClient) -> None:
    """Close the socket whatever state it is in; says nothing to the server."""
    with contextlib.suppress(OSError, IMAP4.error):
        client.shutdown()


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its spelling alone: a name server isn't asked."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def connect(account: Account, alive: Alive = lambda *_: None) -> ImapClient:
    """A connection with its greeting read and TLS on, before any login; errors as in `log_in`."""
    with _as_ours(account):
        context = tls_context(account.ca_file) if account.tls != "none" else None
        client = ImapClient(account, context, alive)
        try:
            if account.tls == "starttls":
                _start_tls(client, account, context)
        except BaseException:
            hang_up(client)
            raise
        return client


def _start_tls(client: ImapClient, account: Account, context: ssl.SSLContext | None) -> None:
    # A greeting of PREAUTH rules STARTTLS out (RFC 3501, 6.2.1), and may be an attacker's.
    if _is_logged_in(client) or not client.has_capability("STARTTLS"):
        raise ConfigProblem(
            "the server doesn't offer STARTTLS there",
            what=account.name,
            hint="tls: implicit, port: 993",
        )
    client.socket().settimeout(account.connect_timeout)  # for the handshake
    client.starttls(context)


def _is_logged_in(client: ImapClient) -> bool:
    """Whether the server knows us by the connection alone, e.g. a tunnel (RFC 3501, 7.1.4)."""
    return bool(client.welcome.upper().startswith(b"* PREAUTH"))


@functools.cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The verifying context for a CA (None: the system's), made once: each costs 30 ms."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigProblem(f"not a usable CA file: {error}", what=str(ca_file)) from error


@contextlib.contextmanager
def _as_ours(account: Account) -> Iterator[None]:
    """Everything the libraries raise before we are logged in leaves here as one of our errors."""
    try:
        yield
    except Problem:
        raise
    except Exception as error:  # garbage from a server raises nearly anything
        what = f"{account.name} ({account.host}:{account.port})"
        raise imap_errors.not_connected(error, what=what, ca_file=account.ca_file) from error
