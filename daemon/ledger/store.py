"""The ledger file: who owns it, its connection and its transactions.

One process owns a ledger for writing (a lock that names its holder); readers need no lock. A
connection belongs to the thread that opened it. No transaction is ever open across a network call:
callers read, decide, talk, and only then open one.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlite_utils import Database

from daemon.errors import LedgerProblem
from daemon.failpoints import failpoint
from daemon.ledger import schema
from daemon.ledger.activities import Activities
from daemon.ledger.approvals import Approvals
from daemon.ledger.assignments import Assignments
from daemon.ledger.backlog import Backlog
from daemon.ledger.clock import Clock
from daemon.ledger.conditions import Conditions
from daemon.ledger.connection import LedgerConnection, explained
from daemon.ledger.conversations import Conversations
from daemon.ledger.crm import Crm
from daemon.ledger.deals import Deals
from daemon.ledger.events import Events
from daemon.ledger.folders import Folders
from daemon.ledger.forgotten import Forgotten
from daemon.ledger.histories import Histories
from daemon.ledger.journal import Journal
from daemon.ledger.messages import Messages
from daemon.ledger.presence import Presence
from daemon.ledger.private_file import make_privately, refuse_links
from daemon.ledger.quarantine import Quarantine
from daemon.ledger.records import Records
from daemon.ledger.rereading import Rereading
from daemon.ledger.resting import Resting
from daemon.ledger.runs import Runs
from daemon.ledger.senders import Senders
from daemon.ledger.sightings import Sightings
from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.states import States
from daemon.ledger.threads import Threads
from daemon.ledger.troubles import Troubles

_BUSY_SECONDS = 30.0
_ROWS_AT_ONCE = 100


class Ledger:
    """One open ledger and its parts, each of which names the tables it owns."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._repeatable: bool | None = None  # whether commits wait for the disk, once it is set
        self._remembers = False
        self._remembered: dict[str, str] | None = None  # settings as JSON; see `remembering`
        self.folders = Folders(connection)
        self.sightings = Sightings(connection)
        self.quarantine = Quarantine(connection)
        self.messages = Messages(connection)
        self.conversations = Conversations(connection)
        self.histories = Histories(connection)
        self.states = States(connection)
        self.senders = Senders(connection)
        self.activities = Activities(connection)
        self.records = Records(connection)
        self.presence = Presence(connection)
        self.journal = Journal(connection)
        self.backlog = Backlog(connection)
        self.crm = Crm(connection)
        self.deals = Deals(connection)
        self.threads = Threads(connection)
        self.clock = Clock(connection)
        self.runs = Runs(connection)
        self.forgotten = Forgotten(connection)
        self.troubles = Troubles(connection)
        self.conditions = Conditions(connection)
        self.events = Events(connection)
        self.approvals = Approvals(connection)
        self.assignments = Assignments(connection)
        self.resting = Resting(connection)
        self.rereading = Rereading(connection)

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Self:
        """Open the ledger at `path`, made or migrated where needed (not when `readonly`).

        Raises LedgerProblem for a missing, foreign, newer, locked, read-only or corrupt file.
        """
        with explained(path):
            refuse_links(path)
            if readonly:
                if not path.exists():
                    raise LedgerProblem("there is no ledger yet", what=str(path))
                connection = _connect(path, readonly=True)
            else:
                make_privately(path)
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
        with explained(self.path):
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
                self._remembered = None
                raise
            self._connection.commit()
        failpoint(f"commit {name}")

    @property
    def changes(self) -> int:
        """How many rows this connection has changed so far; the same number means the same rows."""
        return self._connection.total_changes

    def mark(self) -> tuple[int, int]:
        """Something that stays the same as long as nobody changes the ledger."""
        (others,) = self._connection.execute("PRAGMA data_version").fetchone()
        return others, self.changes

    def setting(self, name: str) -> Any:
        """One value from `settings`, decoded from JSON; None if it was never set."""
        return self.settings(name).get(name)

    def settings(self, *names: str) -> dict[str, Any]:
        """Those of these values that were ever set, by name."""
        if not self._remembers:
            return self.settings_now(*names)
        if self._remembered is None:
            rows = self._connection.execute("SELECT name, value FROM settings")
            self._remembered = dict(map(tuple, rows))
        there = self._remembered
        return {name: json.loads(there[name]) for name in names if name in there}

    def settings_now(self, *names: str) -> dict[str, Any]:
        """The same, as others have left them by now."""
        rows = self._connection.execute(
            f"SELECT name, value FROM settings WHERE name {AMONG}", (listed(names),)
        )
        return {row["name"]: json.loads(row["value"]) for row in rows}

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """In the block, settings are read once: for those that this connection alone writes."""
        self._remembers = True
        try:
            yield
        finally:
            self._remembers, self._remembered = False, None

    def set(self, name: str, value: object) -> None:
        """Keep one value as JSON; the caller has a transaction open."""
        text = json.dumps(value)
        self._connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, text))
        if self._remembered is not None:
            self._remembered[name] = text

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
        with explained(self.path):
            self._connection.execute("PRAGMA temp_store = FILE")  # it writes a whole second ledger
            try:
                self._connection.execute("VACUUM")
            finally:
                self._connection.execute("PRAGMA temp_store = MEMORY")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, path: Path) -> None:
        """Copy the ledger as it is at this moment, while it may be written, to a new file."""
        make_privately(path)
        with explained(path), closing(_connect(path)) as copy:
            self._connection.backup(copy)

    def counts(self, what: str) -> dict[str, int]:
        """How many: `messages` by verdict, `senders` by class, live `records` by kind."""
        rows = self._connection.execute(
            "SELECT value, n FROM counts WHERE what = ? AND n > 0", (what,)
        )
        return {row["value"]: row["n"] for row in rows}


def _connect(path: Path, *, readonly: bool = False) -> LedgerConnection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro" if readonly else str(path),
        timeout=_BUSY_SECONDS,
        uri=readonly,
        isolation_level=None,
        factory=LedgerConnection,
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
    connection.execute(
        "PRAGMA recursive_triggers = ON"
    )  # a replaced row is subtracted from `counts`
    connection.execute("PRAGMA cache_size = -4000")  # 4 MB, flat for any ledger
    connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; a backfill writes some often
    connection.execute("PRAGMA journal_size_limit = 67108864")  # bytes the log keeps at most
    schema.migrate(database)
    # What a statement may have to take back, a few pages: in a file it's half a million writes in a
    # backfill of 20,000 messages. Last: a migration may sort a whole table.
    connection.execute("PRAGMA temp_store = MEMORY")
