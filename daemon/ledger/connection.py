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
_HINTS: tuple[tuple[str, str], ...] = (
    ("file is not a database", "it isn't a ledger, or it is damaged: restore a backup"),
    ("malformed", "the file is damaged: restore a backup, nothing in Pipedrive will be doubled"),
    ("disk is full", "make room, then start again: nothing was written half"),
    ("disk i/o", "the disk refuses: check it and its free space, nothing was written half"),
    ("readonly", _WHOSE + ", who must be allowed to write it and its directory"),
    ("locked", "another program holds it open for writing: end that one"),
    ("no such ", "an older version made it: restart the service, or run --catch-up, to migrate it"),
    ("unable to open", "check that its directory exists; " + _WHOSE),
)


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
    hint = next((hint for word, hint in _HINTS if word in text.lower()), "")
    return LedgerProblem(text, what=str(path), hint=hint)
