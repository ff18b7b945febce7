"""Senders as the sync and the commands see them: who is to be planned, and what was planned."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import instant_or_none, stamp, stamp_or_none
from daemon.rules.classify import Class


@dataclass(frozen=True, slots=True)
class SenderRow:
    """One row of `senders`, as the sync needs it."""

    address: str
    organization: str | None
    class_: Class
    mailbox: str | None
    version: int
    synced_version: int
    notes: str  # what the sync left alone, and why
    is_long: bool = False  # its history, see `rules.carried`
    held: bool = False  # what it would newly get waits for a person's consent
    follow_up: str | None = None  # record key of its latest follow-up
    copied: int = 0  # mails of a conversation of others that name it in To or Cc


class Portrait(NamedTuple):
    """A sender as others are told of it, with its latest mail that counts."""

    name: str
    organization: str | None
    reason: str
    last_contact: datetime | None
    subject: str
    snippet: str

    def facts(self) -> dict[str, object]:
        """Who it is, without anything that it wrote."""
        return {"name": self.name, "organization": self.organization, "reason": self.reason}

    def words(self) -> dict[str, object]:
        """What it wrote last."""
        return {"subject": self.subject, "snippet": self.snippet}


class Senders:
    """Owns what the sync notes in `senders`; what is computed there is written by `States`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def portrait(self, address: str) -> Portrait | None:
        """What others are told of a sender, None if there is no such."""
        row = self._db.execute(
            "SELECT s.name, s.organization, s.reason, s.last_contact, m.subject, m.snippet"
            " FROM senders s LEFT JOIN messages m ON m.id = ("
            "   SELECT c.message FROM correspondence c JOIN messages o ON o.id = c.message"
            "   WHERE c.sender = s.address AND c.verdict = 'contact'"
            "   ORDER BY o.sent_at DESC, o.key DESC LIMIT 1)"
            " WHERE s.address = ?",
            (address,),
        ).fetchone()
        if row is None:
            return None
        name, organization, reason, last, subject, snippet = row
        words = (subject or "", snippet or "")
        return Portrait(name, organization, reason, instant_or_none(last), *words)

    def first_contact(self, address: str) -> tuple[str, str]:
        """The facts (JSON) and the way of the first mail that counts or is kept of a sender."""
        row = self._db.execute(
            "SELECT m.facts, c.way FROM correspondence c JOIN messages m ON m.id = c.message"
            " WHERE c.sender = ? AND m.direction = 'received'"
            " ORDER BY c.verdict <> 'contact', m.sent_at, m.key LIMIT 1",
            (address,),
        ).fetchone()
        return (row[0], row[1]) if row else ("{}", "from")

    def get(self, address: str) -> SenderRow | None:
        """One sender, or None."""
        row = self._db.execute("SELECT * FROM senders WHERE address = ?", (address,)).fetchone()
        return _sender_row(row) if row else None

    def any_of(self, organization: str) -> bool:
        """Whether a sender of this organization is a lead, has a deal or was in copy."""
        found = self._db.execute(
            "SELECT 1 FROM senders WHERE organization = ?"
            " AND (class <> 'ignore' OR copied) LIMIT 1",
            (organization,),
        ).fetchone()
        return found is not None

    def due(self, limit: int, since: datetime | None = None) -> list[SenderRow]:
        """Senders whose state has changed since the sync planned them; deals first.

        `since`: only those who were in touch after that instant.
        """
        rows = self._db.execute(
            "SELECT * FROM senders WHERE version > synced_version"
            " AND (? IS NULL OR last_contact >= ?) ORDER BY class DESC, version LIMIT ?",
            (stamp_or_none(since), stamp_or_none(since), limit),
        )
        return [_sender_row(row) for row in rows]

    def by_first_contact(self, addresses: Iterable[str]) -> list[str]:
        """These senders, those with a deal before others, in each who was in touch first."""
        rows = self._db.execute(
            f"SELECT address FROM senders WHERE address {AMONG}"
            " ORDER BY class DESC, first_contact, address",
            (listed(addresses),),
        )
        return [row["address"] for row in rows]

    def synced(
        self,
        address: str,
        version: int,
        class_: Class,
        notes: str,
        follow_up: tuple[str | None, datetime | None] = (None, None),
    ) -> None:
        """Note that `version` is planned, its class in the CRM, and what was left alone.

        `follow_up`: the record key of what reminds people to answer, and when that is looked at.
        """
        key, due = follow_up
        self._db.execute(
            "UPDATE senders SET synced_version = ?, class = ?, reason = ?, notes = ?,"
            " follow_up = ?, follow_up_due = ? WHERE address = ?",
            (version, *class_, notes, key, stamp_or_none(due), address),
        )

    def classify(self, addresses: Sequence[str], class_: Class) -> None:
        """Note the class of a person for all of its addresses, if it has several."""
        if len(addresses) > 1:
            self._db.execute(
                f"UPDATE senders SET class = ?, reason = ? WHERE address {AMONG}",
                (*class_, listed(addresses)),
            )

    def remind(self, address: str, key: str) -> None:
        """Take a found activity for a sender's follow-up, and have the sender planned again."""
        self._db.execute(
            "UPDATE senders SET follow_up = ?, synced_version = version - 1 WHERE address = ?",
            (key, address),
        )

    def touch_waiting(self, now: datetime) -> None:
        """Have those planned again whose mail has waited long enough for our answer."""
        self._db.execute(
            "UPDATE senders SET synced_version = version - 1 WHERE follow_up_due <= ?",
            (stamp(now),),
        )

    def wait_no_more(self) -> None:
        """Stop watching for mail that waits too long: nobody is to be reminded."""
        self._db.execute("UPDATE senders SET follow_up_due = NULL WHERE follow_up_due IS NOT NULL")

    def touch(self, addresses: Iterable[str]) -> None:
        """Have these senders planned again although their state is the same."""
        self._db.executemany(
            "UPDATE senders SET synced_version = version - 1 WHERE address = ?",
            [(address,) for address in addresses],
        )

    def subjects(self, address: str) -> dict[str, str]:
        """Subjects of a sender's messages, by message key."""
        rows = self._db.execute(
            "SELECT m.key, m.subject FROM correspondence c JOIN messages m ON m.id = c.message"
            " WHERE c.sender = ?",
            (address,),
        )
        return {row["key"]: row["subject"] for row in rows}


def _sender_row(row: sqlite3.Row) -> SenderRow:
    return SenderRow(
        address=row["address"],
        organization=row["organization"],
        copied=row["copied"],
        class_=Class(row["class"], row["reason"]),
        mailbox=row["mailbox"],
        version=row["version"],
        synced_version=row["synced_version"],
        notes=row["notes"],
        is_long=row["carried"] is not None,
        held=row["held_since"] is not None,
        follow_up=row["follow_up"],
    )
