"""The health of each part: since when it fails, why, and when it is tried again."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import instant_or_none, stamp, stamp_or_none

EVENTS = "events"  # the part whose names are those of receivers


@dataclass(frozen=True, slots=True)
class Failure:
    """One row of the view `problems`: what doesn't work now."""

    part: str
    name: str
    since: datetime | None
    reason: str
    next_try: datetime | None
    needs_person: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of `conditions`: how a part is; `failing_since` None means that it works."""

    part: str
    name: str
    good_at: datetime | None
    failing_since: datetime | None
    failures: int  # in a row
    reason: str
    next_try: datetime | None


class Conditions:
    """Owns `conditions`, and reads the view `problems` over all that can fail."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def good(self, part: str, now: datetime, name: str = "") -> None:
        """Note that a part works."""
        self._db.execute(
            "INSERT INTO conditions (part, name, good_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET good_at = excluded.good_at, failing_since = NULL, failures = 0, reason = '',"
            " next_try = NULL, needs_person = 0",
            (part, name, stamp(now)),
        )

    def failed(
        self,
        part: str,
        reason: str,
        now: datetime,
        name: str = "",
        *,
        next_try: datetime | None = None,
        needs_person: bool = False,
    ) -> None:
        """Note one more failure; the part has been failing since the first of these."""
        self._db.execute(
            "INSERT INTO conditions (part, name, failing_since, failures, reason, next_try,"
            " needs_person) VALUES (?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " failing_since = coalesce(failing_since, excluded.failing_since),"
            " failures = failures + 1, reason = excluded.reason, next_try = excluded.next_try,"
            " needs_person = excluded.needs_person",
            (part, name, stamp(now), reason, stamp_or_none(next_try), needs_person),
        )

    def forget(self, part: str, name: str = "") -> None:
        """Forget a part that no longer exists."""
        self._db.execute("DELETE FROM conditions WHERE part = ? AND name = ?", (part, name))

    def keep_only(self, part: str, names: Iterable[str]) -> None:
        """Forget all of a part but these."""
        self._db.execute(
            f"DELETE FROM conditions WHERE part = ? AND name NOT {AMONG}", (part, listed(names))
        )

    def try_now(self, part: str) -> None:
        """Make what fails of a part due at once."""
        self._db.execute("UPDATE conditions SET next_try = NULL WHERE part = ?", (part,))

    def of(self, *parts: str) -> list[Condition]:
        """What is known of these parts."""
        rows = self._db.execute(
            f"SELECT * FROM conditions WHERE part {AMONG} ORDER BY part, name", (listed(parts),)
        )
        return [
            Condition(
                part=row["part"],
                name=row["name"],
                good_at=instant_or_none(row["good_at"]),
                failing_since=instant_or_none(row["failing_since"]),
                failures=row["failures"],
                reason=row["reason"],
                next_try=instant_or_none(row["next_try"]),
            )
            for row in rows
        ]

    def is_failing(self, part: str, name: str = "") -> bool:
        """Whether it fails now."""
        return bool(
            self._db.execute(
                "SELECT 1 FROM conditions WHERE part = ? AND name = ?"
                " AND failing_since IS NOT NULL",
                (part, name),
            ).fetchone()
        )

    def problems(self) -> list[Failure]:
        """All that doesn't work: what needs a person first, then what has failed longest."""
        rows = self._db.execute("SELECT * FROM problems ORDER BY needs_person DESC, since, part")
        return [
            Failure(
                part=row["part"],
                name=row["name"],
                since=instant_or_none(row["since"]),
                reason=row["reason"] or "",
                next_try=instant_or_none(row["next_try"]),
                needs_person=bool(row["needs_person"]),
            )
            for row in rows
        ]
