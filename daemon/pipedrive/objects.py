"""Record ↔ JSON: what we send to Pipedrive and what we read from its listings.

API v2 for everything but leads, which only v1 has: there custom fields lie flat at the root, while
v2 nests them in `custom_fields`. A PATCH replaces a person's `emails` as a whole, so it carries
those that are there. What is read may have any shape: a value of another type counts as absent,
and an object without its id raises Unknown.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from daemon.message.parse import Address
from daemon.pipedrive.outcomes import Unknown
from daemon.rules.crm_objects import ListedDeal, ListedLead, ListedOrganization, ListedPerson
from daemon.rules.organization import registrable_domain

# Our custom fields: name, type, and the object that has it. Leads share those of deals.
FIELDS: Mapping[str, tuple[Literal["person", "deal"], str, str]] = {
    "thread_count": ("person", "Thread count", "double"),
    "last_contact": ("person", "Last contact", "date"),
    "avg_response_hours": ("person", "Avg response hours", "double"),
    "our_response_hours": ("person", "Our response hours", "double"),
    "mail_key": ("deal", "Mail key", "varchar"),
}
_STATISTICS = tuple(name for name, (of, *_) in FIELDS.items() if of == "person")
_MADE = frozenset({"type", "done", "note", "public_description"})
_MOVED = frozenset({"subject", "due_date", "due_time", "duration"})
_ORIGIN = "mail2deal:"


@dataclass(frozen=True, slots=True)
class Target:
    """Where records go in this company: the stage, the codes of our fields, the users' ids."""

    stage_id: int
    codes: Mapping[str, str] = field(default_factory=dict)  # by our name; missing: can't be had
    owners: Mapping[str, int] = field(default_factory=dict)  # by e-mail address
    stages: Mapping[str, int] = field(default_factory=dict)  # those of routes, by their names
    labels: Mapping[str, Mapping[str, int | str]] = field(default_factory=dict)  # by kind and name
    job_titles: bool = False  # persons have a job title: only where contact sync was set up

    def label_ids(self, names: Mapping[Any, Collection[str]]) -> dict[str, tuple[int | str, ...]]:
        """The ids of labels, by the kind of record that has them."""
        found: dict[str, tuple[int | str, ...]] = {}
        for kind, some in names.items():
            ids = self.labels.get(kind, {})
            found[kind] = tuple(ids[name] for name in some if name in ids)
        return found

    def marker(self, kind: str) -> str | None:
        """The code of the field that says of a listed object that it is ours."""
        return marker(self.codes, kind)

    def bounce_label(self, name: str | None) -> int | str | None:
        """The id of the person label of this name."""
        return self.labels.get("person", {}).get(name or "")

    def stage_of(self, fields: Mapping[str, Any]) -> int:
        """The stage of a lead's or a deal's route, else the usual one."""
        return self.stages.get(fields.get("stage") or "", self.stage_id)


@dataclass(frozen=True, slots=True)
class Links:
    """Pipedrive ids of what a record hangs on."""

    organization: int | None = None
    person: int | None = None
    deal: int | None = None
    lead: str | None = None
    participants: tuple[int, ...] = ()

    def all(self) -> list[tuple[str, str]]:
        """Everything that is linked, as (kind, id)."""
        one = (
            ("organization", self.organization),
            ("person", self.person),
            ("deal", self.deal),
            ("lead", self.lead if self.deal is None else None),
        )
        return [(kind, str(i)) for kind, i in one if i is not None]


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
                "channel_id": fields.get("channel_id"),
                "label_ids": fields.get("label_ids"),
                place.codes.get("mail_key", ""): fields["mail_key"],
            }
            content.pop("", None)
        case "deal":
            content = {
                "title": fields["title"],
                "person_id": links.person,
                "org_id": links.organization,
                "stage_id": place.stage_of(fields),
                "label_ids": fields.get("label_ids"),
                "custom_fields": _custom(fields, place, "mail_key"),
            }
        case "activity":
            content = _activity(fields, links, _MADE | _MOVED) | _opportunity(links)
            content["org_id"] = links.organization
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
    an activity is done; an organization comes in only where there is none, as do a person's phone
    and job title, and a name only in place of one that we made up.
    """
    content: dict[str, Any] = {}
    if kind == "person":
        content = {
            "name": fields.get("name"),  # planned only in place of one that we made up
            "org_id": links.organization if "organization" in fields else None,
            "marketing_status": fields.get("marketing_status"),
            "phones": _phones(fields),
            "job_title": fields.get("title") if place.job_titles else None,
            "custom_fields": _custom(fields, place, *_STATISTICS),
        }
    if kind == "deal":
        content = {"label_ids": fields.get("label_ids")}
    if kind == "activity":
        named = links if "participants" in fields else Links()
        content = _activity(fields, named, _MOVED)
    if "unlinked" in fields:
        name = "organization_id" if kind == "lead" else "org_id"
        content |= {name: links.organization}
        content |= _opportunity(links) if kind == "activity" else {}
    return _filled(content)


def _opportunity(links: Links) -> dict[str, Any]:
    """Only one of the two may be linked, and the deal wins (changelog 2024-03-25)."""
    return {"deal_id": links.deal, "lead_id": links.lead if links.deal is None else None}


def _filled(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if value is not None and value != {}}


def origin_id(mail_key: str) -> str:
    """Our marker in a lead's `origin_id`, which only its creation can set."""
    return _ORIGIN + mail_key


def _person(fields: Mapping[str, Any], links: Links, place: Target) -> dict[str, Any]:
    custom = _custom(fields, place, *_STATISTICS)
    return {
        "name": fields["name"],
        "emails": [_contact(fields["email"])],
        "phones": _phones(fields),
        "job_title": fields.get("title") if place.job_titles else None,
        "org_id": links.organization,
        "label_ids": _with_bounce(fields.get("label_ids"), fields),
        "marketing_status": fields.get("marketing_status"),
        "custom_fields": {code: value for code, value in custom.items() if value is not None},
    }


def _with_bounce(labels: Sequence[Any] | None, fields: Mapping[str, Any]) -> list[Any] | None:
    """The labels of a person with, or without, the one that says that no mail arrives."""
    label, there = fields.get("bounce_label"), list(labels or ())
    if label is None:
        return there or None
    kept = [one for one in there if one != label]
    return [*kept, label] if fields.get("bounced") else kept


def labelled(there: Mapping[str, Any], fields: Mapping[str, Any]) -> list[Any] | None:
    """What a person's labels become, None where that is what they are."""
    labels = as_list(there.get("label_ids"))
    wanted = _with_bounce(labels, fields) or []
    return None if set(map(str, wanted)) == set(map(str, labels)) else wanted


def _phones(fields: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    return [_contact(fields["phone"])] if fields.get("phone") else None


def _contact(value: str) -> dict[str, Any]:
    return {"value": value, "primary": True, "label": "work"}


def _custom(fields: Mapping[str, Any], place: Target, *names: str) -> dict[str, Any]:
    return {place.codes[n]: fields[n] for n in names if n in fields and n in place.codes}


def _activity(fields: Mapping[str, Any], links: Links, names: Collection[str]) -> dict[str, Any]:
    content: dict[str, Any] = {name: fields.get(name) for name in sorted(names)}
    if links.participants:
        content["participants"] = [
            {"person_id": person, "primary": position == 0}
            for position, person in enumerate(links.participants)
        ]
    return content


def marker(codes: Mapping[str, str], kind: str) -> str | None:
    """The code of the field that says of a listed object that it is ours: the Mail key.

    Of a person it is a number that every person of ours has from the beginning. Those of people get
    it, too, once we know them, but that changes them (`ListedPerson.as_made`).
    """
    names = ("thread_count", "last_contact") if kind == "person" else ("mail_key",)
    return next((codes[name] for name in names if name in codes), None)


def listed_person(data: Mapping[str, Any], code: str | None = None) -> ListedPerson:
    """Read a person from a v2 listing; raises Unknown without what tells who it is."""
    entries = data.get("emails")
    if not isinstance(entries, list):
        raise Unknown("a person without a list of e-mails", what="person")
    found = (e.get("value") if isinstance(e, dict) else e for e in entries)
    emails = (e.strip().lower() for e in found if isinstance(e, str) and "@" in e)
    return ListedPerson(
        id=number(data, "id"),
        name=_text(data, "name") or "",
        organization_id=_link(data, "org_id"),
        emails=tuple(dict.fromkeys(Address("", email).key for email in emails)),
        as_made=_is_as_made(data, code),
    )


def _is_as_made(data: Mapping[str, Any], code: str | None) -> bool:
    custom, made = data.get("custom_fields"), _text(data, "add_time")
    has_ours = isinstance(custom, dict) and custom.get(code) is not None
    return has_ours and made is not None and made == _text(data, "update_time")


def as_addresses(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A person's e-mails as a PATCH takes them; raises Unknown without such a list."""
    entries = data.get("emails")
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise Unknown("a person without a list of e-mails", what="person")
    names = ("value", "primary", "label")
    return [{name: one[name] for name in names if one.get(name) is not None} for one in entries]


def is_address(entry: Mapping[str, Any], address: str) -> bool:
    """Whether one of a person's e-mails is this sender key, however it is written."""
    value = _text(entry, "value") or ""
    return Address("", value.strip().lower()).key == address


def listed_organization(data: Mapping[str, Any]) -> ListedOrganization:
    """Read an organization from a v2 listing."""
    return ListedOrganization(
        id=number(data, "id"),
        name=_text(data, "name") or "",
        domain=website_domain(_text(data, "website")),
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
    custom = data.get("custom_fields")
    return ListedDeal(
        id=number(data, "id"),
        person_id=_link(data, "person_id"),
        organization_id=_link(data, "org_id"),
        status=_text(data, "status") or "open",
        archived=data.get("is_archived") is True,
        mail_key=_text(custom, mail_key_code) if isinstance(custom, dict) else None,
        source_lead_id=_text(data, "source_lead_id"),
        touched_at=_text(data, "update_time"),
    )


def listed_lead(data: Mapping[str, Any], mail_key_code: str | None) -> ListedLead:
    """Read a lead from a v1 listing; our marker is its `origin_id` or its Mail key."""
    origin = _text(data, "origin_id") or ""
    ours = origin.removeprefix(_ORIGIN) if origin.startswith(_ORIGIN) else None
    identifier = _text(data, "id")
    if not identifier:
        raise Unknown("an object without its id", what="lead")
    return ListedLead(
        id=identifier,
        person_id=_link(data, "person_id"),
        organization_id=_link(data, "organization_id"),
        archived=data.get("is_archived") is True,
        mail_key=ours or _text(data, mail_key_code),
    )


def number(data: Mapping[str, Any], name: str) -> int:
    """A whole number that an object can't do without; raises Unknown."""
    value = _link(data, name)
    if value is None:
        raise Unknown(f"an object without its {name}", what=name)
    return value


def as_list(value: object) -> list[Any]:
    """A list, or nothing for whatever stands in its place."""
    return value if isinstance(value, list) else []


def _link(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(data: Mapping[str, Any], name: str | None) -> str | None:
    value = data.get(name) if name else None
    return value if isinstance(value, str) else None
