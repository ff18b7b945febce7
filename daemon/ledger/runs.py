"""Runs and the tokens that they spent."""

import sqlite3
from datetime import datetime

from daemon.ledger.timestamp import instant_or_none, stamp


class Runs:
    """Owns `runs` and `api_usage`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def begin(self, command: str, now: datetime) -> int:
        """Note a start of the program; the number of the run."""
        (number,) = self._db.execute(
            "INSERT INTO runs (command, started_at) VALUES (?, ?) RETURNING id",
            (command, stamp(now)),
        ).fetchone()
        return int(number)

    def last(self, command: str) -> datetime | None:
        """When the program was last started like this."""
        (at,) = self._db.execute(
            "SELECT max(started_at) FROM runs WHERE command = ?", (command,)
        ).fetchone()
        return instant_or_none(at)

    def writes(self, run: int) -> int | None:
        """How many changes a run wrote; None if there was no such run."""
        row = self._db.execute("SELECT writes FROM runs WHERE id = ?", (run,)).fetchone()
        return int(row["writes"]) if row else None

    def end(self, run: int, outcome: str, now: datetime) -> None:
        """Note how a run ended."""
        self._db.execute(
            "UPDATE runs SET ended_at = ?, outcome = ? WHERE id = ?", (stamp(now), outcome, run)
        )

    def add(self, run: int, *, messages: int = 0, writes: int = 0) -> None:
        """Count what a run took in and wrote."""
        self._db.execute(
            "UPDATE runs SET messages = messages + ?, writes = writes + ? WHERE id = ?",
            (messages, writes, run),
        )

    def spend(self, day: str, usage: dict[str, tuple[int, int]]) -> None:
        """Add (calls, tokens) by kind of call to a UTC day, e.g. `2026-11-24`."""
        self._db.executemany(
            "INSERT INTO api_usage VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " calls = calls + excluded.calls, tokens = tokens + excluded.tokens",
            [(day, kind, calls, tokens) for kind, (calls, tokens) in usage.items()],
        )

    def spent(self, day: str) -> int:
        """Tokens spent on a UTC day."""
        row = self._db.execute(
            "SELECT sum(tokens) AS n FROM api_usage WHERE day = ?", (day,)
        ).fetchone()
        return row["n"] or 0
