"""Faults of the sandbox: which request breaks, how it looks, and whether the work was done."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from notify_socket import eventually
from sandbox_kit import BASE, Api, company

from daemon.sandbox.crm import Fault, Server, serve

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
    with serve(api.sandbox) as server:
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
    [{"kind": "nonsense"}, {"kind": "drop", "when": "during"}, {"kind": "drop", "path": "("}],
)
def test_a_fault_that_would_never_strike_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no such fault|not a regular expression"):
        Fault(**broken)


def test_faults_are_scripted_over_http() -> None:
    api = company()
    with serve(api.sandbox) as server:
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


def test_a_silent_line_does_not_outlive_the_server() -> None:
    api = company()
    api.sandbox.faults.add(Fault("timeout"))
    server = Server(api.sandbox)
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{server.url}{V2}/persons", timeout=(5, 0.05))
    server.close()
