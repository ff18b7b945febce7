"""Who and what is in the CRM already, learned by listing: 500 rows for 10 tokens.

A listing may be bounded by `updated_since`; API v2 lists leave out what is deleted, so only a
full listing shows by its absence that something is gone. A search costs 20 tokens a sender, lags
behind creates, keeps what was deleted and isn't exact: it is asked only where so few senders meet
so large a CRM that it is cheaper, and every hit is read again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, NamedTuple

from daemon.errors import ConfigProblem
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call, Scalar, tokens
from daemon.pipedrive.objects import (
    FIELDS,
    as_list,
    listed_deal,
    listed_lead,
    listed_organization,
    listed_person,
    number,
)
from daemon.pipedrive.outcomes import Capped, Gone, NothingListed, Unknown
from daemon.pipedrive.paging import PAGE
from daemon.rules.listed import Listed, ListedPerson

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
    mail_key: str | None,
    *,
    null_is_empty: bool = True,
) -> Iterator[list[Listed]]:
    """Pages of all objects of a kind, newest first, or of those updated since an instant.

    The instant is inclusive and cut to whole seconds. All comes with what is archived; what was
    updated doesn't (archived leads can't be bounded by time, and archiving again isn't news).
    `mail_key` is the code of our marker field. With `null_is_empty` a null of v1 is taken for an
    empty list without further proof. Raises what Client.send raises.
    """
    bound: list[tuple[str, Scalar]] = []
    if since is not None:
        bound = [("updated_since", since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))]
    for page in _pages(client, kind, bound, null_is_empty=null_is_empty):
        yield [_read(kind, row, mail_key) for row in page]


def _pages(
    client: Client, kind: str, bound: list[tuple[str, Scalar]], *, null_is_empty: bool
) -> Iterator[list[dict[str, Any]]]:
    everything = not bound
    match kind:
        case "deal":
            yield from client.pages(Call.to("deals.list", query=[*bound, _LINEAGE]))
            if everything:
                yield from client.pages(Call.to("deals.archived", query=[_LINEAGE]))
        case "lead":
            yield from leads(
                client, Call.to("leads.list", query=bound), null_is_empty=null_is_empty
            )
            if everything:
                yield from client.pages(Call.to("leads.archived"))
        case _:
            # Newest first: the first page tells how many there can be.
            order = [("sort_by", "id"), ("sort_direction", "desc")] if everything else bound
            yield from client.pages(Call.on(kind, "list", query=order))


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
    client: Client, kind: str, ids: Sequence[str], mail_key: str | None
) -> Iterator[list[Listed]]:
    """The objects with these ids that are still there."""
    if kind == "lead":
        for identifier in ids:
            found = look(client, kind, identifier, mail_key)
            yield [] if isinstance(found, Absence) else [found]
        return
    for start in range(0, len(ids), IDS):
        query: list[tuple[str, Scalar]] = [("ids", ",".join(ids[start : start + IDS]))]
        if kind == "deal":
            query.append(_LINEAGE)
        for page in client.pages(Call.on(kind, "list", query=query)):
            yield [_read(kind, row, mail_key) for row in page]


def deleted_deals(client: Client, since: datetime) -> list[str]:
    """Ids of the deals that were deleted since an instant, of the last 30 days at most."""
    bound = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    call = Call.to("deals.list", query={"status": "deleted", "updated_since": bound})
    return [str(number(row, "id")) for page in client.pages(call) for row in page]


def search_person(client: Client, address: str) -> list[ListedPerson]:
    """Persons with this address by a search, each hit read again since searches aren't exact."""
    query: dict[str, Scalar] = {"term": address, "fields": "email", "exact_match": True}
    found = []
    for page in client.pages(Call.to("persons.search", query=query)):
        for hit in page:
            person = look(client, "person", str(number(hit, "id")), None)
            if isinstance(person, ListedPerson) and address in person.emails:
                found.append(person)
    return found


def look(client: Client, kind: str, identifier: str, mail_key: str | None) -> Listed | Absence:
    """One object as it is now, or what the answer says of its absence."""
    found = _object(client, kind, identifier)
    return found if isinstance(found, Absence) else _read(kind, found, mail_key)


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


def place(client: Client, pipeline: str | None, stage: str) -> int:
    """The id of a stage by the names of its pipeline (None: the first) and itself.

    Raises ConfigProblem listing the names that there are; stage names repeat across pipelines.
    """
    pipelines = _standing(client, Call.to("pipelines.list"))
    pipelines.sort(key=lambda p: number(p, "order_nr"))
    found = [p for p in pipelines if pipeline is None or _same(p.get("name"), pipeline)]
    if not found:
        raise ConfigProblem(
            f"there is no pipeline named {pipeline!r}",
            what="pipedrive.pipeline",
            hint="there are: " + ", ".join(repr(p.get("name")) for p in pipelines),
        )
    query = {"pipeline_id": number(found[0], "id")}
    stages = _standing(client, Call.to("stages.list", query=query))
    for candidate in stages:
        if _same(candidate.get("name"), stage):
            return number(candidate, "id")
    raise ConfigProblem(
        f"the pipeline {found[0].get('name')!r} has no stage named {stage!r}",
        what="pipedrive.stage",
        hint="it has: " + ", ".join(repr(s.get("name")) for s in stages),
    )


def _standing(client: Client, call: Call) -> list[dict[str, Any]]:
    """All objects of a list that aren't deleted."""
    return [row for page in client.pages(call) for row in page if row.get("is_deleted") is not True]


def has_stage(client: Client, stage_id: int) -> bool:
    """Whether a stage is still there, whatever it is called by now."""
    try:
        return client.send(Call.to("stages.read", stage_id)).object.get("is_deleted") is not True
    except Gone:
        return False


def has_field(client: Client, of: str, code: str) -> bool:
    """Whether a custom field of `person` or `deal` is still there."""
    try:
        client.send(Call.to(f"{of}_fields.read", code))
    except Gone:
        return False
    return True


def _same(one: object, other: str) -> bool:
    return isinstance(one, str) and one.strip().casefold() == other.strip().casefold()


class Owners(NamedTuple):
    """Of the users who are to own records: ids of the active ones, and who has left."""

    ids: dict[str, int]  # by e-mail address
    left: list[str]  # e-mail addresses of those who are deactivated
    others: list[str]  # of all active users, to choose from


def owners(client: Client, addresses: frozenset[str]) -> Owners:
    """Who of these can own records; raises ConfigProblem naming those who never could."""
    everybody = {
        str(user.get("email")).lower(): user for user in client.send(Call.to("users.list")).items
    }
    active = {
        address: number(user, "id")
        for address, user in everybody.items()
        if user.get("active_flag", True)
    }
    missing = sorted(addresses - set(everybody))
    if missing:
        raise ConfigProblem(
            f"no Pipedrive user has the address {', '.join(missing)}",
            what="mailboxes[].owner",
            hint="there are: " + ", ".join(sorted(active)),
        )
    ids = {address: active[address] for address in addresses if address in active}
    return Owners(ids, sorted(addresses - set(active)), sorted(active))


def is_active(client: Client, user: int) -> bool:
    """Whether a user can own new records."""
    return any(
        number(one, "id") == user and one.get("active_flag", True)
        for one in client.send(Call.to("users.list")).items
    )


class Definitions(NamedTuple):
    """What the fields of persons and deals are: codes of ours by our names, ids of their labels."""

    codes: dict[str, str]
    labels: dict[str, dict[str, int | str]]
    job_titles: bool = False  # persons have a job title


def definitions(client: Client) -> Definitions:
    """The first of several custom fields of a name, and all labels.

    Names aren't unique in Pipedrive, so the type has to fit as well.
    """
    found: dict[str, str] = {}
    labels: dict[str, dict[str, int | str]] = {}
    job_titles = False
    for of in ("person", "deal"):
        labels[of] = {}
        for page in client.pages(Call.to(f"{of}_fields.list")):
            for row in page:
                job_titles = job_titles or (of == "person" and row.get("field_code") == "job_title")
                if row.get("field_code") == "label_ids":
                    labels[of] |= _named(as_list(row.get("options")), "label")
                for key, wanted in FIELDS.items():
                    have = (of, row.get("field_name"), row.get("field_type"))
                    code = row.get("field_code")
                    if row.get("is_custom_field") and have == wanted and isinstance(code, str):
                        found.setdefault(key, code)
    return Definitions(found, labels, job_titles)


def fields(client: Client) -> dict[str, str]:
    """The codes of our custom fields that are there, by our names."""
    return definitions(client).codes


def lead_labels(client: Client) -> dict[str, int | str]:
    """The ids of the labels of leads, by name."""
    return _named(client.send(Call.to("lead_labels.list")).items, "name")


def _named(rows: Sequence[Any], name: str) -> dict[str, int | str]:
    rows = [row for row in rows if isinstance(row, dict) and "id" in row]
    return {str(row.get(name)): row["id"] for row in reversed(rows)}


def chosen_labels(
    wanted: Mapping[str, Collection[str]], there: Mapping[str, Mapping[str, int | str]]
) -> dict[str, dict[str, int | str]]:
    """The ids of labels by kind and name; raises ConfigProblem listing those that there are."""
    chosen: dict[str, dict[str, int | str]] = {}
    for kind, names in wanted.items():
        for name in names:
            ids = [i for other, i in there.get(kind, {}).items() if _same(other, name)]
            if not ids:
                raise ConfigProblem(
                    f"there is no label {name!r} of a {kind}",
                    what=f"labels of a {kind}",
                    hint="there are: " + ", ".join(map(repr, there.get(kind, {}))),
                )
            chosen.setdefault(kind, {})[name] = ids[0]
    return chosen
