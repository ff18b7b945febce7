"""Messages of which earlier versions kept less, to be read again; and who waits for consent then.

A message says which version of the parser has read it. If that version is older, it is read again
from any folder that still has it; a message that is in no folder any more stays as it is known.
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import stamp
from daemon.message.parse import PARSER

# Where a mail still lies, as far as we know: what `stale` and `nothing_more` ask.
_LIES_THERE = "f.active AND f.uidvalidity = s.uidvalidity AND NOT s.gone"
_STALE = f"m.parsed < {PARSER}"  # as the partial index says it
_PLACES = f"""
SELECT s.folder, s.uid, m.sent_at, m.id FROM messages m INDEXED BY messages_stale
JOIN sightings s ON s.message = m.id JOIN folders f ON f.id = s.folder
WHERE {_STALE} AND {_LIES_THERE} AND f.mailbox = ? AND f.failures = 0
  AND (m.sent_at, m.id, s.folder, s.uid) < (?, ?, ?, ?)
ORDER BY m.sent_at DESC, m.id DESC, s.folder DESC, s.uid DESC LIMIT ?
"""
_NOWHERE = f"""
UPDATE messages AS m SET parsed = NULL WHERE {_STALE} AND NOT EXISTS (
  SELECT 1 FROM sightings s JOIN folders f ON f.id = s.folder
  WHERE s.message = m.id AND {_LIES_THERE})
"""
AT_ONCE = "read_again_at_once"  # name in `settings`: mailboxes that a person waits for
HELD = "held"  # name in `settings`: somebody waits for consent


class EarlierMail(NamedTuple):
    """Where a mail lies that an earlier version has read, and when it was sent (as stored)."""

    folder: int
    uid: int
    sent_at: str
    message: int

    @property
    def position(self) -> tuple[str, int, int, int]:
        """In the order in which they are read, from the last to the first."""
        return self.sent_at, self.message, self.folder, self.uid


class ClassNow(NamedTuple):
    """What a sender is, and whether something of it is still to be planned."""

    class_: str
    pending: int


_OPENED = """
CASE WHEN class = 'person_with_deal' AND NOT EXISTS (
       SELECT 1 FROM records WHERE kind = 'deal' AND key = address AND tombstone IS NULL)
     THEN 'deal'
     WHEN class = 'lead' AND NOT EXISTS (
       SELECT 1 FROM records WHERE kind IN ('lead', 'deal') AND key = address)
     THEN 'lead' ELSE 'other' END
"""
_HELD = f"""
SELECT {_OPENED} AS what, count(*) FROM senders WHERE held_since IS NOT NULL GROUP BY what
"""
# Who waits, with how many records that makes at most up to this one: last in touch comes first.
_RELEASE_SOME = f"""
UPDATE senders SET held_since = NULL, synced_version = version - 1 WHERE address IN (
  SELECT address FROM (
    SELECT address, sum(({_OPENED} <> 'other')
      + NOT EXISTS (SELECT 1 FROM records WHERE kind = 'person' AND key = address)
      + (organization IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM records WHERE kind = 'organization' AND key = senders.organization)))
      OVER (ORDER BY last_contact DESC, address) AS made
    FROM senders WHERE held_since IS NOT NULL)
  WHERE made <= ?)
"""
_NEWEST = ("~", 0, 0, 0)  # after every stamp


class Rereading:
    """Owns `messages.parsed`, `sightings.gone` and `senders.held_since`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def places(
        self, mailbox: str, limit: int, after: EarlierMail | None = None
    ) -> list[EarlierMail]:
        """Places of a mailbox where mail lies that is to be read again, the newest mail first."""
        last = after.position if after else _NEWEST
        return [EarlierMail(*row) for row in self._db.execute(_PLACES, (mailbox, *last, limit))]

    def left(self) -> int:
        """How many messages are to be read again."""
        (count,) = self._db.execute(
            f"SELECT count(*) FROM messages m INDEXED BY messages_stale WHERE {_STALE}"
        ).fetchone()
        return int(count)

    def gone(self, folder: int, uidvalidity: int, uids: Iterable[int]) -> None:
        """Note that nothing can be read there any more; what was read of it stays."""
        self._db.executemany(
            "UPDATE sightings SET gone = 1 WHERE folder = ? AND uidvalidity = ? AND uid = ?",
            [(folder, uidvalidity, uid) for uid in uids],
        )

    def give_up(self) -> None:
        """Stop waiting for messages that are in no folder any more."""
        self._db.execute(_NOWHERE)

    def standing(self, senders: Iterable[str]) -> dict[str, ClassNow]:
        """What each of these senders is, as far as they are known."""
        rows = self._db.execute(
            f"SELECT address, class, version > synced_version FROM senders WHERE address {AMONG}",
            (listed(senders),),
        )
        return {address: ClassNow(*rest) for address, *rest in rows}

    def hold(self, senders: Iterable[str], now: datetime) -> None:
        """Have what these senders would newly get in Pipedrive wait for a person's consent."""
        self._db.executemany(
            "UPDATE senders SET held_since = coalesce(held_since, ?) WHERE address = ?",
            [(stamp(now), one) for one in senders],
        )

    def let_go(self, senders: Iterable[str]) -> int:
        """Have these planned, who wait for consent no longer; how many there were."""
        return self._db.execute(
            "UPDATE senders SET held_since = NULL, synced_version = version - 1"
            f" WHERE held_since IS NOT NULL AND address {AMONG}",
            (listed(senders),),
        ).rowcount

    def held(self) -> dict[str, int]:
        """How many senders wait for consent to a deal, to a lead, or to other records."""
        return dict(map(tuple, self._db.execute(_HELD)))

    def release(self, creates: int | None) -> int:
        """Have those who wait planned, for at most so many records; how many senders there were."""
        if creates is not None:
            return self._db.execute(_RELEASE_SOME, (creates,)).rowcount
        return self._db.execute(
            "UPDATE senders SET held_since = NULL, synced_version = version - 1"
            " WHERE held_since IS NOT NULL"
        ).rowcount
