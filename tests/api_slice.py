"""The slice of Pipedrive's official API description that our tests need, as plain facts.

    python tests/api_slice.py [FOLDER]     writes tests/pipedrive_api.json

FOLDER holds v1.yaml and v2.yaml as Pipedrive publishes them (https://developers.pipedrive.com/docs/
api/v1/openapi.yaml and openapi-v2.yaml); unless named, it is what PIPEDRIVE_OPENAPI names or
`../shared/pipedrive`. Kept are operations, parameters, fields, types and token costs; no texts. The
answers are kept of those operations only that the sandbox answers.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
KEPT = HERE / "pipedrive_api.json"
_FAMILIES = re.compile(
    r"/(activities|activityTypes|deals|dealFields|leadLabels|leadSources|leads|organizations|notes|"
    r"organizationFields|persons|personFields|pipelines|stages|users|userSettings|itemSearch|"
    r"recents)(/|$)"
)
_METHODS = ("get", "post", "put", "patch", "delete")
_SCHEMA = ("type", "format", "nullable", "enum", "required", "additionalProperties")


def folder() -> Path | None:
    """Where the whole description is, beside this checkout or its main one; None without one."""
    named = os.environ.get("PIPEDRIVE_OPENAPI")
    if named:
        return Path(named)
    common = subprocess.run(
        ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=HERE, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    for root in (HERE.parent, Path(common or HERE.parent / ".git").parent):
        found = root.parent / "shared" / "pipedrive"
        if (found / "v1.yaml").is_file() and (found / "v2.yaml").is_file():
            return found
    return None


def sliced(source: Path) -> dict[str, Any]:
    """Operations by `METHOD version/path`, each with its cost, query, body and answers."""
    from daemon.sandbox.crm.core import ROUTER

    answered = {(route.version, route.method, route.template) for route in ROUTER.routes()}
    found: dict[str, Any] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for version in ("v1", "v2"):
        document = yaml.load((source / f"{version}.yaml").read_text(), loader)  # noqa: S506 - safe loaders
        for template, item in document["paths"].items():
            for method in set(item) & set(_METHODS):
                if _FAMILIES.match(template):
                    whole = (version, method.upper(), template) in answered
                    name = f"{method.upper()} {version}{template}"
                    found[name] = _operation(item, item[method], answers=whole)
    return dict(sorted(found.items()))


def _operation(item: Mapping[str, Any], spec: Mapping[str, Any], *, answers: bool) -> Any:
    kept: dict[str, Any] = {"tokens": spec.get("x-token-cost")}
    if spec.get("deprecated"):
        kept["deprecated"] = True
    parameters = (*item.get("parameters", ()), *spec.get("parameters", ()))
    kept["query"] = {p["name"]: _parameter(p) for p in parameters if p["in"] == "query"}
    body = spec.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        kept["body"] = _schema(body.get("schema", {}))
    if answers:
        kept["answers"] = {
            status: {"schema": _schema(content["schema"]), "examples": sorted(_named(content))}
            for status, answer in spec["responses"].items()
            if (content := answer.get("content", {}).get("application/json"))
        }
    return kept


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    says = (parameter.get("description") or "").lower()
    kept = {name: parameter["schema"][name] for name in _SCHEMA if name in parameter["schema"]}
    marks = {
        "list": "comma" in says,
        "sort": "desc" in says,
        "required": bool(parameter.get("required")),
    }
    return kept | {name: True for name, is_so in marks.items() if is_so}


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Types and names alone, `allOf` folded in."""
    kept: dict[str, Any] = {}
    for part in (schema, *map(_schema, schema.get("allOf", ()))):
        for name in _SCHEMA:
            if name == "required" and isinstance(part.get(name), list):
                kept[name] = sorted({*kept.get(name, ()), *part[name]})
            elif name in part and name != "required":
                value = part[name]
                kept.setdefault(name, bool(value) if name == "additionalProperties" else value)
        if "properties" in part:
            of = {name: _schema(value) for name, value in part["properties"].items()}
            kept["properties"] = {**kept.get("properties", {}), **of}
        if "items" in part:
            kept.setdefault("items", _schema(part["items"]))
        for word in ("oneOf", "anyOf"):
            if word in part:
                kept.setdefault(word, [_schema(option) for option in part[word]])
    return kept


def _named(content: Mapping[str, Any]) -> set[str]:
    """Keys that only the examples of an answer show."""
    return set(_keys(content.get("example"))) - set(_properties(_schema(content["schema"])))


def _keys(example: Any) -> Iterable[str]:
    values = example.values() if isinstance(example, dict) else example
    if isinstance(example, dict):
        yield from example
    if isinstance(example, dict | list):
        for value in values:
            yield from _keys(value)


def _properties(schema: Any) -> Iterable[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _properties(value)


def text(source: Path) -> str:
    """What `KEPT` holds: a line an operation, so that a change shows as such."""
    lines = [f"{json.dumps(name)}: {json.dumps(op)}" for name, op in sliced(source).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else folder()
    if where is None:
        sys.exit("no folder with v1.yaml and v2.yaml: name one")
    KEPT.write_text(text(where), encoding="utf-8")
    print(f"{KEPT.stat().st_size} bytes in {KEPT}")  # noqa: T201 - its only word
