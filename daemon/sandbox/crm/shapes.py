"""Answers in odd shapes: a right answer, rewritten as an API was seen to answer on a bad day.

The status stays as it is; what changes is the body (and for HTML its type).
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from daemon.sandbox.crm.exchange import Response, html_response, json_response

Shape = Literal[
    "null",  # success:true, data:null
    "none",  # an empty list where there are rows, an empty object
    "missing",  # no `data` at all
    "swapped",  # a list where an object belongs, an object where a list does
    "strings",  # every number as a string
    "keyless",  # objects without any key
    "nulls",  # every value of an object is null, every member of a list too
    "scalar",  # data is a number
    "bare",  # the body is the JSON word null
    "array",  # the body is an array instead of the envelope
    "empty",  # no body
    "html",  # a page of HTML, with status 200 too
    "huge",  # the right answer, and `size` bytes of padding beside it
]


def reshaped(answer: Response, shape: Shape, size: int) -> Response:
    """The same answer in another shape; `size` in bytes, for the huge one."""
    if shape == "empty":
        return replace(answer, body=b"")
    if shape == "html":
        return replace(html_response(answer.status, "Pipedrive"), delay=answer.delay)
    body: Any = json.loads(answer.body)
    if shape == "bare":
        body = None
    elif shape == "array":
        body = [body]
    elif shape == "missing":
        body.pop("data", None)
    elif shape == "huge":
        body["padding"] = "x" * size
    else:
        body["data"] = _DATA[shape](body.get("data"))
    made = json_response(answer.status, body)
    return replace(answer, headers={**answer.headers, **made.headers}, body=made.body)


def _swapped(data: Any) -> Any:
    if not isinstance(data, list):
        return [data]
    return {str(number): item for number, item in enumerate(data)}


def _strings(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _strings(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_strings(value) for value in data]
    is_number = isinstance(data, int | float) and not isinstance(data, bool)
    return str(data) if is_number else data


def _keyless(data: Any) -> Any:
    return [{} for _ in data] if isinstance(data, list) else {}


def _nulls(data: Any) -> Any:
    if isinstance(data, list):
        return [None for _ in data]
    return dict.fromkeys(data) if isinstance(data, dict) else None


_DATA: dict[str, Callable[[Any], Any]] = {
    "null": lambda _data: None,
    "none": lambda data: [] if isinstance(data, list) else {},
    "swapped": _swapped,
    "strings": _strings,
    "keyless": _keyless,
    "nulls": _nulls,
    "scalar": lambda _data: 7,
}
