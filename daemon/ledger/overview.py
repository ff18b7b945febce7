"""What a week brought and who waits for an answer, for people; a page of the browser view shows it.

"In these days" goes by the date of the mail, not by the day on which a record was written: after a
first run over years of mail everything was written today.
"""

from datetime import datetime, timedelta
from typing import Any

from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.ledger.timestamp import instant_or_none, stamp

WEEK = timedelta(days=7)
SILENT = timedelta(days=30)  # without a mail, an open deal is called silent
_ANSWER_WITHIN = timedelta(days=1)  # a younger mail isn't late

# Deals that people can still do something about; one that no listing has shown yet is new.
_OPEN_DEALS = """
SELECT p.name, p.sender, p.organization, p.last_contact AS at, p.url
FROM pipeline p LEFT JOIN crm_deals d ON d.id = CAST(p.deal_id AS INTEGER)
WHERE p.deal_id IS NOT NULL AND coalesce(d.status, 'open') = 'open' AND NOT coalesce(d.archived, 0)
"""


def ago(days: int) -> str:
    """An instant as SQL, for queries that people run themselves."""
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-{days} days')"


def newcomers(since: str) -> str:
    """The query for people whose first mail came since then; `since` is SQL, as below."""
    return f"""
SELECT p.name, p.sender, p.organization, s.first_contact AS at, p.url,
       CASE p.class WHEN 'lead' THEN 'lead' ELSE 'deal' END AS what
FROM senders s JOIN pipeline p ON p.sender = s.address
WHERE s.class <> 'ignore' AND s.last_contact >= {since} AND s.first_contact >= {since}
ORDER BY s.first_contact DESC, s.address
"""


def silent_deals(since: str) -> str:
    """The query for open deals without a mail since then."""
    return (
        f"{_OPEN_DEALS.rstrip()} AND p.last_contact < {since}\nORDER BY p.last_contact, p.sender\n"
    )


def unanswered(since: str, until: str) -> str:
    """The query for people whose mail of that time is the last that counts: no answer of ours."""
    return f"""
WITH mails AS (
  SELECT c.sender,
         max(CASE WHEN m.direction = 'received' AND c.verdict = 'contact' THEN m.sent_at END) AS at,
         max(CASE WHEN m.direction = 'sent' THEN m.sent_at END) AS answered
  FROM senders s CROSS JOIN correspondence c ON c.sender = s.address
  CROSS JOIN messages m ON m.id = c.message
  WHERE s.class <> 'ignore' AND s.last_contact >= {since}
  GROUP BY c.sender
)
SELECT p.name, p.sender, p.organization, mails.at, p.url
FROM mails JOIN pipeline p ON p.sender = mails.sender
WHERE mails.at >= {since} AND mails.at < {until}
  AND (mails.answered IS NULL OR mails.answered < mails.at)
  AND (p.deal_id IS NULL OR EXISTS (
    SELECT 1 FROM ({_OPEN_DEALS.strip()}) o WHERE o.sender = p.sender))
ORDER BY mails.at, p.sender
"""


_MAIL = """
SELECT count(DISTINCT CASE WHEN m.direction = 'received' THEN m.id END) AS received,
       count(DISTINCT CASE WHEN m.direction = 'received' THEN c.sender END) AS people,
       count(DISTINCT CASE WHEN m.direction = 'sent' THEN m.id END) AS sent
FROM messages m CROSS JOIN correspondence c ON c.message = m.id AND c.verdict = 'contact'
WHERE m.sent_at >= ?
"""
_LEFT_OUT = """
SELECT count(*) AS n FROM messages m WHERE m.sent_at >= ? AND NOT EXISTS
  (SELECT 1 FROM correspondence c WHERE c.message = m.id AND c.verdict = 'contact')
"""
_MADE = """
SELECT kind, count(*) AS n FROM records
WHERE origin = 'created' AND kind IN ('lead', 'deal') AND written_at >= ? GROUP BY kind
"""
_MEETINGS = """
SELECT count(DISTINCT uid) AS n FROM meetings WHERE counts AND starts_at >= ? AND starts_at < ?
"""


def overview(ledger: Ledger, now: datetime) -> dict[str, Any]:
    """The week before `now`, and who waits: `newcomers`, `unanswered`, `silent` hold people."""
    week, today = stamp(now - WEEK), stamp(now)
    (mail,) = ledger.rows(_MAIL, week)
    (left_out,) = ledger.rows(_LEFT_OUT, week)
    (met,) = ledger.rows(_MEETINGS, week, today)
    (coming,) = ledger.rows(_MEETINGS, today, stamp(now + WEEK))
    url = ledger.setting("pipedrive_url") or ""
    month, yesterday = stamp(now - SILENT), stamp(now - _ANSWER_WITHIN)
    polled, sync = reports.polled_at(ledger), ledger.conditions.of("sync")
    return {
        "now": now,
        "read_at": instant_or_none(min(polled.values(), default=None)),
        "sync_at": sync[0].good_at if sync else None,
        "company": str(url).removeprefix("https://").removesuffix(".pipedrive.com"),
        **mail,
        "left_out": left_out["n"],
        "meetings": met["n"],
        "meetings_to_come": coming["n"],
        "made": {row["kind"]: row["n"] for row in ledger.rows(_MADE, week)},
        "newcomers": ledger.rows(newcomers("?1"), week),
        "unanswered": ledger.rows(unanswered("?1", "?2"), month, yesterday),
        "silent": ledger.rows(silent_deals("?"), month),
    }
