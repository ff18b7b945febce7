"""Kinds of records that Pipedrive refuses one after the other: why, and when one is tried again."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from daemon.ledger.timestamp import instant, instant_or_none, stamp, stamp_or_none
from daemon.rules import backoff

_DIFFERENT = 3  # records refused alike, with no success between, after which the kind rests


@dataclass(frozen=True, slots=True)
class Rest:
    """One row of `resting`; `next_try` None: refusals are still counted, nothing rests."""

    kind: str
    alike: str
    refused: tuple[str, ...]
    reason: str
    since: datetime
    tries: int
    next_try: datetime | None


class Resting:
    """Owns `resting`: a row a kind that was refused since its last success, none for the others."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def all(self) -> dict[str, Rest]:
        """What was refused lately, by kind."""
        return {row["kind"]: _rest(row) for row in self._db.execute("SELECT * FROM resting")}

    def refused(
        self, before: Rest | None, kind: str, key: str, alike: str, reason: str, now: datetime
    ) -> Rest:
        """Count a refusal of this record; `alike` is what refusals of one cause share.

        `before` is the row that there is. The kind rests from the third different record on, and
        each refusal of the one that is tried meanwhile makes the next try later; those that were
        on their way when it began to rest don't.
        """
        if before is None or before.alike != alike:
            before = Rest(kind, alike, (), reason, now, 0, None)
        refused = tuple(dict.fromkeys((*before.refused, key)))[-_DIFFERENT:]
        tries, next_try = before.tries, before.next_try
        if len(refused) == _DIFFERENT and (next_try is None or next_try <= now):
            tries += 1
            next_try = backoff.due(now, backoff.pause(backoff.REFUSED, tries))
        rest = Rest(kind, alike, refused, reason, before.since, tries, next_try)
        self._db.execute(
            "INSERT OR REPLACE INTO resting VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                kind,
                alike,
                json.dumps(refused),
                reason,
                stamp(rest.since),
                tries,
                stamp_or_none(next_try),
            ),
        )
        return rest

    def ended(self, kind: str) -> None:
        """Forget the refusals of a kind: one of them was made."""
        self._db.execute("DELETE FROM resting WHERE kind = ?", (kind,))


def _rest(row: sqlite3.Row) -> Rest:
    return Rest(
        row["kind"],
        row["alike"],
        tuple(json.loads(row["refused"])),
        row["reason"],
        instant(row["since"]),
        row["tries"],
        instant_or_none(row["next_try"]),
    )
