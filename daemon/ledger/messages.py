"""Messages and what they answer: one row a distinct mail, however often it was seen.

Writing is idempotent by message key. Nothing here judges: callers bring the judgement.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from daemon.ledger.message_row import (
    COLUMNS,
    Grounds,
    Judged,
    MessageRow,
    StoredMessage,
    dated,
    stored,
    to_row,
    twin,
    without_words,
)
from daemon.ledger.sql_list import AMONG, among, listed
from daemon.ledger.timestamp import instant_or_none
from daemon.message.identity import SENT_APART
from daemon.message.parse import Address, Message
from daemon.rules.correspondence import COPIED, IN_COPY


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
        return {row["asked"]: stored(row) for row in rows}

    def like(self, messages: Iterable[Message], *, sent: bool) -> list[StoredMessage]:
        """The messages of which these may be copies: see `identity`."""
        ids, traces = [], []
        for one in messages:
            if one.message_id:
                ids.append(one.message_id)
            if (alike := twin(one)) is None:
                continue
            low = high = alike
            if sent and one.date is not None:
                words = alike.removesuffix(dated(one.date))
                low = words + dated(one.date - SENT_APART)
                high = words + dated(one.date + SENT_APART)
            traces.append((low, high, sent or one.message_id is None))
        rows = self._db.execute(_LIKE, (listed(ids), json.dumps(traces)))
        return [stored(row) for row in rows]

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
        rows = {entry.message.key: to_row(entry) for entry in entries}
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
        self._write_parties(entries, ids)
        self._write_references(entries, ids)
        return ids

    def _write_parties(self, entries: Sequence[MessageRow], ids: Mapping[str, int]) -> None:
        """To whom the messages belong."""
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
            "INSERT OR IGNORE INTO correspondence (sender, message, verdict, reason, name, way)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (to.key, ids[entry.message.key], *COPIED, to.name, IN_COPY)
                for entry in entries
                for to in entry.judgement.copied
            ],
        )

    def _write_references(self, entries: Sequence[MessageRow], ids: Mapping[str, int]) -> None:
        """What the messages answer, and the meetings that they are about."""
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

    def rewrite(self, number: int, entry: MessageRow) -> None:
        """Replace a stored message by another copy of it, all columns included."""
        row = to_row(entry)
        names = ", ".join(f"{name} = ?" for name in row)
        self._db.execute(f"UPDATE messages SET {names} WHERE id = ?", (*row.values(), number))
        self._db.execute("DELETE FROM invitations WHERE message = ?", (number,))
        self._db.executemany(
            "INSERT OR IGNORE INTO invitations VALUES (?, ?)",
            [(invite.uid, number) for invite in entry.message.invites],
        )

    def earliest(self, keys: Iterable[str]) -> datetime | None:
        """When the first of these messages was written."""
        found = self._db.execute(
            f"SELECT min(sent_at) FROM messages WHERE key {AMONG}", (listed(keys),)
        ).fetchone()
        return instant_or_none(found[0])

    def parties(self, keys: Iterable[str]) -> set[str]:
        """Senders to whom these messages belong, as far as the ledger has them."""
        rows = among(
            self._db,
            "SELECT DISTINCT c.sender FROM messages m JOIN correspondence c ON c.message = m.id"
            " WHERE m.key",
            keys,
        )
        return {row["sender"] for row in rows}

    def parties_of(self, ids: Sequence[int]) -> dict[int, set[tuple[str, str, str]]]:
        """By message, the senders to whom it belongs, each with its name there and the way."""
        found: dict[int, set[tuple[str, str, str]]] = {}
        for row in self._db.execute(
            f"SELECT message, sender, name, way FROM correspondence WHERE message {AMONG}",
            (listed(ids),),
        ):
            found.setdefault(row[0], set()).add(row[1:])
        return found

    def sent_from(self, address: str, limit: int) -> list[StoredMessage]:
        """The latest messages From this address that were seen in Sent."""
        rows = self._db.execute(
            "SELECT * FROM messages WHERE from_address = ? AND in_sent ORDER BY id DESC LIMIT ?",
            (address, limit),
        )
        return [stored(row) for row in rows]

    def arrived_from(self, address: str, limit: int) -> int:
        """How many messages From this address were seen elsewhere than in Sent, up to `limit`."""
        (count,) = self._db.execute(
            "SELECT count(*) FROM (SELECT 1 FROM messages m WHERE m.from_address = ?"
            " AND m.seen_in <> 'sent' LIMIT ?)",
            (address, limit),
        ).fetchone()
        return int(count)

    def concerning(self, addresses: Iterable[str]) -> list[StoredMessage]:
        """Messages From these addresses, or that belong to them as senders."""
        keys = list(addresses)
        rows = among(self._db, "SELECT * FROM messages WHERE from_address", keys)
        rows += among(
            self._db,
            "SELECT m.* FROM correspondence c JOIN messages m ON m.id = c.message WHERE c.sender",
            keys,
        )
        return list({row["id"]: stored(row) for row in rows}.values())

    def judged_of(self, addresses: Iterable[str]) -> list[Judged]:
        """The same messages, by what they are judged by."""
        keys = listed(addresses)
        return _judged(
            self._db.execute(
                f"{_JUDGED} from_address {AMONG}"
                f" OR id IN (SELECT message FROM correspondence WHERE sender {AMONG})",
                (keys, keys),
            )
        )

    def at(self, folder: int, uidvalidity: int, uids: Iterable[int]) -> dict[int, StoredMessage]:
        """The messages that were seen at these places, by UID."""
        rows = self._db.execute(
            "SELECT s.uid AS place, m.* FROM sightings s JOIN messages m ON m.id = s.message"
            f" WHERE s.folder = ? AND s.uidvalidity = ? AND s.uid {AMONG}",
            (folder, uidvalidity, listed(uids)),
        )
        return {row["place"]: stored(row) for row in rows}

    def judged(self, ids: Iterable[int]) -> list[Judged]:
        """The messages with these ids, by what they are judged by."""
        return _judged(self._db.execute(f"{_JUDGED} id {AMONG}", (listed(ids),)))

    def of_nobody(self, at_once: int) -> Iterator[list[Judged]]:
        """All messages that belong to no sender, by ids, from `at_once` ids each."""
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
        for start in range(1, last + 1, at_once):
            yield _judged(self._db.execute(_OF_NOBODY, (start, start + at_once)))

    def of_ids(self, ids: Iterable[int]) -> list[StoredMessage]:
        """The messages with these ids."""
        rows = self._db.execute(f"SELECT * FROM messages WHERE id {AMONG}", (listed(ids),))
        return [stored(row) for row in rows]


def _judged(rows: Iterable[tuple[Any, ...]]) -> list[Judged]:
    return [
        Judged(number, (direction, verdict, reason), Grounds(seen_in, without_words(facts), *rest))
        for number, direction, verdict, reason, seen_in, facts, *rest in rows
    ]


_JUDGED = """
SELECT id, direction, verdict, reason, seen_in, facts, invites, answers <> '' FROM messages WHERE
"""
_OF_NOBODY = f"""
{_JUDGED} id >= ? AND id < ?
AND NOT EXISTS (SELECT 1 FROM correspondence c WHERE c.message = messages.id)
"""
_INSERT = (
    f"INSERT INTO messages (id, {', '.join(COLUMNS)}) VALUES (?, {', '.join('?' * len(COLUMNS))})"
)
# What depends on where the mail was seen may change; what the mail itself says doesn't.
_RENEWED = ("direction", "verdict", "reason", "arrived_at", "sent_at", "in_sent", "seen_in")
_RENEW = (
    f"UPDATE messages SET {', '.join(f'{column} = ?' for column in _RENEWED)},"
    " thread = coalesce(thread, ?) WHERE id = ?"
)


_LIKE = f"""
SELECT m.* FROM messages m WHERE m.message_id {AMONG}
UNION
SELECT m.* FROM json_each(?) t CROSS JOIN messages m INDEXED BY messages_twin
ON m.twin BETWEEN json_extract(t.value, '$[0]') AND json_extract(t.value, '$[1]')
WHERE json_extract(t.value, '$[2]') OR m.message_id IS NULL
"""


def _distinct(parties: Sequence[Address]) -> list[Address]:
    return list({party.key: party for party in reversed(parties)}.values())
