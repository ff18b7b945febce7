"""Records: which Pipedrive objects stand for what, and which are never to be made again."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import instant_or_none, stamp
from daemon.rules.records import Adoption, LocalRecords, Record


class Records:
    """Owns `records`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        # Whether some are known by their marks alone; None: not asked yet.
        self.unclaimed: bool | None = None

    def get(self, kind: str, key: str) -> Record | None:
        """One record, tombstones included."""
        row = self._db.execute(
            "SELECT * FROM records WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return record_of(row) if row else None

    def known(self, address: str, organization: str | None) -> LocalRecords:
        """The records that stand for a sender."""
        rows = self._db.execute(
            "SELECT * FROM records WHERE kind IN ('person', 'lead', 'deal') AND key = ?"
            " UNION ALL SELECT * FROM records WHERE kind = 'organization' AND key = ?",
            (address, organization),
        )
        found = {row["kind"]: record_of(row) for row in rows}
        return LocalRecords(*map(found.get, ("organization", "person", "lead", "deal")))

    def around(self, addresses: Iterable[str], organization: str | None) -> list[Record]:
        """What is live of these senders, of their persons' other addresses, of an organization."""
        return records(self._db, _AROUND, listed(addresses), organization)

    def of_sender(self, address: str) -> list[Record]:
        """All records of a sender, its activities included."""
        sql = "SELECT * FROM records WHERE sender = ? ORDER BY kind, key"
        return records(self._db, sql, address)

    def by_id(self, kind: str, *pipedrive_ids: str) -> list[Record]:
        """Records that these objects stand for: a person with two addresses has two."""
        return records(
            self._db,
            # Left alone, SQLite reads all records of the kind, because they lie in the order asked.
            "SELECT * FROM records INDEXED BY records_pipedrive_id"
            f" WHERE kind = ? AND pipedrive_id {AMONG} ORDER BY key",
            kind,
            listed(pipedrive_ids),
        )

    def live_id(self, kind: str, key: str) -> str | None:
        """The Pipedrive id of a record that isn't a tombstone."""
        row = self._db.execute(
            "SELECT pipedrive_id FROM records WHERE kind = ? AND key = ? AND tombstone IS NULL",
            (kind, key),
        ).fetchone()
        return row["pipedrive_id"] if row else None

    def live_ids(self, kind: str) -> dict[str, str]:
        """The Pipedrive ids of all records of a kind that aren't tombstones, by key."""
        rows = self._db.execute(
            "SELECT key, pipedrive_id FROM records WHERE kind = ? AND tombstone IS NULL"
            " AND pipedrive_id IS NOT NULL",
            (kind,),
        )
        return dict(map(tuple, rows))

    def live_page(self, kind: str, after: str, limit: int) -> list[tuple[str, str]]:
        """Up to `limit` of the same, (key, id) in order of the keys above `after`."""
        rows = self._db.execute(
            "SELECT key, pipedrive_id FROM records WHERE kind = ? AND key > ?"
            " AND tombstone IS NULL AND pipedrive_id IS NOT NULL ORDER BY key LIMIT ?",
            (kind, after, limit),
        )
        return list(map(tuple, rows))

    def none_created(self) -> bool:
        """Whether nothing but our fields was ever created out of this ledger.

        What an earlier ledger made was adopted by its marks; no run of this one created it.
        """
        found = self._db.execute(
            "SELECT 1 FROM creates UNION ALL"
            " SELECT 1 FROM records WHERE run IS NOT NULL AND kind <> 'field' LIMIT 1"
        ).fetchone()
        return found is None

    def adopted_counts(self) -> dict[str, int]:
        """How many live records of each kind stand for objects that people made."""
        rows = self._db.execute(
            "SELECT kind, count(*) FROM records WHERE origin = 'adopted' AND tombstone IS NULL"
            " GROUP BY kind"
        )
        return dict(map(tuple, rows))

    def adopt(
        self,
        adoption: Adoption,
        sender: str | None,
        now: datetime,
        fields: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Make an existing object the record of `adoption.key`, in place of a tombstone too.

        `fields` is what it says of what we would write.
        """
        self._db.execute(
            "INSERT OR REPLACE INTO records"
            " (kind, key, pipedrive_id, origin, fields, seen_at, reason, sender)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                adoption.kind,
                adoption.key,
                adoption.pipedrive_id,
                "created" if adoption.ours else "adopted",
                json.dumps(dict(fields), ensure_ascii=False),
                stamp(now),
                adoption.reason,
                sender,
            ),
        )

    def written(
        self,
        kind: str,
        key: str,
        pipedrive_id: str,
        fields: Mapping[str, Any],
        now: datetime,
        *,
        sender: str | None,
        run: int | None,
        created: bool,
    ) -> None:
        """Note what Pipedrive now holds for a record; fields of an update join the earlier ones."""
        self._db.execute(
            "INSERT INTO records (kind, key, pipedrive_id, origin, fields, written_at, seen_at,"
            " sender, run, shown) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NOT ?)"
            " ON CONFLICT DO UPDATE SET pipedrive_id = excluded.pipedrive_id,"
            " origin = iif(?, excluded.origin, origin),"
            # Another object has taken the record's place, or what was written joins the rest.
            " fields = iif(? AND pipedrive_id IS NOT excluded.pipedrive_id, excluded.fields,"
            "  json_patch(fields, excluded.fields)),"
            " written_at = excluded.written_at, seen_at = excluded.seen_at,"
            " tombstone = iif(?, NULL, tombstone), run = coalesce(excluded.run, run),"
            " shown = excluded.shown, missing_since = NULL, missing_why = NULL",
            (
                kind,
                key,
                pipedrive_id,
                "created" if created else "adopted",
                json.dumps(dict(fields), ensure_ascii=False),
                stamp(now),
                stamp(now),
                sender,
                run if created else None,
                *(created,) * 4,
            ),
        )

    def marked(self, mark: str) -> bool:
        """Whether an activity of ours has a key with this end."""
        found = self._db.execute(
            "SELECT 1 FROM records WHERE kind = 'activity' AND substr(key, -?) = ? LIMIT 1",
            (len(mark), mark),
        )
        return found.fetchone() is not None

    def claim(self, keys: Mapping[str, str]) -> int:
        """Give activities that were adopted by their marks their whole keys, by mark; how many."""
        return self._db.executemany(
            "UPDATE OR IGNORE records SET key = ? WHERE kind = 'activity' AND key = ?",
            [(key, mark) for mark, key in keys.items()],
        ).rowcount

    def unlinked(self, sender: str) -> list[Record]:
        """What was made for a sender without a link to something that couldn't be made."""
        return records(self._db, f"{_UNLINKED} = ?", sender)

    def unlinked_of_person(self, sender: str) -> list[Record]:
        """The same for all addresses of the person whose address this is."""
        return records(self._db, f"{_UNLINKED} {_SAME_PERSON}", sender, sender)

    def mark_gone(
        self, kind: str, key: str, tombstone: str, now: datetime, reason: str = ""
    ) -> None:
        """Mark a record as gone on purpose: it is never made again.

        The first tombstone stays, unless a lead that seemed deleted turns out to be converted.
        """
        self._db.execute(
            "UPDATE records SET tombstone = ?, tombstone_at = ?, reason = ?"
            " WHERE kind = ? AND key = ? AND (tombstone IS NULL"
            "  OR (tombstone = 'deleted' AND ? = 'converted'))",
            (tombstone, stamp(now), reason, kind, key, tombstone),
        )

    def made_by(self, run: int) -> dict[str, int]:
        """How many records a run created, by kind."""
        rows = self._db.execute(
            "SELECT kind, count(*) FROM records WHERE run = ? GROUP BY kind ORDER BY kind", (run,)
        )
        return dict(map(tuple, rows))

    def left_of(self, run: int) -> dict[str, int]:
        """How many of the records that a run created aren't tombstones, by kind."""
        rows = self._db.execute(
            "SELECT kind, count(*) FROM records WHERE run = ? AND origin = 'created'"
            " AND tombstone IS NULL AND pipedrive_id IS NOT NULL GROUP BY kind ORDER BY kind",
            (run,),
        )
        return dict(map(tuple, rows))

    def created_by(self, run: int) -> list[Record]:
        """What a run created that isn't a tombstone."""
        return records(
            self._db,
            "SELECT * FROM records WHERE run = ? AND origin = 'created' AND tombstone IS NULL"
            " AND pipedrive_id IS NOT NULL ORDER BY kind, key",
            run,
        )

    def joined_by(self, run: int) -> list[Record]:
        """Persons of others to which a run added a sender's address."""
        return records(
            self._db,
            "SELECT * FROM records WHERE kind = 'person' AND tombstone IS NULL"
            " AND json_extract(fields, '$.joined') = ? ORDER BY key",
            run,
        )

    def last_write(self, sender: str) -> datetime | None:
        """When we last wrote anything of a sender."""
        return self._instant("max(written_at) FROM records WHERE sender = ?", sender)

    def last_written(self, kind: str) -> datetime | None:
        """When we last wrote a record of a kind."""
        return self._instant(
            "max(written_at) FROM records INDEXED BY records_written WHERE kind = ?", kind
        )

    def first_written(self, kind: str) -> datetime | None:
        """The earliest of the last writes to the records of a kind."""
        return self._instant(
            "min(written_at) FROM records INDEXED BY records_written WHERE kind = ?", kind
        )

    def last_undo(self, sender: str) -> datetime | None:
        """When anything of a sender was last undone."""
        return self._instant(
            "max(tombstone_at) FROM records WHERE sender = ? AND tombstone = 'undone'", sender
        )

    def _instant(self, what: str, value: str) -> datetime | None:
        return instant_or_none(self._db.execute(f"SELECT {what}", (value,)).fetchone()[0])

    def live(self, kind: str) -> list[Record]:
        """All records of a kind that aren't tombstones."""
        return records(
            self._db,
            "SELECT * FROM records WHERE kind = ? AND tombstone IS NULL AND pipedrive_id"
            " IS NOT NULL ORDER BY key",
            kind,
        )

    def with_person(self) -> set[str]:
        """Senders who have, or had, a person."""
        rows = self._db.execute(
            "SELECT DISTINCT sender FROM records WHERE kind = 'person' AND sender IS NOT NULL"
        )
        return {row["sender"] for row in rows}

    def senders_of(self, kind: str, key: str) -> list[str]:
        """Senders that a record concerns: its own, or all of an organization's."""
        if kind == "organization":
            rows = self._db.execute("SELECT address FROM senders WHERE organization = ?", (key,))
        else:
            rows = self._db.execute(
                "SELECT sender AS address FROM records WHERE kind = ? AND key = ?"
                " AND sender IS NOT NULL",
                (kind, key),
            )
        return [row["address"] for row in rows]


_UNLINKED = """
SELECT * FROM records INDEXED BY records_sender WHERE kind IN ('activity', 'lead', 'deal')
AND tombstone IS NULL AND json_extract(fields, '$.unlinked') AND sender
"""
_SAME_PERSON = """IN
  (SELECT ? UNION SELECT o.key FROM records p CROSS JOIN records o INDEXED BY records_pipedrive_id
   ON o.kind = 'person' AND o.pipedrive_id = p.pipedrive_id
   WHERE p.kind = 'person' AND p.key = ? AND p.tombstone IS NULL)
"""
# Left alone, SQLite reads all records of a kind; a join from left to right reads only these.
_AROUND = """
WITH named (address) AS (SELECT value FROM json_each(?))
SELECT * FROM records WHERE tombstone IS NULL AND kind IN ('person', 'lead', 'deal') AND key IN
  (SELECT address FROM named UNION
   SELECT o.key FROM named CROSS JOIN records p ON p.kind = 'person' AND p.key = named.address
   CROSS JOIN records o INDEXED BY records_pipedrive_id
   ON o.kind = 'person' AND o.pipedrive_id = p.pipedrive_id
   WHERE p.tombstone IS NULL AND o.tombstone IS NULL)
UNION ALL
SELECT * FROM records WHERE tombstone IS NULL AND kind = 'organization' AND key = ?
"""


def records(db: sqlite3.Connection, sql: str, *values: object) -> list[Record]:
    """The records that a query over whole rows of `records` finds."""
    return [record_of(row) for row in db.execute(sql, values)]


def record_of(row: sqlite3.Row) -> Record:
    """Read a row of `records`."""
    return Record(
        kind=row["kind"],
        key=row["key"],
        pipedrive_id=row["pipedrive_id"],
        origin=row["origin"],
        fields=json.loads(row["fields"]),
        written_at=instant_or_none(row["written_at"]),
        tombstone=row["tombstone"],
        shown=bool(row["shown"]),
        missing=row["missing_since"] is not None,
    )
