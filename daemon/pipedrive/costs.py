"""Every Pipedrive call that mail2deal makes: its method, path and price in tokens, in one table.

Promises: a `Call` names one row of the table and fits it (method and path), so a price is never
guessed. Doesn't do: sending, or knowing what a body means. The prices are `x-token-cost` of the
official OpenAPI documents (2026-08-18); they're flat per request, whatever `limit` says.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple, Self, TypeAlias
from urllib.parse import quote

Scalar: TypeAlias = str | int | bool


class Price(NamedTuple):
    """One row: `{}` in the path stands for one id; how a list goes on to its next page."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    tokens: int
    paging: Literal["cursor", "start", "none"] = "none"


# v2 wherever there is one; leads, users, activity types and participants have none.
PRICES: Mapping[str, Price] = {
    "organizations.list": Price("GET", "/api/v2/organizations", 10, "cursor"),
    "organizations.read": Price("GET", "/api/v2/organizations/{}", 1),
    "organizations.create": Price("POST", "/api/v2/organizations", 5),
    "organizations.delete": Price("DELETE", "/api/v2/organizations/{}", 3),
    "persons.search": Price("GET", "/api/v2/persons/search", 20, "cursor"),
    "persons.list": Price("GET", "/api/v2/persons", 10, "cursor"),
    "persons.read": Price("GET", "/api/v2/persons/{}", 1),
    "persons.create": Price("POST", "/api/v2/persons", 5),
    "persons.update": Price("PATCH", "/api/v2/persons/{}", 5),
    "persons.delete": Price("DELETE", "/api/v2/persons/{}", 3),
    "deals.list": Price("GET", "/api/v2/deals", 10, "cursor"),
    "deals.archived": Price("GET", "/api/v2/deals/archived", 20, "cursor"),
    "deals.read": Price("GET", "/api/v2/deals/{}", 1),
    "deals.create": Price("POST", "/api/v2/deals", 5),
    "deals.update": Price("PATCH", "/api/v2/deals/{}", 5),
    "deals.delete": Price("DELETE", "/api/v2/deals/{}", 3),
    "participants.list": Price("GET", "/api/v1/deals/{}/participants", 10, "start"),
    "participants.create": Price("POST", "/api/v1/deals/{}/participants", 10),
    "participants.delete": Price("DELETE", "/api/v1/deals/{}/participants/{}", 6),
    "activities.list": Price("GET", "/api/v2/activities", 10, "cursor"),
    "activities.read": Price("GET", "/api/v2/activities/{}", 1),
    "activities.create": Price("POST", "/api/v2/activities", 5),
    "activities.update": Price("PATCH", "/api/v2/activities/{}", 5),
    "activities.delete": Price("DELETE", "/api/v2/activities/{}", 3),
    "leads.list": Price("GET", "/api/v1/leads", 20, "start"),
    "leads.archived": Price("GET", "/api/v1/leads/archived", 40, "start"),
    "leads.read": Price("GET", "/api/v1/leads/{}", 2),
    "leads.create": Price("POST", "/api/v1/leads", 10),
    "leads.update": Price("PATCH", "/api/v1/leads/{}", 10),
    "leads.delete": Price("DELETE", "/api/v1/leads/{}", 6),
    "leads.convert": Price("POST", "/api/v2/leads/{}/convert/deal", 40),
    "leads.convert_status": Price("GET", "/api/v2/leads/{}/convert/status/{}", 1),
    "person_fields.list": Price("GET", "/api/v2/personFields", 10, "cursor"),
    "person_fields.read": Price("GET", "/api/v2/personFields/{}", 1),
    "person_fields.create": Price("POST", "/api/v2/personFields", 5),
    "deal_fields.list": Price("GET", "/api/v2/dealFields", 10, "cursor"),
    "deal_fields.read": Price("GET", "/api/v2/dealFields/{}", 1),
    "deal_fields.create": Price("POST", "/api/v2/dealFields", 5),
    "pipelines.list": Price("GET", "/api/v2/pipelines", 5, "cursor"),
    "stages.list": Price("GET", "/api/v2/stages", 5, "cursor"),
    "stages.read": Price("GET", "/api/v2/stages/{}", 1),
    "users.me": Price("GET", "/api/v1/users/me", 2),
    "users.list": Price("GET", "/api/v1/users", 20),
    "users.permissions": Price("GET", "/api/v1/users/{}/permissions", 10),
    "users.role_settings": Price("GET", "/api/v1/users/{}/roleSettings", 10),
    "lead_labels.list": Price("GET", "/api/v1/leadLabels", 10),
    "activity_types.list": Price("GET", "/api/v1/activityTypes", 20),
}

# The API's name for the objects of each kind of record, in paths and in the kinds of calls.
PLURALS = {
    "organization": "organizations",
    "person": "persons",
    "lead": "leads",
    "deal": "deals",
    "activity": "activities",
}


# The call that each change in the journal is, by kind and action.
_CHANGES = {
    ("organization", "create"): "organizations.create",
    ("person", "create"): "persons.create",
    ("person", "update"): "persons.update",
    ("lead", "create"): "leads.create",
    ("lead", "archive"): "leads.update",
    ("deal", "create"): "deals.create",
    ("deal", "convert"): "leads.convert",
    ("participant", "create"): "participants.create",
    ("activity", "create"): "activities.create",
    ("activity", "update"): "activities.update",
}


def price_of(changes: Mapping[tuple[str, str], int]) -> int:
    """What so many changes cost, by (kind, action), in tokens; a field costs next to nothing."""
    return sum(PRICES[_CHANGES[one]].tokens * n for one, n in changes.items() if one in _CHANGES)


def tokens(kind: str, verb: str) -> int:
    """The price of doing `verb` (list, read, …) to a record of this kind."""
    return PRICES[f"{PLURALS[kind]}.{verb}"].tokens


@dataclass(frozen=True, slots=True)
class Call:
    """One request to come: a row of `PRICES`, its path filled in, and what goes with it."""

    kind: str
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        price = PRICES.get(self.kind)
        if price is None:
            raise ValueError(f"no call of the kind {self.kind}")
        if price.method != self.method or not _shape(price.path).fullmatch(self.path):
            raise ValueError(f"{self.kind} is {price.method} {price.path}, not {self.path}")

    @classmethod
    def to(
        cls,
        kind: str,
        *ids: str | int,
        query: Mapping[str, Scalar] | Iterable[tuple[str, Scalar]] = (),
        body: Mapping[str, Any] | None = None,
    ) -> Self:
        """Build the call of this kind, its ids put into the path in order."""
        price = PRICES[kind]
        pairs = query.items() if isinstance(query, Mapping) else query
        return cls(
            kind=kind,
            method=price.method,
            path=price.path.format(*(quote(str(i), safe="") for i in ids)),
            query=tuple((name, _text(value)) for name, value in pairs),
            body=body,
        )

    @classmethod
    def on(
        cls,
        kind: str,
        verb: str,
        *ids: str | int,
        query: Mapping[str, Scalar] | Iterable[tuple[str, Scalar]] = (),
        body: Mapping[str, Any] | None = None,
    ) -> Self:
        """Build the call that does `verb` (create, read, …) to records of this kind."""
        return cls.to(f"{PLURALS[kind]}.{verb}", *ids, query=query, body=body)

    @property
    def cost(self) -> int:
        """Tokens of the daily budget."""
        return PRICES[self.kind].tokens

    @property
    def paging(self) -> Literal["cursor", "start", "none"]:
        """How a list of this kind goes on."""
        return PRICES[self.kind].paging

    @property
    def is_search(self) -> bool:
        """Whether the search window (10 requests per 2 s on every plan) counts it too."""
        return self.kind.endswith(".search")

    @property
    def writes(self) -> bool:
        """Whether it changes the CRM, so that repeating it blindly could double a record."""
        return self.method != "GET"


@cache
def _shape(template: str) -> re.Pattern[str]:
    return re.compile(re.escape(template).replace(r"\{\}", r"[A-Za-z0-9._~%-]+"))


def _text(value: Scalar) -> str:
    # v2 is strict: a boolean is `true` or `false`, never Python's `True` or 1.
    return str(value).lower() if isinstance(value, bool) else str(value)
