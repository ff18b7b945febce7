"""The optional fields of v2 answers (`include_fields`): counts and pointers, worked out on demand.

What the sandbox doesn't keep (files, notes, followers, mails, products) is counted as 0 or null.
"""

from collections.abc import Mapping
from typing import Any

from daemon.sandbox.crm.call import Call
from daemon.sandbox.crm.exchange import Doc

_LINK = {"organizations": "org_id", "persons": "person_id", "deals": "deal_id"}
_DEALS = {
    "open_deals_count": "status = 'open'",
    "closed_deals_count": "status IN ('won', 'lost')",
    "won_deals_count": "status = 'won'",
    "lost_deals_count": "status = 'lost'",
}
_ACTIVITIES = {
    "activities_count": "1",
    "done_activities_count": "done = 1",
    "undone_activities_count": "done = 0",
}
_ZERO = (
    "email_messages_count",
    "files_count",
    "notes_count",
    "followers_count",
    "products_count",
    "participant_open_deals_count",
    "participant_closed_deals_count",
)
_NULL = ("last_incoming_mail_time", "last_outgoing_mail_time")
_CONTACT = (
    "next_activity_id",
    "last_activity_id",
    "email_messages_count",
    "files_count",
    "notes_count",
    "followers_count",
    *_ACTIVITIES,
    *_DEALS,
    *(f"related_{name}" for name in _DEALS),
    "smart_bcc_email",
)
INCLUDES: Mapping[str, tuple[str, ...]] = {
    "organizations": (*_CONTACT, "people_count"),
    "persons": (
        *_CONTACT,
        "participant_open_deals_count",
        "participant_closed_deals_count",
        "last_incoming_mail_time",
        "last_outgoing_mail_time",
    ),
    "deals": (
        "next_activity_id",
        "last_activity_id",
        "first_won_time",
        "products_count",
        "files_count",
        "notes_count",
        "followers_count",
        "email_messages_count",
        *_ACTIVITIES,
        "participants_count",
        *_NULL,
        "smart_bcc_email",
        "source_lead_id",
    ),
}


def counters(call: Call, kind: str, doc: Doc) -> Doc:
    """The optional fields that the query names, for one record."""
    return {name: _value(call, kind, doc, name) for name in call.query.get("include_fields", ())}


def _value(call: Call, kind: str, doc: Doc, name: str) -> Any:  # noqa: PLR0911 - one line each
    plain = name.removeprefix("related_")
    if plain in _DEALS:
        return _count(call, kind, doc, "deals", _DEALS[plain])
    if name in _ACTIVITIES:
        return _count(call, kind, doc, "activities", _ACTIVITIES[name])
    if name == "people_count":
        return _count(call, kind, doc, "persons", "1")
    if name in ("next_activity_id", "last_activity_id"):
        return _neighbour(call, kind, doc, done=name == "last_activity_id")
    if name in _ZERO:
        return 0
    if name in _NULL:
        return None
    if name == "participants_count":
        return 0 if doc.get("person_id") is None else 1
    if name == "first_won_time":
        return doc.get("_first_won_time")
    if name == "smart_bcc_email":
        return f"{call.settings.company}@pipedrivemail.com"
    return doc.get(name)


def _count(call: Call, kind: str, doc: Doc, counted: str, where: str) -> int:
    return call.store.count(
        counted, f"{_LINK[kind]} = ? AND is_deleted = 0 AND {where}", (doc["id"],)
    )


def _neighbour(call: Call, kind: str, doc: Doc, *, done: bool) -> int | None:
    found = call.store.select(
        "activities",
        f"{_LINK[kind]} = ? AND is_deleted = 0 AND done = ?",
        (doc["id"], done),
        order="due_date DESC, id DESC" if done else "due_date, id",
        limit=1,
    )
    return found[0]["id"] if found else None
