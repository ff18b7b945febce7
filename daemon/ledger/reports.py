"""Questions that commands ask of the ledger for people: read-only, each a named function.

Rows come as dictionaries with the names of the columns. What the flows decide on isn't here but
with the tables that it belongs to.
"""

from datetime import datetime
from typing import Any

from daemon.ledger.store import Ledger
from daemon.ledger.timestamp import instant_or_none

# Deals before leads; in each, by meetings and replies, then by messages and the latest contact.
_IMPORTANT = """
SELECT s.*, CASE
    WHEN d.run IS NOT NULL AND EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deal'
      AND j.key = s.address AND j.action = 'convert' AND j.state = 'done')
    THEN 'lead becomes a deal'
    WHEN d.run IS NOT NULL THEN 'new deal'
    ELSE 'new lead' END AS what
FROM senders s
LEFT JOIN records d ON d.kind = 'deal' AND d.key = s.address AND d.run = ?
LEFT JOIN records l ON l.kind = 'lead' AND l.key = s.address AND l.run = ?
WHERE d.key IS NOT NULL OR (l.key IS NOT NULL AND l.tombstone IS NULL)
ORDER BY d.key IS NULL, min(s.meetings, 3) + min(s.replies, 10) DESC, s.msg_count DESC,
  s.last_contact DESC, s.address
LIMIT ?
"""

_FINAL = """
WITH final AS (
  SELECT m.id AS message, m.from_address AS address, m.reason FROM messages m
  WHERE m.verdict = 'ignored'
  UNION ALL
  SELECT c.message, c.sender, c.reason FROM correspondence c WHERE c.verdict = 'evidence'
    AND c.way <> 'cc'
)
"""


def important(ledger: Ledger, run: int, limit: int) -> list[dict[str, Any]]:
    """Senders for whom a run made a lead or a deal, the most important first."""
    return ledger.rows(_IMPORTANT, run, run, limit)


def unwanted(ledger: Ledger, examples: int) -> dict[str, Any]:
    """Records of ours that would no longer be made: their number by kind, and some of the senders.

    An edit of the configuration says so, as a sender who is ignored from then on. They stay.
    """
    rows = ledger.rows("SELECT kind, count(*) AS n FROM unwanted GROUP BY kind ORDER BY kind")
    some = ledger.rows("SELECT DISTINCT key FROM unwanted ORDER BY key LIMIT ?", examples)
    return {
        "records": {row["kind"]: row["n"] for row in rows},
        "examples": [row["key"] for row in some],
    }


def left_out(ledger: Ledger) -> list[dict[str, Any]]:
    """Messages that make no record: their number by final reason, the most frequent first."""
    return ledger.rows(
        f"{_FINAL} SELECT reason, count(DISTINCT message) AS messages FROM final"
        " GROUP BY reason ORDER BY messages DESC, reason"
    )


def left_out_senders(ledger: Ledger, reason: str, limit: int) -> list[str]:
    """Who wrote most of what is left out for a reason."""
    rows = ledger.rows(
        f"{_FINAL} SELECT address FROM final WHERE reason = ? AND address IS NOT NULL"
        " GROUP BY address ORDER BY count(*) DESC, address LIMIT ?",
        reason,
        limit,
    )
    return [row["address"] for row in rows]


def last_poll(ledger: Ledger, account: str) -> datetime | None:
    """When a folder of an account was last polled without failing."""
    (row,) = ledger.rows("SELECT max(polled_at) AS at FROM folders WHERE account = ?", account)
    return instant_or_none(row["at"])


def parked_reasons(ledger: Ledger) -> dict[str, int]:
    """How many changes are parked, by reason."""
    rows = ledger.rows("SELECT last_error AS why, count(*) AS n FROM parked GROUP BY 1")
    return {row["why"]: row["n"] for row in rows}


def parked(ledger: Ledger, limit: int = -1) -> list[dict[str, Any]]:
    """Changes set aside until a person decides, the oldest first."""
    return ledger.rows("SELECT * FROM parked ORDER BY planned_at LIMIT ?", limit)


def folders(ledger: Ledger) -> list[dict[str, Any]]:
    """The view `health`: every folder that is read."""
    return ledger.rows("SELECT * FROM health ORDER BY mailbox, folder")


def troubles(ledger: Ledger) -> list[dict[str, Any]]:
    """Mailboxes that can't be polled; `next_due` None: only a person can mend it."""
    return ledger.rows("SELECT * FROM troubles ORDER BY mailbox")


def polled_at(ledger: Ledger) -> dict[str, str]:
    """When each mailbox was last polled as a whole: of its folders, the one polled longest ago.

    A mailbox with a folder that was never polled well isn't among them.
    """
    rows = ledger.rows(
        "SELECT mailbox, min(polled_at) AS at FROM folders WHERE active"
        " GROUP BY mailbox HAVING count(*) = count(polled_at)"
    )
    return {row["mailbox"]: row["at"] for row in rows}


def next_change(ledger: Ledger) -> str | None:
    """When the first change that waits is due."""
    (row,) = ledger.rows("SELECT min(not_before) AS due FROM waiting")
    due: str | None = row["due"]
    return due


def quarantine_reasons(ledger: Ledger) -> dict[str, int]:
    """How many messages can't be read, by reason."""
    rows = ledger.rows("SELECT reason, count(*) AS n FROM quarantine GROUP BY reason")
    return {row["reason"]: row["n"] for row in rows}


def missing_fields(ledger: Ledger) -> dict[str, str]:
    """Why custom fields of ours aren't there, by our names for them."""
    rows = ledger.rows(
        "SELECT key, last_error AS why FROM parked WHERE kind = 'field' UNION ALL"
        " SELECT key, 'deleted in Pipedrive, left so' FROM records"
        " WHERE kind = 'field' AND tombstone IS NOT NULL"
    )
    return {row["key"]: row["why"] for row in rows}


def runs(ledger: Ledger, limit: int) -> list[dict[str, Any]]:
    """The latest starts of the program, the last one first."""
    return ledger.rows("SELECT * FROM runs ORDER BY id DESC LIMIT ?", limit)


def by_class(ledger: Ledger) -> list[dict[str, Any]]:
    """How many senders there are of each class, and how many messages they wrote."""
    return ledger.rows(
        "SELECT class, count(*) AS senders, sum(msg_count) AS messages FROM senders"
        " GROUP BY class ORDER BY class DESC"
    )


def without_record(ledger: Ledger) -> list[dict[str, Any]]:
    """How many messages make no record, by verdict and reason."""
    return ledger.rows(
        "SELECT verdict, reason, count(*) AS messages FROM messages"
        " WHERE verdict <> 'contact' GROUP BY verdict, reason ORDER BY 3 DESC, reason"
    )


def read_from(ledger: Ledger, address: str) -> dict[str, int]:
    """How many messages From an address were read, by reason."""
    rows = ledger.rows(
        "SELECT reason, count(*) AS n FROM messages WHERE from_address = ? GROUP BY reason",
        address,
    )
    return {row["reason"]: row["n"] for row in rows}


def records_of(ledger: Ledger, address: str, organization: str | None) -> list[dict[str, Any]]:
    """What stands for a sender in Pipedrive, organization first, activities left out."""
    return ledger.rows(
        "SELECT kind, pipedrive_id AS id, origin, reason, tombstone, tombstone_at FROM records"
        " WHERE (key = ? AND kind IN ('person', 'lead', 'deal'))"
        " OR (key = ? AND kind = 'organization')"
        " ORDER BY kind = 'deal', kind = 'lead', kind = 'person'",
        address,
        organization or "",
    )


def activities_of(ledger: Ledger, address: str) -> int:
    """How many activities of a sender are in Pipedrive."""
    (row,) = ledger.rows(
        # `+` keeps SQLite from reading all activities by the primary key.
        "SELECT count(*) AS n FROM records WHERE sender = ? AND +kind = 'activity'"
        " AND tombstone IS NULL",
        address,
    )
    return int(row["n"])


def waiting_for(ledger: Ledger, address: str, organization: str | None) -> list[dict[str, Any]]:
    """The changes on their way for a sender and its organization."""
    return ledger.rows(
        # Two questions, each with an index of its own: together they read the whole table.
        "SELECT kind, action, state, not_before, last_error FROM journal WHERE id IN"
        " (SELECT id FROM journal WHERE sender = ? AND state <> 'done' UNION SELECT id"
        "  FROM journal WHERE kind = 'organization' AND key = ? AND state <> 'done')"
        " ORDER BY id",
        address,
        organization or "",
    )


COUNTED = 10_000  # mails of a folder for sent mail; so many means "at least so many"
MANY_ANSWERS = 5  # that come in while nothing of ours is found: something is wrong
# Of the newest messages of each inbox folder of a mailbox, those that answer something.
_ANSWERS = """
SELECT count(*) AS answers FROM folders f
CROSS JOIN sightings s ON s.folder = f.id AND s.uidvalidity = f.uidvalidity
  AND s.uid > coalesce((SELECT uid FROM sightings WHERE folder = f.id
    AND uidvalidity = f.uidvalidity ORDER BY uid DESC LIMIT 1 OFFSET 500), 0)
CROSS JOIN messages m ON m.id = s.message
WHERE f.mailbox = ? AND f.role = 'inbox' AND f.active
  AND m.answers <> '' AND m.verdict = 'contact'
"""


def sent_folders(ledger: Ledger, mailbox: str) -> list[dict[str, Any]]:
    """A mailbox's folders for sent mail: how many mails each holds, when the newest arrived.

    No more than `COUNTED` are counted, so that a large folder takes no longer than a small one.
    """
    return ledger.rows(
        "SELECT f.name AS folder, (SELECT m.arrived_at FROM sightings s JOIN messages m"
        " ON m.id = s.message WHERE s.folder = f.id AND s.uidvalidity = f.uidvalidity"
        " ORDER BY s.uid DESC LIMIT 1) AS newest,"
        " (SELECT count(*) FROM (SELECT 1 FROM sightings s WHERE s.folder = f.id"
        " AND s.uidvalidity = f.uidvalidity AND NOT s.gone LIMIT ?)) AS messages"
        " FROM folders f WHERE f.mailbox = ? AND f.role = 'sent' AND f.active ORDER BY f.name",
        COUNTED,
        mailbox,
    )


def unmatched_answers(ledger: Ledger, mailbox: str) -> int:
    """How many answers came in lately, if no folder for sent mail ever had anything."""
    if any(row["newest"] for row in sent_folders(ledger, mailbox)):
        return 0
    (row,) = ledger.rows(_ANSWERS, mailbox)
    return int(row["answers"])


def senders_like(ledger: Ledger, text: str, limit: int) -> list[dict[str, Any]]:
    """Senders of this organization, or with this text in their address or name."""
    return ledger.rows(
        "SELECT address, name, class FROM senders WHERE organization = ?1 OR instr(address, ?1)"
        " OR instr(lower(name), ?1) ORDER BY class DESC, last_contact DESC LIMIT ?2",
        text.strip().lower(),
        limit,
    )
