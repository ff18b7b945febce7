"""Senders and their meetings: state computed elsewhere, kept here, versioned when it changes."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from daemon.ledger.histories import History
from daemon.ledger.sql_list import AMONG, chunks, listed
from daemon.ledger.timestamp import instant_or_none, stamp, stamp_or_none
from daemon.message.candidates import Fact
from daemon.rules.carried import Carried
from daemon.rules.classify import Class
from daemon.rules.sender import SenderState


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
    """Owns `senders`, `meetings` and the final verdicts in `correspondence`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def write(self, states: Sequence[tuple[SenderState, Class, History]]) -> int:
        """Keep the states of senders, given their histories; how many have changed."""
        digests = [_digest(state, class_) for state, class_, _ in states]
        changed = [
            (*one, digest)
            for one, digest in zip(states, digests, strict=True)
            if one[2].digest != digest
        ]
        mailboxes = self._first_mailboxes([state.address for state, *_ in changed])
        self._db.executemany(
            _UPSERT,
            [
                _values(state, class_, mailboxes.get(state.address), digest)
                for state, class_, _, digest in changed
            ],
        )
        self._db.executemany(
            "UPDATE correspondence SET verdict = ?, reason = ? WHERE sender = ? AND message = ?",
            [
                (*verdict, state.address, history.written[key][0])
                for state, _, history in states
                for key, verdict in state.verdicts
                if history.written[key][1] != tuple(verdict)
            ],
        )
        # New senders have none yet.
        known = [state.address for state, _, history, _ in changed if history.digest is not None]
        for table in ("meetings", "sender_facts") if known else ():
            self._db.execute(f"DELETE FROM {table} WHERE sender {AMONG}", (listed(known),))
        self._write_meetings([state for state, *_ in changed])
        self._write_facts([state for state, *_ in changed])
        return len(changed)

    def long_known(self, addresses: Iterable[str]) -> dict[str, SenderState]:
        """The states of those of these senders who have a long history, without its verdicts.

        Neither their meetings are read, nor which messages are replies: `growth` needs neither.
        """
        rows = self._db.execute(f"{_LONG_KNOWN} {AMONG}", (listed(addresses),)).fetchall()
        found = {}
        for row in rows:
            facts = self._db.execute(
                "SELECT kind, value, source FROM sender_facts WHERE sender = ? ORDER BY kind",
                (row["address"],),
            )
            found[row["address"]] = _state(row, tuple(Fact(*one) for one in facts))
        return found

    def grow(self, state: SenderState, class_: Class, message: int) -> None:
        """Keep the state of a sender that has one message more."""
        self._db.execute(_UPSERT, _values(state, class_, None, _digest(state, class_)))
        self._db.executemany(
            "UPDATE correspondence SET verdict = ?, reason = ? WHERE sender = ? AND message = ?"
            " AND (verdict, reason) <> (?, ?)",
            [(*final, state.address, message, *final) for _, final in state.verdicts],
        )
        self._db.execute("DELETE FROM sender_facts WHERE sender = ?", (state.address,))
        self._write_facts([state])

    def addresses(self) -> set[str]:
        """Every sender to whom a message belongs."""
        return {row[0] for row in self._db.execute("SELECT DISTINCT sender FROM correspondence")}

    def remove(self, addresses: Iterable[str]) -> None:
        """Drop senders to whom no message belongs any more."""
        rows = [(address,) for address in addresses]
        self._db.executemany("DELETE FROM senders WHERE address = ?", rows)
        self._db.executemany("DELETE FROM meetings WHERE sender = ?", rows)
        self._db.executemany("DELETE FROM sender_facts WHERE sender = ?", rows)

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
        """Let an activity that was found stand for what a sender waits for; plan it again."""
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

    def next_follow_up(self) -> datetime | None:
        """When the next mail will have waited long enough for our answer."""
        (due,) = self._db.execute(
            "SELECT min(follow_up_due) FROM senders WHERE follow_up_due IS NOT NULL"
        ).fetchone()
        return instant_or_none(due)

    def wait_no_more(self) -> None:
        """Look at nobody's waiting mail: nobody is to be reminded of it."""
        self._db.execute("UPDATE senders SET follow_up_due = NULL WHERE follow_up_due IS NOT NULL")

    def touch(self, addresses: Iterable[str]) -> None:
        """Have these senders planned again although their state is the same."""
        self._db.executemany(
            "UPDATE senders SET synced_version = version - 1 WHERE address = ?",
            [(address,) for address in addresses],
        )

    def _first_mailboxes(self, addresses: Sequence[str]) -> dict[str, str]:
        """Where the first message with each sender was seen."""
        mailboxes = self._db.execute("SELECT DISTINCT mailbox FROM folders LIMIT 2").fetchall()
        if len(mailboxes) == 1:
            return dict.fromkeys(addresses, mailboxes[0]["mailbox"])
        found: dict[str, str] = {}
        for chunk in chunks(addresses):
            # Of the row with the smallest min(), SQLite takes the other columns too.
            rows = self._db.execute(
                "SELECT c.sender, f.mailbox, min(m.sent_at || m.key || f.mailbox)"
                " FROM correspondence c JOIN messages m ON m.id = c.message"
                " JOIN sightings s ON s.message = m.id JOIN folders f ON f.id = s.folder"
                f" WHERE c.sender {AMONG} AND m.verdict <> 'ignored'"
                " GROUP BY c.sender",
                (listed(chunk),),
            )
            found |= {row["sender"]: row["mailbox"] for row in rows}
        return found

    def _write_facts(self, states: Iterable[SenderState]) -> None:
        self._db.executemany(
            "INSERT INTO sender_facts VALUES (?, ?, ?, ?)",
            [(one.address, f.kind, f.value, f.way) for one in states for f in one.facts],
        )

    def _write_meetings(self, states: Sequence[SenderState]) -> None:
        self._db.executemany(
            "INSERT INTO meetings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                    meeting.all_day,
                )
                for state in states
                for meeting in state.meeting_list
            ],
        )

    def keep_states(self) -> None:
        """Keep every sender's numbers as they are, for `changed_states` on this connection."""
        self._db.execute(f"CREATE TEMP TABLE before AS SELECT address, {_STATE} FROM senders")
        self._db.execute("CREATE UNIQUE INDEX before_address ON before (address)")

    def changed_states(self) -> list[str]:
        """Senders whose numbers aren't those that were kept."""
        return [row["address"] for row in self._db.execute(_CHANGED)]

    def distrust(self, address: str | None = None) -> None:
        """Make the next computation write a sender, or all of them, even if nothing changed."""
        self._db.execute(
            "UPDATE senders SET digest = '' WHERE ? IS NULL OR address = ?", (address, address)
        )

    def subjects(self, address: str) -> dict[str, str]:
        """Subjects of a sender's messages, by message key."""
        rows = self._db.execute(
            "SELECT m.key, m.subject FROM correspondence c JOIN messages m ON m.id = c.message"
            " WHERE c.sender = ?",
            (address,),
        )
        return {row["key"]: row["subject"] for row in rows}


# One person with several addresses is classified as a whole, by the sync: see `classify`.
_IS_SHARED = """EXISTS (
  SELECT 1 FROM records p CROSS JOIN records o INDEXED BY records_pipedrive_id
  ON o.kind = 'person' AND o.pipedrive_id = p.pipedrive_id AND o.key <> p.key
  WHERE p.kind = 'person' AND p.key = excluded.address
  AND p.tombstone IS NULL AND o.tombstone IS NULL)"""

_UPSERT = f"""
INSERT INTO senders (address, name, domain, organization, msg_count, sent_count, replies, meetings,
  thread_count, first_contact, last_contact, avg_response_hours, class, reason, mailbox, digest,
  copied, carried, version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (address) DO UPDATE SET
  name = excluded.name, domain = excluded.domain, organization = excluded.organization,
  msg_count = excluded.msg_count, sent_count = excluded.sent_count, replies = excluded.replies,
  meetings = excluded.meetings, thread_count = excluded.thread_count,
  first_contact = excluded.first_contact, last_contact = excluded.last_contact,
  avg_response_hours = excluded.avg_response_hours,
  class = iif({_IS_SHARED}, class, excluded.class),
  reason = iif({_IS_SHARED}, reason, excluded.reason),
  copied = excluded.copied, digest = excluded.digest,
  mailbox = coalesce(excluded.mailbox, mailbox), carried = excluded.carried,
  version = version + 1
"""


_STATE = (
    "name, domain, organization, msg_count, sent_count, replies, meetings, thread_count,"
    " first_contact, last_contact, avg_response_hours"
)

_CHANGED = f"""
SELECT address FROM senders WHERE ({_STATE}) IS NOT
  (SELECT {_STATE} FROM before WHERE before.address = senders.address)
UNION
SELECT address FROM before WHERE address NOT IN (SELECT address FROM senders)
ORDER BY address
"""


_LONG_KNOWN = (
    f"SELECT address, {_STATE}, carried FROM senders WHERE carried IS NOT NULL AND address"
)


def _state(row: sqlite3.Row, facts: tuple[Fact, ...]) -> SenderState:
    carried = Carried(*json.loads(row["carried"]))
    return SenderState(
        address=row["address"],
        name=row["name"],
        domain=row["domain"],
        organization=row["organization"],
        msg_count=row["msg_count"],
        sent_count=row["sent_count"],
        replies=row["replies"],
        meetings=row["meetings"],
        thread_count=row["thread_count"],
        first_contact=instant_or_none(row["first_contact"]),
        last_contact=instant_or_none(row["last_contact"]),
        avg_response_hours=row["avg_response_hours"],
        verdicts=(),
        meeting_list=(),
        submitted=carried.submitted,
        facts=facts,
        our_response_hours=carried.our_response_hours,
        carried=carried,
    )


def _values(
    state: SenderState, class_: Class, mailbox: str | None, digest: str
) -> tuple[object, ...]:
    carried = json.dumps(state.carried) if state.carried else None
    return (*_numbers(state), *class_, mailbox, digest, state.copied, carried)


def _digest(state: SenderState, class_: Class) -> str:
    """Of all that a state and a class say; the verdicts by hand, since there are many."""
    if state.carried:  # which has all that isn't in the numbers
        told = (_numbers(state), state.carried, state.facts, *class_)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
    verdicts = "\n".join([f"{key} {kind} {reason}" for key, (kind, reason) in state.verdicts])
    rest: tuple[object, ...] = (_numbers(state), state.meeting_list, state.reply_keys, state.facts)
    rest += (*class_, state.copied) if state.copied else class_
    return hashlib.sha256(f"{verdicts}\n{rest!r}".encode()).hexdigest()[:32]


def _numbers(state: SenderState) -> tuple[object, ...]:
    return (
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
    )


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
