"""What people do in the web UI while we work: no token, no limit, nothing in the log of requests.

Each act is one transaction at the sandbox's time. Ids that don't exist raise LookupError. An act
may do what the API refuses, e.g. rename an archived deal.
"""

from collections.abc import Iterable
from typing import Any

from merging import merge_records

from daemon.sandbox.crm import (
    activities,
    conversions,
    deals,
    definitions,
    leads,
    organizations,
    persons,
    world,
)
from daemon.sandbox.crm.call import ApiCall, mark_deleted
from daemon.sandbox.crm.clock import stamp_ms, stamp_v1
from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Doc
from daemon.sandbox.crm.settings import User

Id = int | str


class Acts:
    """The hands of the company's people; `by` names the user, by default the first one."""

    def __init__(self, sandbox: Sandbox, by: str | None = None) -> None:
        """Act in this company."""
        self.sandbox = sandbox
        self.by = by

    # making things

    def add_user(self, name: str, email: str, *, admin: bool = False) -> int:
        """Give somebody a seat."""
        with self.sandbox.at_work(self.by) as call:
            made = world.add_user(call.store, User(name, email, admin=admin), call.now)
            return int(made["id"])

    def add_pipeline(self, name: str, stages: Iterable[str] = ()) -> int:
        """Make a pipeline with its stages."""
        with self.sandbox.at_work(self.by) as call:
            pipeline = world.add_pipeline(call.store, name, call.now)
            for stage in stages:
                world.add_stage(call.store, pipeline["id"], stage, call.now)
            return int(pipeline["id"])

    def add_stage(self, pipeline_id: int, name: str) -> int:
        """Add a stage at a pipeline's end."""
        with self.sandbox.at_work(self.by) as call:
            return int(world.add_stage(call.store, pipeline_id, name, call.now)["id"])

    def add_field(
        self, entity: str, name: str, field_type: str, options: Iterable[str] = ()
    ) -> str:
        """Make a custom field (entity: person, deal, organization) and give its code."""
        body = {
            "field_name": name,
            "field_type": field_type,
            "options": [{"label": label} for label in options],
        }
        with self.sandbox.at_work(self.by) as call:
            return str(definitions.define(call, entity, body)["field_code"])

    def add_organization(self, name: str, **values: Any) -> int:
        """Make an organization; values are v2's fields."""
        with self.sandbox.at_work(self.by) as call:
            doc = organizations.new(call, {"name": name, **values})
            return int(call.store.insert("organizations", doc, call.now)["id"])

    def add_person(self, name: str, *emails: str, **values: Any) -> int:
        """Make a person; the first e-mail is the primary one."""
        body = {"name": name, **values, "emails": _emails(emails)}
        with self.sandbox.at_work(self.by) as call:
            return int(call.store.insert("persons", persons.new(call, body), call.now)["id"])

    def add_deal(self, title: str, **values: Any) -> int:
        """Make a deal; without a stage in the default pipeline's first one."""
        with self.sandbox.at_work(self.by) as call:
            body = deals.placed(call, {"title": title, "origin": "ManuallyCreated", **values})
            doc = call.fresh("deals", body)
            if doc["status"] != "open":
                deals.close(doc, call.stamp, values)
            return int(call.store.insert("deals", doc, call.now)["id"])

    def add_lead(self, title: str, **values: Any) -> str:
        """Make a lead; `organization_id`, `person_id`, `value` as in v1."""
        origin = {"origin": "ManuallyCreated", "source_name": "Manually created"}
        with self.sandbox.at_work(self.by) as call:
            doc = leads.new(call, {"title": title, **origin, **values})
            return str(call.store.insert("leads", doc, call.now)["id"])

    def add_activity(self, subject: str, **values: Any) -> int:
        """Make an activity by hand; v2's fields, with `participants`."""
        with self.sandbox.at_work(self.by) as call:
            doc = activities.new(call, {"subject": subject, **values})
            return int(call.store.insert("activities", doc, call.now)["id"])

    # changing things

    def edit(self, kind: str, record_id: Id, **values: Any) -> None:
        """Change any field of a record; `custom_fields` are merged key by key."""
        with self.sandbox.at_work(self.by) as call:
            doc = _record(call, kind, record_id)
            custom = {**doc.get("custom_fields", {}), **values.pop("custom_fields", {})}
            doc.update(persons.named(values) if kind == "persons" else values)
            if "custom_fields" in doc:
                doc["custom_fields"] = {k: v for k, v in custom.items() if v is not None}
            _save(call, kind, doc)

    def rename(self, kind: str, record_id: Id, name: str) -> None:
        """Give a record another name or title."""
        title = {"deals": "title", "leads": "title", "activities": "subject"}.get(kind, "name")
        self.edit(kind, record_id, **{title: name})

    def change_emails(self, person_id: int, *emails: str) -> None:
        """Replace a person's e-mail addresses."""
        self.edit("persons", person_id, emails=_emails(emails))

    def delete(self, kind: str, record_id: Id) -> None:
        """Delete a record softly; what hangs on it stays."""
        with self.sandbox.at_work(self.by) as call:
            doc = _record(call, kind, record_id)
            mark_deleted(doc, call.now)
            if kind == "deals":
                doc["status"] = "deleted"
            _save(call, kind, doc)

    def merge(self, kind: str, lost_id: int, survivor_id: int) -> None:
        """Merge two organizations, persons or deals."""
        with self.sandbox.at_work(self.by) as call:
            lost, survivor = _record(call, kind, lost_id), _record(call, kind, survivor_id)
            merge_records(call, kind, lost, survivor)

    def win(self, deal_id: int) -> None:
        """Win a deal."""
        self._close(deal_id, "won")

    def lose(self, deal_id: int, reason: str | None = None) -> None:
        """Lose a deal."""
        self._close(deal_id, "lost", lost_reason=reason)

    def reopen(self, deal_id: int) -> None:
        """Open a closed deal again."""
        self._close(deal_id, "open")

    def add_participant(self, deal_id: int, person_id: int) -> None:
        """Make a person a participant of a deal."""
        with self.sandbox.at_work(self.by) as call:
            deal = _record(call, "deals", deal_id)
            made: dict[str, Any] = {
                "id": call.store.next_number("participant"),
                "person_id": person_id,
            }
            made["add_time"] = stamp_v1(call.now)
            deal["_participants"] = [*deal.get("_participants", ()), made]
            _save(call, "deals", deal)

    def remove_participants(self, deal_id: int) -> None:
        """Take all participants out of a deal but its contact person."""
        with self.sandbox.at_work(self.by) as call:
            deal = _record(call, "deals", deal_id)
            deal["_participants"] = []
            _save(call, "deals", deal)

    def move(self, deal_id: int, stage_id: int) -> None:
        """Drag a deal to another stage."""
        with self.sandbox.at_work(self.by) as call:
            doc = _record(call, "deals", deal_id)
            doc.update(deals.placed(call, {"stage_id": stage_id}), stage_change_time=call.stamp)
            _save(call, "deals", doc)

    def archive(self, kind: str, record_id: Id) -> None:
        """Archive a deal or a lead."""
        self._archive(kind, record_id, archived=True)

    def unarchive(self, kind: str, record_id: Id) -> None:
        """Take a deal or a lead out of the archive."""
        self._archive(kind, record_id, archived=False)

    def convert_lead(self, lead_id: str, stage_id: int | None = None) -> int:
        """Make a deal of a lead, at once, and give the deal's id."""
        with self.sandbox.at_work(self.by) as call:
            lead = _record(call, "leads", lead_id)
            where = {} if stage_id is None else {"stage_id": stage_id}
            stage = deals.placed(call, where)["stage_id"]
            return int(conversions.convert(call, lead, stage)["id"])

    # looking

    def get(self, kind: str, record_id: Id) -> Doc:
        """A record as it is stored, deleted or not."""
        with self.sandbox.at_work(self.by) as call:
            doc = call.store.get(kind, record_id)
        if doc is None:
            raise LookupError(f"no {kind} {record_id}")
        return doc

    def every(self, kind: str, *, deleted: bool = False) -> list[Doc]:
        """All records of a kind, by id."""
        where = "1" if deleted or kind == "lead_labels" else "COALESCE(is_deleted, 0) = 0"
        with self.sandbox.at_work(self.by) as call:
            return call.store.select(kind, where)

    def stage_id(self, pipeline: str, stage: str) -> int:
        """The id of a stage, by its names."""
        pipelines = {doc["id"]: doc["name"] for doc in self.every("pipelines")}
        for doc in self.every("stages"):
            if doc["name"] == stage and pipelines[doc["pipeline_id"]] == pipeline:
                return int(doc["id"])
        raise LookupError(f"no stage {stage} in {pipeline}")

    def person_of(self, email: str) -> Doc:
        """The first person that isn't deleted and has this e-mail address."""
        for doc in self.every("persons"):
            if any(item["value"].lower() == email.lower() for item in doc["emails"]):
                return doc
        raise LookupError(f"no person {email}")

    def _close(self, deal_id: int, status: str, **values: Any) -> None:
        with self.sandbox.at_work(self.by) as call:
            doc = _record(call, "deals", deal_id)
            doc.update(status=status, **values)
            deals.close(doc, call.stamp, values)
            _save(call, "deals", doc)

    def _archive(self, kind: str, record_id: Id, *, archived: bool) -> None:
        with self.sandbox.at_work(self.by) as call:
            doc = _record(call, kind, record_id)
            doc["is_archived"] = archived
            if kind == "deals":
                doc["archive_time"] = call.stamp if archived else None
            _save(call, kind, doc)


def _emails(addresses: Iterable[str]) -> list[Doc]:
    return [
        {"value": address, "primary": index == 0, "label": "work"}
        for index, address in enumerate(addresses)
    ]


def _record(call: ApiCall, kind: str, record_id: Id) -> Doc:
    doc = call.store.get(kind, record_id)
    if doc is None or doc.get("is_deleted"):
        raise LookupError(f"no {kind} {record_id}")
    return doc


def _save(call: ApiCall, kind: str, doc: Doc) -> None:
    doc["update_time"] = stamp_ms(call.now) if kind == "leads" else call.stamp
    call.store.save(kind, doc, call.now)
