"""A sandbox with a clock of its own and a session on it, for the tests of the sandbox.

Every exchange that a test makes is checked against the official description: what the sandbox
accepts must be described, and what it answers too.
"""

import json
from dataclasses import dataclass
from typing import Any

import requests
from acts import Acts
from openapi import Description

from daemon.sandbox.crm import Sandbox, SandboxAdapter, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

BASE = "http://sandbox.test"
START = 1_795_420_800.0  # 2026-11-23T08:00:00Z


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Reply:
    status: int
    body: Any
    headers: Any

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def error(self) -> str:
        return str(self.body["error"])

    @property
    def code(self) -> str | None:
        code: str | None = self.body.get("code")
        return code


@dataclass
class Api:
    """One company: `api.get("/api/v2/persons")`, `api.acts.win(1)`, `api.clock.passes(5)`."""

    sandbox: Sandbox
    clock: Clock
    session: requests.Session

    @property
    def acts(self) -> Acts:
        return Acts(self.sandbox)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Reply:
        response = self.session.request(
            method, BASE + path, params=_params(query), json=body, timeout=10
        )
        is_json = response.headers["content-type"].startswith("application/json")
        parsed = response.json() if is_json else response.text
        reply = Reply(response.status_code, parsed, response.headers)
        self._check(method, path, query, body, reply)
        return reply

    def _check(self, method: str, path: str, query: Any, body: Any, reply: Reply) -> None:
        known = Description.kept()
        if not isinstance(reply.body, dict) or known.find(method, path) is None:
            return
        problems = []
        if reply.status in (200, 201) and reply.body.get("success"):
            problems += known.check_request(method, path, _params(query), body)
        if reply.status != 200 or reply.body.get("success"):
            problems += known.check_response(method, path, reply.status, reply.body)
        assert problems == [], "\n".join(problems)

    def get(self, path: str, **query: Any) -> Reply:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None) -> Reply:
        return self.call("POST", path, {} if body is None else body)

    def patch(self, path: str, body: Any) -> Reply:
        return self.call("PATCH", path, body)

    def put(self, path: str, body: Any) -> Reply:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> Reply:
        return self.call("DELETE", path)

    def ids(self, path: str, **query: Any) -> list[Any]:
        reply = self.get(path, **query)
        assert reply.status == 200, reply.body
        return [item["id"] for item in reply.data]


def company(store: Any = ":memory:", *, clock: Clock | None = None, **settings: Any) -> Api:
    """A sandbox without burst limits unless asked for: tests have no two seconds to wait."""
    clock = clock or Clock()
    sandbox = Sandbox(store, settings=Settings(**{"burst": False, **settings}), clock=clock)
    session = requests.Session()
    session.trust_env = False
    session.headers["x-api-token"] = DEFAULT_TOKEN
    session.mount(BASE, SandboxAdapter(sandbox, sleep=clock.passes))
    return Api(sandbox, clock, session)


def _params(query: dict[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in query.items()
    }
