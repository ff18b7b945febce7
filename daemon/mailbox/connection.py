"""Commands and replies on one logged-in connection, and the gate that all of them pass.

Promises: a command is one line, replies are bounded in bytes and in time, and whatever goes wrong
leaves here as one of our errors; a connection that can't be trusted any more is closed at once.
Reading goes through imaplib's `readline` and `read`, so its buffer stays the only one. Nothing is
kept between commands (imaplib's own table of untagged responses grows on a long connection).
It doesn't understand what a response says; that is the callers' part.
"""

import contextlib
import io
import re
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from imaplib import IMAP4
from typing import NoReturn, cast

from imapclient import IMAPClient

from daemon.errors import Problem
from daemon.mailbox import deflate, imap_errors, login
from daemon.mailbox.buffered_file import BufferedFile

# One response: text, literal, text, literal, …, text; without line ends and `{n}` markers.
Response = list[bytes]

_WIDE = 1 << 18  # bytes of one read, where much is expected
KEEP = 1 << 20  # bytes of one literal that are kept; what is longer is read past
_LONGEST_LITERAL = 1 << 28
_REPLY_BYTES = 1 << 28
_REPLY_SECONDS = 900.0  # for one reply as a whole; a silent server is left by the read timeout

_LITERAL = re.compile(rb"~?\{(\d{1,18})\+?\}$")
_STATUS_LINE = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_TAGGED = re.compile(rb"(m2d\d+) (OK|NO|BAD)\b ?(.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ImapReply:
    """What one command brought: OK or not, the server's words, its untagged responses."""

    ok: bool
    text: str
    untagged: list[Response]

    def matching(self, pattern: re.Pattern[bytes]) -> list[re.Match[bytes]]:
        """The matches of a pattern at the beginning of the untagged responses' first text."""
        return [found for one in self.untagged if (found := pattern.match(one[0]))]


class Connection:
    """One connection, one owner thread; after an error other than a refusal it is closed."""

    def __init__(self, client: IMAPClient, *, what: str) -> None:
        """Take over a logged-in connection; `what` names the account in errors."""
        self.what = what
        self.closed = False
        self._client = client
        self._imap: IMAP4 = client._imap  # noqa: SLF001 - imapclient has no lower public layer
        self._pack: Callable[[bytes], bytes] | None = None
        self._tags = 0
        self._under_way = 0
        self._done: dict[bytes, tuple[bool, str]] = {}
        self._spent = 0
        self._since = self._beaten = time.monotonic()
        # Called about once a second while an answer is coming in, however long that takes.
        self.beat: Callable[[], object] = lambda: None

    def command(self, line: bytes, *, keep: int = KEEP) -> ImapReply:
        """Send one command and wait for its reply; a refusal raises Rejected or RetryLater."""
        reply = self.ask(line, keep=keep)
        if not reply.ok:
            raise imap_errors.refused(reply.text, what=self.what)
        return reply

    def ask(self, line: bytes, *, keep: int = KEEP) -> ImapReply:
        """Send one command and wait for its reply, be it OK, NO or BAD."""
        if self._under_way:
            raise RuntimeError("a fetch on this connection isn't read to its end")
        untagged: list[Response] = []
        ok, text = self.finish(self.send(line), untagged.append, keep=keep)
        return ImapReply(ok, text, untagged)

    def send(self, line: bytes) -> bytes:
        """Put one command on the wire and return its tag; `finish` must follow, in this order."""
        if self.closed:
            raise imap_errors.lost("closed before", what=self.what)
        if b"\r" in line or b"\n" in line or b"\0" in line:
            raise ValueError("a command is one line")  # ours, never a server's or a mail's
        self._tags += 1
        tag = b"m2d%d" % self._tags
        try:
            self._imap.send(self._packed(tag + b" " + line + b"\r\n"))
        except (OSError, IMAP4.error) as error:
            self._lose(error)
        self._spent, self._since = 0, time.monotonic()
        self._under_way += 1
        return tag

    def finish(
        self, tag: bytes, take: Callable[[Response], object], *, keep: int = KEEP
    ) -> tuple[bool, str]:
        """Hand over untagged responses until the reply to `tag` has come; (was it OK, text)."""
        while tag not in self._done:
            response = self._response(keep)
            tagged = _TAGGED.match(response[0])
            if tagged:
                self._done[tagged[1]] = (tagged[2].upper() == b"OK", imap_errors.words(tagged[3]))
            elif response[0][:5].upper() == b"* BYE":
                self._lose(imap_errors.words(response[0][5:]))
            elif response[0].startswith(b"* "):
                take(response)
            elif not response[0].startswith(b"+"):
                self._lose(f"not a response: {imap_errors.words(response[0][:60])}")
        self._under_way -= 1
        return self._done.pop(tag)

    def close(self) -> None:
        """Close the connection without a word; it may be called more than once."""
        if not self.closed:
            self.closed = True
            self._under_way = 0
            login.hang_up(self._client)

    def cut(self) -> None:
        """End the line under whoever reads it; the one call that another thread may make."""
        # Not close: it would wait for the reader to let go of imaplib's file.
        with contextlib.suppress(OSError):  # gone already
            self._client.socket().shutdown(socket.SHUT_RDWR)

    def widen(self) -> None:
        """Read in large pieces: where other threads compute, each read has to wait for them."""
        if deflate.POSSIBLE:  # there, too, imaplib has to have a file
            pieces = BufferedFile(cast("io.BufferedReader", self._imap.file))
            self._imap.file = io.BufferedReader(pieces, _WIDE)

    def compress(self) -> bool:
        """Have both sides speak compressed from now on; False if the server won't (RFC 4978)."""
        if not self.ask(b"COMPRESS DEFLATE").ok:
            return False
        # What imaplib's file has read ahead behind the OK is packed already, so we read through it.
        self._imap.file = deflate.unpacked(cast("io.BufferedReader", self._imap.file))
        self._pack = deflate.packer()
        return True

    def detach(self) -> tuple[socket.socket, bytes]:
        """The socket, from now on non-blocking, and what was read from it ahead of need.

        For whoever goes on without us; only `close` may still be called. Not for a line that is
        compressed: who goes on couldn't read it.
        """
        if self._pack is not None:
            raise RuntimeError("a compressed line can't be handed over")
        line: socket.socket = self._client.socket()
        line.settimeout(0)
        # Python 3.14 keeps its own list of pieces, earlier ones a buffered file.
        pieces = getattr(self._imap, "_readbuf", None)
        if pieces is not None:
            return line, b"".join(pieces)
        try:
            file = cast("io.BufferedReader", self._imap.file)
            return line, file.read(len(file.peek(1)))
        except (BlockingIOError, ssl.SSLWantReadError):
            return line, b""
        except OSError as error:
            self._lose(error)

    def has_news(self) -> bool:
        """Whether something has come unasked, be it the end: then ask before trusting it."""
        look = select.poll()
        look.register(self._client.socket(), select.POLLIN)
        return bool(look.poll(0))

    def _packed(self, line: bytes) -> bytes:
        return self._pack(line) if self._pack is not None else line

    def _response(self, keep: int) -> Response:
        """One whole response with its literals, each cut to `keep` bytes."""
        line = self._line()
        parts = [line]
        if line.endswith(b"}") and not _STATUS_LINE.match(line) and not _TAGGED.match(line):
            while literal := _LITERAL.search(parts[-1]):
                parts[-1] = parts[-1][: literal.start()]
                parts += [self._literal(int(literal[1]), keep), self._line()]
        return parts

    def _line(self) -> bytes:
        try:
            line = self._imap.readline()
        except IMAP4.abort as error:
            self._lose(error)
        except IMAP4.error:
            line = self._end_of_long_line()
        except (OSError, ValueError) as error:  # ValueError: read on a file that is closed
            self._lose(error)
        if not line.endswith(b"\n"):
            self._lose("closed by the server")
        self._count(len(line))
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def _end_of_long_line(self) -> bytes:
        """Find the end of a line on which imaplib gave up at a megabyte, so that the next is read.

        What the line said is lost: its message counts as not returned.
        """
        tail = b""
        while not tail.endswith(b"\n"):
            try:
                piece = self._imap.readline()
            except IMAP4.error:
                self._count(KEEP)
                continue
            except OSError as error:
                self._lose(error)
            if not piece:
                self._lose("closed by the server")
            tail = piece[-64:]
        literal = _LITERAL.search(tail.rstrip(b"\r\n"))
        return b"* (too long) " + (literal[0] if literal else b"") + b"\r\n"

    def _literal(self, size: int, keep: int) -> bytes:
        if size > _LONGEST_LITERAL:
            self._lose(f"the server announces {size} bytes")
        kept = self._read(min(size, keep))
        left = size - len(kept)
        while left:
            left -= len(self._read(min(left, 1 << 16)))
        return kept

    def _read(self, size: int) -> bytes:
        try:
            data = self._imap.read(size)
        except (OSError, IMAP4.error, ValueError) as error:
            self._lose(error)
        if len(data) != size:
            self._lose("closed by the server")
        self._count(size)
        return data

    def _count(self, size: int) -> None:
        self._spent += size
        now = time.monotonic()
        if self._spent > _REPLY_BYTES or now - self._since > _REPLY_SECONDS:
            self._lose("the server talks without end")
        if now - self._beaten >= 1.0:
            self._beaten = now
            self.beat()

    def _lose(self, error: BaseException | str) -> NoReturn:
        self.close()
        problem: Problem = imap_errors.lost(error, what=self.what)
        raise problem from (error if isinstance(error, BaseException) else None)
