"""Who and what is in the CRM already, learned by listing: 500 rows for 10 tokens.

A listing may be bounded by `updated_since`; API v2 lists leave out what is deleted, so only a
full listing shows by its absence that something is gone. A search costs 20 tokens a sender, lags
behind creates, keeps what was deleted and isn't exact: it is asked only where so few senders meet
so large a CRM that it is cheaper, and every hit is read again.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call, Scalar, tokens
from daemon.pipedrive.objects import (
    listed_deal,
    listed_lead,
    listed_organization,
    listed_person,
    number,
)
from daemon.pipedrive.outcomes import Capped, Gone, NothingListed, Unknown
from daemon.pipedrive.paging import PAGE
from daemon.rules.crm_objects import Listed, ListedPerson

KINDS = ("organization", "person", "deal", "lead")
IDS = 100  # ids that a list may be asked for at once
_LINEAGE = ("include_fields", "source_lead_id")


class Absence(StrEnum):
    """What a look that shows no object says; only the first proves that it is gone."""

    DELETED = "deleted"
    NOT_FOUND = "not found"  # deleted for long, hidden from this token, or too young to be seen
    HIDDEN = "not visible to this token"


def listing(
    client: Client,
    kind: str,
    since: datetime | None,
    marker: str | None,
    *,
    null_is_empty: bool = True,
) -> Iterator[list[Listed]]:
    """Pages of all objects of a kind, newest first, or of those updated since an instant.

    The instant is inclusive and cut to whole seconds. All comes with what is archived; what was
    updated doesn't (archived leads can't be bounded by time, and archiving again isn't news).
    `marker` is the code of the field that says that one is ours (`objects.marker`). With
    `null_is_empty` a null of v1 is taken for an empty list without further proof.
    Raises what Client.send raises.
    """
    bound: list[tuple[str, Scalar]] = []
    if since is not None:
        bound = [("updated_since", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))]
    for page in raw_pages(client, kind, bound, null_is_empty=null_is_empty):
        yield [_read(kind, row, marker) for row in page]


def raw_pages(
    client: Client,
    kind: str,
    bound: Sequence[tuple[str, Scalar]] = (),
    *,
    null_is_empty: bool = True,
) -> Iterator[list[dict[str, Any]]]:
    """The same as Pipedrive sends it; `bound` has the parameters of what was updated since."""
    everything = not bound
    match kind:
        case "deal":
            yield from client.pages(Call.to("deals.list", query=[*bound, _LINEAGE]))
            if everything:
                yield from _archived(client, kind)
        case "lead":
            yield from leads(
                client, Call.to("leads.list", query=bound), null_is_empty=null_is_empty
            )
            if everything:
                yield from _archived(client, kind)
        case _:
            # Newest first: the first page tells how many there can be.
            order = [("sort_by", "id"), ("sort_direction", "desc")] if everything else [*bound]
            yield from client.pages(Call.on(kind, "list", query=order))


def archived(client: Client, kind: str, marker: str | None) -> Iterator[list[Listed]]:
    """Pages of all archived deals or leads, which no list of what was updated shows."""
    for page in _archived(client, kind):
        yield [_read(kind, row, marker) for row in page]


def _archived(client: Client, kind: str) -> Iterator[list[dict[str, Any]]]:
    query = [_LINEAGE] if kind == "deal" else []
    return client.pages(Call.to(f"{kind}s.archived", query=query))


def leads(client: Client, call: Call, *, null_is_empty: bool) -> Iterator[list[dict[str, Any]]]:
    """Pages of a list of leads.

    Where null isn't taken for an empty list, it proves that there are none only while the list of
    all leads isn't null as well: a company may answer null to everything for a while.
    """
    try:
        yield from client.pages(call, null_is_empty=null_is_empty)
    except NothingListed:
        every = client.pages(Call.to("leads.list", query={"limit": 1}), null_is_empty=False)
        if not next(every):
            raise


def _read(kind: str, row: dict[str, Any], marker: str | None) -> Listed:
    match kind:
        case "organization":
            return listed_organization(row)
        case "person":
            return listed_person(row, marker)
        case "deal":
            return listed_deal(row, marker)
        case _:
            return listed_lead(row, marker)


def full_price(kind: str, rows: int) -> int:
    """Tokens that listing all of so many rows costs, archived ones with them."""
    pages = max(1, -(-rows // PAGE))
    archived = tokens(kind, "archived") if kind in {"deal", "lead"} else 0
    return pages * tokens(kind, "list") + archived


def own_price(kind: str, records: int) -> int:
    """Tokens that it costs to look at so many records, and to list what was updated."""
    list_price = tokens(kind, "list")
    if kind == "lead":  # v1 has no list by ids
        return records * tokens("lead", "read") + list_price
    return -(-records // IDS) * list_price + list_price


def own(
    client: Client, kind: str, ids: Sequence[str], marker: str | None
) -> Iterator[list[Listed]]:
    """The objects with these ids that are still there."""
    if kind == "lead":
        for identifier in ids:
            found = look(client, kind, identifier, marker)
            yield [] if isinstance(found, Absence) else [found]
        return
    for start in range(0, len(ids), IDS):
        query: list[tuple[str, Scalar]] = [("ids", ",".join(ids[start : start + IDS]))]
        if kind == "deal":
            query.append(_LINEAGE)
        for page in client.pages(Call.on(kind, "list", query=query)):
            yield [_read(kind, row, marker) for row in page]


def deleted_deals(client: Client, since: datetime) -> list[str]:
    """Ids of the deals that were deleted since an instant, of the last 30 days at most."""
    bound = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    call = Call.to("deals.list", query={"status": "deleted", "updated_since": bound})
    return [str(number(row, "id")) for page in client.pages(call) for row in page]


def search_person(client: Client, address: str, marker: str | None) -> list[ListedPerson]:
    """Persons with this address by a search, each hit read again since searches aren't exact."""
    query: dict[str, Scalar] = {"term": address, "fields": "email", "exact_match": True}
    found = []
    for page in client.pages(Call.to("persons.search", query=query)):
        for hit in page:
            person = look(client, "person", str(number(hit, "id")), marker)
            if isinstance(person, ListedPerson) and address in person.emails:
                found.append(person)
    return found


def look(client: Client, kind: str, identifier: str, marker: str | None) -> Listed | Absence:
    """One object as it is now, or what the answer says of its absence."""
    found = _object(client, kind, identifier)
    return found if isinstance(found, Absence) else _read(kind, found, marker)


def absence(client: Client, kind: str, identifier: str) -> Absence | None:
    """What a look says of the absence of an object, activities too; None if it is there."""
    found = _object(client, kind, identifier)
    return found if isinstance(found, Absence) else None


def _object(client: Client, kind: str, identifier: str) -> dict[str, Any] | Absence:
    query = {"include_fields": "source_lead_id"} if kind == "deal" else {}
    try:
        found = read(client, kind, identifier, query)
    except Gone:
        return Absence.NOT_FOUND
    except Capped as problem:
        if problem.status != HTTPStatus.FORBIDDEN:
            raise
        return Absence.HIDDEN
    # A soft-deleted object still answers for 30 days, with is_deleted set.
    if found.get("is_deleted") is True or found.get("status") == "deleted":
        return Absence.DELETED
    return dict(found)


def read(
    client: Client, kind: str, identifier: str, query: Mapping[str, Scalar] | None = None
) -> Mapping[str, Any]:
    """One object by its id, deleted ones too; raises Unknown for any other than that."""
    answer = client.send(Call.on(kind, "read", identifier, query=query or {}))
    if answer.identifier() != identifier:
        raise Unknown("answered another object", what=f"{kind} {identifier}")
    return answer.object
