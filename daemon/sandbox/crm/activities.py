"""Activities: v2 create, read, list, update, delete.

`person_id` is read-only and names the primary participant. An activity hangs on one of deal,
lead and project; the deal wins. There is no filter by type, and no custom fields.
"""

from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import LISTING, ApiCall
from daemon.sandbox.crm.checks import Shape, Wrong
from daemon.sandbox.crm.exchange import Doc, Refusal, Reply, invalid
from daemon.sandbox.crm.notes import cleaned
from daemon.sandbox.crm.organizations import NAME_LIMIT
from daemon.sandbox.crm.routing import Endpoint

KIND = "activities"
NOTE_LIMIT = 100 * 1024
TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")

_PERSON_ID = (
    "'person_id' is a read-only field. Add a primary participant to set 'person_id' instead."
)
_PARTICIPANT = Shape(
    {"person_id": checks.integer, "primary": checks.boolean}, required=("person_id",)
)
_ATTENDEE = Shape(
    {
        "email": checks.text(NAME_LIMIT),
        "name": checks.text(NAME_LIMIT),
        "status": checks.string,
        "is_organizer": checks.boolean,
        "person_id": checks.integer,
        "user_id": checks.integer,
    },
    required=("email",),
)


def note(path: str, value: Any) -> str:
    """HTML of at most 100 KB."""
    text: str = checks.string(path, value)
    if len(text.encode()) > NOTE_LIMIT:
        raise Wrong(f"{path}: This value is too long. It should have 100 KB or less")
    return text


def kind(path: str, value: Any) -> str:
    """The key string of an activity type."""
    text: str = checks.string(path, value)
    if text not in TYPES:
        raise Wrong(f"{path}: Activity type '{text}' doesn't exist")
    return text


BODY = Shape(
    {
        "subject": checks.text(NAME_LIMIT),
        "type": kind,
        "owner_id": checks.integer,
        "deal_id": checks.integer,
        "lead_id": checks.uuid,
        "org_id": checks.integer,
        "project_id": checks.integer,
        "due_date": checks.day,
        "due_time": checks.time_of_day,
        "duration": checks.duration,
        "busy": checks.boolean,
        "done": checks.boolean,
        "location": checks.ADDRESS,
        "participants": checks.array(_PARTICIPANT, 100),
        "attendees": checks.array(_ATTENDEE, 100),
        "public_description": note,
        "priority": checks.integer,
        "note": note,
    },
    read_only={"person_id": _PERSON_ID},
)


def new(call: ApiCall, body: Doc) -> Doc:
    """A new activity's document, due today unless the body says otherwise."""
    doc = call.fresh(KIND, {"due_date": call.stamp[:10]})
    change(call, doc, body)
    return doc


def change(call: ApiCall, doc: Doc, body: Doc) -> None:
    """Apply a checked body: one link, one primary participant, a clean note."""
    doc.update(body)
    if "note" in body and body["note"] is not None and call.settings.sanitise_notes:
        doc["note"] = cleaned(body["note"])
    if "participants" in body:
        doc["participants"] = participants(body["participants"])
        primary = [item["person_id"] for item in doc["participants"] if item["primary"]]
        doc["person_id"] = primary[0] if primary else None
    for name in ("deal_id", "lead_id", "project_id"):
        if body.get(name) is not None:  # the deal wins over the lead, the lead over the project
            doc.update(dict.fromkeys(("deal_id", "lead_id", "project_id")))
            doc[name] = body[name]
            break
    if "done" in body:
        doc["marked_as_done_time"] = call.stamp if doc["done"] else None


def participants(given: list[Doc]) -> list[Doc]:
    """Each person once; one primary, the last that says so, else the first."""
    people = {item["person_id"]: item for item in given}
    chosen = [person for person, item in people.items() if item.get("primary")]
    primary = chosen[-1] if chosen else next(iter(people), None)
    return [{"person_id": person, "primary": person == primary} for person in people]


def _check_links(call: ApiCall, body: Doc) -> None:
    call.check_references(body)
    if body.get("type") in call.settings.inactive_types:
        raise invalid(f"type: Activity type '{body['type']}' is not active")
    for item in body.get("participants", ()):
        call.check_references({"person_id": item["person_id"]})
    if body.get("project_id") is not None:
        raise invalid(f"project_id: Project with id '{body['project_id']}' was not found")


def add(call: ApiCall) -> Reply:
    """POST /activities."""
    body = call.read(BODY)
    _check_links(call, body)
    return Reply(render(call.store.insert(KIND, new(call, body), call.now)))


def update(call: ApiCall) -> Reply:
    """PATCH /activities/{id}."""
    doc = call.editable(KIND)
    body = call.read(BODY)
    if not body:
        raise Refusal(400, "No fields to update were given")
    _check_links(call, body)
    change(call, doc, body)
    doc["update_time"] = call.stamp
    call.store.save(KIND, doc, call.now)
    return Reply(render(doc))


def listing(call: ApiCall) -> Reply:
    """GET /activities; `person_id` means the primary participant."""
    return call.page(KIND, "is_deleted = 0", [], lambda doc: shown(call, doc))


def render(doc: Doc) -> Doc:
    """The document as it is sent to its writer."""
    return {name: value for name, value in doc.items() if not name.startswith("_")}


def shown(call: ApiCall, doc: Doc) -> Doc:
    """The document as it is read: attendees only when asked for."""
    plain = render(doc)
    if "attendees" not in call.query.get("include_fields", ()):
        del plain["attendees"]
    return plain


_INCLUDE = {"include_fields": checks.query_list(checks.one_of("attendees"))}
_LISTING = {
    **LISTING,
    **_INCLUDE,
    "sort_by": checks.one_of("id", "update_time", "add_time", "due_date"),
    **dict.fromkeys(("deal_id", "person_id", "org_id"), checks.query_integer),
    "lead_id": checks.string,
    "done": checks.query_boolean,
}
ROUTES = (
    Endpoint("v2", "POST", "/activities", add),
    Endpoint("v2", "GET", "/activities", listing, _LISTING),
    Endpoint("v2", "GET", "/activities/{id}", lambda call: call.one(KIND, shown), _INCLUDE),
    Endpoint("v2", "PATCH", "/activities/{id}", update),
    Endpoint("v2", "DELETE", "/activities/{id}", lambda call: call.delete(KIND)),
)
