"""How a list goes on: the query of its next page, for v2's cursors and v1's offsets (pure).

Sources: https://pipedrive.readme.io/docs/core-api-concepts-pagination and the two OpenAPI
documents. v1 wraps its numbers in `pagination` or leaves them bare, and its examples leave them
out altogether; each is understood.
"""

from collections.abc import Mapping
from typing import Any

from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import Answer, NothingListed, Unknown

# What every row of a list has, if only as null: what tells that a record is ours, or is one at all.
# A row without it says nothing, least of all that the record isn't there.
_HAS: Mapping[str, tuple[str, ...]] = {
    "organizations.list": ("id", "name"),
    "persons.list": ("id", "emails"),
    "deals.list": ("id", "person_id", "custom_fields"),
    "deals.archived": ("id", "person_id", "custom_fields"),
    "leads.list": ("id", "person_id"),
    "leads.archived": ("id", "person_id"),
    "activities.list": ("id", "note"),
    "participants.list": ("id", "person_id"),
    "person_fields.list": ("field_code", "field_name", "field_type"),
    "deal_fields.list": ("field_code", "field_name", "field_type"),
    "pipelines.list": ("id", "name"),
    "stages.list": ("id", "name"),
}
_NEVER_EMPTY = {"person_fields.list", "deal_fields.list", "pipelines.list"}
_UNSAID = 0  # in place of a cursor that isn't named at all
PAGE, SEARCH_PAGE = 500, 100  # rows a page at most; the price is the same whatever the number


def first_page(call: Call) -> Call:
    """The call with the largest page size, unless it names its own or has no pages."""
    if call.paging == "none" or any(name == "limit" for name, _ in call.query):
        return call
    size = SEARCH_PAGE if call.is_search else PAGE
    return Call(call.kind, call.method, call.path, (*call.query, ("limit", str(size))), call.body)


def smaller_page(call: Call) -> Call | None:
    """The same page with a tenth of the rows; None where it can't be smaller."""
    limit = int(dict(call.query).get("limit", 0)) // 10
    return _at(call, "limit", str(limit)) if limit else None


def next_page(call: Call, answer: Answer, rows: int) -> Call | None:
    """The call for the page after this answer of so many rows, None at the end.

    Raises Unknown for a full page of v2 without its cursor, which is null at the end.
    """
    if call.paging == "cursor":
        cursor = answer.additional.get("next_cursor", "" if rows < _asked(call) else _UNSAID)
        if cursor is not None and not isinstance(cursor, str):
            raise Unknown("a page that doesn't say whether there are more", what=call.kind)
        return _at(call, "cursor", cursor) if cursor else None
    start = _next_start(call, answer, rows) if call.paging == "start" else None
    return None if start is None else _at(call, "start", str(start))


def rows_of(call: Call, answer: Answer) -> list[dict[str, Any]]:
    """The rows of one page; of a search the bare items, best first.

    Raises Unknown for anything but a list; NothingListed for the null that some lists of v1 say
    instead of an empty one, always with the numbers of its page.
    """
    data = answer.data
    if call.is_search and isinstance(data, dict):
        found = data.get("items")
        data = [hit.get("item") for hit in found] if isinstance(found, list) else found
    if data is None and call.paging == "start" and _says_empty(call, answer):
        raise NothingListed("null instead of a list", what=call.kind)
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise Unknown("a list that isn't one", what=call.kind)
    for name in _HAS.get(call.kind, ()):
        if not all(name in row for row in data):
            raise Unknown(f"a row without its {name}", what=call.kind)
    if not data and call.kind in _NEVER_EMPTY and "cursor" not in dict(call.query):
        raise Unknown("an empty list of what there always is", what=call.kind)
    return data


def _asked(call: Call) -> int:
    return int(dict(call.query).get("limit", PAGE))


def _says_empty(call: Call, answer: Answer) -> bool:
    """Whether the numbers of a v1 page say that the whole list ends where it begins."""
    more = _numbers(answer).get("more_items_in_collection")
    return more is False and dict(call.query).get("start", "0") == "0"


def _numbers(answer: Answer) -> Mapping[str, Any]:
    wrapped = answer.additional.get("pagination")
    return wrapped if isinstance(wrapped, dict) else answer.additional


def _next_start(call: Call, answer: Answer, rows: int) -> int | None:
    start, asked = int(dict(call.query).get("start", 0)), _asked(call)
    numbers = _numbers(answer)
    more = numbers.get("more_items_in_collection")
    if more is None:
        more = rows >= asked  # nothing said: a full page may have a successor
    if not more:
        return None
    following = numbers.get("next_start")
    if not isinstance(following, int):
        # The server may cap the page below what was asked; it says so in `limit`.
        size = numbers.get("limit")
        following = start + (size if isinstance(size, int) and size > 0 else rows)
    if following <= start:
        raise Unknown("paging doesn't move on", what=call.kind)
    return following


def _at(call: Call, name: str, value: str) -> Call:
    kept = tuple(pair for pair in call.query if pair[0] != name)
    return Call(call.kind, call.method, call.path, (*kept, (name, value)), call.body)
