"""The questions that people ask a ledger, as SQL with a title; and the charts of the dashboard.

They read the tables and views that are public, so each of them also works in `sqlite3`.
"""

from typing import Any, NamedTuple

DATABASE, DASHBOARD = "ledger", "overview"


class Question(NamedTuple):
    """One canned query."""

    title: str
    description: str
    sql: str


QUESTIONS = {
    "new_leads_this_week": Question(
        "New leads this week",
        "Senders who became a lead in the last seven days, the latest first.",
        """
SELECT p.name, p.sender, p.organization, p.reason, p.last_contact, r.written_at AS made_at, p.url
FROM pipeline p JOIN records r ON r.kind = 'lead' AND r.key = p.sender AND r.tombstone IS NULL
WHERE r.written_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days')
ORDER BY r.written_at DESC, p.last_contact DESC
""",
    ),
    "deals_by_reason": Question(
        "Deals by reason",
        "What made senders a person with a deal: how many, and how much mail they wrote.",
        """
SELECT CASE WHEN meetings > 0 AND replies > 0 THEN 'meetings and replies'
            WHEN meetings > 0 THEN 'meetings' WHEN replies > 0 THEN 'replies'
            ELSE 'messages alone' END AS because,
       count(*) AS deals, sum(msg_count) AS messages, sum(replies) AS replies,
       sum(meetings) AS meetings
FROM pipeline WHERE deal_id IS NOT NULL GROUP BY because ORDER BY deals DESC
""",
    ),
    "silent_deals": Question(
        "Silent deals",
        "Deals whose last contact is more than 30 days ago, the longest silence first.",
        """
SELECT name, sender, organization, last_contact,
       CAST(julianday('now') - julianday(last_contact) AS INTEGER) AS days_silent, url
FROM pipeline WHERE deal_id IS NOT NULL
  AND last_contact < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-30 days')
ORDER BY last_contact
""",
    ),
    "noisiest_ignored_senders": Question(
        "Noisiest ignored senders",
        "Who writes most without getting a record, and why.",
        """
SELECT c.sender, count(*) AS messages, group_concat(DISTINCT c.reason) AS why,
       max(m.sent_at) AS latest
FROM correspondence c JOIN senders s ON s.address = c.sender JOIN messages m ON m.id = c.message
WHERE s.class = 'ignore' AND m.direction = 'received'
GROUP BY c.sender ORDER BY messages DESC, c.sender LIMIT 100
""",
    ),
    "quarantine": Question(
        "Quarantine",
        "Messages that can't be read, where they lie, and when they are tried again.",
        """
SELECT f.mailbox, f.name AS folder, q.uid, q.reason, q.attempts, q.first_seen,
       coalesce(q.not_before, 'by `mail2deal retry`') AS next_try
FROM quarantine q JOIN folders f ON f.id = q.folder ORDER BY q.first_seen DESC
""",
    ),
    "what_waits_and_why": Question(
        "What waits, and why",
        "Changes that are on their way to Pipedrive, and those set aside until a person decides.",
        """
SELECT kind, action, state, coalesce(last_error, '') AS why, count(*) AS changes,
       min(planned_at) AS oldest, min(not_before) AS next_try
FROM journal WHERE state <> 'done' GROUP BY kind, action, state, why ORDER BY changes DESC
""",
    ),
    "tokens_per_day": Question(
        "Tokens per day",
        "What the API calls cost, by day and kind of call.",
        "SELECT day, kind, calls, tokens FROM api_usage ORDER BY day DESC, tokens DESC",
    ),
}

_FUNNEL = """
SELECT 1 AS step, 'messages' AS stage, count(*) AS n FROM messages
UNION ALL SELECT 2, 'that count', count(*) FROM messages WHERE verdict = 'contact'
UNION ALL SELECT 3, 'senders', count(*) FROM senders
UNION ALL SELECT 4, 'leads and deals', count(*) FROM senders WHERE class <> 'ignore'
UNION ALL SELECT 5, 'deals', count(*) FROM senders WHERE class = 'person_with_deal'
"""
_WEEKS = """
SELECT date(sent_at, 'weekday 0', '-6 days') AS week, verdict, count(*) AS messages
FROM messages GROUP BY week, verdict ORDER BY week
"""
_ANSWERS = """
SELECT CASE WHEN avg_response_hours < 1 THEN '1: under 1 h' WHEN avg_response_hours < 4
            THEN '2: 1 to 4 h' WHEN avg_response_hours < 24 THEN '3: 4 to 24 h'
            WHEN avg_response_hours < 72 THEN '4: 1 to 3 days' ELSE '5: longer' END AS answer,
       count(*) AS senders
FROM senders WHERE avg_response_hours IS NOT NULL GROUP BY answer ORDER BY answer
"""
_BUDGET = "SELECT day, sum(tokens) AS tokens FROM api_usage GROUP BY day ORDER BY day"


def _chart(title: str, query: str, mark: str, **encoding: Any) -> dict[str, Any]:
    # Vega-Lite only: the plugin's table charts would put mail subjects into the page unescaped.
    return {
        "title": title,
        "db": DATABASE,
        "query": query,
        "library": "vega-lite",
        "display": {"mark": {"type": mark, "tooltip": True}, "encoding": encoding, "height": 260},
    }


def _nominal(field: str, title: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "nominal", "title": title, **more}


def _number(field: str, title: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": title}


CHARTS = {
    "funnel": _chart(
        "From messages to deals",
        _FUNNEL,
        "bar",
        y=_nominal("stage", "", sort={"field": "step"}),
        x=_number("n", "how many"),
    ),
    "weeks": _chart(
        "Messages per week by verdict",
        _WEEKS,
        "bar",
        x=_nominal("week", "week of", axis={"labelOverlap": True}),
        y=_number("messages", "messages"),
        color=_nominal("verdict", "verdict"),
    ),
    "answers": _chart(
        "How fast senders answer us",
        _ANSWERS,
        "bar",
        x=_nominal("answer", "on average within", axis={"labelAngle": 0}),
        y=_number("senders", "senders"),
    ),
    "budget": _chart(
        "API tokens per day",
        _BUDGET,
        "bar",
        x=_nominal("day", "day", axis={"labelOverlap": True}),
        y=_number("tokens", "tokens"),
    ),
}


def metadata() -> dict[str, Any]:
    """What Datasette is told: titles, canned queries and the dashboard."""
    return {
        "title": "mail2deal",
        "description": "The ledger, read-only: who wrote, what it counted for, what is on its way.",
        "databases": {
            DATABASE: {
                "queries": {name: question._asdict() for name, question in QUESTIONS.items()}
            }
        },
        "plugins": {
            "datasette-dashboards": {
                DASHBOARD: {
                    "title": "mail2deal at a glance",
                    "description": "From messages to deals, week by week, and what it costs.",
                    "layout": [["funnel", "weeks"], ["answers", "budget"]],
                    "charts": CHARTS,
                }
            }
        },
    }
