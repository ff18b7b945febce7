"""What a person allowed beyond the safety limit, and what was created lately, by the hour."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.ledger.timestamp import stamp, stamp_or_none
from daemon.rules.case import RANK_FRESH

_DAY = timedelta(days=1)
_HISTORY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was and would be created, activities apart, and what is approved."""

    planned: int  # to be created, as the journal stands
    fresh: int  # of these, what people in touch lately wait for
    today: int  # created without approval in the last 24 hours
    busiest: int  # created without approval on the busiest of the last 30 days
    left: int  # of the newest approval
    covers_all: bool  # the newest approval is for all that is planned now
    asked: bool  # a person was asked, and it still stands in the conditions


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

    def extend(self, creates: int) -> None:
        """Let the newest approval cover so many more records than were created by it."""
        self._db.execute(
            "UPDATE approvals SET creates = used + ? WHERE id = (SELECT max(id) FROM approvals)",
            (creates,),
        )

    def cover_all(self, now: datetime) -> bool:
        """Whether a person has approved all that is planned now."""
        row = self._db.execute(f"SELECT until > ? {_NEWEST}", (stamp(now),)).fetchone()
        return bool(row and row[0])

    def counted(self, now: datetime) -> Counted:
        """What the safety limit is decided on, in one look."""
        row = self._db.execute(
            _COUNTED, (stamp(now - _DAY)[:13], stamp(now - _HISTORY)[:13], stamp(now))
        ).fetchone()
        return Counted(
            planned=row["planned"],
            fresh=row["fresh"],
            today=row["today"],
            busiest=row["busiest"],
            left=max(0, row["left"] or 0),
            covers_all=bool(row["covers_all"]),
            asked=bool(row["asked"]),
        )


_NEWEST = "FROM approvals ORDER BY id DESC LIMIT 1"
_TO_CREATE = """
FROM journal WHERE state IN ('planned', 'sending', 'waiting') AND action IN ('create', 'convert')
 AND kind NOT IN ('activity', 'field', 'participant')
"""
_COUNTED = f"""
SELECT (SELECT count(*) {_TO_CREATE}) AS planned,
       (SELECT count(*) {_TO_CREATE} AND substr(rank, 1, 1) = '{RANK_FRESH}') AS fresh,
       (SELECT coalesce(sum(n - approved), 0) FROM creates WHERE hour > ?) AS today,
       (SELECT coalesce(max(n), 0) FROM (SELECT sum(n - approved) AS n FROM creates WHERE hour > ?
          GROUP BY substr(hour, 1, 10))) AS busiest,
       (SELECT creates - used {_NEWEST}) AS left,
       (SELECT until > ? {_NEWEST}) AS covers_all,
       (SELECT 1 FROM conditions WHERE part = 'approval' AND failing_since IS NOT NULL) AS asked
"""
