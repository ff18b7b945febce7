"""The sandbox on a real socket: keep-alive, many clients, its own paths, stopping."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sandbox_kit import company

from daemon.errors import ConfigProblem
from daemon.sandbox.crm import Sandbox, Server

TOKEN = {"x-api-token": "sandbox-token-of-ada"}


def test_one_connection_serves_many_requests_whatever_their_answers() -> None:
    api = company()
    with Server(api.sandbox) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        line.connect()
        before = line.sock
        found = []
        for method, path, body in (
            ("POST", "/api/v2/persons", b'{"name": "Ann"}'),
            ("POST", "/api/v2/persons", b"{}"),
            ("GET", "/api/v2/persons?limit=1", b""),
            ("GET", "/nothing", b""),
        ):
            headers = {**TOKEN, "content-type": "application/json"}
            line.request(method, path, body, headers)
            answer = line.getresponse()
            found.append((answer.status, json.loads(answer.read())["success"]))
            assert line.sock is before
        line.close()
    assert found == [(200, True), (400, False), (200, True), (404, False)]


def test_twenty_clients_at_once_lose_and_double_nothing() -> None:
    api = company()
    with Server(api.sandbox) as server:

        def client(number: int) -> list[int]:
            with requests.Session() as session:
                session.headers.update(TOKEN)
                url = f"{server.url}/api/v2/persons"
                return [
                    session.post(url, json={"name": f"{number}-{n}"}, timeout=20).json()["data"][
                        "id"
                    ]
                    for n in range(12)
                ]

        with ThreadPoolExecutor(20) as pool:
            ids = [made for found in pool.map(client, range(20)) for made in found]
    assert sorted(ids) == list(range(1, 241))
    assert len({doc["name"] for doc in api.acts.every("persons")}) == 240
    assert len(api.sandbox.writes()) == 240


def test_things_are_looked_at_over_http() -> None:
    api = company()
    api.acts.add_deal("D", person_id=api.acts.add_person("Ann", "ann@acme.com"))
    with Server(api.sandbox) as server:
        view = {
            name: requests.get(f"{server.url}/sandbox/{name}", timeout=5).json()
            for name in ("board", "usage", "requests")
        }
        requests.post(f"{server.url}/sandbox/spend", json={"tokens": 7}, timeout=5)
        assert requests.get(f"{server.url}/sandbox/nothing", timeout=5).status_code == 404
    assert view["board"][1]["cards"][0]["person"] == "Ann"
    assert (view["usage"]["tokens"], view["requests"]) == (0, [])
    assert api.sandbox.usage().by_call["other integrations"] == (1, 7)


def test_a_browser_and_a_foreign_name_are_refused() -> None:
    api = company()
    with Server(api.sandbox) as server:
        from_page = requests.post(
            f"{server.url}/sandbox/spend",
            json={"tokens": 7},
            headers={"origin": "https://evil.example"},
            timeout=5,
        )
        renamed = requests.get(
            f"{server.url}/sandbox/board", headers={"host": "evil.example"}, timeout=5
        )
    assert (from_page.status_code, renamed.status_code) == (403, 421)
    assert api.sandbox.usage().by_call == {}


def test_it_listens_on_loopback_only() -> None:
    with Server(company().sandbox) as server:
        assert server._listener.server_address[0] == "127.0.0.1"
        assert server.url == f"http://127.0.0.1:{server.port}"


def test_a_request_without_a_length_is_refused() -> None:
    with (
        Server(company().sandbox) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as line,
    ):
        line.sendall(
            b"POST /api/v2/persons HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert line.recv(4096).startswith(b"HTTP/1.1 411 ")


def test_a_client_that_goes_away_harms_nobody() -> None:
    api = company()
    with Server(api.sandbox) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
            line.sendall(
                b"POST /api/v2/persons HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
            )
        assert (
            requests.get(f"{server.url}/api/v2/persons", headers=TOKEN, timeout=5).status_code
            == 200
        )
    assert api.acts.every("persons") == []


def test_the_process_keeps_its_store_over_a_kill(tmp_path: Path) -> None:
    store = tmp_path / "crm.db"
    url, process = start(store)
    made = requests.post(f"{url}/api/v2/persons", json={"name": "Ann"}, headers=TOKEN, timeout=5)
    assert made.status_code == 200
    process.kill()
    process.communicate()
    url, process = start(store)
    found = requests.get(f"{url}/api/v2/persons", headers=TOKEN, timeout=5).json()["data"]
    assert [person["name"] for person in found] == ["Ann"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0


def start(store: Path) -> tuple[str, "subprocess.Popen[str]"]:
    code = "import sys; from daemon.sandbox.crm import run_server; run_server(0, sys.argv[1], ready=lambda url, tokens: print(url, flush=True))"
    root = Path(__file__).parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    return process.stdout.readline().strip(), process


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("no database " * 100)
    with pytest.raises(ConfigProblem, match="not a sandbox store"):
        Sandbox(foreign)
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigProblem, match="format 99"):
        Sandbox(newer)


def test_a_listing_is_put_in_over_http() -> None:
    api = company()
    with Server(api.sandbox) as server:
        listing = {"persons": [{"id": 5, "name": "Ann Lee"}]}
        seeded = requests.post(f"{server.url}/sandbox/seed", json=listing, timeout=5)
        again = requests.post(f"{server.url}/sandbox/seed", json=listing, timeout=5)
    assert (seeded.status_code, again.status_code) == (200, 400)
    assert api.acts.get("persons", 5)["last_name"] == "Lee"


def test_a_defect_closes_the_line_undoes_the_work_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api = company()
    monkeypatch.setattr(api.sandbox, "_write_down", lambda *_: 1 / 0)
    with Server(api.sandbox) as server, pytest.raises(requests.ConnectionError):
        requests.post(
            f"{server.url}/api/v2/persons", json={"name": "Ann"}, headers=TOKEN, timeout=5
        )
    assert "sandbox.broken" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert api.acts.every("persons") == []
