"""News without asking: one thread that listens on a connection of every mailbox.

    IDLE (RFC 2177)     one connection a folder, INBOX first: EXISTS; DONE and again every 9 min
    NOTIFY (RFC 5465)   that of INBOX tells of the other folders as well, Sent included: STATUS

What arrives is told at once. A line that is gone, even one that a NAT has forgotten, is noticed at
its next renewal and told as news, so that a poll finds out what happened. All of it is only a hint:
nothing is lost where it fails, the polls continue. The watcher never connects and never waits for a
server; whoever has just polled well hands it a connection, if `wants` says that it may.
"""

import contextlib
import logging
import queue
import random
import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from daemon.errors import Problem
from daemon.log import event
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.trust import INBOX, Trust
from daemon.rules import backoff

_LONGEST_LINE = 1 << 16
_READ = 1 << 14
_NEWS = re.compile(rb"\* (?:\d{1,18} EXISTS|STATUS )", re.IGNORECASE)
_OVERFLOW = re.compile(rb"\* OK \[NOTIFICATIONOVERFLOW", re.IGNORECASE)
_TAGGED = re.compile(rb"(m2dw\d+) (OK|NO|BAD)", re.IGNORECASE)
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds; a server may hang up after 30 minutes of IDLE, a NAT after 10 of silence."""

    renew: float = 540.0
    answer: float = 30.0  # for `+` after IDLE and for OK after DONE
    # How long a mailbox is left to polling that has dropped its line twice, three times, …
    again: tuple[float, ...] = backoff.doubling(60.0, 3600.0)
    never: float = 21_600.0  # where the server has no IDLE, or refuses it


@dataclass(slots=True, eq=False)
class _Line:
    """One connection that was handed over."""

    name: str
    folder: str
    mailbox: Mailbox
    socket: socket.socket
    buffer: bytearray
    state: Literal["starting", "idling", "ending"] = "starting"
    tags: int = 0
    due: float = 0.0  # monotonic: then it is renewed, or given up
    told: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.folder

    @property
    def tag(self) -> bytes:
        return b"m2dw%d" % self.tags


@dataclass(slots=True)
class _Orders:
    """What other threads have asked for; a byte through the pipe says that there is something."""

    lines: "queue.SimpleQueue[_Line]" = field(default_factory=queue.SimpleQueue)
    forget: bool = False
    stop: bool = False


class Watcher:
    """All lines in IDLE; `wants`, `watch`, `forget` and `stop` are for any thread."""

    def __init__(
        self,
        notice: Callable[[str], object],
        rhythm: Rhythm | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`notice(mailbox)` is called in the watcher's thread; it must not wait for anything."""
        self._notice = notice
        self._rhythm = rhythm or Rhythm()
        self._monotonic = monotonic
        self._orders = _Orders()
        self._trust = Trust(self._rhythm.again, monotonic)
        self._begun: set[str] = set()
        self._selector = selectors.DefaultSelector()
        self._inner, self._outer = socket.socketpair()
        self._inner.settimeout(0)
        self._outer.settimeout(0)
        self._selector.register(self._inner, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_running(self) -> bool:
        """Whether the thread lives; without it, polling goes on alone."""
        return self._thread.is_alive()

    def watched(self) -> int:
        """How many mailboxes have a line."""
        return self._trust.watched()

    def wants(self, name: str, folder: str = INBOX) -> bool:
        """Whether a connection for this folder of a mailbox is welcome now."""
        return self._trust.wants(name, folder)

    def watch(
        self, name: str, mailbox: Mailbox, folder: str = INBOX, folders: Sequence[str] = ()
    ) -> bool:
        """Take over a connection, in the thread that owns it; False if the server has no IDLE.

        It listens to `folder`, and to `folders` as well where the server has NOTIFY. The caller
        doesn't use the connection again. Raises what opening the folder raises; then the
        connection is closed.
        """
        if not self._thread.is_alive():
            mailbox.close()
            return False
        try:
            if not mailbox.can("IDLE"):
                self._trust.refused((name, folder), self._rhythm.never)
                mailbox.close()
                return False
            mailbox.examine(folder)
            others = [one for one in folders if one != folder]
            notifies = bool(others) and mailbox.notify(others)
            line, read = mailbox.detach()
        except Problem:
            mailbox.close()
            raise
        self._trust.begun((name, folder), notified=notifies)
        self._orders.lines.put(_Line(name, folder, mailbox, line, bytearray(read)))
        self._wake()
        return True

    def distrust(self, name: str, folder: str = INBOX) -> None:
        """A connection for this folder couldn't be had: leave it to polling for a while."""
        self._trust.failed((name, folder), at_once=True)

    def forget(self) -> None:
        """Close all lines and begin anew: the configuration may mean other accounts."""
        self._trust.clear()
        self._orders.forget = True
        self._wake()

    def stop(self) -> None:
        """Close all lines and end the thread."""
        self._orders.stop = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
            self._outer.send(b".")

    # In the watcher's thread

    def _run(self) -> None:
        try:
            while not self._orders.stop:
                for key, _ in self._selector.select(self._pause()):
                    if key.data is None:
                        self._take_orders()
                    elif key.data.socket.fileno() >= 0:  # not closed by what came just before it
                        self._guarded(key.data, self._read)
                now = self._monotonic()
                for line in self._lines():
                    if line.due <= now:
                        self._guarded(line, self._act)
        finally:
            for line in self._lines():
                self._close(line)
            self._selector.close()
            self._inner.close()
            self._outer.close()

    def _lines(self) -> list[_Line]:
        return [key.data for key in self._selector.get_map().values() if key.data is not None]

    def _pause(self) -> float:
        due = min((line.due for line in self._lines()), default=self._monotonic() + 3600.0)
        return max(0.0, due - self._monotonic())

    def _take_orders(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._inner.recv(1024):
                pass
        if self._orders.forget:
            self._orders.forget = False
            for line in self._lines():
                self._close(line)
        with contextlib.suppress(queue.Empty):
            while True:
                line = self._orders.lines.get_nowait()
                self._selector.register(line.socket, selectors.EVENT_READ, line)
                self._guarded(line, self._idle)

    def _guarded(self, line: _Line, do: Callable[[_Line], None]) -> None:
        """Whatever fails on one line ends that line only."""
        try:
            do(line)
        except (OSError, _Ended) as error:
            self._drop(line, str(error) or type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the boundary: a bug here may not end all lines
            event("watch.defect", logging.ERROR, mailbox=line.name, error=repr(error))
            self._drop(line, repr(error))

    def _read(self, line: _Line) -> None:
        """Take all that has come; TLS may hold more than the socket shows as readable."""
        while True:
            try:
                data = line.socket.recv(_READ)
            except _NOT_NOW:
                break
            if not data:
                raise _Ended("closed by the server")
            line.buffer += data
            self._understand(line)

    def _understand(self, line: _Line) -> None:
        *lines, rest = line.buffer.split(b"\n")
        line.buffer = rest
        if len(rest) > _LONGEST_LINE:
            raise _Ended("a line without end")
        news = False
        for text in lines:
            news |= self._heard(line, bytes(text))
        if news:
            self._notice(line.name)

    def _heard(self, line: _Line, text: bytes) -> bool:
        """One line from the server; whether it is news."""
        if not text.strip():
            return False
        if text.startswith(b"+"):
            return line.state == "starting" and self._settle(line)
        if tagged := _TAGGED.match(text):
            if tagged[1].lower() != line.tag or tagged[2].upper() != b"OK":
                refused = f"IDLE refused: {text[:100].decode('ascii', 'replace').strip()}"
                self._trust.refused(line.key, self._rhythm.never)
                line.mailbox.account.ladder.give_up("IDLE", refused)
                raise _Ended(refused)
            if line.state != "ending":
                raise _Ended("IDLE ended by the server")
            self._idle(line)
            return False
        if not text.startswith(b"* "):
            raise _Ended("not a response")
        if text[:5].upper() == b"* BYE":
            raise _Ended(text[2:100].decode("ascii", "replace").strip())
        if _OVERFLOW.match(text):  # it stops telling (RFC 5465, 5.8)
            raise _Ended("too many notifications")
        # Some servers say it before they say `+`.
        return _NEWS.match(text) is not None

    def _settle(self, line: _Line) -> bool:
        """IDLE has begun; what came between the last poll and now is news, once."""
        line.state = "idling"
        # Spread, so that a thousand lines aren't renewed in one second.
        line.due = self._monotonic() + self._rhythm.renew * random.uniform(0.9, 1.1)  # noqa: S311 - spreads only
        first, line.told = not line.told, True
        if first:
            # A server may end it every half an hour; that it began again is no news.
            level = logging.DEBUG if line.name in self._begun else logging.INFO
            self._begun.add(line.name)
            event("watch.begun", level, mailbox=line.name)
        else:
            self._trust.renewed(line.key)
        return first

    def _act(self, line: _Line) -> None:
        if line.state != "idling":
            raise _Ended("no answer in time")
        self._send(line, b"DONE\r\n")
        line.state = "ending"

    def _idle(self, line: _Line) -> None:
        line.tags += 1
        self._send(line, line.tag + b" IDLE\r\n")
        line.state = "starting"
        if line.buffer:
            self._understand(line)

    def _send(self, line: _Line, data: bytes) -> None:
        try:
            sent = line.socket.send(data)
        except _NOT_NOW:
            sent = 0
        if sent != len(data):  # a dozen bytes don't fit: nobody has read for long
            raise _Ended("the server doesn't read")
        line.due = self._monotonic() + self._rhythm.answer

    def _drop(self, line: _Line, reason: str) -> None:
        if self._trust.failed(line.key) > 1 and not line.told:
            line.mailbox.account.ladder.give_up("IDLE", reason)
        self._close(line)
        event("watch.lost", logging.DEBUG, mailbox=line.name, reason=reason)
        self._notice(line.name)  # a poll shows whether the server is there

    def _close(self, line: _Line) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(line.socket)
        line.mailbox.abandon()
        self._trust.ended(line.key)


class _Ended(Exception):
    """A line that can't be used any more, and why."""
