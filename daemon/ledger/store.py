"""The ledger file: who owns it, its connection and its transactions.

One process owns a ledger for writing (a lock that names its holder); readers need no lock. A
connection belongs to the thread that opened it. No transaction is ever open across a network call:
callers read, decide, talk, and only then open one.
"""

import errno
import fcntl
import json
import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NoReturn, Self

from sqlite_utils import Database

from daemon.errors import LedgerProblem
from daemon.failpoints import failpoint
from daemon.ledger import schema
from daemon.ledger.approvals import Approvals
from daemon.ledger.assignments import Assignments
from daemon.ledger.clock import Clock
from daemon.ledger.conditions import Conditions
from daemon.ledger.crm import Crm
from daemon.ledger.events import Events
from daemon.ledger.folders import Folders
from daemon.ledger.forgotten import Forgotten
from daemon.ledger.journal import Journal
from daemon.ledger.messages import Messages
from daemon.ledger.records import Records
from daemon.ledger.resting import Resting
from daemon.ledger.runs import Runs
from daemon.ledger.senders import Senders
from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.troubles import Troubles
from daemon.log import event

_BUSY_SECONDS = 30.0
_ROWS_AT_ONCE = 100


class Ledger:
    """One open ledger and its parts, each of which names the tables it owns."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._repeatable: bool | None = None  # whether commits wait for the disk, once it is set
        self.folders = Folders(connection)
        self.messages = Messages(connection)
        self.senders = Senders(connection)
        self.records = Records(connection)
        self.journal = Journal(connection)
        self.crm = Crm(connection)
        self.clock = Clock(connection)
        self.runs = Runs(connection)
        self.forgotten = Forgotten(connection)
        self.troubles = Troubles(connection)
        self.conditions = Conditions(connection)
        self.events = Events(connection)
        self.approvals = Approvals(connection)
        self.assignments = Assignments(connection)
        self.resting = Resting(connection)

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Self:
        """Open the ledger at `path`, made or migrated where needed (not when `readonly`).

        Raises LedgerProblem for a missing, foreign, newer, locked, read-only or corrupt file.
        """
        with _explained(path):
            _refuse_links(path)
            if readonly:
                if not path.exists():
                    raise LedgerProblem("there is no ledger yet", what=str(path))
                connection = _connect(path, readonly=True)
            else:
                _make(path)
                connection = _connect(path)
            try:
                if readonly:
                    schema.check(Database(connection, execute_plugins=False))
                else:
                    _prepare(connection)
            except BaseException:
                connection.close()
                raise
            return cls(path, connection)

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self, name: str, *, repeatable: bool = False) -> Iterator[None]:
        """One durable effect: all of the block or none of it; `name` is its step in crash tests.

        `repeatable`: what is lost with the machine's power is simply done again, so the commit
        needn't wait for the disk. It is on disk at the latest with the next one that waits.
        """
        with _explained(self.path):
            # In WAL mode NORMAL loses the last commits at worst, always whole and in order.
            if repeatable != self._repeatable:
                mode = "NORMAL" if repeatable else "FULL"
                self._connection.execute(f"PRAGMA synchronous = {mode}")
                self._repeatable = repeatable
            # IMMEDIATE: a deferred one that reads first fails at once when somebody else writes.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                # A full disk has rolled back already; then there is no transaction to end.
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise
            self._connection.commit()
        failpoint(f"commit {name}")

    @property
    def changes(self) -> int:
        """How many rows this connection has changed so far; the same number means the same rows."""
        return self._connection.total_changes

    def setting(self, name: str) -> Any:
        """One value from `settings`, decoded from JSON; None if it was never set."""
        return self.settings(name).get(name)

    def settings(self, *names: str) -> dict[str, Any]:
        """Those of these values that were ever set, by name."""
        rows = self._connection.execute(
            f"SELECT name, value FROM settings WHERE name {AMONG}", (listed(names),)
        )
        return {row["name"]: json.loads(row["value"]) for row in rows}

    def set(self, name: str, value: object) -> None:
        """Keep one value as JSON; the caller has a transaction open."""
        self._connection.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value))
        )

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """All rows of a read as dictionaries, for reports."""
        return [dict(row) for row in self._connection.execute(sql, values)]

    @contextmanager
    def shredding(self) -> Iterator[None]:
        """What is deleted in the block is overwritten in the file, and gone from its log."""
        self._connection.execute("PRAGMA secure_delete = ON").fetchall()
        try:
            yield
        finally:
            self._connection.execute("PRAGMA secure_delete = OFF").fetchall()
        with _explained(self.path):
            self._connection.execute("PRAGMA temp_store = FILE")  # it writes a whole second ledger
            try:
                self._connection.execute("VACUUM")
            finally:
                self._connection.execute("PRAGMA temp_store = MEMORY")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, path: Path) -> None:
        """Copy the ledger as it is at this moment, while it may be written, to a new file."""
        _make(path)
        with _explained(path), closing(_connect(path)) as copy:
            self._connection.backup(copy)

    def counts(self, what: str) -> dict[str, int]:
        """How many: `messages` by verdict, `senders` by class, live `records` by kind."""
        rows = self._connection.execute(
            "SELECT value, n FROM counts WHERE what = ? AND n > 0", (what,)
        )
        return {row["value"]: row["n"] for row in rows}


class Held(LedgerProblem):
    """Another process owns the ledger; `holder` says which."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            f"{holder} is using this ledger",
            what=str(path),
            hint="stop it, or wait until it is done",
        )
        self.holder = holder


class Lock:
    """The one right to write a ledger, held by an open file; the kernel frees it if we die."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".lock")
        self._file: IO[str] | None = None

    def acquire(self, holder: str) -> None:
        """Take the lock; raises Held naming who has it."""
        file = os.fdopen(_private(self.path), "r+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            first = file.read().strip() or "another process"
            file.close()
            raise Held(self.path, first) from None
        file.truncate(0)
        file.write(f"{holder} (pid {os.getpid()})\n")
        file.flush()
        self._file = file

    def is_held(self) -> bool:
        """Whether a process holds the lock, without taking it oneself; see proc(5), locks."""
        try:
            file = self.path.stat()
        except FileNotFoundError:
            return False
        device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}"
        locks = Path("/proc/locks").read_text(encoding="ascii")
        return f" {device}:{file.st_ino} " in locks

    def holder(self) -> str | None:
        """Who holds the lock, as it wrote itself down; None if nobody does."""
        return (self.path.read_text(encoding="utf-8").strip() or None) if self.is_held() else None

    def release(self) -> None:
        """Let the next one in."""
        if self._file is not None:
            self._file.close()
            self._file = None


class _Cursor(sqlite3.Cursor):
    """Rows of a statement; what the disk says while they are read is a LedgerProblem too."""

    connection: "Connection"

    def fetchone(self) -> Any:
        """As sqlite3 does."""
        try:
            return super().fetchone()
        except sqlite3.DatabaseError as error:
            _explain(self.connection.path, error)

    def fetchall(self) -> list[Any]:
        """As sqlite3 does."""
        try:
            return super().fetchall()
        except sqlite3.DatabaseError as error:
            _explain(self.connection.path, error)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override] # sqlite3's is the cursor itself
        """As sqlite3 does, with less to do for each row: a backfill reads many."""
        try:
            while rows := self.fetchmany(_ROWS_AT_ONCE):
                yield from rows
        except sqlite3.DatabaseError as error:
            _explain(self.connection.path, error)


class Connection(sqlite3.Connection):
    """A connection whose errors name the ledger at `path`."""

    path = Path()

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        """As sqlite3 does."""
        try:
            return self.cursor(_Cursor).execute(sql, values)
        except sqlite3.DatabaseError as error:
            _explain(self.path, error)


def _connect(path: Path, *, readonly: bool = False) -> Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro" if readonly else str(path),
        timeout=_BUSY_SECONDS,
        uri=readonly,
        isolation_level=None,
        factory=Connection,
    )
    connection.path = path
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    database = Database(connection, execute_plugins=False)
    schema.check(database)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    # FULL: a commit says that a request may leave, so it must outlive a power cut; see transaction.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")  # a row replaced is counted off
    connection.execute("PRAGMA cache_size = -4000")  # 4 MB, flat for any ledger
    connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; a backfill writes some often
    connection.execute("PRAGMA journal_size_limit = 67108864")  # bytes the log keeps at most
    schema.migrate(database)
    # What a statement may have to take back, a few pages: in a file it's half a million writes in a
    # backfill of 20,000 messages. Last: a migration may sort a whole table.
    connection.execute("PRAGMA temp_store = MEMORY")


def _make(path: Path) -> None:
    """Make the file for SQLite where there is none.

    One that is there isn't touched: were it opened and closed here, all of this process's locks on
    it would be gone, those of other threads' connections too (https://sqlite.org/howtocorrupt.html,
    2.2), and the next command to leave would take the log away from under them.
    """
    if not path.exists():
        os.close(_private(path))


def _private(path: Path) -> int:
    """Open `path` for reading and writing, made with its directory for our eyes only.

    Made by root, it belongs to the directory's owner: an administrator's command must leave nothing
    behind that the service can't open. A link isn't followed: the service's user could have it
    point at a file of root's.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        if not path.parent.exists():
            # Another thread may make it between our look and this.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Made by us with its mode, since SQLite would follow the umask.
            number = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _opened(path, flags)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(number, owner.st_uid, owner.st_gid)
    except OSError as error:
        hint = "check the directory and its owner"
        if error.errno == errno.ELOOP:
            hint = "it is a link, which is never followed: remove it"
        raise LedgerProblem(str(error.strerror), what=str(path), hint=hint) from error
    return number


def _opened(path: Path, flags: int) -> int:
    number = os.open(path, flags)
    found = os.fstat(number)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(number)
        raise LedgerProblem(
            "isn't a file of its own, but another name of one",
            what=str(path),
            hint="remove it: it is made anew",
        )
    return number


def _refuse_links(path: Path) -> None:
    """Refuse links by which another user would have us open or make a file somewhere else.

    An administrator's own link, to a ledger on another disk, is followed.
    """
    for name in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        try:
            found = name.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in {0, os.geteuid()}:
            raise LedgerProblem(
                "is a link of another user, which isn't followed", what=str(name), hint="remove it"
            )


_HINTS: tuple[tuple[str, str], ...] = (
    ("file is not a database", "it isn't a ledger, or it is damaged: restore a backup"),
    ("malformed", "the file is damaged: restore a backup, nothing in Pipedrive will be doubled"),
    ("disk is full", "make room, then start again: nothing was written half"),
    ("disk i/o", "the disk refuses: check it and its free space, nothing was written half"),
    ("readonly", "give its user write access to the file and its directory"),
    ("locked", "another program holds it open for writing: end that one"),
    ("no such ", "an older version made it: restart the service, or run --catch-up, to migrate it"),
    ("unable to open", "check that the directory exists and is readable"),
)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say into a LedgerProblem with a next step."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        _explain(path, error)


def _explain(path: Path, error: sqlite3.DatabaseError) -> NoReturn:
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
        raise error  # ours to mend, not the user's
    raise _problem(path, error) from error


def _problem(path: Path, error: sqlite3.Error) -> LedgerProblem:
    text = str(error)
    hint = next((hint for word, hint in _HINTS if word in text.lower()), "")
    return LedgerProblem(text, what=str(path), hint=hint)


@contextmanager
def owned(path: Path, holder: str, now: datetime | None = None) -> Iterator[Ledger]:
    """The ledger at `path`, locked for us as `holder` while the block runs.

    With `now`, stamps that a wrong clock has left are brought back first.
    """
    lock = Lock(path)
    lock.acquire(holder)
    try:
        with Ledger.open(path) as ledger:
            if now is not None:
                _mend_stamps(ledger, now)
            yield ledger
    finally:
        lock.release()


def _mend_stamps(ledger: Ledger, now: datetime) -> None:
    with ledger.transaction("clock"):
        found = ledger.clock.clamp(now)
    if found:
        counts = ", ".join(f"{count} {name}" for name, count in found.items())
        event("ledger.stamps_from_the_future", logging.WARNING, brought_back=counts)
    elif ledger.clock.is_behind(now):
        event("ledger.clock_is_behind", logging.WARNING, now=now, hint="set the machine's clock")
