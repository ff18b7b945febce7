"""One mailbox over IMAP, read-only: its folders, their counters, their UIDs, their messages.

Promises: nothing on the server changes (EXAMINE and BODY.PEEK only); a poll that finds nothing is
one round trip where the server has LIST-STATUS; every failure is one of our errors, and after one
that isn't a plain refusal the connection is closed. A `Mailbox` belongs to one thread.
It remembers nothing beyond the connection: what is new is decided by `cursor` and the ledger.
"""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from types import TracebackType
from typing import Self

from daemon.errors import Problem, Rejected, RetryLater, Unreadable
from daemon.mailbox import fetch, imap_errors
from daemon.mailbox import folders as folder_names
from daemon.mailbox.account import Account
from daemon.mailbox.connection import Connection, ImapReply
from daemon.mailbox.cursor import Batches, expand, search_from, windows
from daemon.mailbox.fetch import Fetch, Fetched, Unfetched
from daemon.mailbox.fetch_response import read_fetch
from daemon.mailbox.folders import FolderRole, FolderStatus
from daemon.mailbox.login import is_loopback, log_in

__all__ = [
    "Account",
    "Batches",
    "Fetched",
    "FolderRole",
    "FolderStatus",
    "Mailbox",
    "Unfetched",
    "in_batches",
]

SEARCH_WIDTH = 80_000  # UIDs of one answer: 10 digits and a blank each stay below a megabyte
LARGEST_MESSAGE = 1 << 28  # bytes that `raw` takes
_STATUS_AT_ONCE = 8

_MONTHS = (*("Jan", "Feb", "Mar", "Apr", "May", "Jun"), *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"))
_SEARCH = re.compile(rb"\* SEARCH((?: +\d{1,10}\b)*)", re.IGNORECASE)
_ESEARCH = re.compile(rb"\* ESEARCH\b.*? ALL ([\d:,]+)", re.IGNORECASE)
_EXISTS = re.compile(rb"\* (\d{1,18}) EXISTS", re.IGNORECASE)
_COUNTER = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT) (\d{1,18})\]", re.IGNORECASE)


def in_batches(uids: Sequence[int], *, lines: int = 1) -> Batches:
    """UIDs for fetches on so many connections, which share what may be on the wire at once."""
    return Batches(uids, fetch.BATCH, lines)


class Mailbox:
    """One connection to one account, with at most one folder open."""

    def __init__(
        self, account: Account, *, bulk: bool = False, alive: Callable[[], object] = lambda: None
    ) -> None:
        """Use `connect`; this one isn't logged in."""
        self.account = account
        self.capabilities: frozenset[str] = frozenset()
        self._bulk = bulk
        self._alive = alive
        self._connection: Connection
        self._run: Fetch | None = None  # the last one
        self._selected: FolderStatus | None = None
        self._wire_names: dict[str, bytes] = {}
        self._roles: tuple[float, tuple[FolderRole, ...]] | None = None  # and when they were listed

    @classmethod
    def connect(
        cls, account: Account, *, bulk: bool = False, alive: Callable[[], object] = lambda: None
    ) -> Self:
        """Log in; raises AuthProblem, ConfigProblem or RetryLater.

        With `bulk`, much is to be read: the line is compressed where that pays. Such a line holds
        80 kB of memory and can't be handed to the watcher, so lines that are kept do without.
        `alive` is called about once a second while we wait for the server.
        """
        mailbox = cls(account, bulk=bulk, alive=alive)
        mailbox._log_in()
        return mailbox

    def _log_in(self) -> None:
        client = log_in(self.account, self._alive)
        self.capabilities = frozenset(str(one, "ascii", "replace") for one in client.capabilities())
        self._connection = Connection(client, what=self.account.name)
        if "ID" in self.capabilities:
            # NetEase opens no folder for a client that hasn't said its name (RFC 2971).
            self._connection.ask(b'ID ("name" "mail2deal")')
        pays = self._bulk and not is_loopback(self.account.host)
        compress = pays if self.account.compress is None else self.account.compress
        if compress and "COMPRESS=DEFLATE" in self.capabilities:
            self._connection.compress()

    def reconnect(self) -> None:
        """Log in anew in the place of a connection that was lost; no folder is open then."""
        self._connection.close()
        self._selected = None
        self._log_in()

    def __enter__(self) -> Self:
        """Leave the block, and the connection is closed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log out, or just close if that isn't possible."""
        self.close()

    @property
    def _wire(self) -> Connection:
        """The connection, free for a command: a fetch that was left before its end is over."""
        if self._run is not None:
            self._run.interrupt()
        return self._connection

    @property
    def compressed(self) -> bool:
        """Whether both sides compress what they send."""
        return self._connection.compressed

    @property
    def closed(self) -> bool:
        """Whether the connection is gone; then only a new one helps."""
        return self._connection.closed

    def folders(self, *, max_age: float = 0.0) -> tuple[FolderRole, ...]:
        """The folders that matter, by configuration, SPECIAL-USE and name; see `folders.roles`.

        A list that this connection saw at most `max_age` seconds ago will do, unless `status` has
        missed a folder since. Raises ConfigProblem for a configured folder that isn't there.
        Without a `sent` role in the result, replies can't be told.
        """
        now = time.monotonic()
        if self._roles is not None and now - self._roles[0] < max_age:
            return self._roles[1]
        roles = self._list()
        self._roles = now, roles
        return roles

    def _list(self) -> tuple[FolderRole, ...]:
        extended = {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities
        reply = self._wire.ask(b'LIST "" "*" RETURN (SPECIAL-USE)' if extended else b'LIST "" "*"')
        if not reply.ok and extended:
            reply = self._wire.ask(b'LIST "" "*"')
        if not reply.ok:
            raise imap_errors.refused(reply.text, what=self.account.name)
        there = folder_names.listed(reply.untagged)
        if not there:
            # There is always an INBOX (RFC 3501, 5.1): an empty list is a server in trouble.
            raise RetryLater("the server lists no folder at all", what=self.account.name)
        self._wire_names = {one.name: one.wire for one in there}
        return folder_names.roles(
            there,
            what=self.account.name,
            inbox=self.account.inbox,
            sent=self.account.sent,
            gmail="X-GM-EXT-1" in self.capabilities,
        )

    def status(self, names: Sequence[str]) -> dict[str, FolderStatus]:
        """The counters of folders, without opening any; one that can't be had is left out.

        A folder that is open is closed first: what STATUS says of it may be old (RFC 3501, 6.3.10).
        """
        self._unselect()
        items = b"(MESSAGES UIDNEXT UIDVALIDITY)"
        wires = {name: self._wire_name(name) for name in names}
        found: dict[bytes, dict[str, int]] = {}
        if {"LIST-STATUS", "LIST-EXTENDED"} <= self.capabilities and names:
            patterns = b" ".join(folder_names.quoted(wire) for wire in wires.values())
            reply = self._wire.ask(b'LIST "" (%s) RETURN (STATUS %s)' % (patterns, items))
            found = folder_names.statuses(reply.untagged) if reply.ok else {}
        left = [wire for wire in wires.values() if folder_names.canonical(wire) not in found]
        if left and len(left) == len(wires):
            found = self._status_each(left, items)
        counted = {
            name: found.get(folder_names.canonical(wire), {}) for name, wire in wires.items()
        }
        counters = {
            name: FolderStatus(
                name,
                numbers["UIDVALIDITY"],
                numbers["UIDNEXT"],
                numbers["MESSAGES"],
            )
            for name, numbers in counted.items()
            if {"UIDVALIDITY", "UIDNEXT", "MESSAGES"} <= numbers.keys()
        }
        if len(counters) < len(wires):
            self._roles = None  # renamed or deleted, perhaps
        return counters

    def examine(self, name: str) -> FolderStatus:
        """Open a folder read-only; raises Rejected if the server won't."""
        self._selected = None
        reply = self._wire.ask(b"EXAMINE " + folder_names.quoted(self._wire_name(name)))
        if not reply.ok:
            raise imap_errors.refused(reply.text, what=f"{self.account.name}/{name}")
        exists = [int(found[1]) for found in reply.matching(_EXISTS)]
        counters = {found[1].upper(): int(found[2]) for found in reply.matching(_COUNTER)}
        messages = exists[-1] if exists else 0
        if messages and b"UIDVALIDITY" not in counters:
            raise Rejected("the server gives no UIDVALIDITY", what=f"{self.account.name}/{name}")
        self._selected = FolderStatus(
            name,
            counters.get(b"UIDVALIDITY", 0),
            counters.get(b"UIDNEXT") or self._uidnext(messages),
            messages,
        )
        return self._selected

    def uids(self, *, since: date | None = None, first: int = 1) -> list[int]:
        """UIDs of the open folder from `first` on, in ascending order.

        With `since`, those that arrived on that day or later, and a few from the two days before:
        servers compare their own day, so the caller compares `internal_date`.
        """
        status = self._opened()
        criteria = [b"UID %d:*" % first] if first > 1 else []
        if day := search_from(since):
            criteria.append(
                b"SINCE %d-%s-%d" % (day.day, _MONTHS[day.month - 1].encode(), day.year)
            )
        found: set[int] = set()
        for low, high in windows(status.messages, SEARCH_WIDTH):
            # A range of sequence numbers bounds the answer, however the UIDs are spread.
            every = status.messages <= SEARCH_WIDTH
            span = [] if every else [b"%d:%d" % (low, high)]
            found.update(self._search(b" ".join(span + criteria) or b"ALL", status.messages))
        # `n:*` names the last message even if its UID is below n (RFC 3501, sequence-set).
        return sorted(uid for uid in found if uid >= first)

    def fetch(
        self, uids: Sequence[int] | Batches, *, one_at_a_time: bool = False
    ) -> Iterator[Fetched | Unfetched]:
        """Messages of the open folder: every UID once, as it becomes ready, in no fixed order.

        It may be left at any point; after another command on this mailbox it can't continue. UIDs
        `in_batches` may be shared with the fetch of another connection. With `one_at_a_time`, a
        command waits for the answer to the one before.
        """
        if not isinstance(uids, Batches):
            uids = in_batches(uids)
        self._opened()
        thread_item = b"X-GM-THRID" if "X-GM-EXT-1" in self.capabilities else None
        if thread_item is None and "OBJECTID" in self.capabilities:
            thread_item = b"THREADID"
        self._run = Fetch(self._wire, uids, thread_item=thread_item, one_at_a_time=one_at_a_time)
        return self._run

    @property
    def under_way(self) -> tuple[int, ...]:
        """After a fetch that has lost the line: the messages that the server was to send then."""
        return self._run.suspects if self._run is not None else ()

    def raw(self, uid: int) -> bytes:
        """A whole message of the open folder; raises Unreadable if it isn't there any more."""
        self._opened()
        reply = self._wire.command(b"UID FETCH %d (UID BODY.PEEK[])" % uid, keep=LARGEST_MESSAGE)
        for response in reply.untagged:
            items = read_fetch(response) or {}
            body = items.get(b"[]")
            if items.get(b"UID") == b"%d" % uid and isinstance(body, bytes):
                return body
        raise Unreadable("not on the server any more", what=f"{self.account.name} UID {uid}")

    def noop(self) -> None:
        """Ask whether the connection lives, and keep it so."""
        self._wire.command(b"NOOP")

    def is_sound(self) -> bool:
        """Whether a kept connection can be used; asks only if the server has said something."""
        try:
            if not self.closed and self._wire.has_news():
                self.noop()
        except Problem:
            self._connection.close()
        return not self.closed

    def detach(self) -> tuple[socket.socket, bytes]:
        """The bare socket and what was read ahead, for `watch`; then only `abandon` is allowed."""
        return self._wire.detach()

    def interrupt(self) -> None:
        """Have the read fail that another thread is waiting in; that thread then closes."""
        self._connection.interrupt()

    def abandon(self) -> None:
        """Close the connection without a word."""
        self._connection.close()

    def close(self) -> None:
        """Log out and close; never raises for a connection that is already gone."""
        with contextlib.suppress(Problem):
            if not self.closed:
                self._wire.ask(b"LOGOUT")
        self._connection.close()

    def _opened(self) -> FolderStatus:
        if self._selected is None:
            raise RuntimeError("no folder is open: examine one first")
        return self._selected

    def _unselect(self) -> None:
        if self._selected is not None:
            self._selected = None
            # CLOSE expunges nothing in a folder opened by EXAMINE (RFC 3501, 6.4.2).
            # Some refuse to close what was opened read-only; the next EXAMINE leaves it anyway.
            self._wire.ask(b"UNSELECT" if "UNSELECT" in self.capabilities else b"CLOSE")

    def _wire_name(self, name: str) -> bytes:
        return self._wire_names.get(name) or folder_names.on_wire(name)

    def _status_each(self, wires: list[bytes], items: bytes) -> dict[bytes, dict[str, int]]:
        """STATUS one by one, a few on the wire at once; a folder that is refused is left out."""
        found: dict[bytes, dict[str, int]] = {}
        for start in range(0, len(wires), _STATUS_AT_ONCE):
            few = wires[start : start + _STATUS_AT_ONCE]
            untagged: list[list[bytes]] = []
            tags = [
                self._wire.send(b"STATUS %s %s" % (folder_names.quoted(wire), items))
                for wire in few
            ]
            answers = [self._wire.finish(tag, untagged.append) for tag in tags]
            for ok, text in answers:
                problem = None if ok else imap_errors.refused(text, what=self.account.name)
                if isinstance(problem, RetryLater):
                    raise problem
            found |= folder_names.statuses(untagged)
        return found

    def _uidnext(self, messages: int) -> int:
        """For a server that doesn't say: one more than the last UID there is."""
        return max(self._search(b"UID *", messages), default=0) + 1 if messages else 1

    def _search(self, criteria: bytes, messages: int) -> list[int]:
        extended = "ESEARCH" in self.capabilities
        reply = self._wire.command(
            b"UID SEARCH %s%s" % (b"RETURN (ALL) " if extended else b"", criteria)
        )
        return _found(reply, limit=2 * messages + 1000, what=self.account.name)


def _found(reply: ImapReply, *, limit: int, what: str) -> list[int]:
    """The UIDs of a SEARCH or ESEARCH answer; some servers split it over several lines."""
    uids = [int(uid) for line in reply.matching(_SEARCH) for uid in line[1].split()]
    try:
        for line in reply.matching(_ESEARCH):
            uids += expand(line[1].decode("ascii"), limit=limit)
    except ValueError as error:
        raise RetryLater(f"the server finds impossible UIDs: {error}", what=what) from error
    return uids
