"""The CRM as people see it: a board, and what is in it twice.

Read straight from the store: no token is spent, nothing is logged.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Doc
from daemon.sandbox.crm.store import Store

INBOX = "Leads Inbox"


@dataclass(frozen=True, slots=True)
class Card:
    """One deal or lead; person and organization are names, empty without one."""

    title: str
    person: str
    organization: str
    activities: int
    status: str
    id: int | str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a board: the leads inbox (no pipeline) or a stage."""

    name: str
    pipeline: str
    cards: tuple[Card, ...]


def board(sandbox: Sandbox, pipeline: str | None = None) -> tuple[Column, ...]:
    """The leads inbox, then every stage (of one pipeline, or of all) with its open deals."""
    with sandbox.at_work() as call:
        leads = call.store.select("leads", "is_deleted = 0 AND is_archived = 0")
        columns = [Column(INBOX, "", tuple(_card(call, "lead", doc) for doc in leads))]
        for line in call.store.select("pipelines", "is_deleted = 0", order="order_nr, id"):
            if pipeline not in (None, line["name"]):
                continue
            stages = call.store.select(
                "stages", "pipeline_id = ? AND is_deleted = 0", (line["id"],), order="order_nr, id"
            )
            for stage in stages:
                deals = call.store.select(
                    "deals", "stage_id = ? AND status = 'open' AND is_archived = 0", (stage["id"],)
                )
                cards = tuple(_card(call, "deal", doc) for doc in deals)
                columns.append(Column(stage["name"], line["name"], cards))
    return tuple(columns)


def _card(call: ApiCall, noun: str, doc: Doc) -> Card:
    org_id = doc["organization_id"] if noun == "lead" else doc["org_id"]
    return Card(
        doc["title"],
        _name(call.store, "persons", doc["person_id"]),
        _name(call.store, "organizations", org_id),
        call.store.count("activities", f"{noun}_id = ? AND is_deleted = 0", (doc["id"],)),
        doc.get("status", ""),
        doc["id"],
    )


def _name(store: Store, kind: str, record_id: Any) -> str:
    doc = store.get(kind, record_id) if record_id is not None else None
    return "" if doc is None else str(doc["name"])


def duplicates(sandbox: Sandbox) -> list[str]:
    """What is there twice: organizations by name, persons by e-mail, activities by all they say."""
    ours = ("id", "add_time", "update_time", "marked_as_done_time")
    with sandbox.at_work() as call:
        organizations = call.store.select("organizations", "is_deleted = 0")
        found = Counter(f"organization {doc['name'].lower()}" for doc in organizations)
        for doc in call.store.select("persons", "is_deleted = 0"):
            found.update(f"person {item['value'].lower()}" for item in doc["emails"])
        for doc in call.store.select("activities", "is_deleted = 0"):
            said = {name: value for name, value in doc.items() if name not in ours}
            found[f"activity {json.dumps(said, sort_keys=True)}"] += 1
    return sorted(name for name, count in found.items() if count > 1)
