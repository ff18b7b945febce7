"""What people changed of an object that we made: it is compared with what we wrote. Pure.

Fields that we wrote must say the same, those that only people fill must be empty, and custom fields
other than ours must be. What Pipedrive itself keeps (counts, times, links) says nothing.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from daemon.rules.marks import is_mark

# Fields that are empty until people fill them, unless we wrote them.
_PEOPLES = {
    "organization": "address label_ids linkedin industry annual_revenue employee_count",
    "person": "label_ids picture_id",
    "lead": "value label_ids expected_close_date is_archived",
    "deal": (
        "value label_ids expected_close_date probability lost_reason stage_change_time won_time"
        " lost_time acv arr mrr is_archived"
    ),
    "activity": "location public_description priority project_id conference_meeting_url",
}
# Fields of ours that are shown by the same name.
_OURS = {
    "person": "name",
    "lead": "title",
    "deal": "title",
    "activity": "subject due_date due_time",
}
_CREATOR = {"lead": "creator_id", "deal": "creator_user_id"}
_CODE = re.compile(r"[0-9a-f]{40}")  # a custom field's, which leads show beside their own fields


def changed_fields(
    kind: str, shown: Mapping[str, Any], wrote: Mapping[str, Any], codes: Collection[str]
) -> tuple[str, ...]:
    """Names of the fields that people changed; `codes` are those of our custom fields."""
    found = [
        name
        for name in _PEOPLES.get(kind, "").split()
        if _plain(shown.get(name)) != _plain(wrote.get(name))
    ]
    found += [
        name
        for name in _OURS.get(kind, "").split()
        if name in wrote and _plain(shown.get(name)) != _plain(wrote[name])
    ]
    if kind == "deal" and shown.get("status", "open") != "open":
        found.append("status")
    if kind == "activity" and shown.get("done") is False and wrote.get("done") is not False:
        found.append("done")
    if kind == "person" and len(shown.get("emails") or ()) > 1:
        found.append("emails")
    creator, owner = shown.get(_CREATOR.get(kind, "")), shown.get("owner_id")
    if not wrote.get("owner") and None not in {creator, owner} and creator != owner:
        found.append("owner_id")
    custom = {
        **(shown.get("custom_fields") or {}),
        **{k: shown[k] for k in shown if _CODE.fullmatch(k)},
    }
    if any(value not in (None, "", []) for code, value in custom.items() if code not in codes):
        found.append("custom fields")
    return tuple(found)


def _plain(value: Any) -> Any:
    """A value to compare: Pipedrive says nothing in several ways, and a time with its seconds.

    Our mark alone says nothing either.
    """
    if value in (None, "", 0, False) or value in ([], {}) or is_mark(value):
        return None
    if isinstance(value, str) and re.fullmatch(r"\d\d:\d\d:\d\d", value):
        return value.removesuffix(":00")
    return value
