"""Whether Pipedrive still shows our records: what was seen, what was missed, what that proves."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta

from daemon.ledger.records import record_of
from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import stamp
from daemon.rules.records import Record

NOT_FOUND = "not found"
APART = timedelta(hours=1)  # between two looks that prove an absence together
_YOUNG = timedelta(minutes=10)  # reads may lag behind writes


class Presence:
    """Owns the columns `shown`, `missing_since` and `missing_why` of `records`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def show(self, kind: str, ids: Iterable[str]) -> list[str]:
        """Note that these objects are there; the keys of records that were missing before.

        A record that was taken for deleted stands for its object again.
        """
        asked = listed(ids)
        rows = self._db.execute(
            "SELECT key, tombstone, missing_since FROM records INDEXED BY records_missing"
            f" WHERE kind = ? AND pipedrive_id {AMONG}"
            "  AND tombstone IS NULL AND (NOT shown OR missing_since IS NOT NULL)"
            " UNION ALL SELECT key, tombstone, missing_since FROM records"
            f" INDEXED BY records_deleted WHERE kind = ? AND pipedrive_id {AMONG}"
            "  AND tombstone = 'deleted'",
            (kind, asked, kind, asked),
        ).fetchall()
        self._db.executemany(
            "UPDATE records SET shown = 1, missing_since = NULL, missing_why = NULL,"
            " tombstone = NULL, tombstone_at = NULL WHERE kind = ? AND key = ?",
            [(kind, row["key"]) for row in rows],
        )
        return [row["key"] for row in rows if row["tombstone"] or row["missing_since"]]

    def prove(self, objects: Iterable[tuple[str, str]]) -> None:
        """Note that these objects, (kind, id), are there: something could be linked to them."""
        self._db.execute(
            # The middle condition is the index's own, without which SQLite doesn't use it.
            "UPDATE records INDEXED BY records_missing SET shown = 1 FROM json_each(?) one"
            " WHERE tombstone IS NULL AND (NOT shown OR missing_since IS NOT NULL) AND NOT shown"
            " AND records.kind = one.value ->> 0 AND records.pipedrive_id = one.value ->> 1",
            (json.dumps(list(objects)),),
        )

    def miss(self, kind: str, pipedrive_id: str, why: str, now: datetime) -> bool:
        """Note that an object wasn't found; whether that proves it gone.

        It does only if it was seen alive since it was made, and missed an hour ago already.
        """
        rows = self._db.execute(
            "SELECT shown, missing_since FROM records INDEXED BY records_pipedrive_id"
            " WHERE kind = ? AND pipedrive_id = ? AND tombstone IS NULL",
            (kind, pipedrive_id),
        ).fetchall()
        self._db.execute(
            "UPDATE records INDEXED BY records_pipedrive_id"
            " SET missing_since = coalesce(missing_since, ?), missing_why = ?"
            " WHERE kind = ? AND pipedrive_id = ? AND tombstone IS NULL",
            (stamp(now), why, kind, pipedrive_id),
        )
        long_ago = stamp(now - APART)
        return why == NOT_FOUND and any(
            row["shown"] and row["missing_since"] and row["missing_since"] <= long_ago
            for row in rows
        )

    def is_young(self, kind: str, pipedrive_id: str, now: datetime) -> bool:
        """Whether we made an object so recently that lists may not show it yet."""
        bound = stamp(now - _YOUNG)
        return any(
            row["written_at"] and row["written_at"] > bound and row["origin"] == "created"
            for row in self._db.execute(
                "SELECT written_at, origin FROM records INDEXED BY records_pipedrive_id"
                " WHERE kind = ? AND pipedrive_id = ?",
                (kind, pipedrive_id),
            )
        )

    def touched_lately(self, since: datetime, limit: int) -> dict[str, list[Record]]:
        """Persons and organizations of those for whom something was written since, latest first.

        At most so many senders; only what was seen and isn't missed.
        """
        rows = self._db.execute(_TOUCHED, (stamp(since), limit)).fetchall()
        found: dict[str, list[Record]] = {"person": [], "organization": []}
        for row in rows:
            found[row["kind"]].append(record_of(row))
        return found

    def to_look_for(self, now: datetime) -> list[Record]:
        """Missing records whose second look is due: it may prove them gone."""
        rows = self._db.execute(
            "SELECT * FROM records INDEXED BY records_second_look WHERE tombstone IS NULL"
            " AND missing_since IS NOT NULL AND shown AND missing_why = ? AND missing_since <= ?",
            (NOT_FOUND, stamp(now - APART)),
        )
        return [record_of(row) for row in rows]


_TOUCHED = """
WITH lately (sender) AS MATERIALIZED (
  SELECT sender FROM journal INDEXED BY journal_done
  WHERE state = 'done' AND done_at >= ? AND sender IS NOT NULL
  GROUP BY sender ORDER BY max(done_at) DESC LIMIT ?),
named (kind, key) AS MATERIALIZED (
  SELECT 'person', sender FROM lately UNION
  SELECT 'organization', s.organization FROM lately CROSS JOIN senders s ON s.address = sender
  WHERE s.organization IS NOT NULL)
SELECT r.* FROM named CROSS JOIN records r ON r.kind = named.kind AND r.key = named.key
WHERE r.tombstone IS NULL AND r.pipedrive_id IS NOT NULL AND r.shown AND r.missing_since IS NULL
"""
