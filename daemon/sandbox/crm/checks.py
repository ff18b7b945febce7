"""Shapes of bodies and queries: what the API takes, to the letter.

A check takes `(path, value)` and gives the value to keep, or raises `Wrong`. A `Shape` collects
every problem of an object and refuses unknown keys, as the real validation does.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from daemon.sandbox.crm.api import API
from daemon.sandbox.crm.clock import read_stamp
from daemon.sandbox.crm.exchange import Doc, invalid

Check = Callable[[str, Any], Any]

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")
_DURATION = re.compile(r"\d{2,3}:[0-5]\d(:[0-5]\d)?")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)?")
_UTC_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_INTEGER = re.compile(r"-?\d{1,18}")
_BAD_TIME = "This value is not a valid datetime"
MAX_ADDRESS = 255


class Wrong(Exception):
    """One or more problems of one value, each `path: what is wrong`."""

    def __init__(self, *problems: str) -> None:
        """Keep the problems."""
        super().__init__("; ".join(problems))
        self.problems = problems


def not_valid(path: str, kind: str) -> Wrong:
    """The problem of a value of the wrong type."""
    return Wrong(f"{path}: The value is not a valid '{kind}'")


@dataclass(frozen=True, slots=True)
class Shape:
    """An object: its keys with their checks, those it must have, those nobody may set."""

    keys: Mapping[str, Check]
    required: tuple[str, ...] = ()
    read_only: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, path: str, value: Any) -> Doc:
        """Check an object; Wrong with every problem in it."""
        if not isinstance(value, dict):
            raise not_valid(path or "body", "object")
        problems = [
            f"{_join(path, name)}: A non-empty value is required"
            for name in self.required
            if name not in value
        ]
        kept: Doc = {}
        for name, given in value.items():
            where = _join(path, name)
            if name in self.read_only:
                problems.append(f"{where}: {self.read_only[name]}")
            elif name not in self.keys:
                problems.append(f"{where}: Parameter '{name}' is not allowed for this request")
            else:
                try:
                    kept[name] = self.keys[name](where, given)
                except Wrong as wrong:
                    problems.extend(wrong.problems)
        if problems:
            raise Wrong(*problems)
        return kept

    def read(self, value: Any) -> Doc:
        """The checked body; Refusal 400 with every problem."""
        try:
            return self("", value)
        except Wrong as wrong:
            raise invalid(*wrong.problems) from wrong


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _typed(kind: str, *types: type) -> Check:
    def check(path: str, value: Any) -> Any:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise not_valid(path, kind)
        return value

    return check


# JSON has these types; true and false aren't numbers.
integer = _typed("integer", int)
number = _typed("number", int, float)
boolean = _typed("boolean", bool)
string = _typed("string", str)


def text(limit: int, *, empty: bool = True) -> Check:
    """A string of at most `limit` characters."""

    def check(path: str, value: Any) -> str:
        string(path, value)
        if not empty and not value.strip():
            raise Wrong(f"{path}: A non-empty value is required")
        if len(value) > limit:
            raise Wrong(
                f"{path}: This value is too long. It should have {limit} characters or less"
            )
        return str(value)

    return check


def one_of(*allowed: Any) -> Check:
    """One of the values listed, of the same type."""

    def check(path: str, value: Any) -> Any:
        if isinstance(value, bool) or value not in allowed:
            names = ", ".join(str(name) for name in allowed)
            raise Wrong(f"{path}: The value you selected is not a valid choice ({names})")
        return value

    return check


def day(path: str, value: Any) -> str:
    """A date as YYYY-MM-DD."""
    string(path, value)
    try:
        if len(value) != len("2026-01-01"):
            raise not_valid(path, "date")
        return date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise Wrong(f"{path}: This value is not a valid date") from error


def time_of_day(path: str, value: Any) -> str:
    """HH:MM or HH:MM:SS, zero-padded; kept with seconds."""
    if not _TIME.fullmatch(string(path, value)):
        raise Wrong(f"{path}: {_BAD_TIME}")
    return value if value.count(":") == 2 else f"{value}:00"  # noqa: PLR2004 - HH:MM:SS


def duration(path: str, value: Any) -> str:
    """HH:MM or HH:MM:SS, zero-padded; kept with seconds."""
    if not _DURATION.fullmatch(string(path, value)):
        raise Wrong(f"{path}: {_BAD_TIME}")
    return value if value.count(":") == 2 else f"{value}:00"  # noqa: PLR2004 - HH:MM:SS


def moment(path: str, value: Any) -> str:
    """A time of a body, RFC 3339 or `YYYY-MM-DD HH:MM:SS` in UTC; kept in v2's format."""
    if not _STAMP.fullmatch(string(path, value)):
        raise Wrong(f"{path}: {_BAD_TIME}")
    return _stamp(path, value)


def uuid(path: str, value: Any) -> str:
    """A UUID in its usual form."""
    try:
        found = str(UUID(string(path, value)))
    except ValueError as error:
        raise not_valid(path, "uuid") from error
    if found != value.lower():  # UUID() also takes braces and missing dashes
        raise not_valid(path, "uuid")
    return found


def array(check: Check, limit: int = 1000) -> Check:
    """A JSON array of at most `limit` items."""

    def check_all(path: str, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise not_valid(path, "array")
        if len(value) > limit:
            raise Wrong(f"{path}: This collection should contain {limit} elements or less")
        return [check(f"{path}[{index}]", item) for index, item in enumerate(value)]

    return check_all


def nullable(check: Check) -> Check:
    """null, or what the check takes."""
    return lambda path, value: None if value is None else check(path, value)


def query_integer(path: str, value: str) -> int:
    """An integer of a query or a path."""
    if not _INTEGER.fullmatch(value):
        raise not_valid(path, "integer")
    return int(value)


def query_range(low: int, high: int) -> Check:
    """An integer of a query within bounds."""

    def check(path: str, value: str) -> int:
        found = query_integer(path, value)
        if not low <= found <= high:
            raise Wrong(f"{path}: This value should be between {low} and {high}")
        return found

    return check


def query_boolean(path: str, value: str) -> bool:
    """`true` or `false`."""
    if value not in ("true", "false"):
        raise not_valid(path, "boolean")
    return value == "true"


def query_moment(path: str, value: str) -> str:
    """RFC 3339 in whole seconds; a fraction is refused, as the real one does."""
    if not _UTC_STAMP.fullmatch(value):
        raise Wrong(f"{path}: {_BAD_TIME}")
    return _stamp(path, value)


def query_list(check: Check, limit: int = 100) -> Check:
    """A comma separated list of at most `limit` values."""

    def check_all(path: str, value: str) -> list[Any]:
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if len(parts) > limit:
            raise Wrong(f"{path}: A maximum of {limit} values is allowed")
        return [check(path, part) for part in parts]

    return check_all


def _stamp(path: str, value: str) -> str:
    try:
        return read_stamp(value)
    except ValueError as error:
        raise Wrong(f"{path}: {_BAD_TIME}") from error


ADDRESS = Shape(dict.fromkeys(API["address_parts"], text(MAX_ADDRESS)))
