"""Questions about the changes on their way: how many there are, what is due, and when."""

import sqlite3
from datetime import datetime

from daemon.ledger.journal import FREE, MAKES
from daemon.ledger.presence import APART, NOT_FOUND
from daemon.ledger.timestamp import instant_or_none, stamp


class Backlog:
    """Reads `journal`, with `resting` and `records` where something else is due."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def comes_first(self, now: datetime) -> tuple[bool, bool]:
        """Whether a field is to be made now; whether something unknown is looked for."""
        fields, unknown = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM journal WHERE kind = 'field'"
            "  AND state IN ('planned', 'waiting') AND (not_before IS NULL OR not_before <= ?)),"
            " EXISTS (SELECT 1 FROM journal WHERE unknown"
            "  AND state = 'waiting' AND (not_before IS NULL OR not_before <= ?))",
            (stamp(now),) * 2,
        ).fetchone()
        return bool(fields), bool(unknown)

    def left_over(self, now: datetime) -> tuple[bool, bool, bool]:
        """Whether a change is to be taken up again, something missing looked for, a sender planned.

        Changes are those that were being sent, and those set aside whose time has come.
        """
        found, look, due = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM journal WHERE state = 'sending')"
            " OR EXISTS (SELECT 1 FROM journal WHERE state = 'parked' AND not_before <= ?)"
            " OR EXISTS (SELECT 1 FROM resting WHERE next_try <= ?)"
            " OR EXISTS (SELECT 1 FROM senders WHERE follow_up_due <= ?), EXISTS"
            " (SELECT 1 FROM records INDEXED BY records_second_look WHERE tombstone IS NULL"
            "  AND missing_since IS NOT NULL AND shown AND missing_since <= ?),"
            " EXISTS (SELECT 1 FROM senders WHERE version > synced_version)",
            (*(stamp(now),) * 3, stamp(now - APART)),
        ).fetchone()
        return bool(found), bool(look), bool(due)

    def keys(self, kind: str) -> list[str]:
        """The records of a kind for which a change is on its way."""
        rows = self._db.execute(
            "SELECT key FROM journal WHERE kind = ? AND state <> 'done'", (kind,)
        )
        return [row["key"] for row in rows]

    def senders(self) -> set[str]:
        """Senders with a change on its way."""
        rows = self._db.execute(
            "SELECT DISTINCT sender FROM journal WHERE state <> 'done' AND sender IS NOT NULL"
        )
        return {row["sender"] for row in rows}

    def named_in_activities(self, sender: str) -> set[str]:
        """Everybody who is a participant of a sender's activities that are on their way."""
        rows = self._db.execute(
            "SELECT DISTINCT p.value FROM journal, json_each(fields, '$.participants') p"
            " WHERE sender = ? AND kind = 'activity' AND state <> 'done'",
            (sender,),
        )
        return {row["value"] for row in rows}

    def overtaken(self) -> set[str]:
        """Senders for whom something waits to be made that a listing shows to be there."""
        return {row["sender"] for row in self._db.execute(_OVERTAKEN)}

    def unsettled(self, run: int) -> int:
        """How many changes of a run may have been made without our knowing."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM journal WHERE run = ? AND state <> 'done'"
            " AND (unknown OR state = 'sending' OR conversion IS NOT NULL)",
            (run,),
        ).fetchone()
        return int(count)

    def done_counts(self) -> dict[tuple[str, str], int]:
        """How many changes are done, by (kind, action)."""
        rows = self._db.execute(
            "SELECT kind, action, count(*) AS n FROM journal WHERE state = 'done' GROUP BY 1, 2"
        )
        return {(row["kind"], row["action"]): row["n"] for row in rows}

    def persons_touched(self, *, done: bool) -> int:
        """How many persons that people made are, or with `done` were, to be written to."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM journal j JOIN records r ON r.kind = 'person' AND r.key = j.key"
            " WHERE j.kind = 'person' AND j.action = 'update' AND r.origin = 'adopted'"
            " AND (j.state = 'done') = ?",
            (done,),
        ).fetchone()
        return int(count)

    def next_due(self, *, follow_up: bool = False) -> datetime | None:
        """When a postponed change, a kind that rests or a second look is due; None without one.

        With `follow_up`, also when the next follow-up is.

        One that hangs on another isn't due before that one, whatever its own time says: a caller
        that waited for it would find nothing to do, again and again.
        """
        row = self._db.execute(
            "SELECT min(due) AS due FROM ("
            " SELECT min(not_before) AS due FROM journal WHERE state = 'parked'"
            " UNION ALL SELECT min(not_before) FROM journal j WHERE not_before IS NOT NULL"
            f"  AND state IN ('planned', 'waiting') AND {FREE}"
            " UNION ALL SELECT min(next_try) FROM resting"
            " UNION ALL SELECT strftime('%Y-%m-%dT%H:%M:%SZ', min(missing_since),"
            f" '+{APART.total_seconds()} seconds')"
            "  FROM records INDEXED BY records_second_look WHERE tombstone IS NULL"
            f"  AND missing_since IS NOT NULL AND shown AND missing_why = '{NOT_FOUND}'"
            " UNION ALL SELECT min(follow_up_due) FROM senders WHERE follow_up_due IS NOT NULL"
            "  AND ?)",
            (follow_up,),
        ).fetchone()
        return instant_or_none(row["due"])

    def tasks_for(self, overdue: datetime) -> int:
        """How many follow-ups are planned for mails that were written until then."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM journal WHERE state = 'planned' AND kind = 'activity'"
            " AND action = 'create' AND json_extract(fields, '$.since') <= ?",
            (stamp(overdue),),
        ).fetchone()
        return int(count)

    def pending(self) -> dict[tuple[str, str], int]:
        """How many changes are on their way, by (kind, action)."""
        rows = self._db.execute(
            "SELECT kind, action, count(*) AS n FROM journal"
            " WHERE state IN ('planned', 'sending', 'waiting') GROUP BY kind, action"
        )
        return {(row["kind"], row["action"]): row["n"] for row in rows}

    def kinds_to_make(self, now: datetime, rank: str | None) -> set[str]:
        """Kinds of which a record may be made now that wasn't sent before.

        `rank`: how the ranks begin of those that count; None: all.
        """
        rows = self._db.execute(
            "SELECT DISTINCT kind FROM journal WHERE state IN ('planned', 'waiting')"
            f" AND {MAKES} AND NOT unknown AND conversion IS NULL"
            " AND (not_before IS NULL OR not_before <= ?) AND rank LIKE ? || '%'",
            (stamp(now), rank or ""),
        )
        return {row["kind"] for row in rows}

    def unfinished(self) -> int:
        """How many changes are on their way and not postponed on purpose (coalesced updates)."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM journal WHERE state IN ('planned', 'sending', 'waiting')"
            " AND NOT (action = 'update' AND state = 'planned' AND not_before IS NOT NULL)"
        ).fetchone()
        return int(count)

    def counts(self) -> dict[str, int]:
        """How many open changes there are by state."""
        rows = self._db.execute(
            "SELECT state, count(*) AS n FROM journal WHERE state <> 'done' GROUP BY state"
        )
        return {row["state"]: row["n"] for row in rows}


_WAITING = "j.state IN ('planned', 'waiting', 'parked') AND NOT j.unknown"

_OVERTAKEN = f"""
SELECT j.sender FROM journal j JOIN crm_emails e ON e.email = j.key
WHERE j.kind = 'person' AND j.action = 'create' AND {_WAITING}
UNION
SELECT j.sender FROM journal j
JOIN records p ON p.kind = 'person' AND p.key = j.key AND p.tombstone IS NULL
JOIN crm_deals d ON d.person_id = p.pipedrive_id
WHERE j.kind IN ('lead', 'deal') AND j.action <> 'archive' AND {_WAITING}
UNION
SELECT j.sender FROM journal j
JOIN records p ON p.kind = 'person' AND p.key = j.key AND p.tombstone IS NULL
JOIN crm_leads l ON l.person_id = p.pipedrive_id
WHERE j.kind IN ('lead', 'deal') AND j.action = 'create' AND {_WAITING}
UNION
SELECT s.address FROM journal j JOIN senders s ON s.organization = j.key
WHERE j.kind = 'organization' AND j.action = 'create' AND {_WAITING}
  AND EXISTS (SELECT 1 FROM crm_organizations o WHERE o.name_key = j.key OR o.domain = j.key)
"""
