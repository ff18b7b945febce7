"""Faults of the sandbox: which request breaks, how it looks, and whether the work was done."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from notify_socket import eventually
from sandbox_kit import BASE, Api, company

from daemon.sandbox.crm import Fault, Server

V2 = "/api/v2"
BROKEN = [
    ("drop", requests.ConnectionError),
    ("reset", requests.ConnectionError),
    ("timeout", requests.ReadTimeout),
]


@pytest.fixture(params=["adapter", "socket"])
def line(request: pytest.FixtureRequest) -> Iterator[tuple[Api, str]]:
    """One company, reached through the adapter or through a real socket."""
    api = company()
    if request.param == "adapter":
        yield api, BASE
        return
    with Server(api.sandbox) as server:
        yield api, server.url
        api.session.close()


def add(api: Api, base: str, patience: float = 10.0) -> requests.Response:
    waits = (10.0, patience)
    return api.session.post(f"{base}{V2}/persons", json={"name": "Ann"}, timeout=waits)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("kind", "error"), BROKEN)
def test_a_broken_line_raises_and_the_work_is_done_or_not(
    line: tuple[Api, str], kind: Any, error: type[Exception], when: Any
) -> None:
    api, base = line
    api.sandbox.faults.add(Fault(kind, when, method="POST"))
    with pytest.raises(error):
        add(api, base, 0.3 if kind == "timeout" else 10.0)
    eventually(lambda: len(api.sandbox.requests) == 1)  # given up on before the work, maybe
    assert len(api.acts.every("persons")) == (1 if when == "after" else 0)
    logged = api.sandbox.requests[-1]
    assert (logged.status, logged.outcome, logged.fault) == (0, 200 if when == "after" else 0, kind)
    assert len(api.sandbox.writes()) == (1 if when == "after" else 0)
    assert add(api, base).status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_html_and_the_work_is_done_or_not(
    line: tuple[Api, str], status: int, when: Any
) -> None:
    api, base = line
    api.sandbox.faults.add(Fault("error", when, status=status))
    response = add(api, base)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert len(api.acts.every("persons")) == (1 if when == "after" else 0)


def test_a_truncated_answer_is_no_json(line: tuple[Api, str]) -> None:
    api, base = line
    api.sandbox.faults.add(Fault("truncate"))
    response = add(api, base)
    assert response.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        response.json()


def test_a_line_cut_inside_the_body_raises(line: tuple[Api, str]) -> None:
    api, base = line
    api.sandbox.faults.add(Fault("short"))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        add(api, base)
    assert len(api.acts.every("persons")) == 1


def test_success_false_comes_with_a_200(line: tuple[Api, str]) -> None:
    api, base = line
    api.sandbox.faults.add(Fault("unsuccessful"))
    response = add(api, base)
    assert (response.status_code, response.json()["success"]) == (200, False)


def test_a_429_and_a_block_do_no_work(line: tuple[Api, str]) -> None:
    api, base = line
    api.sandbox.faults.add(Fault("rate_limit", retry_after=7))
    api.sandbox.faults.add(Fault("blocked"))
    limited, blocked = add(api, base), add(api, base)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert (blocked.status_code, blocked.headers["server"]) == (403, "cloudflare")
    assert api.acts.every("persons") == []


def test_a_slow_answer_is_late_and_right(line: tuple[Api, str]) -> None:
    api, base = line
    api.sandbox.faults.add(Fault("slow", seconds=0.01))
    assert add(api, base).json()["data"]["name"] == "Ann"
    api.sandbox.faults.add(Fault("slow", seconds=3))
    with pytest.raises(requests.ReadTimeout):
        add(api, base, 0.3)
    eventually(lambda: len(api.sandbox.requests) == 2)
    assert len(api.acts.every("persons")) == 2


@pytest.mark.parametrize(("status", "sent"), [(301, 301), (307, 307), (500, 302)])
def test_a_redirect_names_the_same_path_elsewhere_and_does_no_work(
    line: tuple[Api, str], status: int, sent: int
) -> None:
    api, base = line
    fault = Fault("redirect", status=status, location="https://new.example", path="/persons$")
    api.sandbox.faults.add(fault)
    moved = api.session.get(f"{base}{V2}/persons?limit=1", allow_redirects=False, timeout=10)
    assert moved.status_code == sent
    assert moved.headers["location"] == f"https://new.example{V2}/persons?limit=1"


def test_one_record_may_be_refused_for_its_own_reasons(line: tuple[Api, str]) -> None:
    api, base = line
    first, second = (api.acts.add_person(name) for name in ("Ann", "Ben"))
    api.sandbox.faults.add(Fault("refuse", path=f"/persons/{first}$", status=403, count=None))
    api.sandbox.faults.add(Fault("refuse", body='"Cleo"', status=402, error="Pay", code="ERR_PAY"))
    read = [
        api.session.get(f"{base}{V2}/persons/{one}", timeout=10).status_code
        for one in (first, second)
    ]
    paid = api.session.post(f"{base}{V2}/persons", json={"name": "Cleo"}, timeout=10)
    assert read == [403, 200]
    assert (paid.status_code, paid.json()["error"], paid.json()["code"]) == (402, "Pay", "ERR_PAY")
    assert len(api.acts.every("persons")) == 2


SHAPES: dict[Any, Any] = {
    "null": {"success": True, "data": None},
    "missing": {"success": True},
    "scalar": {"success": True, "data": 7},
    "keyless": {"success": True, "data": {}},
    "bare": None,
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_comes_in_an_odd_shape_and_the_work_is_done_or_not(shape: Any, when: Any) -> None:
    api = company()
    api.sandbox.faults.add(Fault("shape", when, shape=shape))
    answer = add(api, BASE)
    assert (answer.status_code, answer.json()) == (200, SHAPES[shape])
    assert len(api.acts.every("persons")) == (1 if when == "after" else 0)
    assert [logged.outcome for logged in api.sandbox.requests] == [200 if when == "after" else 0]


def test_odd_shapes_of_lists_and_bodies() -> None:
    api = company()
    person = api.acts.add_person("Ann")

    def read(shape: Any, path: str = f"{V2}/persons") -> requests.Response:
        api.sandbox.faults.add(Fault("shape", shape=shape, size=100_000))
        return api.session.get(BASE + path, timeout=10)

    plain = api.session.get(f"{BASE}{V2}/persons", timeout=10).json()
    assert read("swapped").json()["data"] == {"0": plain["data"][0]}
    assert read("swapped", f"{V2}/persons/{person}").json()["data"] == plain["data"]
    assert read("strings").json()["data"][0]["id"] == str(person)
    assert read("strings").json()["data"][0]["is_deleted"] is False
    assert read("keyless").json()["data"] == [{}]
    assert read("nulls").json()["data"] == [None]
    assert set(read("nulls", f"{V2}/persons/{person}").json()["data"].values()) == {None}
    assert read("array").json() == [plain]
    assert read("empty").content == b""
    assert read("html").headers["content-type"].startswith("text/html")
    huge = read("huge")
    assert (len(huge.content) > 100_000, huge.json()["data"]) == (True, plain["data"])


def test_each_third_request_fails_until_faults_of_that_name_are_cleared() -> None:
    api = company()
    api.sandbox.faults.add(Fault("error", "before", every=3, count=None, name="flaky"))
    api.sandbox.faults.add(Fault("slow", seconds=1, path="/stages$", name="slow"))
    found = [api.get(f"{V2}/persons").status for _ in range(7)]
    api.sandbox.faults.clear("flaky")
    assert found == [500, 200, 200, 500, 200, 200, 500]
    assert [fault.name for fault in api.sandbox.faults.left()] == ["slow"]


def test_faults_may_be_about_a_query() -> None:
    api = company()
    api.sandbox.faults.add(Fault("error", "before", query="person_id=7", count=None))
    assert api.get(f"{V2}/deals", person_id=7).status == 500
    assert api.get(f"{V2}/deals", person_id=8).status == 200


def test_a_fault_skips_counts_and_fits_by_method_and_path() -> None:
    api = company()
    api.sandbox.faults.add(
        Fault("error", "before", method="GET", path="/persons$", skip=1, count=2)
    )
    api.post(f"{V2}/persons", {"name": "A"})
    paths = ["persons", "organizations", "persons", "persons", "persons"]
    assert [api.get(f"{V2}/{path}").status for path in paths] == [200, 200, 500, 500, 200]
    assert api.sandbox.faults.left() == ()


def test_a_fault_without_a_count_goes_on_until_it_is_cleared() -> None:
    api = company()
    api.sandbox.faults.add(Fault("error", "before", count=None))
    assert [api.get(f"{V2}/persons").status for _ in range(3)] == [500] * 3
    api.sandbox.faults.clear()
    assert api.get(f"{V2}/persons").status == 200


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "nonsense"},
        {"kind": "drop", "when": "during"},
        {"kind": "drop", "path": "("},
        {"kind": "drop", "body": "("},
        {"kind": "shape", "shape": "round"},
        {"kind": "drop", "every": 0},
    ],
)
def test_a_fault_that_would_never_strike_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no such fault|not a regular expression"):
        Fault(**broken)


def test_faults_are_scripted_over_http() -> None:
    api = company()
    with Server(api.sandbox) as server:
        added = requests.post(
            f"{server.url}/sandbox/faults", json={"kind": "error", "when": "before"}, timeout=5
        )
        assert [fault["kind"] for fault in added.json()] == ["error"]
        assert api.get(f"{V2}/persons").status == 500
        assert requests.get(f"{server.url}/sandbox/faults", timeout=5).json() == []
        refused = requests.post(f"{server.url}/sandbox/faults", json={"kind": "x"}, timeout=5)
        assert refused.status_code == 400
        requests.post(f"{server.url}/sandbox/faults", json={"kind": "drop"}, timeout=5)
        assert requests.delete(f"{server.url}/sandbox/faults", timeout=5).json() == []
        for name in ("one", "two"):
            rule = {"kind": "drop", "name": name}
            requests.post(f"{server.url}/sandbox/faults", json=rule, timeout=5)
        left = requests.delete(f"{server.url}/sandbox/faults", json={"name": "one"}, timeout=5)
        assert [fault["name"] for fault in left.json()] == ["two"]


def test_a_silent_line_does_not_outlive_the_server() -> None:
    api = company()
    api.sandbox.faults.add(Fault("timeout"))
    server = Server(api.sandbox)
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{server.url}{V2}/persons", timeout=(5, 0.05))
    server.close()
