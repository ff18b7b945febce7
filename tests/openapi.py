"""A small reader of Pipedrive's official API description (OpenAPI 3.0): is this call in it, and
are its query, body and answer what it says?

`Description.load(folder)` reads v1.yaml and v2.yaml; the checks give a list of problems, each a
line, empty when all is well. Three things are known of the description and allowed for: answers
hold null where it says nothing about null, keys that only its examples show, and the optional
fields that a query asks for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import yaml

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
    """One operation of the description with the parameters it may have."""

    version: str
    method: str
    template: str
    spec: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]

    @property
    def tokens(self) -> int | None:
        cost = self.spec.get("x-token-cost")
        return None if cost is None else int(cost)

    def __str__(self) -> str:
        return f"{self.method} {self.version}{self.template}"


class Description:
    """Both versions of the API."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.operations = tuple(_operations(documents))
        self._patterns = [(_pattern(op.template), op) for op in self.operations]
        self._patterns.sort(key=lambda pair: pair[1].template.count("{"))

    @classmethod
    def load(cls, folder: str | Path) -> "Description":
        """Read the folder that holds v1.yaml and v2.yaml; kept, since they are large."""
        return _load(Path(folder).resolve())

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
        schema = _json_schema(op.spec.get("requestBody", {}))
        if schema is None:
            if body not in (None, {}):
                problems.append("body: none expected")
        elif body is None:
            if schema.get("required"):
                problems.append("body: missing")
        else:
            problems += _check(schema, body, "body", answer=False, known=frozenset())
        return [f"{op}: {problem}" for problem in problems]

    def check_response(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """Is this answer what the description promises for this status?"""
        op = self.find(method, path)
        if op is None:
            return [f"{method} {path}: no such operation"]
        response = op.spec["responses"].get(str(status))
        if response is None:
            if status < 400:
                return [f"{op}: status {status} isn't described"]
            return [f"{op}: {problem}" for problem in _check_error(body)]
        schema = _json_schema(response)
        if schema is None:
            return []
        known = frozenset(_keys(response["content"]["application/json"].get("example")))
        known |= {
            name for p in op.parameters if p["name"] == "include_fields" for name in _names(p)
        }
        problems = _check(schema, body, "answer", answer=True, known=known)
        return [f"{op} {status}: {problem}" for problem in problems]


@cache
def _load(folder: Path) -> Description:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Description(
        {
            version: yaml.load((folder / f"{version}.yaml").read_text(), loader)  # noqa: S506 - safe loaders, the C one is 10x faster
            for version in ("v1", "v2")
        }
    )


def _operations(documents: Mapping[str, Any]) -> Iterable[Operation]:
    for version, document in documents.items():
        for template, item in document["paths"].items():
            for method, spec in item.items():
                if method in ("get", "post", "put", "patch", "delete"):
                    parameters = (*item.get("parameters", ()), *spec.get("parameters", ()))
                    yield Operation(version, method.upper(), template, spec, parameters)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\?\{[^}]*\\?\}", "[^/]+", re.escape(template)))


def _json_schema(holder: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content = holder.get("content", {}).get("application/json")
    return None if content is None else content.get("schema")


def _names(parameter: Mapping[str, Any]) -> Iterable[str]:
    for value in parameter["schema"].get("enum", ()):
        yield from value.split(",")


def _keys(example: Any) -> Iterable[str]:
    if isinstance(example, dict):
        for name, value in example.items():
            yield name
            yield from _keys(value)
    elif isinstance(example, list):
        for value in example:
            yield from _keys(value)


def _check_query(
    op: Operation, query: Mapping[str, Any] | Iterable[tuple[str, Any]] | str
) -> Iterable[str]:
    if isinstance(query, str):
        query = parse_qsl(query, keep_blank_values=True)
    pairs = list(query.items() if isinstance(query, Mapping) else query)
    allowed = {p["name"]: p for p in op.parameters if p["in"] == "query"}
    for name, parameter in allowed.items():
        if parameter.get("required") and name not in dict(pairs):
            yield f"query {name}: missing"
    for name, value in pairs:
        if name not in allowed:
            yield f"query {name}: not a parameter"
        else:
            yield from _check_query_value(allowed[name], name, str(value))


def _check_query_value(parameter: Mapping[str, Any], name: str, value: str) -> Iterable[str]:
    schema = parameter["schema"]
    kind = schema.get("type")
    if kind == "integer" and not re.fullmatch(r"-?\d+", value):
        yield f"query {name}: {value!r} isn't an integer"
    if kind == "boolean" and value not in ("true", "false"):
        yield f"query {name}: {value!r} isn't a boolean"
    if "enum" in schema:
        says = (parameter.get("description") or "").lower()
        given = value.split(",") if "comma" in says else [value]
        if "desc" in says:
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
    merged = _merged(schema)
    if value is None:
        fine = answer or merged.get("nullable") or not merged
        return [] if fine else [f"{path}: null"]
    for word in ("oneOf", "anyOf"):
        if word in merged:
            tries = [
                _check(option, value, path, answer=answer, known=known) for option in merged[word]
            ]
            return [] if any(not problems for problems in tries) else tries[0]
    kind = merged.get("type") or ("object" if "properties" in merged else None)
    if kind is not None and not _is(kind, value):
        return [f"{path}: {value!r} isn't of type {kind}"]
    problems = []
    if "enum" in merged and value not in merged["enum"]:
        problems.append(f"{path}: {value!r} isn't one of {merged['enum']}")
    if isinstance(value, dict):
        problems += _check_object(merged, value, path, answer=answer, known=known)
    if isinstance(value, list) and "items" in merged:
        for index, item in enumerate(value):
            problems += _check(
                merged["items"], item, f"{path}[{index}]", answer=answer, known=known
            )
    if isinstance(value, str):
        problems += _check_format(merged.get("format"), value, path)
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


def _merged(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema with its `allOf` parts folded in."""
    if "allOf" not in schema:
        return schema
    merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
    for part in map(_merged, schema["allOf"]):
        for name, value in part.items():
            if name == "properties":
                merged["properties"] = {**merged.get("properties", {}), **value}
            elif name == "required":
                merged["required"] = [*merged.get("required", ()), *value]
            else:
                merged.setdefault(name, value)
    return merged
