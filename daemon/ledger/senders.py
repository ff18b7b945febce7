"""Senders and their meetings: state computed elsewhere, kept here, versioned when it changes."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from daemon.ledger.messages import invites_from
from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import instant, instant_or_none, stamp_or_none
from daemon.message.candidates import Fact
from daemon.message.verdict import Verdict
from daemon.rules.classify import Class
from daemon.rules.sender import Correspondence, SenderState

_CHUNK = 500  # addresses in one statement


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


class Standing(NamedTuple):
    """What Pipedrive has of a sender, beside what we made."""

    known_before: bool = False  # its person was there before we came
    has_deal: bool = False  # that person has, or had, any deal


@dataclass(slots=True)
class History:
    """What the ledger has of one address: its messages, its digest, what Pipedrive has of it."""

    messages: list[Correspondence] = field(default_factory=list)
    # By message key: its id in the ledger, and the verdict and reason that count so far.
    written: dict[str, tuple[int, tuple[str, str]]] = field(default_factory=dict)
    digest: str | None = None
    standing: Standing = field(default_factory=Standing)


class Senders:
    """Owns `senders`, `meetings` and the final verdicts in `correspondence`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def correspondence(self, addresses: Iterable[str]) -> list[Correspondence]:
        """All messages that belong to these addresses, each once, as judged one by one."""
        found: dict[str, Correspondence] = {}
        for address in addresses:
            for row in self._db.execute(f"{_CORRESPONDENCE} = ?", (address,)):
                one = _correspondence(row)
                found.setdefault(one.key, one)
        return list(found.values())

    def portions(self, addresses: Iterable[str], messages: int) -> Iterator[list[str]]:
        """These addresses in order, in groups that have about so many messages together."""
        group: list[str] = []
        total = 0
        for chunk in _chunks(sorted(addresses)):
            rows = self._db.execute(
                f"SELECT sender, count(*) FROM correspondence WHERE sender {AMONG} GROUP BY sender",
                (listed(chunk),),
            )
            counts: dict[str, int] = dict(map(tuple, rows))
            for address in chunk:
                total += counts.get(address, 0)
                if group and (total > messages or len(group) == _CHUNK):
                    yield group
                    group, total = [], counts.get(address, 0)
                group.append(address)
        if group:
            yield group

    def dossiers(self, addresses: Sequence[str]) -> dict[str, History]:
        """What the ledger has of each of these addresses, at most 500, in a few sweeps."""
        asked = listed(addresses)
        found = {address: History() for address in addresses}
        for row in self._db.execute(f"{_CORRESPONDENCE} {AMONG}", (asked,)):
            one = _correspondence(row)
            sender, message, final, reason = row[:4]
            dossier = found[sender]
            dossier.messages.append(one)
            dossier.written[one.key] = (message, (final, reason))
        for address, digest, known_before, has_deal in self._db.execute(_STANDING, (asked,)):
            found[address].digest = digest
            found[address].standing = Standing(bool(known_before), bool(has_deal))
        return found

    def standing(self, address: str) -> Standing:
        """What Pipedrive has of one sender."""
        row = self._db.execute(_STANDING, (listed([address]),)).fetchone()
        return Standing(*map(bool, row[2:]))

    def write(self, states: Sequence[tuple[SenderState, Class, History]]) -> int:
        """Keep the states of senders, as `dossiers` has found them; how many have changed."""
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
                (*_numbers(state), *class_, mailboxes.get(state.address), digest)
                for state, class_, _, digest in changed
            ],
        )
        self._db.executemany(
            "UPDATE correspondence SET verdict = ?, reason = ? WHERE sender = ? AND message = ?",
            [
                (*verdict, state.address, dossier.written[key][0])
                for state, _, dossier, _ in changed
                for key, verdict in state.verdicts
                if dossier.written[key][1] != tuple(verdict)
            ],
        )
        # Who is new has none yet.
        known = [state.address for state, _, dossier, _ in changed if dossier.digest is not None]
        for table in ("meetings", "sender_facts") if known else ():
            self._db.execute(f"DELETE FROM {table} WHERE sender {AMONG}", (listed(known),))
        self._write_meetings([state for state, *_ in changed])
        self._write_facts(changed)
        return len(changed)

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
        """Whether a sender of this organization is a lead or has a deal."""
        found = self._db.execute(
            "SELECT 1 FROM senders WHERE organization = ? AND class <> 'ignore' LIMIT 1",
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

    def _first_mailboxes(self, addresses: Sequence[str]) -> dict[str, str]:
        """Where the first message with each sender was seen."""
        mailboxes = self._db.execute("SELECT DISTINCT mailbox FROM folders LIMIT 2").fetchall()
        if len(mailboxes) == 1:
            return dict.fromkeys(addresses, mailboxes[0]["mailbox"])
        found: dict[str, str] = {}
        for chunk in _chunks(addresses):
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

    def _write_facts(self, states: Iterable[tuple[SenderState, Class, History, str]]) -> None:
        self._db.executemany(
            "INSERT INTO sender_facts VALUES (?, ?, ?, ?)",
            [(one.address, f.kind, f.value, f.way) for one, *_ in states for f in one.facts],
        )

    def _write_meetings(self, states: Sequence[SenderState]) -> None:
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
        """Have the next computation write a sender whatever it was, or every sender."""
        self._db.execute(
            "UPDATE senders SET digest = '' WHERE ? IS NULL OR address = ?", (address, address)
        )

    def without_activity(self) -> list[tuple[str, str]]:
        """Contact messages that have no activity, nor one on its way; each with its sender."""
        return list(map(tuple, self._db.execute(_WITHOUT_ACTIVITY)))

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
SELECT c.sender, c.message, c.verdict AS final, c.reason AS final_reason, m.key, m.message_id,
       m.direction, m.verdict, m.reason, m.sent_at, m.answers, m.thread, m.invites, c.name, c.way,
       m.subject, m.conversation, m.facts
FROM correspondence c JOIN messages m ON m.id = c.message WHERE c.sender
"""

# What people have of a sender in Pipedrive: its person, unless we made it, and any deal. A person
# whose record is a tombstone counts only if another one is listed with the address.
_STANDING = """
SELECT a.value, s.digest,
  CASE WHEN p.pipedrive_id IS NOT NULL AND p.tombstone IS NULL THEN p.origin = 'adopted'
  ELSE EXISTS (
    SELECT 1 FROM crm_emails e WHERE e.email = a.value AND e.person_id IS NOT p.pipedrive_id
    AND NOT EXISTS (SELECT 1 FROM records o INDEXED BY records_pipedrive_id
                    WHERE o.kind = 'person' AND o.pipedrive_id = CAST(e.person_id AS TEXT)
                    AND o.origin = 'created')
    AND NOT EXISTS (SELECT 1 FROM crm_deals d
                    WHERE d.person_id = e.person_id AND d.mail_key = a.value)
    AND NOT EXISTS (SELECT 1 FROM crm_leads l
                    WHERE l.person_id = e.person_id AND l.mail_key = a.value))
  END,
  EXISTS (SELECT 1 FROM records d WHERE d.kind = 'deal' AND d.key = a.value)
  OR EXISTS (SELECT 1 FROM crm_emails e JOIN crm_deals d ON d.person_id = e.person_id
             WHERE e.email = a.value)
  OR EXISTS (SELECT 1 FROM crm_deals d WHERE d.person_id = CAST(p.pipedrive_id AS INTEGER)
             AND p.tombstone IS NULL)
FROM json_each(?) a
LEFT JOIN senders s ON s.address = a.value
LEFT JOIN records p ON p.kind = 'person' AND p.key = a.value
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
  reason = excluded.reason, mailbox = coalesce(excluded.mailbox, mailbox), digest = excluded.digest,
  version = version + 1
"""

_MISSING = """
SELECT m.id, m.key, m.direction, m.subject, m.snippet, m.sent_at, m.facts,
       r.pipedrive_id IS NOT NULL AS there
FROM correspondence c JOIN messages m ON m.id = c.message
LEFT JOIN records r ON r.kind = 'activity' AND r.key = m.key
LEFT JOIN journal j ON j.kind = 'activity' AND j.key = m.key AND j.state <> 'done'
WHERE c.sender = ? AND c.verdict = 'contact'
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


def _said(facts: str) -> tuple[Fact, ...]:
    if '"said"' not in facts:
        return ()
    return tuple(Fact(*one) for one in json.loads(facts).get("said", ()))


def _correspondence(row: sqlite3.Row) -> Correspondence:
    # By place: a backfill reads each message several times, and a row finds names by searching.
    key, message_id, direction, verdict, reason, sent_at, answers, thread, invites = row[4:13]
    name, way, subject, conversation, facts = row[13:]
    return Correspondence(
        key,
        message_id,
        direction,
        Verdict(verdict, reason),
        instant(sent_at),
        name,
        tuple(answers.split()),
        thread,
        invites_from(invites),
        way,
        _said(facts),
        subject,
        conversation,
        facts,
    )


def _digest(state: SenderState, class_: Class) -> str:
    """Of all that a state and a class say; the verdicts by hand, since there are many."""
    verdicts = "\n".join([f"{key} {kind} {reason}" for key, (kind, reason) in state.verdicts])
    rest = (_numbers(state), state.meeting_list, state.reply_keys, state.facts, *class_)
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


def _chunks(addresses: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(addresses), _CHUNK):
        yield addresses[start : start + _CHUNK]


def _sender_row(row: sqlite3.Row) -> SenderRow:
    return SenderRow(
        address=row["address"],
        organization=row["organization"],
        class_=Class(row["class"], row["reason"]),
        mailbox=row["mailbox"],
        version=row["version"],
        synced_version=row["synced_version"],
        notes=row["notes"],
    )
