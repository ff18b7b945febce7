"""Quarantine: UIDs whose messages couldn't be read, why, and when each is tried again."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from daemon.ledger.timestamp import stamp, stamp_or_none
from daemon.rules import backoff


class Quarantine:
    """Owns `quarantine`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, folder: int, uidvalidity: int, uid: int, reason: str, now: datetime) -> None:
        """Set one UID apart with its reason; the wait to its next try grows, then ends."""
        row = self._db.execute(
            "SELECT attempts FROM quarantine WHERE folder = ? AND uidvalidity = ? AND uid = ?",
            (folder, uidvalidity, uid),
        ).fetchone()
        attempts = (row["attempts"] if row else 0) + 1
        steps = backoff.UNREADABLE
        due = backoff.due(now, backoff.pause(steps, attempts) if attempts <= len(steps) else None)
        self._db.execute(
            "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET reason = excluded.reason, attempts = excluded.attempts,"
            " not_before = excluded.not_before",
            (folder, uidvalidity, uid, reason, attempts, stamp(now), stamp_or_none(due)),
        )

    def due(self, folder: int, uidvalidity: int, now: datetime) -> list[int]:
        """UIDs in quarantine whose next try has come."""
        rows = self._db.execute(
            "SELECT uid FROM quarantine WHERE folder = ? AND uidvalidity = ? AND not_before <= ?",
            (folder, uidvalidity, stamp(now)),
        )
        return [row["uid"] for row in rows]

    def end(self, folder: int, uidvalidity: int, uids: Iterable[int]) -> None:
        """End the quarantine of UIDs that the folder no longer has."""
        self._db.executemany(
            "DELETE FROM quarantine WHERE folder = ? AND uidvalidity = ? AND uid = ?",
            [(folder, uidvalidity, uid) for uid in uids],
        )

    def entries(self, mailbox: str | None = None) -> list[sqlite3.Row]:
        """Every quarantined UID with its mailbox and folder, or those of one mailbox."""
        return self._db.execute(
            "SELECT f.mailbox, f.name, f.id AS folder, q.uidvalidity, q.uid, q.reason"
            " FROM quarantine q JOIN folders f ON f.id = q.folder WHERE f.active"
            " AND (? IS NULL OR f.mailbox = ?) ORDER BY f.mailbox, f.name, q.uid",
            (mailbox, mailbox),
        ).fetchall()

    def count(self) -> int:
        """How many UIDs lie in quarantine."""
        (count,) = self._db.execute("SELECT count(*) FROM quarantine").fetchone()
        return int(count)

    def release(self, now: datetime) -> int:
        """Make every quarantined UID due at once; how many there are."""
        return self._db.execute(
            "UPDATE quarantine SET attempts = 0, not_before = ?", (stamp(now),)
        ).rowcount
