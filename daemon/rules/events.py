"""What is told to others when something happens, as data: the event, and how a receiver reads it.

Pure. An event has an id made of what it is about, so a receiver that is told twice can drop one.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

PATHS = {"lead": "/leads/inbox/", "deal": "/deal/", "person": "/person/"}  # of Pipedrive's pages

EventKind = Literal[
    "lead_created",
    "deal_created",
    "lead_converted",
    "first_reply",
    "follow_up_due",
    "needs_person",
]
_NAMESPACE = uuid.UUID("3f0c1a52-5e0a-4d0e-9c39-0d6a4d0f6d1c")
_WORDS: Mapping[EventKind, str] = {
    "lead_created": "New lead",
    "deal_created": "New deal",
    "lead_converted": "A lead became a deal",
    "first_reply": "First reply",
    "follow_up_due": "Waiting for our answer",
    "needs_person": "mail2deal needs a person",
}


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who wants to be told of what; `text`: with subject and snippet of the mail."""

    name: str
    kinds: frozenset[EventKind]
    text: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened; `key` is what it is about: it happens once for a kind and a key."""

    kind: EventKind
    key: str
    happened_at: datetime
    sender: str | None = None
    facts: Mapping[str, Any] | None = None


def event_id(kind: str, key: str) -> str:
    """The same id for the same event, also from a ledger that was restored."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}\0{key}"))


def payload(news: News) -> dict[str, Any]:
    """The JSON document of an event."""
    return {
        "id": event_id(news.kind, news.key),
        "event": news.kind,
        "happened_at": news.happened_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sender": news.sender,
        **(news.facts or {}),
    }


def slack(news: News) -> dict[str, Any]:
    """The same for a Slack-compatible incoming webhook.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """
    facts = news.facts or {}
    who = facts.get("name") or news.sender or facts.get("what") or ""
    about = [who, *(str(facts[key]) for key in ("organization", "reason") if facts.get(key))]
    line = f"*{_WORDS[news.kind]}*: {_escaped(', '.join(filter(None, about)))}"
    if facts.get("url"):
        line += f" (<{facts['url']}|open in Pipedrive>)"
    for key in ("subject", "snippet"):
        if facts.get(key):
            line += "\n> " + _escaped(str(facts[key])).replace("\n", "\n> ")
    return {"text": line}


def body(news: News, form: Literal["json", "slack"]) -> bytes:
    """The bytes that are sent, and signed."""
    document = slack(news) if form == "slack" else payload(news)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secret: str, content: bytes, at: int) -> str:
    """HMAC-SHA256 over `TIME.BODY`, so that an old request can't be sent again as a new one."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + content, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
