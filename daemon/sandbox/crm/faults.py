"""Faults on demand: which request breaks, how, and whether the work was done before it broke.

A fault names a method and a path (regular expressions), may let some matching requests pass
first (`skip`) and goes on for `count` of them. Nothing happens by chance.
"""

import re
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Literal, get_args

from daemon.sandbox.crm.exchange import Cut, Refusal, Response, html_response, json_response

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
]
_NEVER_WORKS = ("rate_limit", "blocked")
_ALWAYS_WORKS = ("truncate", "short", "slow")
_CUTS: dict[str, Cut] = {"drop": "drop", "reset": "reset", "timeout": "timeout", "short": "short"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule; `when` says whether the request's work is done before the fault strikes."""

    kind: Kind
    when: Literal["before", "after"] = "after"
    method: str = ".*"
    path: str = ".*"
    skip: int = 0
    count: int | None = 1
    status: int = 500
    seconds: float = 0.0
    retry_after: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would never strike: ValueError for an unknown kind or a bad expression."""
        if self.kind not in get_args(Kind) or self.when not in ("before", "after"):
            raise ValueError(f"no such fault: {self.kind} {self.when}")
        try:
            re.compile(self.method)
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error

    @property
    def works(self) -> bool:
        """True when the request is carried out all the same."""
        if self.kind in _NEVER_WORKS:
            return False
        return self.when == "after" or self.kind in _ALWAYS_WORKS

    def fits(self, method: str, path: str) -> bool:
        """True for a request that this fault is about."""
        return bool(re.fullmatch(self.method, method) and re.search(self.path, path))

    def strike(self, answer: Response) -> Response:
        """What comes out in place of the answer."""
        if self.kind in _CUTS or self.kind == "slow":
            return replace(answer, cut=_CUTS.get(self.kind, ""), delay=self.seconds)
        if self.kind == "truncate":
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        if self.kind == "error":
            return html_response(self.status, f"{self.status} Server Error")
        if self.kind == "blocked":
            return html_response(403, "Error 1015 You are being rate limited")
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

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    def left(self) -> tuple[Fault, ...]:
        """The rules that have not struck for the last time yet."""
        with self._lock:
            return tuple(self._rules)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, counted; None when all is well."""
        with self._lock:
            for index, rule in enumerate(self._rules):
                if not rule.fits(method, path):
                    continue
                if rule.skip:
                    self._rules[index] = replace(rule, skip=rule.skip - 1)
                    continue
                if rule.count is not None and rule.count <= 1:
                    del self._rules[index]
                elif rule.count is not None:
                    self._rules[index] = replace(rule, count=rule.count - 1)
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
