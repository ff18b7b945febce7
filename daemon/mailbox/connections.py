"""Connections of all mailboxes: kept between polls, within a limit for each server.

To one server there are never more connections than its limit, those in IDLE counted. A server that
says "too many" is believed, and so is one that closes a new connection without a word while others
to it are open: its limit falls to what it takes, and rises again slowly. Where room is
short, kept connections are given up, then those in IDLE. Whoever finds no room waits a moment and
is then told so (`NoRoom`): a crowded server must not keep the pollers of others waiting. A kept
connection that its server has closed is replaced unnoticed.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from daemon.errors import RetryLater
from daemon.log import event
from daemon.mailbox.account import Account
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.imap_errors import Crowded, TurnedAway

_LONGEST_WAIT = 2.0  # seconds for room; then others go first
_MOMENT = 0.1  # seconds until a watcher has closed a connection
_RISE_EVERY = 60.0  # seconds
_ATTEMPTS = 3  # logins in a row that a crowded server may refuse


class NoRoom(RetryLater):
    """All connections to this server are in use: ask again after the others have had a turn."""


class Left(RetryLater):
    """A kept connection turned out to be gone when it was used: a new one may well work."""


@dataclass(slots=True)
class _Server:
    """One host and port."""

    limit: int
    lent: int = 0
    risen: float = 0.0
    kept: OrderedDict[str, Mailbox] = field(
        default_factory=OrderedDict
    )  # least recently used first
    watched: list[Mailbox] = field(default_factory=list)

    def count(self) -> int:
        """Connections that are open or about to be."""
        self.watched = [one for one in self.watched if not one.closed]
        return self.lent + len(self.kept) + len(self.watched)


class Connections:
    """Lends one connection a mailbox at a time; usable from any thread."""

    def __init__(
        self,
        limit: int,
        connect: Callable[[Account], Mailbox] = Mailbox.connect,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._connect = connect
        self._monotonic = monotonic
        self._servers: dict[tuple[str, int], _Server] = {}
        self._changed = threading.Condition()
        self._closed = False

    @contextmanager
    def lent(self, account: Account) -> Iterator[Mailbox]:
        """A connection for the block: a kept one or a new one; after an error it is closed.

        Raises NoRoom, what connecting raises, or Left where the block met the end of a kept one.
        """
        mailbox, is_kept = self._take(account)
        try:
            yield mailbox
        except RetryLater as problem:
            if is_kept and mailbox.closed:
                raise Left(problem.message, what=problem.what, after=problem.after) from problem
            mailbox.close()
            if isinstance(problem, TurnedAway) and self.turned_away(account):
                raise NoRoom(problem.message, what=problem.what) from problem
            raise
        except BaseException:
            mailbox.close()
            raise
        finally:
            self._give_back(account, mailbox)

    def spare(self, account: Account) -> Mailbox | None:
        """One more connection, to be watched; None where a quarter of the room isn't free.

        It counts until it is closed. Raises what connecting raises.
        """
        with self._changed:
            server = self._server(account)
            if server.count() >= server.limit - max(1, server.limit // 4):
                return None
            server.lent += 1
        mailbox = None
        try:
            mailbox = self._log_in(account)
        finally:
            with self._changed:
                server.lent -= 1
                if mailbox is not None:
                    server.watched.append(mailbox)
        return mailbox

    def close(self) -> None:
        """Close what is kept, and what is lent as soon as it comes back."""
        with self._changed:
            self._closed = True
            kept = [one for server in self._servers.values() for one in server.kept.values()]
            for server in self._servers.values():
                server.kept.clear()
        for mailbox in kept:
            mailbox.abandon()

    def _server(self, account: Account) -> _Server:
        """The account's server, with its limit on its way back to what is configured."""
        server = self._servers.setdefault((account.host, account.port), _Server(self._limit))
        now = self._monotonic()
        if server.limit < self._limit and now - server.risen >= _RISE_EVERY:
            server.limit = min(self._limit, server.limit + max(1, server.limit // 8))
            server.risen = now
        return server

    def _take(self, account: Account) -> tuple[Mailbox, bool]:
        """A connection, and whether it was kept."""
        for attempt in range(_ATTEMPTS):
            mailbox = self._room(account)
            if mailbox is not None:
                if mailbox.account == account and mailbox.is_sound():
                    return mailbox, True
                mailbox.close()
            try:
                return self._log_in(account), False
            except (Crowded, TurnedAway) as full:
                self._leave(account)
                if not self._others(account):
                    raise  # not we have filled it
                if attempt == _ATTEMPTS - 1:
                    raise NoRoom(full.message, what=full.what) from full
            except BaseException:
                self._leave(account)
                raise
        raise AssertionError  # the loop returns or raises

    def _room(self, account: Account) -> Mailbox | None:
        """Room for one: the mailbox's own kept connection, or None to make a new one."""
        evicted: Mailbox | None = None
        end = self._monotonic() + _LONGEST_WAIT
        with self._changed:
            server = self._server(account)
            while True:
                own = server.kept.pop(account.name, None)
                if own is not None or server.count() < server.limit:
                    break
                if server.kept:
                    _, evicted = server.kept.popitem(last=False)
                    break
                if server.lent < server.limit and server.watched:
                    server.watched[0].interrupt()  # its watcher closes it
                    self._changed.wait(_MOMENT)
                elif not self._changed.wait(max(0.0, end - self._monotonic())):
                    raise NoRoom("all connections to the server are in use", what=account.name)
                if self._monotonic() > end:
                    raise NoRoom("all connections to the server are in use", what=account.name)
            server.lent += 1
        if evicted is not None:
            evicted.close()  # with LOGOUT: the server has counted it out when this returns
        return own

    def learned(self) -> dict[str, int]:
        """The hosts that were found to take fewer connections than configured, and how many."""
        with self._changed:
            return {
                host: server.limit
                for (host, _), server in self._servers.items()
                if server.limit < self._limit
            }

    def turned_away(self, account: Account) -> bool:
        """Lower the limit after a new connection was closed, if others to the server are open.

        Where the others are gone as well, the server or the network is away.
        """
        with self._changed:
            server = self._server(account)
            others = [*server.kept.values(), *server.watched]
            if server.lent <= 1 and not any(one.is_quiet() for one in others):
                return False
            self._shrink(server, account)
            return True

    def _shrink(self, server: _Server, account: Account) -> None:
        server.limit = max(1, min(server.limit, server.count() - 1))
        server.risen = self._monotonic()
        event("mailbox.crowded", host=account.host, limit=server.limit)

    def _log_in(self, account: Account) -> Mailbox:
        server = self._server(account)
        try:
            return self._connect(account)
        except Crowded:
            with self._changed:
                self._shrink(server, account)
            raise
        except TurnedAway:
            self.turned_away(account)
            raise

    def _others(self, account: Account) -> bool:
        with self._changed:
            return self._server(account).count() > 0

    def _give_back(self, account: Account, mailbox: Mailbox) -> None:
        with self._changed:
            server = self._server(account)
            if not (mailbox.closed or self._closed) and server.count() <= server.limit:
                server.kept[account.name] = mailbox
                server.lent -= 1
                self._changed.notify()
                return
        if not mailbox.closed:
            mailbox.close()
        self._leave(account)

    def _leave(self, account: Account) -> None:
        with self._changed:
            self._server(account).lent -= 1
            self._changed.notify()
