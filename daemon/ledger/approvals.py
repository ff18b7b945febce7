"""What a person allowed beyond the safety limit, and what was created lately, by the hour."""

import sqlite3
from datetime import datetime, timedelta

from daemon.ledger.timestamp import stamp, stamp_or_none

_DAY = timedelta(days=1)
_HISTORY = timedelta(days=30)


class Approvals:
    """Owns `approvals` and `creates`; a trigger counts what is created. The newest one counts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def give(
        self, command: str, creates: int, now: datetime, *, until: datetime | None = None
    ) -> None:
        """Allow so many records, or `until` then all that is planned; replaces an earlier one."""
        self._db.execute(
            "INSERT INTO approvals (given_at, command, until, creates) VALUES (?, ?, ?, ?)",
            (stamp(now), command, stamp_or_none(until), creates),
        )

    def left(self) -> int:
        """How many records may still be created by the newest approval."""
        row = self._db.execute(
            "SELECT creates - used AS n FROM approvals ORDER BY id DESC LIMIT 1"
        ).fetchone()
        return max(0, row["n"]) if row else 0

    def covers_all(self, now: datetime) -> bool:
        """Whether the newest approval is for all that is planned now."""
        row = self._db.execute("SELECT until FROM approvals ORDER BY id DESC LIMIT 1").fetchone()
        return row is not None and row["until"] is not None and row["until"] > stamp(now)

    def extend(self, creates: int) -> None:
        """Let the newest approval cover so many more records than were created by it."""
        self._db.execute(
            "UPDATE approvals SET creates = used + ? WHERE id = (SELECT max(id) FROM approvals)",
            (creates,),
        )

    def lately(self, now: datetime) -> tuple[int, int]:
        """Records created without approval: in the last 24 hours, and on the busiest day of 30."""
        row = self._db.execute(
            "SELECT (SELECT coalesce(sum(n - approved), 0) FROM creates WHERE hour > ?) AS today,"
            " (SELECT coalesce(max(n), 0) FROM (SELECT sum(n - approved) AS n FROM creates"
            "  WHERE hour > ? GROUP BY substr(hour, 1, 10))) AS busiest",
            (stamp(now - _DAY)[:13], stamp(now - _HISTORY)[:13]),
        ).fetchone()
        return row["today"], row["busiest"]
