"""Pipedrive's official API description, in the slice that is kept here (`api_slice.py` makes it): is
this call in it, and are its query, body and answer what it says?

The checks give a list of problems, each a line, empty when all is well. Three things are known of
the description and allowed for: answers hold null where it says nothing about null, keys that only
its examples show, and the optional fields that a query asks for.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from api_slice import KEPT

# What the description lacks and the real API takes (seen by others, and confirmed to them by its
# support, https://github.com/juhokoskela/pipedrive-go).
BESIDES = {"POST v2/deals": {"channel_id"}, "PATCH v2/deals/{id}": {"channel_id"}}
PREFIXES = {"/api/v2": "v2", "/api/v1": "v1", "/v1": "v1"}
HASH_KEY = re.compile(r"[0-9a-f]{40}(_[a-z_0-9]+)?")
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


@dataclass(frozen=True)
class Operation:
    """One operation of the description: its parameters, body and answers as schemas."""

    version: str
    method: str
    template: str
    spec: Mapping[str, Any]

    @property
    def tokens(self) -> int | None:
        tokens: int | None = self.spec["tokens"]
        return tokens

    @property
    def query(self) -> Mapping[str, Any]:
        query: Mapping[str, Any] = self.spec["query"]
        return query

    def __str__(self) -> str:
        return f"{self.method} {self.version}{self.template}"


class Description:
    """Both versions of the API."""

    def __init__(self, slice_: Mapping[str, Any]) -> None:
        self.operations = tuple(_operation(name, spec) for name, spec in slice_.items())
        self._patterns = [(_pattern(op.template), op) for op in self.operations]
        self._patterns.sort(key=lambda pair: pair[1].template.count("{"))

    @classmethod
    @cache
    def kept(cls) -> "Description":
        """The slice in this folder."""
        return cls(json.loads(KEPT.read_text(encoding="utf-8")))

    def find(self, method: str, path: str) -> Operation | None:
        """The operation that a request means, or None when there is none."""
        for prefix, version in PREFIXES.items():
            if path.startswith(prefix + "/"):
                rest = path[len(prefix) :]
                for pattern, op in self._patterns:
                    if (op.version, op.method) == (version, method) and pattern.fullmatch(rest):
                        return op
        return None

    def check_request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | Iterable[tuple[str, Any]] | str = (),
        body: Any = None,
    ) -> list[str]:
        """Is this request one that the description knows, with a query and body that fit?"""
        op = self.find(method, path)
        if op is None:
            return [f"{method} {path}: no such operation"]
        problems = [*_check_query(op, query)]
        schema = op.spec.get("body")
        if schema is None:
            if body not in (None, {}):
                problems.append("body: none expected")
        elif body is None:
            if schema.get("required"):
                problems.append("body: missing")
        else:
            known = frozenset(BESIDES.get(str(op), ()))
            problems += _check(schema, body, "body", answer=False, known=known)
        return [f"{op}: {problem}" for problem in problems]

    def check_response(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """Is this answer what the description promises for this status?"""
        op = self.find(method, path)
        if op is None:
            return [f"{method} {path}: no such operation"]
        answer = op.spec.get("answers", {}).get(str(status))
        if answer is None:
            if status < 400:
                return [f"{op}: status {status} isn't described"]
            return [f"{op}: {problem}" for problem in _check_error(body)]
        schema = answer["schema"]
        known = frozenset(answer["examples"]) | frozenset(
            _names(op.query.get("include_fields", {}))
        )
        problems = _check(schema, body, "answer", answer=True, known=known)
        return [f"{op} {status}: {problem}" for problem in problems]


def _operation(name: str, spec: Mapping[str, Any]) -> Operation:
    method, _, path = name.partition(" ")
    version, _, template = path.partition("/")
    return Operation(version, method, f"/{template}", spec)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\?\{[^}]*\\?\}", "[^/]+", re.escape(template)))


def _names(parameter: Mapping[str, Any]) -> Iterable[str]:
    for value in parameter.get("enum", ()):
        yield from value.split(",")


def _check_query(
    op: Operation, query: Mapping[str, Any] | Iterable[tuple[str, Any]] | str
) -> Iterable[str]:
    if isinstance(query, str):
        query = parse_qsl(query, keep_blank_values=True)
    pairs = list(query.items() if isinstance(query, Mapping) else query)
    allowed = op.query
    for name, parameter in allowed.items():
        if parameter.get("required") and name not in dict(pairs):
            yield f"query {name}: missing"
    for name, value in pairs:
        if name not in allowed:
            yield f"query {name}: not a parameter"
        else:
            yield from _check_query_value(allowed[name], name, str(value))


def _check_query_value(parameter: Mapping[str, Any], name: str, value: str) -> Iterable[str]:
    schema = parameter
    kind = schema.get("type")
    if kind == "integer" and not re.fullmatch(r"-?\d+", value):
        yield f"query {name}: {value!r} isn't an integer"
    if kind == "boolean" and value not in ("true", "false"):
        yield f"query {name}: {value!r} isn't a boolean"
    if "enum" in schema:
        given = value.split(",") if schema.get("list") else [value]
        if schema.get("sort"):
            given = [re.sub(r" (ASC|DESC)$", "", one.strip()) for one in given]
        yield from (
            f"query {name}: {one!r} isn't one of {schema['enum']}"
            for one in given
            if one not in [str(allowed) for allowed in schema["enum"]]
        )


def _check_error(body: Any) -> list[str]:
    if not isinstance(body, dict):
        return ["an error that isn't an object"]
    problems = []
    if body.get("success") is not False:
        problems.append("success: not false in an error")
    if not isinstance(body.get("error"), str) or not body["error"]:
        problems.append("error: no text")
    return problems


def _check(
    schema: Mapping[str, Any], value: Any, path: str, *, answer: bool, known: frozenset[str]
) -> list[str]:
    if value is None:
        fine = answer or schema.get("nullable") or not schema
        return [] if fine else [f"{path}: null"]
    for word in ("oneOf", "anyOf"):
        if word in schema:
            tries = [
                _check(option, value, path, answer=answer, known=known) for option in schema[word]
            ]
            return [] if any(not problems for problems in tries) else tries[0]
    kind = schema.get("type") or ("object" if "properties" in schema else None)
    if kind is not None and not _is(kind, value):
        return [f"{path}: {value!r} isn't of type {kind}"]
    problems = []
    if "enum" in schema and value not in schema["enum"]:
        problems.append(f"{path}: {value!r} isn't one of {schema['enum']}")
    if isinstance(value, dict):
        problems += _check_object(schema, value, path, answer=answer, known=known)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            problems += _check(
                schema["items"], item, f"{path}[{index}]", answer=answer, known=known
            )
    if isinstance(value, str):
        problems += _check_format(schema.get("format"), value, path)
    return problems


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def _check_format(form: str | None, value: str, path: str) -> list[str]:
    patterns = {
        "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "date": r"\d{4}-\d\d-\d\d",
        "date-time": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?",
    }
    if form in patterns and not re.fullmatch(patterns[form], value):
        return [f"{path}: {value!r} isn't a {form}"]
    return []


def _check_object(
    schema: Mapping[str, Any],
    value: Mapping[str, Any],
    path: str,
    *,
    answer: bool,
    known: frozenset[str],
) -> list[str]:
    properties = schema.get("properties", {})
    problems = [
        f"{path}.{name}: missing" for name in schema.get("required", ()) if name not in value
    ]
    free = schema.get("additionalProperties") or not properties
    for name, item in value.items():
        if name in properties:
            problems += _check(properties[name], item, f"{path}.{name}", answer=answer, known=known)
        elif not free and name not in known and not HASH_KEY.fullmatch(name):
            problems.append(f"{path}.{name}: not in the description")
    return problems
