"""From an account to an authenticated connection, or to the one error that says why not.

Promises: TLS is verified, with one shared context per CA; a password never travels in clear text
except over loopback; nothing a configuration holds can put a second command on the wire; a server
that talks without end is left. It knows nothing of folders or messages.
"""

import contextlib
import functools
import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator
from imaplib import IMAP4
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.tls import IMAP4_TLS

from daemon.errors import ConfigProblem, Problem
from daemon.mailbox import imap_errors, sasl
from daemon.mailbox.account import Account

# It tells of every connection it closes; what we have to say is said by our own events.
logging.getLogger("imapclient").setLevel(logging.WARNING)

_LINES_BEFORE_LOGIN = 500  # greeting, capabilities and login take a dozen
_BYTES_BEFORE_LOGIN = 1 << 20


def log_in(account: Account) -> IMAPClient:
    """A connection that is logged in, with its capabilities known.

    Raises ConfigProblem (certificate, clear text), AuthProblem (credentials), RetryLater (rest).
    """
    if account.tls == "none" and not is_loopback(account.host):
        raise ConfigProblem(
            f"tls: none would send the password of {account.username} in clear text",
            what=account.name,
            hint="only loopback may do without TLS",
        )
    client = _connected(account)
    try:
        with _gate(account):
            sasl.authenticate(client, account)
            client.capabilities()  # now: later, imapclient might ask inside another command
    except BaseException:
        hang_up(client)
        raise
    client._imap.before_login = False  # noqa: SLF001 - our own attribute on imaplib's object
    return client


def hang_up(client: IMAPClient) -> None:
    """Close the socket whatever state it is in; says nothing to the server."""
    with contextlib.suppress(OSError, IMAP4.error):
        client.shutdown()


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its spelling alone: a name server isn't asked."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _connected(account: Account) -> IMAPClient:
    with _gate(account):
        context = tls_context(account.ca_file) if account.tls != "none" else None
        client = _Client(
            account.host,
            port=account.port,
            ssl=account.tls == "implicit",
            ssl_context=context,
            timeout=SocketTimeout(account.connect_timeout, account.read_timeout),
        )
        try:
            # Debug level 5, imapclient's default, builds the repr of every mail and drops it.
            client._imap.debug = 0  # noqa: SLF001 - imaplib's documented attribute
            _set_socket_options(client.socket())
            if account.tls == "starttls":
                _start_tls(client, account, context)
        except BaseException:
            hang_up(client)
            raise
        return client


def _start_tls(client: IMAPClient, account: Account, context: ssl.SSLContext | None) -> None:
    # A greeting of PREAUTH rules STARTTLS out (RFC 3501, 6.2.1), and may be an attacker's.
    if client.welcome.startswith(b"* PREAUTH") or not client.has_capability("STARTTLS"):
        raise ConfigProblem(
            "the server doesn't offer STARTTLS there",
            what=account.name,
            hint="tls: implicit, port: 993",
        )
    client.socket().settimeout(account.connect_timeout)
    client.starttls(context)
    client.socket().settimeout(account.read_timeout)


@functools.cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The verifying context for a CA (None: the system's), made once: each costs 30 ms."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigProblem(f"not a usable CA file: {error}", what=str(ca_file)) from error


def _set_socket_options(sock: socket.socket) -> None:
    """Small commands leave at once; a peer that vanished is noticed within minutes."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 120),
        ("TCP_KEEPINTVL", 30),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 60_000),
    ):
        option = getattr(socket, name, None)  # Linux has them all, other systems some
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


@contextlib.contextmanager
def _gate(account: Account) -> Iterator[None]:
    """Everything the libraries raise before we are logged in leaves here as one of our errors."""
    try:
        yield
    except Problem:
        raise
    except LoginError as error:
        raise sasl.refusal(error, account) from error
    except Exception as error:  # garbage from a server raises nearly anything
        what = f"{account.name} ({account.host}:{account.port})"
        raise imap_errors.not_connected(error, what=what, ca_file=account.ca_file) from error


class _Bounded:
    """imaplib reads untagged lines for ever; before the login there is nothing long to read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.before_login = True
        self._lines = 0
        super().__init__(*args, **kwargs)

    def readline(self) -> bytes:
        self._lines += 1
        if self.before_login and self._lines > _LINES_BEFORE_LOGIN:
            raise IMAP4.abort("the server talks without end")
        line: bytes = super().readline()  # type: ignore[misc] # imaplib's, by inheritance
        return line

    def read(self, size: int) -> bytes:
        if self.before_login and size > _BYTES_BEFORE_LOGIN:
            raise IMAP4.abort(f"the server announces {size} bytes")
        data: bytes = super().read(size)  # type: ignore[misc] # imaplib's, by inheritance
        return data


class _Plain(_Bounded, IMAP4WithTimeout):  # type: ignore[misc] # imapclient has no types
    pass


class _Tls(_Bounded, IMAP4_TLS):  # type: ignore[misc] # imapclient has no types
    pass


class _Client(IMAPClient):  # type: ignore[misc] # imapclient has no types
    def _create_IMAP4(self) -> IMAP4:  # noqa: N802 - imapclient's name for it
        connect = self._timeout.connect
        if self.ssl:
            return _Tls(self.host, self.port, self.ssl_context, connect)
        return _Plain(self.host, self.port, connect)
