"""A connection to SQLite whose errors name the ledger's file and what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from daemon.errors import LedgerProblem

_ROWS_AT_ONCE = 100


class _Cursor(sqlite3.Cursor):
    """Rows of a statement; what the disk says while they are read is a LedgerProblem too."""

    connection: "LedgerConnection"

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


class LedgerConnection(sqlite3.Connection):
    """A connection whose errors name the ledger at `path`."""

    path = Path()

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        """As sqlite3 does."""
        try:
            return self.cursor(_Cursor).execute(sql, values)
        except sqlite3.DatabaseError as error:
            _explain(self.path, error)


_WHOSE = "run it with sudo, or as the user whose file it is"
# By the beginning of the name of SQLite's result code (https://sqlite.org/rescode.html).
_HINTS: tuple[tuple[str, str], ...] = (
    ("SQLITE_NOTADB", "it isn't a ledger, or it is damaged: restore a backup"),
    (
        "SQLITE_CORRUPT",
        "the file is damaged: restore a backup, nothing in Pipedrive will be doubled",
    ),
    ("SQLITE_FULL", "make room, then start again: nothing was written half"),
    ("SQLITE_IOERR", "the disk refuses: check it and its free space, nothing was written half"),
    ("SQLITE_READONLY", _WHOSE + ", who must be allowed to write it and its directory"),
    ("SQLITE_BUSY", "another program holds it open for writing: end that one"),
    ("SQLITE_LOCKED", "another program holds it open for writing: end that one"),
    ("SQLITE_CANTOPEN", "check that its directory exists; " + _WHOSE),
)
# SQLite has no code of its own for this (SQLITE_ERROR is any mistake in a statement).
_NO_SUCH = "no such "
_OLDER = "an older version made it: restart the service, or run --catch-up, to migrate it"


@contextmanager
def explained(path: Path) -> Iterator[None]:
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
    code = getattr(error, "sqlite_errorname", "")
    hint = next((hint for name, hint in _HINTS if code.startswith(name)), "")
    if not hint and _NO_SUCH in text:
        hint = _OLDER
    return LedgerProblem(text, what=str(path), hint=hint)
