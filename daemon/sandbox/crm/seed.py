"""A whole company as one listing: read into a new store with the same ids.

For rehearsals: what a real CRM's lists said is put in as it was. The listing has one list per
kind of record in the shapes of the API's answers (v2; leads v1), `fields` with their `entity`.
"""

from collections.abc import Mapping
from typing import Any

from daemon.sandbox.crm import activities, leads, organizations, persons
from daemon.sandbox.crm.api import DEFAULTS
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Doc
from daemon.sandbox.crm.store import KINDS
from daemon.sandbox.crm.values import HASH_KEY, from_v1

_REPLACED = ("users", "pipelines", "stages", "lead_labels", "labels")
_MADE = {
    "organizations": organizations.new,
    "persons": persons.new,
    "deals": lambda call, body: call.fresh("deals", body),
    "leads": leads.new,
    "activities": activities.new,
}


def seed_from(sandbox: Sandbox, listing: Mapping[str, Any]) -> None:
    """Put the records of a listing in, under their own ids.

    Users, pipelines, stages and labels given replace the default ones. ValueError for a
    kind that doesn't exist; sqlite3.IntegrityError for an id that is taken.
    """
    unknown = set(listing) - set(KINDS)
    if unknown:
        raise ValueError(f"no such kind of record: {', '.join(sorted(unknown))}")
    with sandbox.at_work() as call:
        for kind in _REPLACED:
            if listing.get(kind):
                for doc in call.store.select(kind):
                    call.store.remove(kind, doc["id"])
        for kind in (*_REPLACED, "fields"):
            usual = DEFAULTS["users"] if kind == "users" else {}
            for given in listing.get(kind, ()):
                call.store.insert(kind, usual | given, call.now)
        for kind, make in _MADE.items():
            for given in listing.get(kind, ()):
                call.store.insert(kind, _record(call, kind, make(call, _named(given))), call.now)


def _named(given: Doc) -> Doc:
    # A person's answer has all three names; what makes one takes only the whole.
    return {k: v for k, v in given.items() if k not in ("first_name", "last_name")}


def _record(call: ApiCall, kind: str, doc: Doc) -> Doc:
    if kind == "leads":
        flat = {name: doc.pop(name) for name in list(doc) if HASH_KEY.fullmatch(name)}
        doc["custom_fields"] |= from_v1(call.fields(kind), flat)
    return doc
