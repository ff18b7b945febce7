"""Sightings: the places where messages were seen, folder by folder."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import stamp_or_none

_LAST_UID = 2**63 - 1  # what SQLite holds; RFC 3501 ends at 2**32 - 1, not every server does


class Sighting(NamedTuple):
    """A message at one place; `message` is its id, None for what is older than we read."""

    uid: int
    message: int | None
    size: int | None = None  # bytes, RFC822.SIZE
    arrived_at: datetime | None = None  # INTERNALDATE


class Sightings:
    """Owns `sightings`; a UID with a sighting is in quarantine no more."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def known_uids(
        self, folder: int, uidvalidity: int, first: int = 1, last: int = _LAST_UID
    ) -> set[int]:
        """UIDs from `first` to `last` that have a sighting or lie in quarantine."""
        stretch = "WHERE folder = ? AND uidvalidity = ? AND uid BETWEEN ? AND ?"
        rows = self._db.execute(
            f"SELECT uid FROM sightings {stretch} UNION ALL SELECT uid FROM quarantine {stretch}",
            (folder, uidvalidity, first, last) * 2,
        )
        return {row["uid"] for row in rows}

    def seen_uids(
        self, folder: int, uidvalidity: int, first: int = 1, last: int = _LAST_UID
    ) -> set[int]:
        """UIDs from `first` to `last` that have a sighting: of messages that could be read."""
        rows = self._db.execute(
            "SELECT uid FROM sightings WHERE folder = ? AND uidvalidity = ?"
            " AND uid BETWEEN ? AND ?",
            (folder, uidvalidity, first, last),
        )
        return {row["uid"] for row in rows}

    def see(self, folder: int, uidvalidity: int, seen: Iterable[Sighting]) -> None:
        """Record where messages were seen; ends their quarantine."""
        rows = [
            (folder, uidvalidity, one.uid, one.message, one.size, stamp_or_none(one.arrived_at))
            for one in seen
        ]
        self._db.executemany(
            "INSERT OR REPLACE INTO sightings (folder, uidvalidity, uid, message, size, arrived_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._db.executemany(
            "DELETE FROM quarantine WHERE folder = ? AND uidvalidity = ? AND uid = ?",
            [row[:3] for row in rows],
        )

    def places(self, messages: Iterable[int]) -> list[sqlite3.Row]:
        """Where these messages lie, as far as we know: mailbox, name, uidvalidity, uid, message."""
        return self._db.execute(
            "SELECT f.mailbox, f.name, s.uidvalidity, s.uid, s.message FROM sightings s"
            " JOIN folders f ON f.id = s.folder AND f.uidvalidity = s.uidvalidity"
            f" WHERE f.active AND NOT s.gone AND s.message {AMONG} ORDER BY s.message, f.id, s.uid",
            (listed(messages),),
        ).fetchall()

    def unsized(self, folder: int, uidvalidity: int) -> bool:
        """Whether an earlier version saw a message without noting its size."""
        where = "folder = ? AND uidvalidity = ? AND size IS NULL"
        sql = f"SELECT EXISTS (SELECT 1 FROM sightings WHERE {where})"
        return bool(self._db.execute(sql, (folder, uidvalidity)).fetchone()[0])

    def differing(self, folder: int, uidvalidity: int, places: Iterable[Sighting]) -> list[int]:
        """The UIDs under which the server has another message now than the one that was seen."""
        now = {one.uid: (one.size, stamp_or_none(one.arrived_at)) for one in places}
        seen = self._db.execute(
            "SELECT uid, size, arrived_at FROM sightings"
            " WHERE folder = ? AND uidvalidity = ? AND uid BETWEEN ? AND ? AND size IS NOT NULL",
            (folder, uidvalidity, min(now, default=0), max(now, default=0)),
        )
        return [
            uid
            for uid, *before in seen
            if uid in now
            and any(
                old is not None and new is not None and old != new
                for old, new in zip(before, now[uid], strict=True)
            )
        ]

    def strangers(self, folder: int, uidvalidity: int, keys: Mapping[int, str]) -> list[int]:
        """Of these UIDs, with the message keys of what lies there now, those seen as other mail."""
        rows = self._db.execute(
            "SELECT s.uid FROM json_each(?) one JOIN sightings s"
            " ON s.folder = ? AND s.uidvalidity = ? AND s.uid = one.value ->> 0"
            " JOIN messages m ON m.id = s.message WHERE m.key <> one.value ->> 1 AND NOT EXISTS"
            " (SELECT 1 FROM copies c WHERE c.key = one.value ->> 1 AND c.message = m.id)",
            (json.dumps(list(keys.items())), folder, uidvalidity),
        )
        return [row["uid"] for row in rows]

    def note_sizes(self, folder: int, uidvalidity: int, places: Iterable[Sighting]) -> None:
        """Keep what an earlier version didn't note of these places."""
        self._db.executemany(
            "UPDATE sightings SET size = ?, arrived_at = ?"
            " WHERE folder = ? AND uidvalidity = ? AND uid = ? AND size IS NULL",
            [
                (one.size, stamp_or_none(one.arrived_at), folder, uidvalidity, one.uid)
                for one in places
            ],
        )

    def forget(self, folder: int, uidvalidity: int, uids: Iterable[int]) -> None:
        """Forget what was seen under these UIDs, so that they are read."""
        self._db.executemany(
            "DELETE FROM sightings WHERE folder = ? AND uidvalidity = ? AND uid = ?",
            [(folder, uidvalidity, uid) for uid in uids],
        )

    def forget_from(self, folder: int, uidvalidity: int, first: int) -> None:
        """Forget all from this UID on, also what lies in quarantine."""
        for table in ("quarantine", "sightings"):
            where = "folder = ? AND uidvalidity = ? AND uid >= ?"
            self._db.execute(f"DELETE FROM {table} WHERE {where}", (folder, uidvalidity, first))
