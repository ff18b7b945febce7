"""Mailboxes that can't be polled as a whole: since when, why, and when they are tried again."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import instant_or_none, stamp, stamp_or_none


@dataclass(frozen=True, slots=True)
class Trouble:
    """One row of `troubles`; `next_due` None means parked until a person has done something."""

    mailbox: str
    failures: int
    reason: str
    next_due: datetime | None


class Troubles:
    """Owns `troubles`: a row a mailbox that fails, none for one that works."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def of(self, mailbox: str) -> Trouble | None:
        """What is wrong with a mailbox, None if nothing is."""
        row = self._db.execute("SELECT * FROM troubles WHERE mailbox = ?", (mailbox,)).fetchone()
        if row is None:
            return None
        return Trouble(mailbox, row["failures"], row["reason"], instant_or_none(row["next_due"]))

    def failed(self, mailbox: str, reason: str, next_due: datetime | None, now: datetime) -> None:
        """Note one more failure in a row; `next_due` None parks it."""
        self._db.execute(
            "INSERT INTO troubles VALUES (?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " failures = failures + 1, reason = excluded.reason, next_due = excluded.next_due",
            (mailbox, reason, stamp(now), stamp_or_none(next_due)),
        )

    def ended(self, mailbox: str) -> None:
        """Note that the mailbox works again."""
        self._db.execute("DELETE FROM troubles WHERE mailbox = ?", (mailbox,))

    def keep_only(self, mailboxes: Sequence[str]) -> None:
        """Forget mailboxes that have left the configuration."""
        self._db.execute(f"DELETE FROM troubles WHERE mailbox NOT {AMONG}", (listed(mailboxes),))

    def try_parked(self, now: datetime) -> None:
        """Give those that are parked one try; if it fails, they are parked again."""
        self._db.execute("UPDATE troubles SET next_due = ? WHERE next_due IS NULL", (stamp(now),))

    def release(self) -> int:
        """Try all of them anew, also those that are parked; how many there were."""
        return self._db.execute("DELETE FROM troubles").rowcount
