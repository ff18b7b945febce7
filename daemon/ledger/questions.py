"""The questions that people ask a ledger, as SQL with a title; and the charts of the dashboard.

They read the tables and views that are public, so each of them also works in `sqlite3`.
"""

from typing import Any, NamedTuple

from daemon.ledger.overview import ago, newcomers, silent_deals, unanswered

DATABASE, DASHBOARD = "ledger", "overview"


class Question(NamedTuple):
    """One canned query."""

    title: str
    description: str
    sql: str


QUESTIONS = {
    "new_this_week": Question(
        "New this week",
        "Leads and deals whose first mail came in the last seven days, the latest first.",
        newcomers(ago(7)),
    ),
    "waiting_for_an_answer": Question(
        "Waiting for an answer",
        "People whose mail of the last 30 days is older than a day and has no answer in Sent.",
        unanswered(ago(30), ago(1)),
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
        "Open deals without a mail for more than 30 days, the longest silence first.",
        silent_deals(ago(30)),
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
SELECT 1 AS step, 'who wrote at all' AS stage, count(*) AS people FROM senders
UNION ALL SELECT 2, 'whose mail counts', count(*) FROM senders WHERE msg_count + sent_count > 0
UNION ALL SELECT 3, 'leads and deals', count(*) FROM senders WHERE class <> 'ignore'
UNION ALL SELECT 4, 'with a deal', count(*) FROM senders WHERE class = 'person_with_deal'
"""
# Every week from the first mail on, also those in which none came.
_WEEKS = """
WITH RECURSIVE weeks (week) AS (
  SELECT date(min(sent_at), 'weekday 0', '-6 days') FROM messages
  UNION ALL SELECT date(week, '+7 days') FROM weeks WHERE week < date('now', '-6 days')
), verdicts (verdict) AS (VALUES ('contact'), ('evidence'), ('ignored')), counted AS (
  SELECT date(sent_at, 'weekday 0', '-6 days') AS week, verdict, count(*) AS messages
  FROM messages GROUP BY 1, 2
)
SELECT week, verdict, coalesce(messages, 0) AS messages
FROM weeks CROSS JOIN verdicts LEFT JOIN counted USING (week, verdict)
WHERE week IS NOT NULL ORDER BY week, verdict
"""
_ANSWERS = """
SELECT CASE WHEN avg_response_hours < 1 THEN '1: under 1 h' WHEN avg_response_hours < 4
            THEN '2: 1 to 4 h' WHEN avg_response_hours < 24 THEN '3: 4 to 24 h'
            WHEN avg_response_hours < 72 THEN '4: 1 to 3 days' ELSE '5: longer' END AS answer,
       count(*) AS senders
FROM senders WHERE avg_response_hours IS NOT NULL GROUP BY answer ORDER BY answer
"""
_BUDGET = "SELECT day, sum(tokens) AS tokens FROM api_usage GROUP BY day ORDER BY day"


def _chart(title: str, query: str, **encoding: Any) -> dict[str, Any]:
    # Vega-Lite only: the plugin's table charts would put mail subjects into the page unescaped.
    return {
        "title": title,
        "db": DATABASE,
        "query": query,
        "library": "vega-lite",
        "display": {"mark": {"type": "bar", "tooltip": True}, "encoding": encoding, "height": 260},
    }


def _nominal(field: str, title: str, **more: Any) -> dict[str, Any]:
    return {"field": field, "type": "nominal", "title": title, **more}


def _number(field: str, title: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": title}


CHARTS = {
    "funnel": _chart(
        "From senders to deals",
        _FUNNEL,
        y=_nominal("stage", "", sort={"field": "step"}),
        x=_number("people", "addresses"),
    ),
    "weeks": _chart(
        "Messages per week by verdict",
        _WEEKS,
        x=_nominal("week", "week of", axis={"labelOverlap": True}),
        y=_number("messages", "messages"),
        color=_nominal("verdict", "verdict"),
    ),
    "answers": _chart(
        "How fast senders answer us",
        _ANSWERS,
        x=_nominal("answer", "on average within", axis={"labelAngle": 0}),
        y=_number("senders", "senders"),
    ),
    "budget": _chart(
        "API tokens per day",
        _BUDGET,
        x=_nominal("day", "day", axis={"labelOverlap": True}),
        y=_number("tokens", "tokens"),
    ),
}


def pages() -> list[tuple[str, str, str]]:
    """(path below the first page, title, description) of all that can be looked at."""
    return [
        (f"-/dashboards/{DASHBOARD}", "Charts", "Senders, weeks, answers and tokens as pictures."),
        *((f"{DATABASE}/{name}", q.title, q.description) for name, q in QUESTIONS.items()),
        (DATABASE, "Tables", "Every table and view, to search, filter and export."),
    ]


def metadata() -> dict[str, Any]:
    """What Datasette is told: titles, canned queries and the dashboard."""
    return {
        "title": "mail2deal",
        "description": "The ledger, read-only: who wrote, what it counted for, what is on its way.",
        "databases": {
            DATABASE: {
                "queries": {
                    name: question._asdict() | {"hide_sql": True}
                    for name, question in QUESTIONS.items()
                }
            }
        },
        "plugins": {
            "datasette-dashboards": {
                DASHBOARD: {
                    "title": "mail2deal at a glance",
                    "description": "From senders to deals, week by week, and what it costs.",
                    "layout": [["funnel", "weeks"], ["answers", "budget"]],
                    "charts": CHARTS,
                }
            }
        },
    }
