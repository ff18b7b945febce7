"""What the real CRM holds, learned by listing through a client that can't write."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from daemon.pipedrive.costs import PRICES, Call
from daemon.pipedrive.objects import FIELDS, listed_deal, listed_lead
from daemon.pipedrive.paging import PAGE
from daemon.pipedrive.read_only import ReadOnlyClient
from daemon.rehearsal.spool import Spool
from daemon.rules.crm_objects import ListedDeal, ListedLead

Doc = dict[str, Any]

_ONCE = (
    "users.me",
    "users.list",
    "pipelines.list",
    "stages.list",
    "person_fields.list",
    "deal_fields.list",
    "deals.archived",
    "leads.archived",
)
_PAGED = {
    "organization": "organizations.list",
    "person": "persons.list",
    "deal": "deals.list",
    "lead": "leads.list",
}
# What a listing must keep for plans to come out the same; nothing else leaves the real CRM.
_KEPT = {
    "organizations": "id name website owner_id add_time update_time",
    "persons": "id name emails org_id owner_id label_ids add_time update_time",
    "deals": (
        "id title person_id org_id pipeline_id stage_id status is_archived archive_time "
        "source_lead_id owner_id label_ids add_time update_time"
    ),
    "leads": (
        "id title person_id organization_id origin_id is_archived owner_id add_time update_time"
    ),
    "activities": (
        "id subject type done due_date due_time duration note public_description participants "
        "deal_id lead_id org_id add_time update_time"
    ),
    "users": "id name email active_flag",
}
_MARGIN = timedelta(hours=1)  # more than the sync's own, for what two clocks may differ by


@dataclass(frozen=True, slots=True)
class ListedCompany:
    """A company as its lists show it: `listing` is what the sandbox's `seed_from` reads."""

    domain: str
    owner_of_token: str  # e-mail address
    daily_tokens: int  # ours, as the server said while it was listed
    listing: Mapping[str, Iterable[Doc]]
    job_titles: bool = False  # persons have them: contact sync was set up


def price(known: Mapping[str, int], *, activities: bool = False, labels: bool = False) -> int:
    """Tokens that `read` takes, given how many objects of each kind there are (at least).

    `activities`: the ledger has written some, so those since are listed too; `labels`: of leads.
    """
    pages = sum(
        PRICES[kind].tokens * max(1, ceil(known.get(name, 0) / PAGE))
        for name, kind in _PAGED.items()
    )
    more = ["activities.list"] * activities + ["lead_labels.list"] * labels
    return pages + sum(PRICES[kind].tokens for kind in (*_ONCE, *more))


def read(
    client: ReadOnlyClient, last_activity: datetime | None, *, lead_labels: bool = False
) -> ListedCompany:
    """List the company; raises what `Client.send` raises.

    Activities are listed only since the last one that the ledger wrote, or all of them where our
    marks show that an earlier ledger was at work: as the sync does, to recognise its own.
    """
    me = client.send(Call.to("users.me")).data
    codes = {"person": "person_fields.list", "deal": "deal_fields.list"}
    rows = [(of, row) for of, kind in codes.items() for row in _rows(client, Call.to(kind))]
    fields = [_field(of, row) for of, row in rows if row["is_custom_field"]]
    mail_key = _mail_key(fields)
    lineage = {"include_fields": "source_lead_id"}
    deals = _Marked(
        row
        for kind in ("deals.list", "deals.archived")
        for row in _rows(client, Call.to(kind, query=lineage))
    )
    leads = _Marked(
        row for kind in ("leads.list", "leads.archived") for row in _rows(client, Call.to(kind))
    )
    listing: dict[str, Iterable[Doc]] = {
        "users": _users(client, me),
        "pipelines": _living(_rows(client, Call.to("pipelines.list"))),
        "stages": _living(_rows(client, Call.to("stages.list"))),
        "fields": fields,
        "labels": [label for of, row in rows for label in _labels(of, row)],
        "organizations": _kept("organizations", _rows(client, Call.to("organizations.list"))),
        "persons": _kept("persons", _rows(client, Call.to("persons.list"))),
        "deals": Spool(
            _deal(row, mail_key) for row in deals.noting(lambda row: listed_deal(row, mail_key))
        ),
        "leads": Spool(
            _lead(row, mail_key) for row in leads.noting(lambda row: listed_lead(row, mail_key))
        ),
    }
    if lead_labels:
        listing["lead_labels"] = client.send(Call.to("lead_labels.list")).items
    marked = deals.found or leads.found
    listing["activities"] = _activities(client, last_activity, marked=marked)
    budget = client.budget
    titled = any(of == "person" and row.get("field_code") == "job_title" for of, row in rows)
    return ListedCompany(
        me["company_domain"], me["email"], budget.share_of_day, listing, job_titles=titled
    )


def _rows(client: ReadOnlyClient, call: Call) -> Iterator[Doc]:
    for page in client.pages(call):
        yield from page


def _activities(client: ReadOnlyClient, last: datetime | None, *, marked: bool) -> Iterable[Doc]:
    if last is None and not marked:
        return []
    since = (last - _MARGIN).astimezone(UTC) if last else None
    query = {"updated_since": f"{since:%Y-%m-%dT%H:%M:%SZ}"} if since else {}
    return _kept("activities", _rows(client, Call.to("activities.list", query=query)))


class _Marked:
    """Rows that are passed on once, and whether one of them carries a mark of ours."""

    def __init__(self, rows: Iterable[Doc]) -> None:
        self.found = False
        self._rows = rows

    def noting(self, read: Callable[[Doc], ListedDeal | ListedLead]) -> Iterator[Doc]:
        for row in self._rows:
            self.found = self.found or read(row).mail_key is not None
            yield row


def _living(rows: Iterator[Doc]) -> list[Doc]:
    return [{"is_deleted": False, **row} for row in rows]


def _users(client: ReadOnlyClient, me: Doc) -> list[Doc]:
    rows = client.send(Call.to("users.list")).data
    there = list(rows)
    others = [] if any(user["id"] == me["id"] for user in there) else [me]
    return [_brief("users", user) for user in (*there, *others)]


def _field(entity: str, row: Doc) -> Doc:
    return {
        "entity": entity,
        "field_name": row["field_name"],
        "field_code": row["field_code"],
        "field_type": row["field_type"],
        "options": row.get("options"),
        "is_custom_field": True,
    }


def _labels(entity: str, row: Doc) -> Iterator[Doc]:
    options = row.get("options") if row.get("field_code") == "label_ids" else None
    for one in options or ():
        yield {"entity": entity, "id": one["id"], "label": one["label"]}


def _mail_key(fields: list[Doc]) -> str | None:
    wanted = FIELDS["mail_key"]
    codes = (
        field["field_code"]
        for field in fields
        if (field["entity"], field["field_name"], field["field_type"]) == wanted
    )
    return next(codes, None)


def _kept(kind: str, rows: Iterable[Doc]) -> Spool:
    return Spool(_brief(kind, row) for row in rows)


def _brief(kind: str, row: Doc) -> Doc:
    return {name: row[name] for name in _KEPT[kind].split() if name in row}


def _deal(row: Doc, mail_key: str | None) -> Doc:
    deal = _brief("deals", row)
    value = (row.get("custom_fields") or {}).get(mail_key) if mail_key else None
    return deal | {"custom_fields": {mail_key: value} if value else {}}


def _lead(row: Doc, mail_key: str | None) -> Doc:
    lead = _brief("leads", row)
    value = row.get(mail_key) if mail_key else None
    return lead | ({mail_key: value} if mail_key and value else {})
