"""The sandbox's own paths on the server, under `/sandbox/`: faults, people's acts, what is there.

For programs on this machine only: the server listens on loopback, and a browser's cross-site
request (it carries an Origin) is refused. Not part of Pipedrive.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from daemon.sandbox.crm.acts import Acts
from daemon.sandbox.crm.board import board, snapshot
from daemon.sandbox.crm.core import Sandbox
from daemon.sandbox.crm.exchange import Request, Response, json_response
from daemon.sandbox.crm.faults import read_fault
from daemon.sandbox.crm.seed import export, seed_from

PREFIX = "/sandbox/"
ACTS = frozenset(name for name in vars(Acts) if not name.startswith("_"))


def administer(sandbox: Sandbox, request: Request) -> Response:
    """Answer one request to `/sandbox/…`."""
    if request.header("origin") is not None:
        return json_response(403, {"error": "not from a browser"})
    name, _, rest = request.path.removeprefix(PREFIX).partition("/")
    try:
        body = json.loads(request.body) if request.body else {}
        if name == "faults":
            return _faults(sandbox, request.method, body)
        if request.method == "GET" and name in _VIEWS:
            return json_response(200, _VIEWS[name](sandbox))
        if request.method == "POST" and name in _DEEDS:
            return json_response(200, {"result": _DEEDS[name](sandbox, rest, body)})
    except (ValueError, TypeError, LookupError, sqlite3.IntegrityError) as error:
        return json_response(400, {"error": f"{type(error).__name__}: {error}"})
    return json_response(404, {"error": "no such path"})


def _faults(sandbox: Sandbox, method: str, body: Any) -> Response:
    if method == "POST":
        sandbox.faults.add(read_fault(body))
    elif method == "DELETE":
        sandbox.faults.clear()
    return json_response(200, [asdict(fault) for fault in sandbox.faults.left()])


def _act(sandbox: Sandbox, name: str, body: dict[str, Any]) -> Any:
    if name not in ACTS:
        raise LookupError(f"no act {name}")
    by = body.pop("by", None)
    args = body.pop("args", [])
    return getattr(Acts(sandbox, by), name)(*args, **body)


_DEEDS: dict[str, Callable[[Sandbox, str, Any], Any]] = {
    "acts": _act,
    "seed": lambda sandbox, _rest, body: seed_from(sandbox, body),
    "spend": lambda sandbox, _rest, body: sandbox.spend_elsewhere(int(body["tokens"])),
}
_VIEWS: dict[str, Callable[[Sandbox], Any]] = {
    "usage": lambda sandbox: asdict(sandbox.usage()),
    "requests": lambda sandbox: [asdict(logged) for logged in sandbox.requests],
    "board": lambda sandbox: [asdict(column) for column in board(sandbox)],
    "snapshot": snapshot,
    "export": export,
}
