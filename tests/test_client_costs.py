import re

import pytest
from openapi import Description

from daemon.pipedrive.costs import PRICES, Call

OFFICIAL = {
    (op.method, f"/api/{op.version}{re.sub(r'{[^}]+}', '{}', op.template)}"): op
    for op in Description.kept().operations
}


@pytest.mark.parametrize("kind", PRICES)
def test_every_price_is_the_official_one(kind: str) -> None:
    """Each of our calls exists, isn't deprecated, costs what is said, and pages as is said."""
    price = PRICES[kind]
    operation = OFFICIAL[price.method, price.path]
    paging = next((name for name in ("cursor", "start") if name in operation.query), "none")
    assert (price.tokens, price.paging) == (operation.tokens, paging)
    assert not operation.spec.get("deprecated")


def test_a_call_is_built_from_its_kind() -> None:
    query: dict[str, str | int | bool] = {"person_id": 17, "status": "open", "done": True}
    call = Call.to("deals.list", query=query, body=None)
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
