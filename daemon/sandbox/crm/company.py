"""What a company has besides its records: pipelines and stages (v2), users, types, labels (v1).

Read-only through the API here; the acts of people and the settings make them.
"""

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.activities import TYPES
from daemon.sandbox.crm.api import ANSWERS, API
from daemon.sandbox.crm.call import LISTING, ApiCall
from daemon.sandbox.crm.clock import stamp_v1
from daemon.sandbox.crm.exchange import Doc, Reply
from daemon.sandbox.crm.permissions import OTHERS
from daemon.sandbox.crm.routing import Endpoint
from daemon.sandbox.crm.settings import ADMIN_APPS


def pipelines(call: ApiCall) -> Reply:
    """GET /pipelines."""
    return call.page("pipelines", "is_deleted = 0", [], dict)


def stages(call: ApiCall) -> Reply:
    """GET /stages; those of a pipeline that doesn't exist are an empty list."""
    return call.page(
        "stages", "1" if call.settings.lists_deleted_stages else "is_deleted = 0", [], dict
    )


def users(call: ApiCall) -> Reply:
    """GET /users."""
    return Reply([render_user(call, doc) for doc in call.store.select("users")])


def me(call: ApiCall) -> Reply:
    """GET /users/me: whose token this is."""
    name = call.settings.company
    company = ANSWERS["company"] | {"company_name": name.title(), "company_domain": name}
    return Reply(render_user(call, call.user) | company)


def permissions(call: ApiCall) -> Reply:
    """GET /users/{id}/permissions: true for those that the user has."""
    user = call.record("users")
    names = [*API["permissions"], *(OTHERS if call.settings.lists_all_permissions else ())]
    return Reply({name: name not in user["denied"] for name in names})


def role_settings(call: ApiCall) -> Reply:
    """GET /users/{id}/roleSettings: the visibility of what the user's role makes."""
    user = call.record("users")
    kinds = ("deal", "lead", "org", "person", "product")
    return Reply({f"{kind}_default_visibility": user["visibility"] for kind in kinds})


def render_user(call: ApiCall, doc: Doc) -> Doc:
    """One user as v1 sends it."""
    return ANSWERS["user"] | {
        "id": doc["id"],
        "name": doc["name"],
        "default_currency": call.settings.currency,
        "email": doc["email"],
        "last_login": stamp_v1(call.now),
        "has_created_company": bool(doc["apps"]),
        "access": [
            {"app": app, "admin": app in doc["apps"], "permission_set_id": _permission_set(app)}
            for app in ADMIN_APPS
        ],
        "active_flag": doc["active_flag"] and not doc["is_deleted"],
        "is_you": doc["id"] == call.user["id"],
        "is_deleted": doc["is_deleted"],
    }


def _permission_set(app: str) -> str:
    return f"00000000-0000-4000-8000-{app.encode().hex()[:12].ljust(12, '0')}"


def activity_types(call: ApiCall) -> Reply:
    """GET /activityTypes."""
    inactive = call.settings.inactive_types
    types = [
        {"id": number, "order_nr": number, "name": key.title(), "key_string": key}
        | {"icon_key": key, "active_flag": key not in inactive}
        for number, key in enumerate(TYPES, 1)
    ]
    return Reply([ANSWERS["activity_type"] | one for one in types])


_PAGED = {name: LISTING[name] for name in ("limit", "cursor", "sort_by", "sort_direction")}
_STAGES = {
    **_PAGED,
    "pipeline_id": checks.query_integer,
    "sort_by": checks.one_of("id", "update_time", "add_time", "order_nr"),
}
ROUTES = (
    Endpoint("v2", "GET", "/pipelines", pipelines, _PAGED),
    Endpoint("v2", "GET", "/stages", stages, _STAGES),
    Endpoint("v2", "GET", "/stages/{id}", lambda call: Reply(call.record("stages"))),
    Endpoint("v1", "GET", "/users", users),
    Endpoint("v1", "GET", "/users/me", me),
    Endpoint("v1", "GET", "/users/{id}/permissions", permissions),
    Endpoint("v1", "GET", "/users/{id}/roleSettings", role_settings),
    Endpoint("v1", "GET", "/activityTypes", activity_types),
    Endpoint("v1", "GET", "/leadLabels", lambda call: Reply(call.store.select("lead_labels"))),
)
