"""One account's connection with what is known of its server: commands, and what to do without.

An extension that the server advertises is tried; where it fails, that is kept in the account's
`Ladder` and plain RFC 3501 is spoken instead. After a loss the same session can log in anew.
"""

import contextlib
import time
from collections.abc import Callable

from daemon.errors import Problem, Rejected, RetryLater
from daemon.log import event
from daemon.mailbox import imap_errors
from daemon.mailbox.account import Account
from daemon.mailbox.connection import KEEP, SMALL, Connection, ImapReply
from daemon.mailbox.fetch import Fetch
from daemon.mailbox.ladder import INSTEAD, Ladder
from daemon.mailbox.login import is_loopback, log_in
from daemon.mailbox.stream import Alive

_ALIVE = 5.0  # seconds after an answer in which a lost line is the fault of what was asked


class ImapSession:
    """A logged-in connection that belongs to one thread; `ladder` outlives it."""

    def __init__(self, account: Account, *, bulk: bool, alive: Alive) -> None:
        """Log in; raises AuthProblem, ConfigProblem or RetryLater."""
        self.account = account
        self.capabilities: frozenset[str] = frozenset()
        self.run: Fetch | None = None  # the last one
        self._bulk = bulk
        self._alive = alive
        self._answered: float | None = None  # when, by this connection
        self.connection: Connection
        self.log_in()

    @property
    def ladder(self) -> Ladder:
        """What this account's server can't do."""
        return self.account.ladder

    def _connect(self) -> None:
        client = log_in(self.account, self._alive)
        self.capabilities = frozenset(str(one, "ascii", "replace") for one in client.capabilities())
        self.connection = Connection(client, what=self.account.name)
        self._answered = None

    def log_in(self) -> None:
        """Connect, in the place of a connection that was lost if there was one."""
        self._connect()
        try:
            # NetEase opens no folder for a client that hasn't said its name (RFC 2971).
            self.attempt("ID", b'ID ("name" "mail2deal")')
            pays = self._bulk and not is_loopback(self.account.host)
            compress = pays if self.account.compress is None else self.account.compress
            if compress and self.can("COMPRESS=DEFLATE"):
                self._compress()
        except BaseException:
            self.connection.close()  # nobody else knows of it yet
            raise

    def _compress(self) -> None:
        try:
            if self.connection.compress():
                # Nothing but an answer shows that both sides mean the same.
                self.command(b"NOOP")
            else:
                self.give_up("COMPRESS=DEFLATE", "refused")
        except RetryLater as problem:
            if problem.after is not None:
                raise
            self.give_up("COMPRESS=DEFLATE", problem.message)
            self.connection.close()
            self.log_in()

    def can(self, *names: str) -> bool:
        """Whether the server offers these extensions and hasn't failed at one of them."""
        return all(one in self.capabilities and not self.ladder.gave_up(one) for one in names)

    def give_up(self, name: str, reason: str) -> None:
        """Do without an extension that failed."""
        if self.ladder.give_up(name, reason):
            event(
                "mailbox.does_without",
                mailbox=self.account.name,
                extension=name,
                reason=reason,
                instead=INSTEAD[name],
            )

    @property
    def wire(self) -> Connection:
        """The connection, free for a command: a fetch that was left before its end is over."""
        if self.run is not None:
            self.run.interrupt()
        return self.connection

    def ask(self, line: bytes, *, keep: int = KEEP, most: int = SMALL) -> ImapReply:
        """Send one command and wait for its answer, be it OK, NO or BAD.

        Raises TurnedAway where the server closes a new connection instead of any answer, NoBackend
        where nothing can be had over this connection any more.
        """
        try:
            reply = self.wire.ask(line, keep=keep, most=most)
        except RetryLater as problem:
            silent = isinstance(problem.__cause__, TimeoutError)
            if self._answered is None and problem.after is None and not silent:
                raise imap_errors.TurnedAway(problem.message, what=problem.what) from problem
            raise
        self._answered = time.monotonic()
        if not reply.ok and isinstance(refusal := self.refusal(reply.text), imap_errors.NoBackend):
            raise refusal
        return reply

    def refusal(self, text: str) -> Rejected | RetryLater:
        """The error for a tagged NO or BAD; after NoBackend the connection is closed."""
        refusal = imap_errors.refused(text, what=self.account.name)
        if isinstance(refusal, imap_errors.NoBackend):
            self.connection.close()
        return refusal

    def command(self, line: bytes, *, keep: int = KEEP, most: int = SMALL) -> ImapReply:
        """The same; a refusal raises Rejected or RetryLater."""
        reply = self.ask(line, keep=keep, most=most)
        if not reply.ok:
            raise self.refusal(reply.text)
        return reply

    def attempt(
        self,
        name: str,
        line: bytes,
        *,
        good: Callable[[ImapReply], bool] = lambda _: True,
        most: int = SMALL,
        reopen: Callable[[], object] = lambda: None,
    ) -> ImapReply | None:
        """The answer to a command of an extension, or None if the server can't do it.

        A line that is lost over it just after the server has answered something is logged in anew,
        and `reopen` opens what was open. Raises RetryLater where the server asks for patience.
        """
        if not self.can(name):
            return None
        first = self._answered is None
        fresh = self._answered is None or time.monotonic() - self._answered < _ALIVE
        try:
            reply = self.ask(line, most=most)
        except RetryLater as problem:
            if problem.after is not None or not fresh or isinstance(problem, imap_errors.NoBackend):
                raise
            self._connect()
            if first:
                # It may be the server that lets nobody stay, and not what was asked.
                self.command(b"NOOP")
                reopen()
                return self.attempt(name, line, good=good, most=most, reopen=reopen)
            self.give_up(name, problem.message)
            reopen()
            return None
        if reply.ok and good(reply):
            return reply
        if not reply.ok and imap_errors.asks_for_patience(reply.text):
            raise self.refusal(reply.text)
        self.give_up(name, reply.text if not reply.ok else "answered with less than there is")
        return None

    def is_sound(self) -> bool:
        """Whether a kept connection can be used; asks only if the server has said something."""
        try:
            if not self.connection.closed and self.wire.has_news():
                self.command(b"NOOP")
        except Problem:
            self.connection.close()
        return not self.connection.closed

    def close(self) -> None:
        """Log out and close; never raises for a connection that is already gone."""
        with contextlib.suppress(Problem):
            if not self.connection.closed:
                self.wire.ask(b"LOGOUT")
        self.connection.close()
