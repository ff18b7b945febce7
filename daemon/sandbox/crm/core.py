"""The sandbox itself: one request in, one answer out, out of a store.

Every request passes the same gates in the same order: fault, token, burst window, daily budget,
endpoint. It is one transaction, and is written down with what it cost. Nothing here opens a
socket; the adapter and the server do.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

from daemon.sandbox.crm import (
    activities,
    company,
    conversions,
    deals,
    definitions,
    leads,
    organizations,
    participants,
    persons,
    search,
    world,
)
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.clock import day_of
from daemon.sandbox.crm.exchange import Doc, Refusal, Request, Response, invalid
from daemon.sandbox.crm.faults import Faults
from daemon.sandbox.crm.limits import Limits
from daemon.sandbox.crm.permissions import need
from daemon.sandbox.crm.routing import Endpoint, Router
from daemon.sandbox.crm.settings import Settings
from daemon.sandbox.crm.store import Store

ROUTER = Router(
    (
        *organizations.ROUTES,
        *persons.ROUTES,
        *deals.ROUTES,
        *participants.ROUTES,
        *leads.ROUTES,
        *conversions.ROUTES,
        *activities.ROUTES,
        *definitions.ROUTES,
        *company.ROUTES,
        *search.ROUTES,
    )
)
OTHER = "other integrations"
WRITES = ("POST", "PATCH", "PUT", "DELETE")
_BODY_LIMIT = 200_000
_LOG = "number, at, user, method, path, query, body, status, outcome, tokens, call, fault"


@dataclass(frozen=True, slots=True)
class Logged:
    """One request as it was written down.

    `status` is what was sent, 0 for a broken line; `outcome` is how the work itself ended, 0 if
    none was done; they differ only where a `fault` struck.
    """

    number: int
    at: float
    user: str
    method: str
    path: str
    query: str
    body: str
    status: int
    outcome: int
    tokens: int
    call: str
    fault: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls and tokens of one UTC day, altogether and by kind of call."""

    day: str
    calls: int
    tokens: int
    budget: int
    by_call: dict[str, tuple[int, int]]


@dataclass(slots=True)
class _Passage:
    """What is known of a request on its way to the log."""

    now: float
    route: Endpoint | None = None
    user: str = ""
    tokens: int = 0
    outcome: int = 0
    fault: str = ""


class Sandbox:
    """A Pipedrive company in a file or in memory; safe to use from many threads."""

    def __init__(
        self,
        store: str | Path = ":memory:",
        *,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the store; a new one gets the settings' users and the default pipelines."""
        self.settings = settings or Settings()
        self.clock = clock
        self.store = Store(store)
        self.faults = Faults()
        self.lock = threading.RLock()
        self._limits = Limits()
        with self.lock, self.store.transaction():
            world.furnish(self.store, self.settings, self.clock())

    def close(self) -> None:
        """Close the store."""
        with self.lock:
            self.store.close()

    def handle(self, request: Request) -> Response:
        """Answer one request, or say how the line breaks (`Response.cut`)."""
        with self.lock, self.store.transaction():
            self.store.remember = max(self.settings.list_lag, self.settings.read_lag)
            passage = _Passage(self.clock())
            fault = self.faults.take(request)
            response = Response(0)
            if fault is None or fault.works:
                response = self._answer(request, passage)
                passage.outcome = response.status
            elif fault.is_undone:
                with self.store.undone():
                    response = self._answer(request, passage)
            if fault is not None:
                passage.fault = fault.kind
                response = fault.strike(request, response)
            number = self._write_down(request, passage, response)
        return replace(
            response,
            headers={
                "date": formatdate(passage.now, usegmt=True),
                **response.headers,
                "x-correlation-id": correlation_id(number),
            },
            delay=response.delay + self.settings.latency,
        )

    def change(self, **changes: Any) -> None:
        """Change settings while the sandbox runs; TypeError for one that there isn't."""
        with self.lock:
            self.settings = replace(self.settings, **changes)

    @contextmanager
    def at_work(self, email: str | None = None) -> Iterator[ApiCall]:
        """A person at work in the web UI: one transaction, no token, no limit, no log."""
        with self.lock, self.store.transaction():
            self.store.remember = max(self.settings.list_lag, self.settings.read_lag)
            users = self.store.select("users", "is_deleted = 0")
            user = next((doc for doc in users if email in (None, doc["email"])), None)
            if user is None:
                raise LookupError(f"no user {email}")
            call = ApiCall(self.store, self.settings, self.clock(), user)
            conversions.settle(call)
            yield call

    def _answer(self, request: Request, passage: _Passage) -> Response:
        now = passage.now
        token = request.header("x-api-token")
        user = self._user(token)
        if user is None or token is None:
            refusal = Refusal(401, "unauthorized access").response()
            return replace(refusal, headers={**refusal.headers, "x-401-by-gw": "true"})
        passage.user = user["email"]
        found = ROUTER.find(request.method, request.path)
        is_search = found is not None and found[0].is_search
        spent = self._spent(now)
        response = self._limits.refuse(self.settings, token, search=is_search, now=now, spent=spent)
        if response is None:
            if found is not None:
                passage.route, passage.tokens = found[0], found[0].tokens
            response = self._carry_out(request, found, user, now)
        elif response.headers["content-type"].startswith("text/html"):
            return response
        headers = self._limits.headers(
            self.settings,
            token,
            search=is_search,
            now=now,
            spent=spent + passage.tokens,
            status=response.status,
        )
        return replace(response, headers={**response.headers, **headers})

    def _carry_out(
        self,
        request: Request,
        found: tuple[Endpoint, dict[str, str]] | None,
        user: Doc,
        now: float,
    ) -> Response:
        if found is None:
            return Refusal(404, "Unknown method .").response()
        route, raw = found
        try:
            with self.store.transaction():
                call = ApiCall(self.store, self.settings, now, user)
                conversions.settle(call)
                call.params = route.read_params(raw)
                call.query = route.read_query(request)
                need(user, "can_use_api")
                call.body = _read_body(request)
                lag = route.lag(self.settings)
                if not lag:
                    return route.handler(call).response()
                with self.store.undone():
                    self.store.rewind(now - lag)
                    return route.handler(call).response()
        except Refusal as refusal:
            return refusal.response()

    def _user(self, token: str | None) -> Doc | None:
        email = self.settings.tokens.get(token or "")
        found = self.store.select("users", "json_extract(doc, '$.email') = ?", (email,))
        works = found and found[0]["active_flag"] and not found[0]["is_deleted"]
        return found[0] if works else None

    def _spent(self, now: float) -> int:
        row = self.store.db.execute(
            "SELECT COALESCE(sum(tokens), 0) FROM usage WHERE day = ?", (day_of(now),)
        ).fetchone()
        return int(row[0])

    def spend_elsewhere(self, tokens: int) -> None:
        """Other integrations of the company spend from the same daily budget."""
        with self.lock, self.store.transaction():
            self._count(day_of(self.clock()), OTHER, tokens)

    def _count(self, day: str, call: str, tokens: int) -> None:
        self.store.db.execute(
            "INSERT INTO usage VALUES (?, ?, 1, ?) ON CONFLICT (day, call)"
            " DO UPDATE SET calls = calls + 1, tokens = tokens + excluded.tokens",
            (day, call, tokens),
        )

    def usage(self, day: str | None = None) -> Usage:
        """Calls and tokens of a UTC day (today unless named), other integrations apart."""
        with self.lock:
            day = day or day_of(self.clock())
            rows = self.store.db.execute(
                "SELECT call, calls, tokens FROM usage WHERE day = ? ORDER BY tokens DESC, call",
                (day,),
            ).fetchall()
        by_call = {call: (calls, tokens) for call, calls, tokens in rows}
        ours = [counts for call, counts in by_call.items() if call != OTHER]
        return Usage(
            day,
            sum(calls for calls, _ in ours),
            sum(tokens for _, tokens in ours),
            self.settings.daily_budget,
            by_call,
        )

    @property
    def requests(self) -> list[Logged]:
        """Every request so far, oldest first."""
        return self.requests_after(0)

    def requests_after(self, number: int) -> list[Logged]:
        """The requests after the one with this number."""
        with self.lock:
            rows = self.store.db.execute(
                f"SELECT {_LOG} FROM requests WHERE number > ? ORDER BY number", (number,)
            ).fetchall()
        return [Logged(*row) for row in rows]

    def writes(self, after: int = 0) -> list[Logged]:
        """The requests that changed something, whether or not their answer got through."""
        return [
            logged
            for logged in self.requests_after(after)
            if logged.method in WRITES and logged.outcome in (200, 201)
        ]

    def _write_down(self, request: Request, passage: _Passage, response: Response) -> int:
        if passage.route is not None:
            self._count(day_of(passage.now), passage.route.name, passage.tokens)
        cursor = self.store.db.execute(
            f"INSERT INTO requests ({_LOG}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                passage.now,
                passage.user,
                request.method,
                request.path,
                request.query,
                request.body[:_BODY_LIMIT].decode(errors="replace"),
                0 if response.cut else response.status,
                passage.outcome,
                passage.tokens,
                "" if passage.route is None else passage.route.name,
                passage.fault,
            ),
        )
        return int(cursor.lastrowid or 0)


def _read_body(request: Request) -> Any:
    if not request.body:
        return None
    kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "Unsupported Media Type")
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise invalid("body: invalid JSON") from error


def correlation_id(number: int) -> str:
    """The id that ties an answer to the log."""
    return hashlib.sha256(f"answer {number}".encode()).hexdigest()[:32]
