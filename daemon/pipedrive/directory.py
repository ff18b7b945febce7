"""Who and what is in the CRM already, learned by listing: 500 rows for 10 tokens.

A search costs 20 tokens a sender and lags behind creates, so it is never asked whether something
exists. A listing may be bounded by `updated_since`; API v2 lists leave out what is deleted, so
only a full listing shows by its absence that something is gone.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from daemon.errors import Rejected
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import (
    FIELDS,
    Listed,
    listed_deal,
    listed_lead,
    listed_organization,
    listed_person,
)
from daemon.pipedrive.outcomes import Gone

KINDS = ("organization", "person", "deal", "lead")
_READ = {"organization": "organizations", "person": "persons", "deal": "deals", "lead": "leads"}


def listing(
    client: Client, kind: str, since: datetime | None, mail_key: str | None
) -> Iterator[list[Listed]]:
    """Pages of all objects of a kind, or of those updated since an instant (inclusive).

    Archived deals and leads are included; archived leads can't be bounded by time. `mail_key` is
    the code of our marker field. Raises what Client.send raises.
    """
    bound = (
        [("updated_since", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))] if since else []
    )
    for page in _pages(client, kind, bound):
        yield [_read(kind, row, mail_key) for row in page]


def _pages(
    client: Client, kind: str, bound: list[tuple[str, str]]
) -> Iterator[list[dict[str, Any]]]:
    match kind:
        case "deal":
            lineage = ("include_fields", "source_lead_id")
            yield from client.pages(Call.to("deals.list", query=[*bound, lineage]))
            yield from client.pages(Call.to("deals.archived", query=[*bound, lineage]))
        case "lead":
            yield from client.pages(Call.to("leads.list", query=bound))
            yield from client.pages(Call.to("leads.archived"))
        case _:
            yield from client.pages(Call.to(f"{_READ[kind]}.list", query=bound))


def _read(kind: str, row: dict[str, Any], mail_key: str | None) -> Listed:
    match kind:
        case "organization":
            return listed_organization(row)
        case "person":
            return listed_person(row)
        case "deal":
            return listed_deal(row, mail_key)
        case _:
            return listed_lead(row, mail_key)


def look(client: Client, kind: str, identifier: str, mail_key: str | None) -> Listed | None:
    """One object as it is now; None if it is deleted or gone."""
    query = {"include_fields": "source_lead_id"} if kind == "deal" else {}
    try:
        answer = client.send(Call.to(f"{_READ[kind]}.read", identifier, query=query))
    except Gone:
        return None
    # A soft-deleted object still answers for 30 days, with is_deleted set.
    if answer.data.get("is_deleted") or answer.data.get("status") == "deleted":
        return None
    return _read(kind, answer.data, mail_key)


def place(client: Client, pipeline: str | None, stage: str) -> int:
    """The id of a stage by the names of its pipeline (None: the first) and itself.

    Raises Rejected listing the names that there are; stage names repeat across pipelines.
    """
    pipelines = [p for page in client.pages(Call.to("pipelines.list")) for p in page]
    pipelines.sort(key=lambda p: p["order_nr"])
    found = [p for p in pipelines if pipeline is None or _same(p["name"], pipeline)]
    if not found:
        raise Rejected(
            f"there is no pipeline named {pipeline!r}",
            what="pipedrive.pipeline",
            hint="there are: " + ", ".join(repr(p["name"]) for p in pipelines),
        )
    stages = [
        s
        for page in client.pages(Call.to("stages.list", query={"pipeline_id": found[0]["id"]}))
        for s in page
    ]
    for candidate in stages:
        if _same(candidate["name"], stage):
            return int(candidate["id"])
    raise Rejected(
        f"the pipeline {found[0]['name']!r} has no stage named {stage!r}",
        what="pipedrive.stage",
        hint="it has: " + ", ".join(repr(s["name"]) for s in stages),
    )


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def owners(client: Client, addresses: frozenset[str]) -> dict[str, int]:
    """Ids of the users with these e-mail addresses; raises Rejected naming those who aren't."""
    users = {u["email"].lower(): u["id"] for u in client.send(Call.to("users.list")).data}
    missing = sorted(addresses - set(users))
    if missing:
        raise Rejected(
            f"no Pipedrive user has the address {', '.join(missing)}",
            what="mailboxes[].owner",
            hint="there are: " + ", ".join(sorted(users)),
        )
    return {address: users[address] for address in addresses}


def fields(client: Client) -> dict[str, str]:
    """Codes of our custom fields that are there, by our names; the first of several.

    Names aren't unique in Pipedrive, so the type has to fit as well.
    """
    found: dict[str, str] = {}
    for of in ("person", "deal"):
        for page in client.pages(Call.to(f"{of}_fields.list")):
            for row in page:
                for key, wanted in FIELDS.items():
                    have = (of, row["field_name"], row["field_type"])
                    if row["is_custom_field"] and have == wanted:
                        found.setdefault(key, row["field_code"])
    return found
