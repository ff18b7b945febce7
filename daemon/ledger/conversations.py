"""Who answers what, by Message-IDs, roots of Thread-Index and iTIP UIDs."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from daemon.ledger.message_row import invites_from
from daemon.ledger.sql_list import among, listed
from daemon.ledger.timestamp import instant
from daemon.message.parse import Address, Message
from daemon.rules.correspondence import Correspondence
from daemon.rules.growth import Answering, Around
from daemon.rules.meeting import Statement
from daemon.rules.reply import CONVERSATION, OurMail, named


class Conversations:
    """Reads `answers` and `invitations`, which `Messages` writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

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
            rows = among(
                self._db,
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
        ids = [name for name in asked if not name.startswith(CONVERSATION)]
        roots = {name.removeprefix(CONVERSATION) for name in asked.difference(ids)}
        rows = self._db.execute(_OURS, {"ids": listed(ids), "conversations": listed(roots)})
        found: dict[str, OurMail] = {}
        for name, key, sent_at, subject, facts, answers in rows:
            known = found.get(name)
            mail = OurMail(key, instant(sent_at), subject, facts, tuple(answers.split()))
            if known is None or (mail.sent_at, mail.key) < (known.sent_at, known.key):
                found[name] = mail
        return found

    def around(
        self, address: str, message: int, letter: Correspondence, *, circles: bool
    ) -> Around:
        """What stands around a message of a sender; asks only for what it names.

        `circles`: with those of the mails of ours, which count where we never wrote to the sender.
        """
        ours = self.ours(named(letter)) if any(named(letter)) else {}
        if circles and ours:
            ours = self.with_circles(ours, ours)
        received = "SELECT 1 FROM messages WHERE direction = 'received' AND message_id"
        return Around(
            ours=ours,
            is_answered=letter.message_id is not None
            and self._db.execute(_IS_ANSWERED, (letter.message_id,)).fetchone() is not None,
            is_claimed=bool(among(self._db, received, ours)),
            threads=self._threads(address, message, letter),
        )

    def answering(
        self, address: str, message: int, letter: Correspondence, *, copies: bool
    ) -> Answering | None:
        """What a mail of ours answers of a sender's, None where that isn't plain.

        It is where their mails have Message-IDs of their own, and all of them count. With `copies`
        it must answer nobody else's, whose mail may count for those in copy.
        """
        about = {"sender": address, "message": message}
        theirs = self._db.execute(_THEIRS, {**about, "names": listed(letter.answers)}).fetchall()
        if (
            letter.conversation
            or not _is_plain(theirs)
            or any(row["verdict"] != "contact" or row["conversation"] for row in theirs)
            or (copies and self.counted(letter.answers) - {row["message_id"] for row in theirs})
        ):
            return None
        threads = self._threads(address, message, letter)
        if not theirs:
            return Answering(None, is_first=False, threads=threads)
        latest = max(theirs, key=lambda row: str(row["sent_at"]))
        before: dict[int, list[sqlite3.Row]] = {}
        for row in self._db.execute(_ANSWERED_BEFORE, {**about, "name": latest["message_id"]}):
            before.setdefault(row["ours"], []).append(row)
        first = True
        for answered in before.values():
            if not _is_plain(answered):
                return None
            first = first and max(row["sent_at"] for row in answered) != latest["sent_at"]
        return Answering(instant(latest["sent_at"]), is_first=first, threads=threads)

    def _threads(self, address: str, message: int, letter: Correspondence) -> int | None:
        """How many threads of a sender a message of it belongs to, None where that isn't plain.

        It is where the mails that it names are one thread, and have all that it names beside.
        """
        names = {*letter.answers, *([letter.message_id] if letter.message_id else ())}
        sender = {"sender": address, "message": message}
        parents = self._db.execute(_PARENTS, {**sender, "names": listed(names)}).fetchall()
        threads: list[set[str]] = []
        for message_id, answers, thread in parents:
            linked = {message_id, *answers.split(), *_of_server(thread)}
            apart = [one for one in threads if one.isdisjoint(linked)]
            joined = [one for one in threads if one not in apart]
            threads = [*apart, linked.union(*joined)]
        rest = names.difference(*threads)
        found = len(threads)
        found += len(self._db.execute(_NAMED_TOO, {**sender, "names": listed(rest)}).fetchall())
        if _of_server(letter.thread).difference(*threads):
            row = self._db.execute(_IN_THREAD, {**sender, "thread": letter.thread}).fetchone()
            found += row is not None
        return found if found <= 1 else None

    def with_circles(self, ours: Mapping[str, OurMail], names: Iterable[str]) -> dict[str, OurMail]:
        """These mails of ours with who wrote or got the mails that those under `names` answer."""
        circles = self._circles({one for name in names for one in ours[name].answers})
        return {
            name: replace(
                mail,
                circle=frozenset[str]().union(
                    *(circles[one] for one in mail.answers if one in circles)
                ),
            )
            for name, mail in ours.items()
        }

    def _circles(self, message_ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """By Message-ID, the sender keys that a mail we received is from or to."""
        found: dict[str, frozenset[str]] = {}
        for row in among(
            self._db,
            "SELECT message_id, facts FROM messages WHERE direction = 'received' AND message_id",
            message_ids,
        ):
            facts = json.loads(row["facts"])
            pairs = [facts["from"], *facts.get("to", ())]
            people = {Address(*pair).key for pair in pairs if pair}
            found[row["message_id"]] = found.get(row["message_id"], frozenset()) | people
        return found

    def counted(self, message_ids: Iterable[str]) -> frozenset[str]:
        """Those of these Message-IDs that are of mails that reached us and count."""
        rows = among(
            self._db,
            "SELECT message_id FROM messages WHERE direction = 'received'"
            " AND verdict = 'contact' AND message_id",
            message_ids,
        )
        return frozenset(row["message_id"] for row in rows)

    def our_statements(self, uids: Iterable[str]) -> list[Statement]:
        """What calendars of ours said in Sent about these meetings (iTIP UIDs), to whomever."""
        rows = among(
            self._db,
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


def _is_plain(theirs: Sequence[sqlite3.Row]) -> bool:
    """Whether these mails have Message-IDs and times of their own, and no mail of ours the ids."""
    names, times = ({row[column] for row in theirs} for column in ("message_id", "sent_at"))
    return len(names) == len(times) == len(theirs) and not any(row["claimed"] for row in theirs)


def _of_server(thread: str | None) -> set[str]:
    """The server's thread id among Message-IDs, none of which has a NUL."""
    return {f"\0{thread}"} if thread else set()


_ANSWERERS = """
SELECT c.sender FROM answers a JOIN correspondence c USING (message)
WHERE a.answered IN (SELECT value FROM json_each(:ids))
UNION
SELECT c.sender FROM messages m JOIN correspondence c ON c.message = m.id
WHERE m.conversation IN (SELECT value FROM json_each(:conversations))
"""

_IS_ANSWERED = """
SELECT 1 FROM answers a JOIN messages m ON m.id = a.message AND m.direction = 'sent'
WHERE a.answered = ? LIMIT 1
"""

# CROSS JOIN keeps the order of the tables (SQLite): from what is named, not from the sender.
_PARENTS = """
SELECT m.message_id, m.answers, m.thread FROM json_each(:names) n
CROSS JOIN messages m ON m.message_id = n.value AND m.id <> :message
CROSS JOIN correspondence c ON c.sender = :sender AND c.message = m.id AND c.verdict = 'contact'
"""

_CLAIMED = """EXISTS (
  SELECT 1 FROM messages o WHERE o.message_id = m.message_id AND o.direction = 'sent')"""

_THEIRS = f"""
SELECT m.message_id, m.sent_at, m.conversation, c.verdict, {_CLAIMED} AS claimed
FROM json_each(:names) n
CROSS JOIN messages m ON m.message_id = n.value AND m.direction = 'received'
CROSS JOIN correspondence c ON c.sender = :sender AND c.message = m.id
"""

# What else of theirs the mails of ours answer that answer one of theirs.
_ANSWERED_BEFORE = f"""
SELECT ours.id AS ours, m.message_id, m.sent_at, {_CLAIMED} AS claimed FROM answers a
CROSS JOIN messages ours ON ours.id = a.message AND ours.direction = 'sent' AND ours.id <> :message
CROSS JOIN correspondence to_them ON to_them.sender = :sender AND to_them.message = ours.id
  AND to_them.verdict = 'contact'
CROSS JOIN answers too ON too.message = ours.id
CROSS JOIN messages m ON m.message_id = too.answered AND m.direction = 'received'
CROSS JOIN correspondence c ON c.sender = :sender AND c.message = m.id AND c.verdict = 'contact'
WHERE a.answered = :name
"""

_NAMED_TOO = """
SELECT n.value FROM json_each(:names) n WHERE EXISTS (
  SELECT 1 FROM answers a CROSS JOIN correspondence c
  ON c.sender = :sender AND c.message = a.message AND c.verdict = 'contact'
  WHERE a.answered = n.value AND a.message <> :message)
"""

_IN_THREAD = """
SELECT 1 FROM messages m CROSS JOIN correspondence c
ON c.sender = :sender AND c.message = m.id AND c.verdict = 'contact'
WHERE m.thread = :thread AND m.id <> :message LIMIT 1
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
