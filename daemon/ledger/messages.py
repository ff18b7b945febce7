"""Messages and what they answer: one row a distinct mail, however often it was seen.

Writing is idempotent by message key. Nothing here judges: callers bring the judgement.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import instant, instant_or_none, stamp, stamp_or_none
from daemon.message.candidates import Candidate, Fact
from daemon.message.identity import SENT_APART, trace
from daemon.message.invite import Invite
from daemon.message.parse import Address, Message, bounded_date
from daemon.message.traces import Traces
from daemon.message.verdict import Judgement
from daemon.rules.meeting import Statement
from daemon.rules.reply import CONVERSATION, OurMail


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the ledger has it."""

    id: int
    message: Message
    arrived_at: datetime
    in_sent: bool
    judged: tuple[str | None, str, str]  # direction, verdict and reason


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message to write, with all that the ledger keeps of it."""

    message: Message
    arrived_at: datetime
    in_sent: bool
    judgement: Judgement
    other: bool = False  # another copy of what is there, which is to be kept instead


class Messages:
    """Owns `messages`, `answers` and the rows of `correspondence` that a message brings."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def stored(self, keys: Iterable[str]) -> dict[str, StoredMessage]:
        """The messages that the ledger has already, by the key of any copy."""
        asked = listed(keys)
        rows = self._db.execute(
            f"SELECT key AS asked, * FROM messages WHERE key {AMONG} UNION ALL"
            " SELECT c.key, m.* FROM copies c JOIN messages m ON m.id = c.message"
            f" WHERE c.key {AMONG}",
            (asked, asked),
        )
        return {row["asked"]: _stored(row) for row in rows}

    def like(self, messages: Iterable[Message], *, sent: bool) -> list[StoredMessage]:
        """The messages of which these may be copies: see `identity`."""
        ids, traces = [], []
        for one in messages:
            if one.message_id:
                ids.append(one.message_id)
            if (twin := _twin(one)) is None:
                continue
            low = high = twin
            if sent and one.date is not None:
                low, high = (
                    _twin(replace(one, date=one.date + apart)) or ""
                    for apart in (-SENT_APART, SENT_APART)
                )
            traces.append((low, high, sent or one.message_id is None))
        rows = self._db.execute(_LIKE, (listed(ids), json.dumps(traces)))
        return [_stored(row) for row in rows]

    def add_copies(self, copies: Iterable[tuple[str, int, str | None]]) -> None:
        """Keep the keys of copies (key, id of the message, the copy's own Message-ID)."""
        self._db.executemany("INSERT OR IGNORE INTO copies VALUES (?, ?, ?)", list(copies))

    def write(self, entries: Sequence[MessageRow], there: Mapping[str, int]) -> dict[str, int]:
        """Insert messages with their answers and parties, or renew those that are `there`.

        Takes and gives ids by message key.
        """
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
        ids = {
            entry.message.key: there.get(entry.message.key) or last + number
            for number, entry in enumerate(entries, 1)
        }
        rows = {entry.message.key: _row(entry) for entry in entries}
        self._db.executemany(
            _INSERT, [(ids[key], *row.values()) for key, row in rows.items() if key not in there]
        )
        self._db.executemany(
            _RENEW,
            [
                (*(row[column] for column in _RENEWED), row["thread"], there[key])
                for key, row in rows.items()
                if key in there
            ],
        )
        for entry in entries:
            if entry.other and entry.message.key in there:
                self.rewrite(there[entry.message.key], entry)
        self._db.executemany(
            "DELETE FROM correspondence WHERE message = ?",
            [(there[key],) for key in rows if key in there],
        )
        self._db.executemany(
            "INSERT INTO correspondence (sender, message, verdict, reason, name, way)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    party.key,
                    ids[entry.message.key],
                    *entry.judgement.verdict,
                    party.name,
                    entry.judgement.way,
                )
                for entry in entries
                if entry.judgement.verdict.kind != "ignored"
                for party in _distinct(entry.judgement.parties)
            ],
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO answers VALUES (?, ?)",
            [
                (answered, ids[entry.message.key])
                for entry in entries
                if entry.judgement.direction
                for answered in entry.message.answers
            ],
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO invitations VALUES (?, ?)",
            [
                (invite.uid, ids[entry.message.key])
                for entry in entries
                for invite in entry.message.invites
            ],
        )
        return ids

    def rewrite(self, number: int, entry: MessageRow) -> None:
        """Put another message in the place of one, also where the mail itself says otherwise."""
        row = _row(entry)
        names = ", ".join(f"{name} = ?" for name in row)
        self._db.execute(f"UPDATE messages SET {names} WHERE id = ?", (*row.values(), number))
        self._db.execute("DELETE FROM invitations WHERE message = ?", (number,))
        self._db.executemany(
            "INSERT OR IGNORE INTO invitations VALUES (?, ?)",
            [(invite.uid, number) for invite in entry.message.invites],
        )

    def parties(self, keys: Iterable[str]) -> set[str]:
        """Senders to whom these messages belong, as far as the ledger has them."""
        rows = self._among(
            "SELECT DISTINCT c.sender FROM messages m JOIN correspondence c ON c.message = m.id"
            " WHERE m.key",
            keys,
        )
        return {row["sender"] for row in rows}

    def parties_of(self, ids: Iterable[int]) -> dict[int, set[tuple[str, str, str]]]:
        """By message, the senders to whom it belongs, each with its name there and the way."""
        found: dict[int, set[tuple[str, str, str]]] = {}
        for row in self._db.execute(
            f"SELECT message, sender, name, way FROM correspondence WHERE message {AMONG}",
            (listed(ids),),
        ):
            found.setdefault(row["message"], set()).add((row["sender"], row["name"], row["way"]))
        return found

    def answerers(self, entries: Sequence[Message]) -> set[str]:
        """Senders with a message that may answer one of these, or that is about their meetings."""
        ids = {name for m in entries for name in (m.message_id, m.traces.original_id) if name}
        conversations = {m.traces.conversation for m in entries if m.traces.conversation}
        found = self._db.execute(
            _ANSWERERS, {"ids": listed(ids), "conversations": listed(conversations)}
        )
        senders = {row["sender"] for row in found}
        uids = {invite.uid for m in entries for invite in m.invites}
        if uids:
            rows = self._among(
                "SELECT DISTINCT c.sender FROM invitations i JOIN correspondence c USING (message)"
                " WHERE i.uid",
                uids,
            )
            senders.update(row["sender"] for row in rows)
        return senders

    def answerers_beyond(self, message_ids: Iterable[str]) -> set[str]:
        """Senders who answer a mail of ours that answers one of these: of the same conversation."""
        rows = self._db.execute(_ANSWERERS_BEYOND, {"ids": listed(message_ids)})
        return {row["sender"] for row in rows}

    def ours(self, names: Iterable[str]) -> dict[str, OurMail]:
        """The mails of ours in Sent that people may answer, by the names under which they do.

        A name is a Message-ID, or a Thread-Index root behind `CONVERSATION`; of several mails with
        one name the earliest counts.
        """
        asked = set(names)
        roots = {name.removeprefix(CONVERSATION) for name in asked if name.startswith(CONVERSATION)}
        ids = [name for name in asked if not name.startswith(CONVERSATION)]
        rows = self._db.execute(_OURS, {"ids": listed(ids), "conversations": listed(roots)})
        found: dict[str, OurMail] = {}
        for name, key, sent_at, subject, facts, answers in rows:
            known = found.get(name)
            mail = OurMail(key, instant(sent_at), subject, facts, tuple(answers.split()))
            if known is None or (mail.sent_at, mail.key) < (known.sent_at, known.key):
                found[name] = mail
        return found

    def circles(self, message_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """By Message-ID, the sender keys that a mail we received is from or to."""
        found: dict[str, frozenset[str]] = {}
        for row in self._among(
            "SELECT message_id, facts FROM messages WHERE direction = 'received' AND message_id",
            message_ids,
        ):
            facts = json.loads(row["facts"])
            pairs = [facts["from"], *facts.get("to", ())]
            people = {Address(*pair).key for pair in pairs if pair}
            found[row["message_id"]] = found.get(row["message_id"], frozenset()) | people
        return found

    def our_statements(self, uids: Iterable[str]) -> list[Statement]:
        """What calendars of ours said in Sent about these meetings (iTIP UIDs), to whomever."""
        rows = self._among(
            "SELECT DISTINCT m.key, m.sent_at, m.invites, m.facts FROM invitations i"
            " JOIN messages m ON m.id = i.message WHERE m.direction = 'sent' AND i.uid",
            uids,
        )
        return [
            Statement(
                invite,
                ours=True,
                sent_at=instant(row["sent_at"]),
                key=row["key"],
                recipients=frozenset(
                    Address(*pair).key for pair in json.loads(row["facts"]).get("to", ())
                ),
            )
            for row in rows
            for invite in invites_from(row["invites"])
        ]

    def sent_from(self, address: str, limit: int) -> list[StoredMessage]:
        """The latest messages From this address that were seen in Sent."""
        rows = self._db.execute(
            "SELECT * FROM messages WHERE from_address = ? AND in_sent ORDER BY id DESC LIMIT ?",
            (address, limit),
        )
        return [_stored(row) for row in rows]

    def arrived_from(self, address: str, limit: int) -> int:
        """How many messages From this address were seen elsewhere than in Sent, up to `limit`."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM (SELECT 1 FROM messages m WHERE m.from_address = ?"
            " AND (NOT m.in_sent OR EXISTS (SELECT 1 FROM sightings s JOIN folders f"
            "  ON f.id = s.folder WHERE s.message = m.id AND f.role = 'inbox')) LIMIT ?)",
            (address, limit),
        ).fetchone()
        return int(count)

    def concerning(self, addresses: Iterable[str]) -> list[StoredMessage]:
        """Messages From these addresses, or that belong to them as senders."""
        keys = list(addresses)
        rows = self._among("SELECT * FROM messages WHERE from_address", keys)
        rows += self._among(
            "SELECT m.* FROM correspondence c JOIN messages m ON m.id = c.message WHERE c.sender",
            keys,
        )
        return list({row["id"]: _stored(row) for row in rows}.values())

    def page(self, after: int, limit: int) -> list[StoredMessage]:
        """Up to `limit` messages with an id above `after`, by id: for a rebuild."""
        rows = self._db.execute(
            "SELECT * FROM messages WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        return [_stored(row) for row in rows]

    def _among(self, sql: str, values: Iterable[str], tail: str = "") -> list[sqlite3.Row]:
        """The rows of a statement that ends in the column whose value is one of these."""
        several = list(values)
        if not several:
            return []
        return self._db.execute(f"{sql} {AMONG} {tail}", (listed(several),)).fetchall()


_as_json = json.JSONEncoder(ensure_ascii=False).encode

_COLUMNS = (
    *("key", "message_id", "direction", "verdict", "reason", "from_address", "from_name"),
    *("subject", "snippet", "date", "arrived_at", "sent_at", "in_sent", "thread", "size"),
    *("answers", "invites", "facts", "conversation", "original_id", "text_hash", "twin"),
)
_INSERT = (
    f"INSERT INTO messages (id, {', '.join(_COLUMNS)}) VALUES (?, {', '.join('?' * len(_COLUMNS))})"
)
# What depends on where the mail was seen may change; what the mail itself says doesn't.
_RENEWED = ("direction", "verdict", "reason", "arrived_at", "sent_at", "in_sent")
_RENEW = (
    f"UPDATE messages SET {', '.join(f'{column} = ?' for column in _RENEWED)},"
    " thread = coalesce(thread, ?) WHERE id = ?"
)


_ANSWERERS = """
SELECT c.sender FROM answers a JOIN correspondence c USING (message)
WHERE a.answered IN (SELECT value FROM json_each(:ids))
UNION
SELECT c.sender FROM messages m JOIN correspondence c ON c.message = m.id
WHERE m.conversation IN (SELECT value FROM json_each(:conversations))
"""

_ANSWERERS_BEYOND = """
WITH ours AS (
  SELECT m.message_id, m.original_id, m.conversation FROM answers a
  JOIN messages m ON m.id = a.message AND m.direction = 'sent'
  WHERE a.answered IN (SELECT value FROM json_each(:ids))
)
SELECT c.sender FROM ours JOIN answers a ON a.answered IN (ours.message_id, ours.original_id)
JOIN correspondence c ON c.message = a.message
UNION
SELECT c.sender FROM ours JOIN messages m ON m.conversation = ours.conversation
JOIN correspondence c ON c.message = m.id
"""

# Whoever it went to, a person may answer it; that nobody but us was named may mean a blind copy.
_ANSWERABLE = (
    "direction = 'sent' AND (verdict = 'contact' OR reason IN ('too-many-recipients', 'internal'))"
)
_OURS = f"""
SELECT message_id, key, sent_at, subject, facts, answers FROM messages
WHERE {_ANSWERABLE} AND message_id IN (SELECT value FROM json_each(:ids))
UNION ALL
SELECT original_id, key, sent_at, subject, facts, answers FROM messages
WHERE {_ANSWERABLE} AND original_id IN (SELECT value FROM json_each(:ids))
UNION ALL
SELECT '{CONVERSATION}' || conversation, key, sent_at, subject, facts, answers FROM messages
WHERE {_ANSWERABLE} AND conversation IN (SELECT value FROM json_each(:conversations))
UNION ALL
SELECT c.message_id, m.key, sent_at, subject, facts, answers
FROM copies c JOIN messages m ON m.id = c.message
WHERE {_ANSWERABLE} AND c.message_id IN (SELECT value FROM json_each(:ids))
"""

_LIKE = f"""
SELECT m.* FROM messages m WHERE m.message_id {AMONG}
UNION
SELECT m.* FROM json_each(?) t CROSS JOIN messages m INDEXED BY messages_twin
ON m.twin BETWEEN json_extract(t.value, '$[0]') AND json_extract(t.value, '$[1]')
WHERE json_extract(t.value, '$[2]') OR m.message_id IS NULL
"""


def _twin(message: Message) -> str | None:
    """What copies of a message have alike: who wrote what when."""
    if message.from_ is None:
        return None
    alike = trace(message.from_.key, message.subject, message.text_hash)
    return alike + (stamp_or_none(message.date) or "")


def _distinct(parties: Sequence[Address]) -> list[Address]:
    return list({party.key: party for party in reversed(parties)}.values())


def _row(entry: MessageRow) -> dict[str, object]:
    message, judgement = entry.message, entry.judgement
    facts: dict[str, Any] = {"from": _pair(message.from_)}
    if message.to:
        facts["to"] = [_pair(address) for address in message.to]
    if message.recipients_count != len(message.to):
        facts["recipients_count"] = message.recipients_count
    if message.candidates:
        facts["candidates"] = [
            (one.way, *_pair_of(one.address), stamp_or_none(one.date)) for one in message.candidates
        ]
    if message.facts:
        facts["said"] = [(one.kind, one.value, one.way) for one in message.facts]
    if message.traces.said or message.traces.quoted:
        facts["words"] = (message.traces.said, message.traces.quoted)
    if message.marks:
        facts["marks"] = message.marks
    if message.opaque:
        facts["opaque"] = True
    arrived_at, date = stamp(entry.arrived_at), stamp_or_none(message.date)
    is_true = message.date == bounded_date(message.date, entry.arrived_at)
    values = (
        message.key,
        message.message_id,
        judgement.direction,
        *judgement.verdict,
        message.from_.key if message.from_ else None,
        message.from_.name if message.from_ else None,
        message.subject,
        message.snippet,
        date,
        arrived_at,
        date if is_true else arrived_at,
        entry.in_sent,
        message.thread,
        message.size,
        " ".join(message.answers),
        json.dumps([_invite_json(i) for i in message.invites]) if message.invites else None,
        _as_json(facts),
        message.traces.conversation,
        message.traces.original_id,
        message.text_hash,
        _twin(message),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _pair(address: Address | None) -> tuple[str, str] | None:
    return _pair_of(address) if address else None


def _pair_of(address: Address) -> tuple[str, str]:
    return address.name, address.address


def _candidates(facts: dict[str, Any]) -> tuple[Candidate, ...]:
    """Who else may have written it; up to 1.0 that was one address, of whatever field."""
    if "group" in facts:
        return (Candidate("group", Address(*facts["group"])),)
    return tuple(
        Candidate(way, Address(name, address), instant_or_none(date))
        for way, name, address, date in facts.get("candidates", ())
    )


def _stored(row: sqlite3.Row) -> StoredMessage:
    facts = json.loads(row["facts"])
    to = tuple(Address(*pair) for pair in facts.get("to", ()))
    message = Message(
        key=row["key"],
        message_id=row["message_id"],
        answers=tuple(row["answers"].split()),
        from_=Address(*facts["from"]) if facts["from"] else None,
        candidates=_candidates(facts),
        facts=tuple(Fact(*one) for one in facts.get("said", ())),
        to=to,
        subject=row["subject"],
        date=instant_or_none(row["date"]),
        snippet=row["snippet"],
        marks=tuple(facts.get("marks", ())),
        invites=invites_from(row["invites"]),
        opaque=facts.get("opaque", False),
        thread=row["thread"],
        size=row["size"],
        recipients_count=facts.get("recipients_count", len(to)),
        traces=Traces(row["conversation"], row["original_id"], *facts.get("words", ())),
        text_hash=row["text_hash"],
    )
    judged = (row["direction"], row["verdict"], row["reason"])
    arrived_at = instant(row["arrived_at"])
    return StoredMessage(row["id"], message, arrived_at, bool(row["in_sent"]), judged)


def _invite_json(invite: Invite) -> dict[str, Any]:
    return {
        "method": invite.method,
        "uid": invite.uid,
        "sequence": invite.sequence,
        "dtstamp": stamp_or_none(invite.dtstamp),
        "organizer": invite.organizer,
        "attendees": invite.attendees,
        "starts_at": stamp_or_none(invite.starts_at),
        "ends_at": stamp_or_none(invite.ends_at),
        "summary": invite.summary,
        "recurrence_id": invite.recurrence_id,
    }


def invites_from(text: str | None) -> tuple[Invite, ...]:
    """The iTIP parts that a message's `invites` column holds."""
    if text is None:
        return ()
    return tuple(
        Invite(
            method=item["method"],
            uid=item["uid"],
            sequence=item["sequence"],
            dtstamp=instant_or_none(item["dtstamp"]),
            organizer=item["organizer"],
            attendees=tuple((address, status) for address, status in item["attendees"]),
            starts_at=instant_or_none(item["starts_at"]),
            ends_at=instant_or_none(item["ends_at"]),
            summary=item["summary"],
            recurrence_id=item["recurrence_id"],
        )
        for item in json.loads(text)
    )
