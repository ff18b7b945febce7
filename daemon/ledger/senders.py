"""Senders and their meetings: state computed elsewhere, kept here, versioned when it changes."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from daemon.classify import Class
from daemon.ledger.messages import invites_from
from daemon.ledger.timestamp import instant, stamp_or_none
from daemon.message.verdict import Verdict
from daemon.sender import Correspondence, SenderState


@dataclass(frozen=True, slots=True)
class SenderRow:
    """One row of `senders`, as the sync needs it."""

    address: str
    organization: str | None
    class_: Class
    mailbox: str | None
    version: int
    synced_version: int


class Senders:
    """Owns `senders`, `meetings` and the final verdicts in `correspondence`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def correspondence(self, addresses: Iterable[str]) -> list[Correspondence]:
        """All messages that belong to these addresses, each once, as judged one by one."""
        found: dict[str, Correspondence] = {}
        for address in addresses:
            for row in self._db.execute(_CORRESPONDENCE, (address,)):
                found.setdefault(
                    row["key"],
                    Correspondence(
                        key=row["key"],
                        message_id=row["message_id"],
                        direction=row["direction"],
                        verdict=Verdict(row["verdict"], row["reason"]),
                        sent_at=instant(row["sent_at"]),
                        name=row["name"] or "",
                        answers=tuple(row["answers"].split()),
                        thread=row["thread"],
                        invites=invites_from(row["invites"]),
                    ),
                )
        return list(found.values())

    def write(self, state: SenderState, class_: Class) -> bool:
        """Keep a sender's state; True if it differs from what was there."""
        digest = hashlib.sha256(repr((state, class_)).encode()).hexdigest()[:32]
        row = self._db.execute(
            "SELECT digest FROM senders WHERE address = ?", (state.address,)
        ).fetchone()
        if row and row["digest"] == digest:
            return False
        self._db.execute(
            _UPSERT,
            (
                state.address,
                state.name,
                state.domain,
                state.organization,
                state.msg_count,
                state.sent_count,
                state.replies,
                state.meetings,
                state.thread_count,
                stamp_or_none(state.first_contact),
                stamp_or_none(state.last_contact),
                state.avg_response_hours,
                *class_,
                self._first_mailbox(state.address),
                digest,
            ),
        )
        self._write_verdicts(state)
        self._write_meetings(state)
        return True

    def remove(self, address: str) -> None:
        """Drop a sender to whom no message belongs any more."""
        self._db.execute("DELETE FROM senders WHERE address = ?", (address,))
        self._db.execute("DELETE FROM meetings WHERE sender = ?", (address,))

    def get(self, address: str) -> SenderRow | None:
        """One sender, or None."""
        row = self._db.execute("SELECT * FROM senders WHERE address = ?", (address,)).fetchone()
        return _sender_row(row) if row else None

    def due(self, limit: int) -> list[SenderRow]:
        """Senders whose state has changed since the sync planned them; deals first."""
        rows = self._db.execute(
            "SELECT * FROM senders WHERE version > synced_version"
            " ORDER BY class DESC, version LIMIT ?",
            (limit,),
        )
        return [_sender_row(row) for row in rows]

    def synced(self, address: str, version: int, class_: Class, notes: str) -> None:
        """Note that `version` is planned, its class in the CRM, and what was left alone."""
        self._db.execute(
            "UPDATE senders SET synced_version = ?, class = ?, reason = ?, notes = ?"
            " WHERE address = ?",
            (version, *class_, notes, address),
        )

    def touch(self, addresses: Iterable[str]) -> None:
        """Have these senders planned again although their state is the same."""
        self._db.executemany(
            "UPDATE senders SET synced_version = version - 1 WHERE address = ?",
            [(address,) for address in addresses],
        )

    def _first_mailbox(self, address: str) -> str | None:
        row = self._db.execute(
            "SELECT f.mailbox FROM correspondence c JOIN messages m ON m.id = c.message"
            " JOIN sightings s ON s.message = m.id JOIN folders f ON f.id = s.folder"
            " WHERE c.sender = ? AND m.verdict <> 'ignored'"
            " ORDER BY m.sent_at, m.key, f.mailbox LIMIT 1",
            (address,),
        ).fetchone()
        return row["mailbox"] if row else None

    def _write_verdicts(self, state: SenderState) -> None:
        verdicts = dict(state.verdicts)
        rows = self._db.execute(
            "SELECT c.message, m.key, c.verdict, c.reason FROM correspondence c"
            " JOIN messages m ON m.id = c.message WHERE c.sender = ?",
            (state.address,),
        ).fetchall()
        self._db.executemany(
            "UPDATE correspondence SET verdict = ?, reason = ? WHERE sender = ? AND message = ?",
            [
                (*verdicts[row["key"]], state.address, row["message"])
                for row in rows
                if (row["verdict"], row["reason"]) != tuple(verdicts[row["key"]])
            ],
        )

    def _write_meetings(self, state: SenderState) -> None:
        self._db.execute("DELETE FROM meetings WHERE sender = ?", (state.address,))
        self._db.executemany(
            "INSERT INTO meetings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    state.address,
                    meeting.uid,
                    meeting.summary,
                    stamp_or_none(meeting.starts_at),
                    stamp_or_none(meeting.ends_at),
                    meeting.status,
                    meeting.organizer,
                    meeting.counts,
                    meeting.sequence,
                )
                for meeting in state.meeting_list
            ],
        )

    def missing_activities(self, address: str, limit: int = -1) -> Sequence[sqlite3.Row]:
        """Contact messages of this sender, newest first, whose activity doesn't name it yet."""
        return self._db.execute(_MISSING, (address, f'"{address}"', limit)).fetchall()

    def subjects(self, address: str) -> dict[str, str]:
        """Subjects of a sender's messages, by message key."""
        rows = self._db.execute(
            "SELECT m.key, m.subject FROM correspondence c JOIN messages m ON m.id = c.message"
            " WHERE c.sender = ?",
            (address,),
        )
        return {row["key"]: row["subject"] for row in rows}

    def parties(self, message: int) -> list[tuple[str, str]]:
        """Senders to whom a message counts, each with its class; not those whom people removed."""
        rows = self._db.execute(
            "SELECT c.sender, s.class FROM correspondence c JOIN senders s ON s.address = c.sender"
            " LEFT JOIN records p ON p.kind = 'person' AND p.key = c.sender"
            " WHERE c.message = ? AND c.verdict = 'contact' AND p.tombstone IS NULL",
            (message,),
        )
        return [(row["sender"], row["class"]) for row in rows]

    def meeting_rows(self, address: str) -> list[sqlite3.Row]:
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


_CORRESPONDENCE = """
SELECT m.key, m.message_id, m.direction, m.verdict, m.reason, m.sent_at, m.answers, m.thread,
       m.invites,
       CASE WHEN m.direction <> 'received' THEN ''
            WHEN m.from_address = c.sender THEN m.from_name
            ELSE json_extract(m.facts, '$.group[0]') END AS name
FROM correspondence c JOIN messages m ON m.id = c.message WHERE c.sender = ?
"""

_UPSERT = """
INSERT INTO senders (address, name, domain, organization, msg_count, sent_count, replies, meetings,
  thread_count, first_contact, last_contact, avg_response_hours, class, reason, mailbox, digest,
  version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (address) DO UPDATE SET
  name = excluded.name, domain = excluded.domain, organization = excluded.organization,
  msg_count = excluded.msg_count, sent_count = excluded.sent_count, replies = excluded.replies,
  meetings = excluded.meetings, thread_count = excluded.thread_count,
  first_contact = excluded.first_contact, last_contact = excluded.last_contact,
  avg_response_hours = excluded.avg_response_hours, class = excluded.class,
  reason = excluded.reason, mailbox = excluded.mailbox, digest = excluded.digest,
  version = version + 1
"""

_MISSING = """
SELECT m.id, m.key, m.direction, m.subject, m.snippet, m.sent_at, m.facts
FROM correspondence c JOIN messages m ON m.id = c.message
LEFT JOIN records r ON r.kind = 'activity' AND r.key = m.key
LEFT JOIN journal j ON j.kind = 'activity' AND j.key = m.key AND j.state <> 'done'
WHERE c.sender = ? AND c.verdict = 'contact'
  AND instr(coalesce(j.fields, r.fields, ''), ?) = 0 AND r.tombstone IS NULL
ORDER BY m.sent_at DESC, m.key LIMIT ?
"""


def _sender_row(row: sqlite3.Row) -> SenderRow:
    return SenderRow(
        address=row["address"],
        organization=row["organization"],
        class_=Class(row["class"], row["reason"]),
        mailbox=row["mailbox"],
        version=row["version"],
        synced_version=row["synced_version"],
    )
