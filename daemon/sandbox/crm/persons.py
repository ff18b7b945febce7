"""Persons: v2 create, read, list, update, delete.

`emails` and `phones` are lists that a PATCH replaces as a whole. Of the contact sync fields only
job_title is known, to a company with `contact_sync`; one without has none of them.
"""

from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.checks import Shape
from daemon.sandbox.crm.contacts import Noun
from daemon.sandbox.crm.exchange import Doc
from daemon.sandbox.crm.organizations import NAME_LIMIT, VISIBILITY
from daemon.sandbox.crm.participants import persons_of

KIND = "persons"
_ADDRESS_LIMIT = 255

_CONTACT = Shape(
    {
        "value": checks.text(_ADDRESS_LIMIT),
        "primary": checks.boolean,
        "label": checks.text(_ADDRESS_LIMIT),
    },
    required=("value",),
)


def contacts(path: str, value: Any) -> list[Doc]:
    """A list of addresses or numbers: label `work` unless named, one primary, the last wins."""
    given = checks.array(_CONTACT)(path, value)
    chosen = [index for index, item in enumerate(given) if item.get("primary")]
    primary = chosen[-1] if chosen else 0
    return [
        {
            "value": item["value"],
            "primary": index == primary,
            "label": item.get("label") or "work",
        }
        for index, item in enumerate(given)
    ]


_KEYS = {
    "name": checks.text(NAME_LIMIT, empty=False),
    "owner_id": checks.integer,
    "org_id": checks.integer,
    "emails": contacts,
    "phones": contacts,
    "visible_to": checks.one_of(*VISIBILITY),
    "label_ids": checks.array(checks.integer),
    "marketing_status": checks.one_of("no_consent", "unsubscribed", "subscribed", "archived"),
}
ADD = Shape({**_KEYS, "add_time": checks.moment}, required=("name",))
UPDATE = Shape(_KEYS)


def named(body: Doc) -> Doc:
    """The body with the name's parts, which follow from it and can't be set apart."""
    if "name" not in body:
        return body
    first, _, last = body["name"].strip().partition(" ")
    return {**body, "first_name": first, "last_name": last.strip() or None}


def listed(call: ApiCall) -> tuple[str, list[Any]]:
    """Which persons a list is of, as SQL and its values; `deal_id` finds those of one deal."""
    where, values = "is_deleted = 0", []
    deal_id = call.query.pop("deal_id", None)
    if deal_id is not None:
        deal = call.store.get("deals", deal_id)
        found = [] if deal is None else persons_of(deal)
        where, values = f"{where} AND id IN ({', '.join('?' * len(found))})", found
    return where, values


_FILTERS = {"org_id": checks.query_integer, "deal_id": checks.query_integer}
_SYNCED = {"job_title": checks.text(_ADDRESS_LIMIT)}
NOUN = Noun(KIND, ADD, UPDATE, named, listed, _FILTERS, _SYNCED)
new = NOUN.new
ROUTES = NOUN.routes()
