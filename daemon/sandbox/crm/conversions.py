"""Lead → deal: an asynchronous conversion, started by one call and polled to its end.

It goes on by the clock or by being polled, whichever comes first, and is settled before any later
request, polled or not. A second conversion of the same lead ends `rejected`. Deal → lead isn't
here.
"""

from daemon.sandbox.crm import activities, checks, deals, leads
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.checks import Shape
from daemon.sandbox.crm.exchange import Doc, Refusal, Reply
from daemon.sandbox.crm.permissions import need
from daemon.sandbox.crm.routing import Endpoint

BODY = Shape({"stage_id": checks.integer, "pipeline_id": checks.integer})


def _missing() -> Refusal:
    return Refusal(404, "Entity was not found", info="Object was not found.")


def start(call: ApiCall) -> Reply:
    """POST /leads/{id}/convert/deal."""
    lead = leads.found(call, "Entity was not found")
    need(call.user, "can_add_deals")
    body = BODY.read({} if call.body is None else call.body)
    call.check_references(body)
    if lead["is_archived"]:
        raise Refusal(400, "Archived leads can't be converted. Unarchive the lead first.")
    number = call.store.db.execute("SELECT count(*) FROM conversions").fetchone()[0]
    stage_id = deals.placed(call, body)["stage_id"]
    conversion_id = call.new_uuid(f"conversion {number} {lead['id']} {call.now!r}")
    call.store.db.execute(
        "INSERT INTO conversions (id, lead_id, user_id, stage_id, started, status)"
        " VALUES (?, ?, ?, ?, ?, 'not_started')",
        (conversion_id, lead["id"], call.user["id"], stage_id, call.now),
    )
    return Reply({"conversion_id": conversion_id}, empty_additional=True)


def status(call: ApiCall) -> Reply:
    """GET /leads/{id}/convert/status/{conversion_id}."""
    row = call.store.db.execute(
        "SELECT status, polls, started, deal_id FROM conversions WHERE id = ? AND lead_id = ?",
        (call.params["conversion_id"], call.params["id"]),
    ).fetchone()
    if row is None:
        raise _missing()
    state, polls, started, deal_id = row
    if state in ("not_started", "running"):
        state, deal_id = _step(call, call.params["conversion_id"], polls, call.now - started)
    data: Doc = {"conversion_id": call.params["conversion_id"], "status": state}
    if deal_id is not None:
        data["deal_id"] = deal_id
    return Reply(data, empty_additional=True)


def settle(call: ApiCall) -> None:
    """Finish the conversions whose time has come, as the real one's workers would."""
    if call.settings.conversion_seconds is None:
        return
    due = call.store.db.execute(
        "SELECT id FROM conversions WHERE status IN ('not_started', 'running') AND started <= ?",
        (call.now - call.settings.conversion_seconds,),
    ).fetchall()
    for (conversion_id,) in due:
        _finish(call, conversion_id)


def _step(call: ApiCall, conversion_id: str, polls: int, elapsed: float) -> tuple[str, int | None]:
    settings = call.settings
    by_polls = settings.conversion_polls is not None and polls >= settings.conversion_polls
    by_clock = settings.conversion_seconds is not None and elapsed >= settings.conversion_seconds
    if by_polls or by_clock:
        return _finish(call, conversion_id)
    state = "running" if polls else "not_started"
    call.store.db.execute(
        "UPDATE conversions SET polls = polls + 1, status = ? WHERE id = ?", (state, conversion_id)
    )
    return state, None


def _finish(call: ApiCall, conversion_id: str) -> tuple[str, int | None]:
    lead_id, user_id, stage_id = call.store.db.execute(
        "SELECT lead_id, user_id, stage_id FROM conversions WHERE id = ?", (conversion_id,)
    ).fetchone()
    state, deal_id = call.settings.conversion_ends, None
    lead = call.store.get("leads", lead_id)
    if lead is None or lead["is_deleted"] or lead["is_archived"]:
        state = "rejected"
    if state == "completed" and lead is not None:
        user = call.store.get("users", user_id) or call.user
        worker = ApiCall(call.store, call.settings, call.now, user)
        deal_id = convert(worker, lead, stage_id)["id"]
    call.store.db.execute(
        "UPDATE conversions SET status = ?, deal_id = ? WHERE id = ?",
        (state, deal_id, conversion_id),
    )
    return state, deal_id


def convert(call: ApiCall, lead: Doc, stage_id: int) -> Doc:
    """Make the deal of a lead, take its activities along, delete the lead."""
    value = lead["value"] or {}
    body = {
        "title": lead["title"],
        "owner_id": lead["owner_id"],
        "person_id": lead["person_id"],
        "org_id": lead["organization_id"],
        "value": value.get("amount", 0),
        "currency": value.get("currency", call.settings.currency),
        "expected_close_date": lead["expected_close_date"],
        "visible_to": int(lead["visible_to"]),
        "source_lead_id": lead["id"],
        "custom_fields": lead["custom_fields"],
        "stage_id": stage_id,
    }
    deal = call.store.insert("deals", call.fresh("deals", deals.placed(call, body)), call.now)
    for activity in call.store.select("activities", "lead_id = ?", (lead["id"],)):
        activities.change(call, activity, {"deal_id": deal["id"]})
        activity["update_time"] = call.stamp
        call.store.save("activities", activity, call.now)
    leads.remove(call, lead)
    return deal


_STATUS = "/leads/{id}/convert/status/{conversion_id}"
ROUTES = (
    Endpoint("v2", "POST", "/leads/{id}/convert/deal", start, path_check=checks.uuid),
    Endpoint(
        "v2", "GET", "/leads/{id}/convert/status/{conversion_id}", status, path_check=checks.uuid
    ),
)
