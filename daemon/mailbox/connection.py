"""Commands and their answers on one logged-in connection.

A command is one line; an answer is bounded in bytes and in time; whatever goes wrong leaves here
as one of our errors, and a connection that can't be trusted any more is closed at once. Several
commands may be under way, which imapclient doesn't do. What a response says is for the callers.
"""

import re
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from daemon.errors import Problem
from daemon.mailbox import imap_errors, login
from daemon.mailbox.client import ImapClient

# One response: text, literal, text, literal, …, text; without line ends and `{n}` markers.
Response = list[bytes]

KEEP = 1 << 20  # bytes of one line or literal that are kept; what is longer is read past
SMALL = 8 << 20  # bytes of an answer that says little
LARGE = 1 << 28  # bytes of an answer with messages in it
_SECONDS = 300.0  # for one answer as a whole; the stream leaves a silent server much sooner
_LARGE_RATE = 100_000  # bytes a second of a mail that is fetched whole

_LITERAL = re.compile(rb"\{(\d{1,18})\+?\}")
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

    def __init__(self, client: ImapClient, *, what: str) -> None:
        """Take over a logged-in connection; `what` names the account in errors."""
        self.what = what
        self.closed = False
        self._client = client
        self._stream = client.line
        self._tags = 0
        self._under_way = 0
        self._done: dict[bytes, tuple[bool, str]] = {}

    @property
    def compressed(self) -> bool:
        """Whether both sides compress what they send."""
        return self._stream.compressed

    def command(self, line: bytes, *, keep: int = KEEP, most: int = SMALL) -> ImapReply:
        """Send one command and wait for its answer; a refusal raises Rejected or RetryLater."""
        reply = self.ask(line, keep=keep, most=most)
        if not reply.ok:
            raise imap_errors.refused(reply.text, what=self.what)
        return reply

    def ask(self, line: bytes, *, keep: int = KEEP, most: int = SMALL) -> ImapReply:
        """Send one command and wait for its answer, be it OK, NO or BAD."""
        if self._under_way:
            raise RuntimeError("a fetch on this connection isn't read to its end")
        untagged: list[Response] = []
        seconds = _SECONDS + most / _LARGE_RATE
        ok, text = self.finish(
            self.send(line), untagged.append, keep=keep, most=most, seconds=seconds
        )
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
            self._stream.send(tag + b" " + line + b"\r\n")
        except OSError as error:
            self._lose(error)
        self._under_way += 1
        return tag

    def finish(
        self,
        tag: bytes,
        take: Callable[[Response], object],
        *,
        keep: int = KEEP,
        most: int = LARGE,
        seconds: float = _SECONDS,
    ) -> tuple[bool, str]:
        """Hand over untagged responses until the answer to `tag` has come; (was it OK, text).

        A literal is cut to `keep` bytes; an answer of more than `most` bytes, or one that takes
        more than so many seconds, ends the connection.
        """
        self._stream.expect(seconds=seconds, size=most)
        while tag not in self._done:
            response = self._response(keep)
            self._stream.progress()
            tagged = _TAGGED.match(response[0])
            if tagged:
                self._done[tagged[1]] = (tagged[2].upper() == b"OK", imap_errors.words(tagged[3]))
            elif response[0][:5].upper() == b"* BYE":
                self._lose(imap_errors.words(response[0][5:]))
            elif response[0].startswith(b"* "):
                take(response)
            elif response[0] and not response[0].startswith(b"+"):  # an empty line says nothing
                self._lose(f"not a response: {imap_errors.words(response[0][:60])}")
        self._under_way -= 1
        return self._done.pop(tag)

    def close(self) -> None:
        """Close the connection without LOGOUT; it may be called more than once."""
        if not self.closed:
            self.closed = True
            self._under_way = 0
            login.hang_up(self._client)

    def interrupt(self) -> None:
        """Have a read fail within a second; the one call that another thread may make."""
        self._stream.interrupt()

    def compress(self) -> bool:
        """Compress on both sides from now on; False if the server won't (RFC 4978)."""
        if not self.ask(b"COMPRESS DEFLATE").ok:
            return False
        self._stream.compress()
        return True

    def detach(self) -> tuple[socket.socket, bytes]:
        """The socket, from now on non-blocking, and what was read ahead.

        For whoever continues without us; only `close` may still be called.
        """
        return self._stream.socket, self._stream.hand_over()

    def has_news(self) -> bool:
        """Whether something has come unasked, perhaps the end: then ask before trusting it."""
        look = select.poll()
        look.register(self._stream.socket, select.POLLIN)
        return bool(look.poll(0))

    def _response(self, keep: int) -> Response:
        """One whole response with its literals, each cut to `keep` bytes."""
        line = self._line()
        parts = [line]
        if line.endswith(b"}") and not _STATUS_LINE.match(line) and not _TAGGED.match(line):
            while literal := _announced(parts[-1]):
                parts[-1] = parts[-1][: literal.start()].removesuffix(b"~")
                parts += [self._literal(int(literal[1]), keep), self._line()]
        return parts

    def _line(self) -> bytes:
        line = self._read_line()
        if not line.endswith(b"\n"):
            line = self._end_of_long_line()
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def _end_of_long_line(self) -> bytes:
        """Read past the end of a line of more than a megabyte.

        What the line said is lost: its message counts as not returned.
        """
        tail = b""
        while not tail.endswith(b"\n"):
            tail = self._read_line()[-64:]
        literal = _announced(tail.rstrip(b"\r\n"))
        return b"* (too long) " + (literal[0] if literal else b"") + b"\r\n"

    def _read_line(self) -> bytes:
        """A line, or the first megabyte of one."""
        try:
            line = self._stream.readline(KEEP)
        except OSError as error:
            self._lose(error)
        if not line.endswith(b"\n") and len(line) < KEEP:
            self._lose("closed by the server")
        return line

    def _literal(self, size: int, keep: int) -> bytes:
        if size > LARGE:
            self._lose(f"the server announces {size} bytes")
        kept = self._read(min(size, keep))
        left = size - len(kept)
        while left:
            left -= len(self._read(min(left, 1 << 16)))
        return kept

    def _read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except OSError as error:
            self._lose(error)
        if len(data) != size:
            self._lose("closed by the server")
        return data

    def _lose(self, error: BaseException | str) -> NoReturn:
        self.close()
        problem: Problem = imap_errors.lost(error, what=self.what)
        raise problem from (error if isinstance(error, BaseException) else None)


def _announced(line: bytes) -> re.Match[bytes] | None:
    """The `{n}` at the end of a line that a literal follows; lines are long, so from their end."""
    return _LITERAL.fullmatch(line, max(0, line.rfind(b"{")))
