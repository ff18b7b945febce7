"""What a user may do and see: permissions by name, admin apps, and records that are hidden.

Who is an admin of `sales` and `global` sees everything; others don't see a record of somebody else
with `visible_to` 1, nor an activity that hangs on one. A record may also be hidden from one user,
whoever that is. Lists leave out what isn't seen; what it answers by its id is a setting.
"""

from collections.abc import Mapping
from typing import Any

from daemon.sandbox.crm.exchange import Doc, Refusal

# Of the permissions that aren't described (changelog of 2023-06-21), the noun of a kind.
_NOUN = {
    "persons": "people",
    "organizations": "organizations",
    "deals": "deals",
    "leads": "leads",
}
OTHERS = tuple(
    f"{prefix}_{noun}" for prefix in ("can_add", "can_edit_other_users") for noun in _NOUN.values()
)
CHANGE_OWNER = "can_change_owner"
_PRIVATE = 1
_SEES_ALL = frozenset(("sales", "global"))
_HIDDEN_BY_LINK = {
    "persons": "person_id",
    "organizations": "org_id",
    "deals": "deal_id",
    "leads": "lead_id",
}


def need(user: Doc, permission: str) -> None:
    """403 for a user who doesn't have this permission."""
    if permission in user["denied"]:
        raise Refusal(403, f"You do not have permission to do this ({permission}).")


def need_to_add(user: Doc, kind: str, body: Mapping[str, Any]) -> None:
    """403 for a user who may not make such a record, or not with this visibility."""
    if kind in _NOUN:
        need(user, f"can_add_{_NOUN[kind]}")
    if "visible_to" in body:
        need(user, "can_change_visibility_of_items")


def need_to_change(user: Doc, kind: str, doc: Doc, body: Mapping[str, Any]) -> None:
    """403 for a user who may not change this record of somebody else, its owner or visibility."""
    if kind in _NOUN and doc["owner_id"] != user["id"]:
        need(user, f"can_edit_other_users_{_NOUN[kind]}")
    if "visible_to" in body:
        need(user, "can_change_visibility_of_items")
    if "owner_id" in body and body["owner_id"] != doc["owner_id"]:
        need(user, CHANGE_OWNER)


def seen(user: Doc, kind: str) -> tuple[str, list[Any]]:
    """SQL, with its values, that holds for the records of a kind that the user sees."""
    tests = [_not_hidden(user, kind, f"{kind}.id")]
    if kind == "activities":
        links = _HIDDEN_BY_LINK.items()
        tests += [_not_hidden(user, linked, f"activities.{name}") for linked, name in links]
    return " AND ".join(sql for sql, _ in tests), [v for _, values in tests for v in values]


def _not_hidden(user: Doc, kind: str, record_id: str) -> tuple[str, list[Any]]:
    sql = f"NOT EXISTS (SELECT 1 FROM hidden WHERE kind = ? AND id = {record_id} AND user_id = ?)"
    values = [kind, user["id"]]
    if kind in _NOUN and not set(user["apps"]) >= _SEES_ALL:
        sql += (
            f" AND NOT EXISTS (SELECT 1 FROM {kind} AS private WHERE private.id = {record_id}"
            " AND CAST(json_extract(private.doc, '$.visible_to') AS INTEGER) = ?"
            " AND private.owner_id <> ?)"
        )
        values += [_PRIVATE, user["id"]]
    return sql, values
