"""The outbox: what receivers are to be told, written with what happened, kept until they know."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from daemon.ledger.timestamp import instant, stamp
from daemon.rules.events import News

KEEP_TOLD = timedelta(days=90)
_AT_ONCE = 100  # events that are read together


class Events:
    """Owns `events` and `receivers`; called inside the transaction of what happened."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def know(self, names: Sequence[str], now: datetime) -> None:
        """Keep since when each receiver is configured; drop those that no longer are."""
        known = {row[0] for row in self._db.execute("SELECT name FROM receivers")}
        for name in known - set(names):
            self._db.execute("DELETE FROM receivers WHERE name = ?", (name,))
            self._db.execute("DELETE FROM events WHERE receiver = ? AND told_at IS NULL", (name,))
        for name in set(names) - known:
            self._db.execute(
                "INSERT INTO receivers (name, since) VALUES (?, ?)", (name, stamp(now))
            )

    def knows(self, name: str) -> bool:
        """Whether a receiver is configured."""
        row = self._db.execute("SELECT 1 FROM receivers WHERE name = ?", (name,)).fetchone()
        return row is not None

    def add(self, receivers: Iterable[str], news: News, fresh: datetime | None = None) -> None:
        """Note what these receivers are to be told, once for a kind and a key.

        `fresh`: when the mail was written that it is about. What lies before a receiver was
        configured is no news to it.
        """
        for receiver in receivers:
            self._db.execute(
                "INSERT OR IGNORE INTO events (receiver, kind, key, sender, facts, happened_at)"
                " SELECT name, ?, ?, ?, ?, ? FROM receivers WHERE name = ? AND since <= ?",
                (
                    *(news.kind, news.key, news.sender, json.dumps(news.facts or {})),
                    *(stamp(news.happened_at), receiver, stamp(fresh or news.happened_at)),
                ),
            )

    def waiting(self, receiver: str) -> list[tuple[int, News]]:
        """The oldest 100 events that a receiver hasn't been told of, in order."""
        rows = self._db.execute(
            "SELECT id, kind, key, happened_at, sender, facts FROM events"
            " WHERE receiver = ? AND told_at IS NULL AND NOT parked ORDER BY id LIMIT ?",
            (receiver, _AT_ONCE),
        )
        return [
            (row[0], News(row[1], row[2], instant(row[3]), row[4], json.loads(row[5])))
            for row in rows
        ]

    def behind(self, before: datetime) -> list[tuple[str, int, datetime]]:
        """Receivers that lack an event from before `before`: name, how many wait, since when."""
        rows = self._db.execute(
            "SELECT receiver, count(*), min(happened_at) AS oldest FROM events"
            " WHERE told_at IS NULL AND NOT parked GROUP BY receiver HAVING oldest < ?"
            " ORDER BY receiver",
            (stamp(before),),
        )
        return [(row[0], row[1], instant(row[2])) for row in rows]

    def told(self, event: int, now: datetime) -> None:
        """Its receiver has taken an event."""
        self._db.execute("UPDATE events SET told_at = ? WHERE id = ?", (stamp(now), event))
        self._db.execute("DELETE FROM events WHERE told_at < ?", (stamp(now - KEEP_TOLD),))

    def park(self, event: int, why: str) -> None:
        """A receiver refused an event, or couldn't be told for days: left to a person."""
        self._db.execute("UPDATE events SET parked = 1, last_error = ? WHERE id = ?", (why, event))

    def retry(self) -> int:
        """Tell everything that was parked again; how much that is."""
        return self._db.execute("UPDATE events SET parked = 0 WHERE parked").rowcount
