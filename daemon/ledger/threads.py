"""Which mails are one conversation, whoever wrote them: by what they answer and share."""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from daemon.ledger.sql_list import AMONG, listed
from daemon.rules.correspondence import IN_COPY

_MAILS = 200  # of a sender that are looked at, the latest
_LONGEST = 2000  # mails of all its conversations together


class Thread(NamedTuple):
    """One conversation: its message keys and the senders to whom they count."""

    messages: frozenset[str]
    people: frozenset[str]
    copied: frozenset[str] = frozenset()  # who is only named in To or Cc


class Threads:
    """Reads `messages`, `answers` and `correspondence` across senders."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def of(self, address: str) -> list[Thread]:
        """The conversations of a sender's latest 200 mails, the latest conversation first.

        Two mails belong together if one answers the other, both answer the same one, or the server
        or Outlook gave them one thread.
        """
        rows = self._db.execute(_OWN, (address, _MAILS)).fetchall()
        forest = _Forest()
        start = [int(row[0]) for row in rows]
        found = dict.fromkeys(start)
        frontier = start
        while frontier and len(found) < _LONGEST:
            names = forest.add(self._db.execute(_FACTS, (listed(frontier),)))
            near = {int(row[0]) for row in self._db.execute(_NEAR, names)}
            frontier = sorted(near - found.keys())
            found |= dict.fromkeys(frontier)
        latest = dict.fromkeys(forest.root(message) for message in start)
        people: dict[int, list[sqlite3.Row]] = {}
        for row in self._db.execute(_PEOPLE, (listed(found),)):
            people.setdefault(forest.root(row[0]), []).append(row)
        return [_thread(people[root]) for root in latest]


def _thread(rows: Iterable[sqlite3.Row]) -> Thread:
    """The conversation of these messages, each with a sender: (id, key, address, way)."""
    several = list(rows)
    people = frozenset(row[2] for row in several if row[2] and row[3] != IN_COPY)
    copied = frozenset(row[2] for row in several if row[3] == IN_COPY) - people
    return Thread(frozenset(row[1] for row in several), people, copied)


class _Forest:
    """Disjoint sets of messages, joined by the names that they share."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._owners: dict[str, int] = {}

    def root(self, message: int) -> int:
        parent = self._parents.setdefault(message, message)
        while parent != self._parents[parent]:
            parent = self._parents[parent] = self._parents[self._parents[parent]]
        return parent

    def add(self, rows: Iterable[sqlite3.Row]) -> dict[str, str]:
        """Take in messages; the names by which others belong to them, as lists for SQL."""
        ids: set[str] = set()
        threads: set[str] = set()
        roots: set[str] = set()
        for message, message_id, original_id, answers, thread, conversation in rows:
            own = {*answers.split(), *filter(None, (message_id, original_id))}
            ids |= own
            names = set(own)
            if thread:
                threads.add(thread)
                names.add(f"\0thread {thread}")  # never a Message-ID
            if conversation:
                roots.add(conversation)
                names.add(f"\0root {conversation}")
            for name in names:
                other = self.root(self._owners.setdefault(name, message))
                self._parents[self.root(message)] = other
        return {"ids": listed(ids), "threads": listed(threads), "roots": listed(roots)}


_OWN = """
SELECT c.message FROM correspondence c JOIN messages m ON m.id = c.message
WHERE c.sender = ? AND (c.verdict = 'contact' OR c.way = 'cc')
ORDER BY m.sent_at DESC, m.key LIMIT ?
"""
_FACTS = f"""
SELECT id, message_id, original_id, answers, thread, conversation FROM messages WHERE id {AMONG}
"""
_NEAR = """
SELECT m.id FROM json_each(:ids) one JOIN messages m ON m.message_id = one.value
UNION SELECT m.id FROM json_each(:ids) one JOIN messages m ON m.original_id = one.value
UNION SELECT a.message FROM json_each(:ids) one JOIN answers a ON a.answered = one.value
UNION SELECT m.id FROM json_each(:roots) one JOIN messages m ON m.conversation = one.value
UNION SELECT m.id FROM json_each(:threads) one JOIN messages m ON m.thread = one.value
"""
_PEOPLE = f"""
SELECT m.id, m.key, c.sender, c.way FROM messages m
LEFT JOIN correspondence c ON c.message = m.id
  AND (c.verdict = 'contact' OR c.way = 'cc')
WHERE m.id {AMONG}
"""
