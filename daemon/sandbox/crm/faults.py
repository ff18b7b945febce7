"""Faults on demand: which request breaks, how, and whether the work was done before it broke.

A fault names a method, a path, a query and a body (regular expressions; one record is a path like
`/persons/17$`, or a body that holds its name). It may let some matching requests pass first
(`skip`), strike each n-th only (`every`), and goes on for `count` of them, or until it is cleared.
Nothing happens by chance.
"""

import re
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Literal, get_args

from daemon.sandbox.crm.exchange import (
    Cut,
    Refusal,
    Request,
    Response,
    html_response,
    json_response,
)
from daemon.sandbox.crm.shapes import Shape, reshaped

Kind = Literal[
    "drop",  # the connection is closed without an answer
    "reset",  # the connection is reset without an answer
    "timeout",  # no answer, the connection stays open
    "error",  # an HTML page with `status`, as from a gateway
    "truncate",  # half of the JSON, as if that were all
    "short",  # the connection is closed inside the body
    "unsuccessful",  # 200 with success:false
    "rate_limit",  # 429
    "blocked",  # Cloudflare's HTML 403
    "slow",  # the right answer after `seconds`
    "refuse",  # a JSON error with `status`, `error` and `code`: 402, a record's own 403 …
    "redirect",  # `status` (302 unless it is one of 300 to 399) to `location` and the same path
    "shape",  # the right answer in the odd shape named by `shape`
]
_NEVER_WORKS = ("rate_limit", "blocked", "refuse", "redirect")
_ALWAYS_WORKS = ("truncate", "short", "slow")
_CUTS: dict[str, Cut] = {"drop": "drop", "reset": "reset", "timeout": "timeout", "short": "short"}
_EXPRESSIONS = ("method", "path", "query", "body")
_REDIRECTS = range(300, 400)


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule; `when` says whether the request's work is done before the fault strikes.

    `name` is for clearing this rule and no other. An odd shape says it of a write that was done;
    with `when="before"` the write is undone, and the answer looks the same.
    """

    kind: Kind
    when: Literal["before", "after"] = "after"
    method: str = ".*"
    path: str = ".*"
    query: str = ""
    body: str = ""
    skip: int = 0
    every: int = 1
    count: int | None = 1
    status: int = 500
    seconds: float = 0.0
    retry_after: int | None = None
    error: str = "Forbidden"
    code: str | None = None
    location: str = "https://elsewhere.invalid"
    shape: Shape = "null"
    size: int = 60_000_000
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what would never strike: ValueError for an unknown kind or a bad expression."""
        known = self.kind in get_args(Kind) and self.shape in get_args(Shape)
        if not known or self.when not in ("before", "after") or self.every < 1:
            raise ValueError(f"no such fault: {self.kind} {self.when} {self.shape} {self.every}")
        try:
            for name in _EXPRESSIONS:
                re.compile(getattr(self, name))
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error

    @property
    def works(self) -> bool:
        """True when the request is carried out all the same."""
        if self.kind in _NEVER_WORKS:
            return False
        return self.when == "after" or self.kind in _ALWAYS_WORKS

    @property
    def is_undone(self) -> bool:
        """True when the request is carried out for its answer only, and nothing of it stays."""
        return self.kind == "shape" and self.when == "before"

    def fits(self, request: Request) -> bool:
        """True for a request that this fault is about."""
        return bool(
            re.fullmatch(self.method, request.method)
            and re.search(self.path, request.path)
            and re.search(self.query, request.query)
            and (not self.body or re.search(self.body, request.body.decode(errors="replace")))
        )

    def strike(self, request: Request, answer: Response) -> Response:
        """What comes out in place of the answer."""
        if self.kind in _CUTS or self.kind == "slow":
            return replace(answer, cut=_CUTS.get(self.kind, ""), delay=self.seconds)
        if self.kind == "truncate":
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        if self.kind == "shape":
            return reshaped(answer, self.shape, self.size)
        return self._instead(request)

    def _instead(self, request: Request) -> Response:
        if self.kind == "error":
            return html_response(self.status, f"{self.status} Server Error")
        if self.kind == "blocked":
            return html_response(403, "Error 1015 You are being rate limited")
        if self.kind == "refuse":
            return Refusal(self.status, self.error, code=self.code).response()
        if self.kind == "redirect":
            query = f"?{request.query}" if request.query else ""
            status = self.status if self.status in _REDIRECTS else 302
            moved = html_response(status, f"{status} Moved")
            to = {"location": f"{self.location}{request.path}{query}"}
            return replace(moved, headers={**moved.headers, **to})
        if self.kind == "rate_limit":
            response = Refusal(429, "Rate limit exceeded").response()
            waits = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
            return replace(response, headers={**response.headers, "x-ratelimit-reset": "2"} | waits)
        return json_response(
            200, {"success": False, "error": "Internal error", "error_info": "", "data": None}
        )


class Faults:
    """The rules in force, oldest first; the first that fits strikes."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = Lock()
        self._rules: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put one more rule in force."""
        with self._lock:
            self._rules.append(fault)

    def clear(self, name: str | None = None) -> None:
        """Take all rules away, or those of that name."""
        with self._lock:
            self._rules = [] if name is None else [r for r in self._rules if r.name != name]

    def left(self) -> tuple[Fault, ...]:
        """The rules that have not struck for the last time yet."""
        with self._lock:
            return tuple(self._rules)

    def take(self, request: Request) -> Fault | None:
        """The fault that strikes this request, counted; None when all is well."""
        with self._lock:
            for index, rule in enumerate(self._rules):
                if not rule.fits(request):
                    continue
                if rule.skip:
                    self._rules[index] = replace(rule, skip=rule.skip - 1)
                    continue
                again = replace(rule, skip=rule.every - 1)
                if rule.count is not None and rule.count <= 1:
                    del self._rules[index]
                elif rule.count is not None:
                    self._rules[index] = replace(again, count=rule.count - 1)
                else:
                    self._rules[index] = again
                return rule
        return None


def read_fault(value: Any) -> Fault:
    """A fault out of JSON; ValueError for anything that isn't one."""
    if not isinstance(value, dict):
        raise ValueError("a fault is an object")  # noqa: TRY004 - the caller handles one error
    try:
        return Fault(**value)
    except TypeError as error:
        raise ValueError(str(error)) from error
