"""Record ↔ JSON: what we send to Pipedrive and what we read from its listings. Pure.

API v2 for everything but leads, which only v1 has: there custom fields lie flat at the root, while
v2 nests them in `custom_fields`. PATCH never carries a person's `emails`: it would replace them.
"""

import html
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from daemon.message.parse import Address
from daemon.rules.organization import registrable_domain

# Our custom fields: name, type, and the object that has it. Leads share those of deals.
FIELDS: Mapping[str, tuple[Literal["person", "deal"], str, str]] = {
    "thread_count": ("person", "Thread count", "double"),
    "last_contact": ("person", "Last contact", "date"),
    "avg_response_hours": ("person", "Avg response hours", "double"),
    "mail_key": ("deal", "Mail key", "varchar"),
}
_STATISTICS = ("thread_count", "last_contact", "avg_response_hours")
_MADE = frozenset({"type", "done", "note"})
_MOVED = frozenset({"subject", "due_date", "due_time", "duration"})
_NOTE_BYTES = 90_000  # Pipedrive's cap is 100 KB (2025-09-21)
_ORIGIN = "mail2deal:"
MARK = "[mail2deal:"  # what the note of every activity of ours holds


@dataclass(frozen=True, slots=True)
class Target:
    """Where records go in this company: the stage, the codes of our fields, the users' ids."""

    stage_id: int
    codes: Mapping[str, str] = field(default_factory=dict)  # by our name; missing: can't be had
    owners: Mapping[str, int] = field(default_factory=dict)  # by e-mail address


@dataclass(frozen=True, slots=True)
class Links:
    """Pipedrive ids of what a record hangs on."""

    organization: int | None = None
    person: int | None = None
    deal: int | None = None
    lead: str | None = None
    participants: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """A person as listed; `emails` are sender keys."""

    id: int
    name: str
    organization_id: int | None
    owner_id: int | None
    add_time: str
    emails: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedOrganization:
    """An organization as listed; `domain` is its website's registrable domain."""

    id: int
    name: str
    domain: str | None
    owner_id: int | None
    add_time: str


@dataclass(frozen=True, slots=True)
class ListedDeal:
    """A deal as listed, archived ones included."""

    id: int
    person_id: int | None
    organization_id: int | None
    title: str
    status: str
    archived: bool
    stage_id: int | None
    mail_key: str | None
    source_lead_id: str | None


@dataclass(frozen=True, slots=True)
class ListedLead:
    """A lead as listed, archived ones included."""

    id: str
    person_id: int | None
    organization_id: int | None
    title: str
    archived: bool
    mail_key: str | None


Listed = ListedPerson | ListedOrganization | ListedDeal | ListedLead


def body(kind: str, fields: Mapping[str, Any], links: Links, place: Target) -> dict[str, Any]:
    """The JSON body that creates a record; what is None or unknown is left out."""
    match kind:
        case "organization":
            content = {"name": fields["name"], "website": fields["website"]}
        case "person":
            content = _person(fields, links, place)
        case "lead":
            content = {
                "title": fields["title"],
                "person_id": links.person,
                "organization_id": links.organization,
                "origin_id": origin_id(fields["mail_key"]),
                place.codes.get("mail_key", ""): fields["mail_key"],
            }
            content.pop("", None)
        case "deal":
            content = {
                "title": fields["title"],
                "person_id": links.person,
                "org_id": links.organization,
                "stage_id": place.stage_id,
                "custom_fields": _custom(fields, place, "mail_key"),
            }
        case "activity":
            content = _happening(fields, links, _MADE | _MOVED) | {
                "org_id": links.organization,
                # Only one of the two may be linked, and the deal wins (changelog 2024-03-25).
                "deal_id": links.deal,
                "lead_id": links.lead if links.deal is None else None,
            }
        case "field":
            content = {"field_name": fields["name"], "field_type": fields["type"]}
        case _:
            raise ValueError(f"no body for {kind}")
    owner = place.owners.get(fields.get("owner") or "")
    if owner is not None:
        content["owner_id"] = owner
    return _filled(content)


def patch(kind: str, fields: Mapping[str, Any], links: Links, place: Target) -> dict[str, Any]:
    """The JSON body that updates a record, empty where nothing of it is ours to change.

    Names, titles, e-mails, links and owners are people's once a record is made, and so is whether
    an activity is done; an organization comes into a person's only while it has none.
    """
    content: dict[str, Any] = {}
    if kind == "person":
        content = {
            "org_id": links.organization if "organization" in fields else None,
            "custom_fields": _custom(fields, place, *_STATISTICS),
        }
    if kind == "activity":
        content = _happening(fields, links, _MOVED)
    return _filled(content)


def _filled(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value is not None and value != {}}


def origin_id(mail_key: str) -> str:
    """Our marker in a lead's `origin_id`, which only its creation can set."""
    return _ORIGIN + mail_key


def marker(key: str) -> str:
    """Our marker in an activity's note: short visible text, as comments may be sanitised away."""
    return f"{MARK}{key}]"


def note(text: str, key: str) -> str:
    """The HTML note of an activity: escaped text, bounded in bytes, the marker at its end."""
    text = text.replace(MARK, "(mail2deal:")  # only the last line is ours
    escaped = html.escape(text, quote=False).replace("\n", "<br>")
    while len(escaped.encode()) > _NOTE_BYTES:
        text = text[: len(text) * 3 // 4]
        escaped = html.escape(text, quote=False).replace("\n", "<br>")
    return f"{escaped}<br><br>{marker(key)}" if escaped else marker(key)


def _person(fields: Mapping[str, Any], links: Links, place: Target) -> dict[str, Any]:
    custom = _custom(fields, place, *_STATISTICS)
    return {
        "name": fields["name"],
        "emails": [{"value": fields["email"], "primary": True, "label": "work"}],
        "org_id": links.organization,
        "custom_fields": {code: value for code, value in custom.items() if value is not None},
    }


def _custom(fields: Mapping[str, Any], place: Target, *names: str) -> dict[str, Any]:
    return {place.codes[n]: fields[n] for n in names if n in fields and n in place.codes}


def _happening(fields: Mapping[str, Any], links: Links, names: Collection[str]) -> dict[str, Any]:
    content: dict[str, Any] = {name: fields.get(name) for name in sorted(names)}
    if links.participants:
        content["participants"] = [
            {"person_id": person, "primary": position == 0}
            for position, person in enumerate(links.participants)
        ]
    return content


def listed_person(data: Mapping[str, Any]) -> ListedPerson:
    """Read a person from a v2 listing."""
    emails = (entry.get("value") for entry in data.get("emails") or ())
    return ListedPerson(
        id=data["id"],
        name=data.get("name") or "",
        organization_id=data.get("org_id"),
        owner_id=data.get("owner_id"),
        add_time=data.get("add_time") or "",
        emails=tuple(
            dict.fromkeys(Address("", e.strip().lower()).key for e in emails if e and "@" in e)
        ),
    )


def listed_organization(data: Mapping[str, Any]) -> ListedOrganization:
    """Read an organization from a v2 listing."""
    return ListedOrganization(
        id=data["id"],
        name=data.get("name") or "",
        domain=website_domain(data.get("website")),
        owner_id=data.get("owner_id"),
        add_time=data.get("add_time") or "",
    )


def website_domain(website: str | None) -> str | None:
    """The registrable domain of a website as people type it: with or without scheme and path."""
    if not website:
        return None
    host = website.strip().lower().split("://")[-1].split("/")[0].split("?")[0]
    host = host.rpartition("@")[2].split(":")[0].strip(".")
    return registrable_domain(host) if "." in host else None


def listed_deal(data: Mapping[str, Any], mail_key_code: str | None) -> ListedDeal:
    """Read a deal from a v2 listing."""
    return ListedDeal(
        id=data["id"],
        person_id=data.get("person_id"),
        organization_id=data.get("org_id"),
        title=data.get("title") or "",
        status=data.get("status") or "open",
        archived=bool(data.get("is_archived")),
        stage_id=data.get("stage_id"),
        mail_key=(data.get("custom_fields") or {}).get(mail_key_code) if mail_key_code else None,
        source_lead_id=data.get("source_lead_id"),
    )


def listed_lead(data: Mapping[str, Any], mail_key_code: str | None) -> ListedLead:
    """Read a lead from a v1 listing; our marker is its `origin_id` or its Mail key."""
    origin = data.get("origin_id") or ""
    if origin.startswith(_ORIGIN):
        mail_key: str | None = origin.removeprefix(_ORIGIN)
    else:
        mail_key = data.get(mail_key_code) if mail_key_code else None
    return ListedLead(
        id=data["id"],
        person_id=data.get("person_id"),
        organization_id=data.get("organization_id"),
        title=data.get("title") or "",
        archived=bool(data.get("is_archived")),
        mail_key=mail_key,
    )
