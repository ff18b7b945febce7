"""`IN` a list of any length, bound as one value, so that a statement is prepared once."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

# Stands where `(?, ?, …)` would stand. https://sqlite.org/json1.html, 4.23
AMONG = "IN (SELECT value FROM json_each(?))"
CHUNK = 500  # values in one statement


def listed(values: Iterable[str | int]) -> str:
    """What to bind to `AMONG`. No text of the ledger holds a NUL, at which SQLite would cut it."""
    return json.dumps(list(values))


def among(db: sqlite3.Connection, sql: str, values: Iterable[str]) -> list[sqlite3.Row]:
    """The rows of a statement that ends in the column whose value is one of these."""
    several = list(values)
    return db.execute(f"{sql} {AMONG}", (listed(several),)).fetchall() if several else []


def chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """The values in groups of at most `CHUNK`."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
