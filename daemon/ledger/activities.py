"""The messages and meetings of senders that activities are made of, and those without one."""

import sqlite3
from collections.abc import Sequence


class Activities:
    """Reads `correspondence` and `meetings` against `records` and `journal`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def without_activity(self) -> list[tuple[str, str]]:
        """Contact messages that have no activity, nor one on its way; each with its sender."""
        return list(map(tuple, self._db.execute(_WITHOUT_ACTIVITY)))

    def missing(self, address: str, limit: int = -1) -> Sequence[sqlite3.Row]:
        """Contact messages of this sender, newest first, whose activity doesn't name it yet."""
        return self._db.execute(_MISSING, (address, f'"{address}"', limit)).fetchall()

    def logged(self, address: str) -> None:
        """Note that every contact message of this sender has its activity, or will have it."""
        self._db.execute(
            "UPDATE correspondence INDEXED BY correspondence_unlogged SET logged = 1"
            " WHERE sender = ? AND verdict = 'contact' AND NOT logged",
            (address,),
        )

    def parties(self, message: int) -> list[tuple[str, str]]:
        """Senders to whom a message counts, each with its class; not those whom people removed."""
        rows = self._db.execute(
            "SELECT c.sender, s.class FROM correspondence c JOIN senders s ON s.address = c.sender"
            " LEFT JOIN records p ON p.kind = 'person' AND p.key = c.sender"
            " WHERE c.message = ? AND c.verdict = 'contact' AND p.tombstone IS NULL",
            (message,),
        )
        return [(row["sender"], row["class"]) for row in rows]

    def meetings(self, address: str) -> list[sqlite3.Row]:
        """The meetings with a sender."""
        return self._db.execute(
            "SELECT * FROM meetings WHERE sender = ? ORDER BY uid", (address,)
        ).fetchall()

    def meeting_parties(self, uid: str) -> dict[str, bool]:
        """Senders with a record who are in a meeting, and whether it counts for them."""
        rows = self._db.execute(
            "SELECT m.sender, m.counts FROM meetings m JOIN senders s ON s.address = m.sender"
            " LEFT JOIN records p ON p.kind = 'person' AND p.key = m.sender"
            " WHERE m.uid = ? AND s.class <> 'ignore' AND p.tombstone IS NULL",
            (uid,),
        )
        return {row["sender"]: bool(row["counts"]) for row in rows}


_MISSING = """
SELECT m.id, m.key, m.direction, m.subject, m.snippet, m.sent_at, m.facts,
       r.pipedrive_id IS NOT NULL AS there
FROM correspondence c INDEXED BY correspondence_unlogged
JOIN messages m ON m.id = c.message
LEFT JOIN records r ON r.kind = 'activity' AND r.key = m.key
LEFT JOIN journal j ON j.kind = 'activity' AND j.key = m.key AND j.state <> 'done'
WHERE c.sender = ? AND c.verdict = 'contact' AND NOT c.logged
  AND instr(coalesce(j.fields, r.fields, ''), ?) = 0 AND r.tombstone IS NULL
ORDER BY m.sent_at DESC, m.key LIMIT ?
"""


_WITHOUT_ACTIVITY = """
SELECT m.key, min(c.sender) AS sender FROM correspondence c
JOIN messages m ON m.id = c.message
JOIN senders s ON s.address = c.sender
JOIN records p ON p.kind = 'person' AND p.key = c.sender AND p.tombstone IS NULL
LEFT JOIN records r ON r.kind = 'activity' AND r.key = m.key
LEFT JOIN journal j ON j.kind = 'activity' AND j.key = m.key AND j.state <> 'done'
WHERE c.verdict = 'contact' AND s.class <> 'ignore' AND s.version = s.synced_version
  AND r.key IS NULL AND j.id IS NULL
GROUP BY m.key
"""
