"""Questions that commands ask of the ledger for people: read-only, each a named function.

Rows come as dictionaries with the names of the columns. What the flows decide on isn't here but
with the tables that it belongs to.
"""

from typing import Any

from daemon.ledger.store import Ledger

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
)
"""


def important(ledger: Ledger, run: int, limit: int) -> list[dict[str, Any]]:
    """Senders for whom a run made a lead or a deal, the most important first."""
    return ledger.rows(_IMPORTANT, run, run, limit)


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


def parked_reasons(ledger: Ledger) -> dict[str, int]:
    """How many changes are parked, by reason."""
    rows = ledger.rows("SELECT last_error AS why, count(*) AS n FROM parked GROUP BY 1")
    return {row["why"]: row["n"] for row in rows}


def parked(ledger: Ledger, limit: int = -1) -> list[dict[str, Any]]:
    """Changes set aside until a person decides, the oldest first."""
    return ledger.rows("SELECT * FROM parked ORDER BY planned_at LIMIT ?", limit)
