"""Custom field values: v2's nested object, v1's flat keys, and the checks of each type.

Kept in v2's form (`{field_code: value}`, unset fields absent). Deals and leads share one set of
fields. It doesn't compute: formula and other read-only types don't exist here.
"""

import re
from collections.abc import Mapping
from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.checks import Check, Shape, Wrong
from daemon.sandbox.crm.exchange import Doc

HASH_KEY = re.compile(r"([0-9a-f]{40})(?:_([a-z_0-9]+))?")
VARCHAR_LIMIT = 255
TEXT_LIMIT = 65_000
DOUBLE_DIGITS = 14
SEARCHABLE_TYPES = ("address", "varchar", "text", "varchar_auto", "double", "monetary", "phone")


def _double(path: str, value: Any) -> float | int:
    found: float | int = checks.number(path, value)
    if len(str(abs(int(found)))) > DOUBLE_DIGITS:
        raise Wrong(f"{path}: This value should have {DOUBLE_DIGITS} digits or less")
    return found


def _span(check: Check) -> Check:
    return Shape(
        {"value": check, "until": checks.nullable(check), "timezone_name": checks.string},
        required=("value",),
    )


_CHECKS: Mapping[str, Check] = {
    "varchar": checks.text(VARCHAR_LIMIT),
    "varchar_auto": checks.text(VARCHAR_LIMIT),
    "text": checks.text(TEXT_LIMIT),
    "phone": checks.text(VARCHAR_LIMIT),
    "double": _double,
    "monetary": Shape(
        {"value": checks.number, "currency": checks.text(3)}, required=("value", "currency")
    ),
    "date": checks.day,
    "daterange": _span(checks.day),
    "time": Shape(
        {"value": checks.time_of_day, "timezone_name": checks.string}, required=("value",)
    ),
    "timerange": _span(checks.time_of_day),
    "address": checks.ADDRESS,
    "org": checks.integer,
    "people": checks.integer,
    "user": checks.integer,
}
FIELD_TYPES = (*_CHECKS, "enum", "set")

# v1 splits a value over several root keys: suffix -> name inside the v2 object.
_V1_PARTS: Mapping[str, Mapping[str, str]] = {
    "monetary": {"": "value", "currency": "currency"},
    "daterange": {"": "value", "until": "until"},
    "time": {"": "value", "timezone_id": "timezone_name"},
    "timerange": {"": "value", "until": "until", "timezone_id": "timezone_name"},
    "address": {"": "value"},
}


def check_value(definition: Doc, path: str, value: Any) -> Any:
    """One value in v2's form against its field's type; null clears."""
    if value is None:
        return None
    kind = definition["field_type"]
    known = {option["id"] for option in definition["options"] or ()}
    if kind == "enum":
        if checks.integer(path, value) not in known:
            raise Wrong(f"{path}: The option '{value}' doesn't exist")
        return value
    if kind == "set":
        if value == []:
            raise Wrong(f"{path}: This collection should contain 1 element or more")
        chosen = checks.array(checks.integer)(path, value)
        missing = [option for option in chosen if option not in known]
        if missing:
            raise Wrong(f"{path}: The option '{missing[0]}' doesn't exist")
        return chosen
    return _CHECKS[kind](path, value)


def nested(fields: Mapping[str, Doc]) -> Check:
    """v2: the check of a body's `custom_fields`, for the fields there are."""

    def check(path: str, value: Any) -> Doc:
        if not isinstance(value, dict):
            raise checks.not_valid(path, "object")
        kept: Doc = {}
        problems: list[str] = []
        for code, given in value.items():
            if code not in fields:
                problems.append(f"{path}: Unknown key '{code}'")
                continue
            try:
                kept[code] = check_value(fields[code], f"{path}.{code}", given)
            except Wrong as wrong:
                problems.extend(wrong.problems)
        if problems:
            raise Wrong(*problems)
        return kept

    return check


def from_v1(fields: Mapping[str, Doc], flat: Mapping[str, Any]) -> Doc:
    """v1: root keys `<hash>` and `<hash>_<part>` to v2's form; Wrong for what isn't a field."""
    kept: Doc = {}
    for key, value in flat.items():
        match = HASH_KEY.fullmatch(key)
        if match is None or match[1] not in fields:
            raise Wrong(f"{key}: Parameter '{key}' is not allowed for this request")
        code, suffix = match[1], match[2] or ""
        definition = fields[code]
        parts = _V1_PARTS.get(definition["field_type"])
        if parts is None and not suffix:
            kept[code] = check_value(definition, key, _v1_scalar(definition, key, value))
        elif parts is None or suffix not in parts:
            raise Wrong(f"{key}: Parameter '{key}' is not allowed for this request")
        elif value is None and not suffix:
            kept[code] = None
        else:
            kept.setdefault(code, {})
            if kept[code] is not None:
                kept[code][parts[suffix]] = value
    return {
        code: check_value(fields[code], code, value) if isinstance(value, dict) else value
        for code, value in kept.items()
    }


def to_v1(fields: Mapping[str, Doc], values: Mapping[str, Any]) -> Doc:
    """v2's form to v1's root keys; unset fields stay absent, as v1 leads have it."""
    flat: Doc = {}
    for code, value in values.items():
        definition = fields.get(code)
        if definition is None or value is None:
            continue
        parts = _V1_PARTS.get(definition["field_type"])
        if parts is not None:
            for suffix, name in parts.items():
                flat[f"{code}_{suffix}" if suffix else code] = value.get(name)
        elif definition["field_type"] == "set":
            flat[code] = ",".join(str(option) for option in value)
        else:
            flat[code] = value
    return flat


def merge(before: Mapping[str, Any], change: Mapping[str, Any]) -> Doc:
    """The values after a PATCH: key by key, null clears."""
    after = {**before, **change}
    return {code: value for code, value in after.items() if value is not None}


def shown(
    fields: Mapping[str, Doc],
    values: Mapping[str, Any],
    only: list[str] | None,
    *,
    nulls: bool,
) -> Doc:
    """v2's `custom_fields` of an answer: the ones asked for, unset ones as null or absent."""
    codes = fields if only is None else [code for code in only if code in fields]
    if nulls:
        return {code: values.get(code) for code in codes}
    return {code: values[code] for code in codes if code in values}


def search_terms(definition: Doc, value: Any) -> list[str]:
    """The texts under which a search finds this value."""
    if definition["field_type"] not in SEARCHABLE_TYPES or value is None:
        return []
    if isinstance(value, dict):
        return [str(value["value"])] if value.get("value") is not None else []
    return [str(value)]


def _v1_scalar(definition: Doc, key: str, value: Any) -> Any:
    if definition["field_type"] != "set" or not isinstance(value, str):
        return value
    try:
        return [int(part) for part in value.split(",")]
    except ValueError as error:
        raise checks.not_valid(key, "set") from error
