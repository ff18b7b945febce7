"""The sandbox's own paths on the server, under `/sandbox/`: what goes wrong, and what is there.

For programs on this machine only: the server listens on loopback, and a browser's cross-site
request (it carries an Origin) is refused. Not part of Pipedrive.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from daemon.sandbox.crm.board import board
from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Request, Response, json_response
from daemon.sandbox.crm.faults import read_fault
from daemon.sandbox.crm.seed import seed_from
from daemon.sandbox.crm.switches import Switches

PREFIX = "/sandbox/"


def administer(sandbox: Sandbox, request: Request) -> Response:
    """Answer one request to `/sandbox/…`."""
    if request.header("origin") is not None:
        return json_response(403, {"error": "not from a browser"})
    name = request.path.removeprefix(PREFIX)
    try:
        body = json.loads(request.body) if request.body else {}
        if name == "faults":
            return _faults(sandbox, request.method, body)
        if request.method == "GET" and name in _VIEWS:
            return json_response(200, _VIEWS[name](sandbox))
        if request.method == "POST" and name in _DEEDS:
            return json_response(200, {"result": _DEEDS[name](sandbox, body)})
    except (ValueError, TypeError, LookupError, sqlite3.IntegrityError) as error:
        return json_response(400, {"error": f"{type(error).__name__}: {error}"})
    return json_response(404, {"error": "no such path"})


def _faults(sandbox: Sandbox, method: str, body: Any) -> Response:
    if method == "POST":
        sandbox.faults.add(read_fault(body))
    elif method == "DELETE":
        sandbox.faults.clear(body.get("name"))
    return json_response(200, [asdict(fault) for fault in sandbox.faults.left()])


def _settings(sandbox: Sandbox, body: dict[str, Any]) -> dict[str, Any]:
    sandbox.change(**body)
    return {name: getattr(sandbox.settings, name) for name in body}


def _switch(name: str) -> Callable[[Sandbox, dict[str, Any]], Any]:
    return lambda sandbox, body: getattr(Switches(sandbox), name)(**body)


_DEEDS: dict[str, Callable[[Sandbox, Any], Any]] = {
    **{f"switches/{name}": _switch(name) for name in vars(Switches) if not name.startswith("_")},
    "seed": seed_from,
    "settings": _settings,
    "spend": lambda sandbox, body: sandbox.spend_elsewhere(int(body["tokens"])),
}
_VIEWS: dict[str, Callable[[Sandbox], Any]] = {
    "usage": lambda sandbox: asdict(sandbox.usage()),
    "requests": lambda sandbox: [asdict(logged) for logged in sandbox.requests],
    "board": lambda sandbox: [asdict(column) for column in board(sandbox)],
}
