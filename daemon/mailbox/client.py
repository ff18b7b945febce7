"""imapclient over a `Stream` of ours: the one file that reaches beneath its public interface.

imapclient makes its imaplib object in `_create_IMAP4` and offers no other way to choose it. The
object is ours, with the methods that imaplib documents as made for overriding (open, read,
readline, send, shutdown); so TLS, greeting and login are imapclient's, and every byte of them
passes a stream that bounds it. `tests/test_mailbox_client.py` holds the libraries to this.
"""

import contextlib
import re
import socket
import ssl
from imaplib import IMAP4
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient

from daemon.mailbox.account import Account
from daemon.mailbox.stream import Alive, Stream

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

_WORDLESS = re.compile(rb"\S+ (?:OK|NO|BAD)\r\n", re.IGNORECASE)
LOGIN_BYTES = 1 << 20  # greeting, capabilities and login together take a few thousand
_KEEP_ALIVE = (
    ("TCP_KEEPIDLE", 120),
    ("TCP_KEEPINTVL", 30),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 60_000),
)


class ImapClient(IMAPClient):  # type: ignore[misc] # imapclient has no types
    """An imapclient whose bytes are read and written by `imap4.stream`."""

    def __init__(self, account: Account, context: ssl.SSLContext | None, alive: Alive) -> None:
        """Connect and read the greeting; raises what the libraries and the server raise."""
        self._account, self._context, self._alive = account, context, alive
        self.imap4: Imap4
        super().__init__(
            account.host,
            port=account.port,
            ssl=account.tls == "implicit",
            timeout=account.connect_timeout,
        )
        # imapclient's own level builds the repr of all that is read, passwords included.
        self.imap4.debug = 0

    @property
    def line(self) -> Stream:
        """The stream under imapclient."""
        return self.imap4.stream()

    def _create_IMAP4(self) -> IMAP4:  # noqa: N802 - imapclient's name for it
        self.imap4 = Imap4(self._account, self._context, self._alive)
        return self.imap4


class Imap4(IMAP4):
    """imaplib's protocol engine over our stream, bounded in time and bytes until the login."""

    def __init__(self, account: Account, context: ssl.SSLContext | None, alive: Alive) -> None:
        self._account = account
        self._context = context if account.tls == "implicit" else None
        self._alive = alive
        self._stream: Stream | None = None
        self.said_bad = False  # the last answer to a command was BAD
        super().__init__(account.host, account.port, account.connect_timeout)

    def stream(self) -> Stream:
        """The stream over the present socket: STARTTLS puts another in the place of the first."""
        if self._stream is None or self._stream.socket is not self.sock:
            # What came in clear text behind the OK to STARTTLS is dropped with the old stream.
            silence = self._account.read_timeout
            self._stream = Stream(self.sock, silence=silence, alive=self._alive)
            self._stream.expect(seconds=max(silence, 1.0), size=LOGIN_BYTES)
        return self._stream

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """Connect, with TLS from the first byte where the account says so."""
        self.host, self.port = host, port
        self.sock = socket.create_connection((host, port), timeout)
        try:
            _set_socket_options(self.sock)
            if self._context is not None:
                self.sock = self._context.wrap_socket(self.sock, server_hostname=host)
            self.stream().expect(seconds=self._account.connect_timeout, size=LOGIN_BYTES)
        except BaseException:
            self.sock.close()
            raise

    def readline(self) -> bytes:
        """The next line, so that imaplib takes it: not all servers write it by RFC 3501.

        Some end it with a bare line feed, and some say OK without another word.
        """
        line = self.stream().readline(LOGIN_BYTES)
        if not line:
            raise ConnectionResetError("closed by the server")
        if line.endswith(b"\n") and line[-2:] != b"\r\n":
            line = line[:-1] + b"\r\n"
        return line[:-2] + b" \r\n" if _WORDLESS.fullmatch(line) else line

    def _get_tagged_response(self, *args: Any, **kwargs: Any) -> Any:
        """As imaplib's, whose errors don't tell a BAD from a NO."""
        answer = super()._get_tagged_response(*args, **kwargs)  # type: ignore[misc]
        self.said_bad = bool(answer) and answer[0] == "BAD"
        return answer

    def read(self, size: int) -> bytes:
        """The bytes of a literal."""
        return self.stream().read(size)

    def send(self, data: "Buffer") -> None:
        """Send a command or a part of one."""
        self.stream().send(bytes(data))

    def shutdown(self) -> None:
        """Close the socket without LOGOUT."""
        with contextlib.suppress(OSError):  # gone already
            self.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(AttributeError):  # STARTTLS of imaplib leaves a file on the socket
            self.file.close()
        self.sock.close()


def _set_socket_options(sock: socket.socket) -> None:
    """Small commands leave at once; a peer that vanished is noticed within minutes."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        option = getattr(socket, name, None)  # Linux has them all, other systems some
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
