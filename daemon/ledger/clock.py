"""Stamps that a wrong clock left in the ledger: brought back to now, and counted.

A clock that was ahead dates what happened in the future: a folder would begin after the mail that
comes, a listing would count as fresh, a pause would last as long as the clock was wrong.
"""

import json
import sqlite3
from datetime import datetime, timedelta

from daemon.ledger.timestamp import instant_or_none, stamp

_AHEAD = timedelta(days=2)  # a Date header may be a day ahead of its mail's arrival
_SLACK = timedelta(minutes=5)  # by which clocks of one machine may differ after a start
# What has happened can't be later than now …
_PAST = {
    "folders": ("polled_at",),
    "troubles": ("failing_since",),
    "quarantine": ("first_seen",),
    "records": ("written_at", "seen_at", "tombstone_at", "missing_since"),
    "journal": ("planned_at", "sent_at", "sending_since", "done_at"),
    "runs": ("started_at", "ended_at"),
    "conditions": ("good_at", "failing_since"),
    "resting": ("since",),
    "receivers": ("since",),
}
# … and no pause is longer than the longest of its kind.
_DUE = {
    "folders": ("next_due", timedelta(hours=9)),
    "troubles": ("next_due", timedelta(hours=9)),
    "quarantine": ("not_before", timedelta(hours=36)),
    "journal": ("not_before", timedelta(days=8)),
    "conditions": ("next_try", timedelta(days=2)),
    "resting": ("next_try", timedelta(days=2)),
}
_LISTED = tuple(f"listed_at:{kind}" for kind in ("organization", "person", "deal", "lead"))
_MARKS = ("swept_at", "looked_lately_at", "place", *_LISTED)


class Clock:
    """Owns no table; mends stamps in all of them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def clamp(self, now: datetime) -> dict[str, int]:
        """Bring stamps from the future back, inside a transaction; how many, by table and column.

        A folder's oldest date no longer holds for what came after its first look, which is looked
        at again. Nothing is done where mail came later than now: then it is
        our clock that is behind, and a folder would be read from its beginning.
        """
        if self.is_behind(now):
            return {}
        found: dict[str, int] = {}
        latest, at = stamp(now + _SLACK), stamp(now)
        for table, columns in _PAST.items():
            for column in columns:
                sql = f"UPDATE {table} SET {column} = ? WHERE {column} > ?"
                found[f"{table}.{column}"] = self._db.execute(sql, (at, latest)).rowcount
        for table, (column, longest) in _DUE.items():
            sql = f"UPDATE {table} SET {column} = ? WHERE {column} > ?"
            values = (at, stamp(now + longest))
            found[f"{table}.{column}"] = self._db.execute(sql, values).rowcount
        found["folders.scanned_at"] = self._db.execute(
            "UPDATE folders SET scanned_at = NULL WHERE scanned_at > ?", (latest,)
        ).rowcount
        found["folders.floor"] = self._lower_floors(at, latest)
        found["settings"] = self._forget_marks(now + _SLACK)
        return {name: count for name, count in found.items() if count > 0}

    def is_behind(self, now: datetime) -> bool:
        """Whether mail was sent later than our clock says that it is."""
        (newest,) = self._db.execute("SELECT max(sent_at) FROM messages").fetchone()
        return newest is not None and newest > stamp(now + _AHEAD)

    def _lower_floors(self, at: str, latest: str) -> int:
        rows = self._db.execute("SELECT id FROM folders WHERE floor > ?", (latest,)).fetchall()
        for row in rows:
            self._db.execute(
                "UPDATE folders SET floor = ?, floor_uid = first_uid, scanned_at = NULL"
                " WHERE id = ?",
                (at, row["id"]),
            )
            self._db.execute(
                "DELETE FROM sightings WHERE folder = ? AND message IS NULL", (row["id"],)
            )
        return len(rows)

    def _forget_marks(self, latest: datetime) -> int:
        """Have listed again what a listing of the future has marked."""
        count = 0
        for name in _MARKS:
            row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            value = json.loads(row["value"]) if row else None
            marked = instant_or_none(value["at"] if isinstance(value, dict) else value)
            if marked is not None and marked > latest:
                count += self._db.execute("DELETE FROM settings WHERE name = ?", (name,)).rowcount
        return count
