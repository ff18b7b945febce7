import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from daemon.pipedrive.costs import PRICES, Call

Operations = dict[tuple[str, str], dict[str, Any]]


def _official(folder: Path, version: str) -> Operations:
    text = (folder / f"{version}.yaml").read_text()
    paths = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["paths"]  # noqa: S506 - both are safe loaders
    return {
        (
            method.upper(),
            f"/api/{version}{re.sub(r'{[^}]+}', '{}', re.sub(r'^/api/v[12]', '', path))}",
        ): operation
        for path, operations in paths.items()
        for method, operation in operations.items()
        if isinstance(operation, dict)
    }


@pytest.fixture(scope="module")
def official() -> Operations:
    folder = os.environ.get("PIPEDRIVE_OPENAPI")
    if not folder:
        pytest.skip("PIPEDRIVE_OPENAPI names no folder with the official v1.yaml and v2.yaml")
    return _official(Path(folder), "v1") | _official(Path(folder), "v2")


def test_every_price_is_the_official_one(official: Operations) -> None:
    """Each of our calls exists, isn't deprecated, and costs what the OpenAPI documents say."""
    for kind, price in PRICES.items():
        operation = official[price.method, price.path]
        assert (kind, price.tokens) == (kind, operation["x-token-cost"])
        assert not operation.get("deprecated"), kind


def test_lists_page_the_way_the_official_documents_say(official: Operations) -> None:
    for kind, price in PRICES.items():
        parameters = official[price.method, price.path].get("parameters", [])
        named = {p["name"] for p in parameters if p.get("in") == "query"}
        paging = "cursor" if "cursor" in named else "start" if "start" in named else "none"
        assert (kind, price.paging) == (kind, paging)


def test_a_call_is_built_from_its_kind() -> None:
    call = Call.to("deals.list", query={"person_id": 17, "status": "open", "done": True}, body=None)
    assert (call.method, call.path, call.cost, call.writes) == ("GET", "/api/v2/deals", 10, False)
    assert call.query == (("person_id", "17"), ("status", "open"), ("done", "true"))
    convert = Call.to("leads.convert_status", "adf21080-0e10", "7f0e")
    assert convert.path == "/api/v2/leads/adf21080-0e10/convert/status/7f0e"


@pytest.mark.parametrize(
    ("kind", "search", "writes"),
    [("persons.search", True, False), ("persons.list", False, False),
     ("persons.create", False, True), ("leads.update", False, True), ("deals.delete", False, True)],
)  # fmt: skip
def test_a_call_knows_its_windows(kind: str, search: bool, writes: bool) -> None:
    call = Call.to(kind, *(["1"] if "{}" in PRICES[kind].path else []))
    assert (call.is_search, call.writes) == (search, writes)


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [("persons.update", "POST", "/api/v2/persons/1"),
     ("persons.read", "GET", "/api/v2/persons/1/followers"),
     ("persons.read", "GET", "/api/v2/persons/"),
     ("persons.read", "GET", "/api/v2/persons/1?x=1"),
     ("persons.merge", "PUT", "/api/v1/persons/1/merge")],
)  # fmt: skip
def test_a_call_that_fits_no_row_is_a_bug(kind: str, method: str, path: str) -> None:
    with pytest.raises(ValueError, match="persons"):
        Call(kind, method, path)


def test_an_id_can_never_reach_another_path() -> None:
    assert Call.to("persons.read", "../deals/1").path == "/api/v2/persons/..%2Fdeals%2F1"
    with pytest.raises(ValueError, match=r"persons\.read"):
        Call.to("persons.read", "")
