"""FLOW Pipedrive: what exists twice although it should once, by marks, addresses and names.

Only what we made counts, one of the two at least: what people have twice is theirs. Nothing is
repaired: which of two lives on is for people to say (Pipedrive merges them).
"""

from collections import defaultdict
from collections.abc import Iterator

from daemon.ledger.store import Ledger
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import FIELDS
from daemon.rules.listed import ListedDeal, ListedLead, ListedOrganization, ListedPerson
from daemon.rules.marks import mark_of, short


def doubles(ledger: Ledger, client: Client) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, what is shared, and the ids of those that share it; everything is listed once."""
    code = ledger.records.live_id("field", "mail_key")
    for kind in directory.KINDS:
        seen: dict[str, set[str]] = defaultdict(set)
        for listed in directory.listing(client, kind, None, code):
            for one in listed:
                for key in _keys(one):
                    seen[key].add(str(one.id))
        yield from _several(ledger, kind, seen)
    yield from _several(ledger, "activity", _marks(client))
    names: dict[str, set[str]] = defaultdict(set)
    for of in ("person", "deal"):
        for page in client.pages(Call.to(f"{of}_fields.list")):
            for row in page:
                wanted = (of, row.get("field_name"), row.get("field_type"))
                if wanted in FIELDS.values():
                    names[f"{of}: {row.get('field_name')}"].add(str(row.get("field_code")))
    yield from _several(ledger, "field", names)


def _keys(one: object) -> Iterator[str]:
    """By what an object is one and the same to us."""
    match one:
        case ListedPerson():
            yield from one.emails
        case ListedOrganization():
            yield one.name.casefold()
        case ListedDeal() | ListedLead():
            if one.mail_key and not one.archived:
                yield one.mail_key


def _marks(client: Client) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = defaultdict(set)
    for page in client.pages(Call.to("activities.list")):
        for row in page:
            if said := mark_of(row):
                seen[short(said)].add(str(row["id"]))
    return seen


def _several(
    ledger: Ledger, kind: str, seen: dict[str, set[str]]
) -> Iterator[tuple[str, str, list[str]]]:
    ours = {one.pipedrive_id for one in ledger.records.live(kind) if one.origin == "created"}
    for key, ids in sorted(seen.items()):
        if len(ids) > 1 and ids & ours:
            yield kind, key, sorted(ids)
