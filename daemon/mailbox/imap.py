"""One mailbox over IMAP, read-only: its folders, their counters, their UIDs, their messages.

Nothing on the server changes (EXAMINE and BODY.PEEK only); a poll that finds nothing is one round
trip where the server has LIST-STATUS; every failure is one of our errors, and after one that isn't
a plain refusal the connection is closed. A `Mailbox` belongs to one thread. It remembers nothing
beyond the connection: what is new is decided by `cursor` and the ledger.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Self

from daemon.errors import ConfigProblem, Rejected
from daemon.mailbox import fetch, imap_errors, listing, places
from daemon.mailbox import folders as folder_names
from daemon.mailbox.account import Account
from daemon.mailbox.connection import ImapReply
from daemon.mailbox.cursor import Batches
from daemon.mailbox.fetch import Fetch
from daemon.mailbox.fetch_command import FetchCommand
from daemon.mailbox.fetched import Fetched, Unfetched
from daemon.mailbox.folders import FolderRole, FolderStatus
from daemon.mailbox.places import Place
from daemon.mailbox.search import SEARCH_WIDTH, Search
from daemon.mailbox.session import ImapSession
from daemon.mailbox.status import counters, opened
from daemon.mailbox.stream import Alive

__all__ = [
    "Account",
    "Batches",
    "Fetched",
    "FolderRole",
    "FolderStatus",
    "Mailbox",
    "Place",
    "Unfetched",
]

_MOST_MESSAGES = 50_000_000  # each 80,000 of them cost a question


class Mailbox:
    """One connection to one account, with at most one folder open."""

    def __init__(self, session: ImapSession) -> None:
        """Use `connect`."""
        self.account = session.account
        self.missing: dict[str, ConfigProblem] = {}  # configured folders that aren't there
        self.in_both: set[str] = set()  # folders that the configuration names in both roles
        self._session = session
        self._selected: FolderStatus | None = None
        self._wire_names: dict[str, bytes] = {}
        self._counted: dict[str, FolderStatus] = {}  # by STATUS, until the folder is opened
        self._roles: tuple[float, tuple[FolderRole, ...]] | None = None  # and when they were listed

    @classmethod
    def connect(
        cls, account: Account, *, bulk: bool = False, alive: Alive = lambda *_: None
    ) -> Self:
        """Log in; raises AuthProblem, ConfigProblem or RetryLater.

        With `bulk`, much is to be read: the line is compressed where that pays. Such a line holds
        80 kB of memory and can't be handed to the watcher, so lines that are kept do without.
        `alive` is called about once a second while we wait for the server, see `Stream`.
        """
        return cls(ImapSession(account, bulk=bulk, alive=alive))

    def reconnect(self) -> None:
        """Log in anew in the place of a connection that was lost; no folder is open then."""
        self._session.connection.close()
        self._selected = None
        self._session.log_in()

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
    def capabilities(self) -> frozenset[str]:
        """What the server says that it can do."""
        return self._session.capabilities

    def can(self, *names: str) -> bool:
        """Whether the server offers these extensions and hasn't failed at one of them."""
        return self._session.can(*names)

    @property
    def compressed(self) -> bool:
        """Whether both sides compress what they send."""
        return self._session.connection.compressed

    @property
    def closed(self) -> bool:
        """Whether the connection is gone; then only a new one helps."""
        return self._session.connection.closed

    def folders(self, *, max_age: float = 0.0) -> tuple[FolderRole, ...]:
        """The folders that matter, by configuration, SPECIAL-USE and name; see `folders.roles`.

        A list that this connection saw at most `max_age` seconds ago will do, unless `status` has
        missed a folder since. A configured folder that isn't there is among them and in `missing`;
        opening it raises ConfigProblem. Without a `sent` role in the result, replies can't be told.
        """
        now = time.monotonic()
        if self._roles is not None and now - self._roles[0] < max_age:
            return self._roles[1]
        there = listing.folders(self._session)
        self._wire_names = {one.name: one.wire for one in there}
        found = listing.sent(self, self._session, there)
        gmail = "X-GM-EXT-1" in self.capabilities
        roles, self.missing = folder_names.roles(
            there,
            what=self.account.name,
            inbox=self.account.inbox,
            sent=found,
            gmail=gmail,
        )
        self.in_both = folder_names.in_both(there, self.account, gmail=gmail)
        self._roles = now, roles
        return roles

    def status(self, names: Sequence[str]) -> dict[str, FolderStatus]:
        """The counters of folders, without opening any; one that can't be had is left out.

        A folder that is open is closed first: what STATUS says of it may be old (RFC 3501, 6.3.10).
        """
        self._unselect()
        wires = {name: self._wire_name(name) for name in names if name not in self.missing}
        found = counters(self._session, wires)
        counted = {
            name: FolderStatus.of(name, numbers)
            for name, wire in wires.items()
            if {"UIDVALIDITY", "UIDNEXT", "MESSAGES"}
            <= (numbers := found.get(folder_names.canonical(wire), {})).keys()
        }
        self._counted = dict(counted)
        if len(counted) < len(wires):
            self._roles = None  # renamed or deleted, perhaps
        return counted

    def examine(self, name: str) -> FolderStatus:
        """Open a folder read-only; raises ConfigProblem if it isn't there, Rejected if refused."""
        self._selected = None
        if name in self.missing:
            raise self.missing[name]
        what = f"{self.account.name}/{name}"
        line = b"EXAMINE " + folder_names.quoted(self._wire_name(name))
        try:
            reply = self._session.ask(line)
        except imap_errors.NoBackend:
            self.reconnect()
            reply = self._session.ask(line)
        if not reply.ok:
            raise imap_errors.refused(reply.text, what=what)
        status = opened(reply, name)
        counted = self._counted.pop(name, None)
        if counted is not None and counted.uidvalidity == status.uidvalidity:
            # Where EXAMINE counts fewer, SEARCH decides: mails may have been expunged since.
            most = max(status.messages, min(counted.messages, SEARCH_WIDTH))
            status = status._replace(messages=most)
        if status.messages and not status.uidvalidity:
            raise Rejected("the server gives no UIDVALIDITY", what=what)
        if status.messages > _MOST_MESSAGES:
            raise Rejected(
                f"the server counts {status.messages} messages, which can't be", what=what
            )
        if not status.uidnext:  # for a server that doesn't say: one more than the last there is
            last = self._search(status).last()
            status = status._replace(uidnext=(last or 0) + 1)
        self._selected = status
        return status

    def uids(self, *, since: date | None = None, first: int = 1) -> list[int]:
        """UIDs of the open folder from `first` on, in ascending order.

        With `since`, those that arrived on that day or later, and a few from the two days before:
        servers compare their own day, so the caller compares `internal_date`.
        """
        return self._search(self._opened()).uids(since=since, first=first)

    def newest(self) -> datetime | None:
        """When the last message of the open folder arrived; None if it is empty."""
        return places.newest(self._session, self._opened().messages)

    def batches(self, uids: Sequence[int], *, lines: int = 1, most: int | None = None) -> Batches:
        """UIDs for fetches on so many connections, at most `most` of them in one command.

        The connections share what may be on the wire at once.
        """
        sizes = (fetch.BATCH, most, self.account.ladder.batch)
        least = min(size for size in sizes if size)
        return Batches(uids, least, lines, room=FetchCommand.room())

    def fetch(
        self,
        uids: Sequence[int] | Batches,
        *,
        one_at_a_time: bool = False,
        plain: bool = False,
        partial: bool = True,
    ) -> Iterator[Fetched | Unfetched]:
        """Messages of the open folder: every UID once, as it becomes ready, in no fixed order.

        It may be left at any point; after another command on this mailbox it can't continue.
        `batches` may be shared with the fetch of another connection. With `one_at_a_time`, a
        command waits for the answer to the one before; `plain` asks for no structure, but for the
        beginning of the whole, and without `partial` for all of it.
        """
        if not isinstance(uids, Batches):
            uids = self.batches(uids)
        self._opened()
        thread_item = b"X-GM-THRID" if "X-GM-EXT-1" in self.capabilities else None
        if thread_item is None and "OBJECTID" in self.capabilities:
            thread_item = b"THREADID"
        self._session.run = Fetch(
            self._session.wire,
            uids,
            ladder=self.account.ladder,
            give_up=self._session.give_up,
            thread_item=thread_item,
            one_at_a_time=one_at_a_time,
            plain=plain,
            partial=partial,
        )
        return self._session.run

    @property
    def under_way(self) -> tuple[int, ...]:
        """After a fetch that has lost the line: the messages that the server was to send then."""
        return self._session.run.suspects if self._session.run is not None else ()

    def places(self, uids: Sequence[int], *, header: bool = False) -> Iterator[Place]:
        """Messages of the open folder without their content, as far as they are there."""
        self._opened()
        return places.places(self._session, uids, header=header)

    def raw(self, uid: int) -> bytes:
        """A whole message of the open folder; raises Unreadable if it isn't there any more."""
        self._opened()
        return places.raw(self._session, uid)

    def command(self, line: bytes) -> ImapReply:
        """Any command of one line; a refusal raises Rejected or RetryLater."""
        return self._session.command(line)

    def is_sound(self) -> bool:
        """Whether a kept connection can be used; asks only if the server has said something."""
        return self._session.is_sound()

    def notify(self, others: Sequence[str]) -> bool:
        """Have the server tell of new mail in others, too; False if it can't (RFC 5465)."""
        opened = self._opened().name
        wires = b" ".join(folder_names.quoted(self._wire_name(name)) for name in others)
        events = b"(MessageNew MessageExpunge)"
        line = b"NOTIFY SET (selected %s) (mailboxes (%s) %s)" % (events, wires, events)
        told = self._session.attempt("NOTIFY", line, reopen=lambda: self.examine(opened))
        return told is not None

    def is_quiet(self) -> bool:
        """Whether it is open and the server has said nothing unasked; for any thread."""
        try:
            return not self.closed and not self._session.connection.has_news()
        except (OSError, ValueError):  # closed meanwhile
            return False

    def detach(self) -> tuple[socket.socket, bytes]:
        """The bare socket and what was read ahead, for `watch`; then only `abandon` is allowed."""
        return self._session.wire.detach()

    def interrupt(self) -> None:
        """Have the read fail that another thread is waiting in; that thread then closes."""
        self._session.connection.interrupt()

    def abandon(self) -> None:
        """Close the connection without LOGOUT."""
        self._session.connection.close()

    def close(self) -> None:
        """Log out and close; never raises for a connection that is already gone."""
        self._session.close()

    def _opened(self) -> FolderStatus:
        if self._selected is None:
            raise RuntimeError("no folder is open: examine one first")
        return self._selected

    def _search(self, status: FolderStatus) -> Search:
        return Search(self._session, status, lambda: self.examine(status.name))

    def _unselect(self) -> None:
        if self._selected is not None:
            self._selected = None
            # CLOSE expunges nothing in a folder opened by EXAMINE (RFC 3501, 6.4.2).
            # Some refuse to close what was opened read-only; the next EXAMINE leaves it anyway.
            self._session.ask(b"UNSELECT" if "UNSELECT" in self.capabilities else b"CLOSE")

    def _wire_name(self, name: str) -> bytes:
        return self._wire_names.get(name) or folder_names.on_wire(name)
