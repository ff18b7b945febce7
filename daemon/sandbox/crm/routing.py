"""Which endpoint a path means, and what its call costs.

v2 lives under /api/v2 only; v1 under /api/v1 and /v1. A path that isn't listed is a 404: that
includes v1's persons, organizations, deals, activities and searches, which went out of support
in August 2026 and are gone here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daemon.sandbox.crm import checks
from daemon.sandbox.crm.call import ApiCall
from daemon.sandbox.crm.checks import Check, Wrong
from daemon.sandbox.crm.costs import tokens
from daemon.sandbox.crm.exchange import Doc, Reply, Request, invalid
from daemon.sandbox.crm.settings import Settings

PREFIXES = {"/api/v2": "v2", "/api/v1": "v1", "/v1": "v1"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: path template, what its query may hold, and who answers."""

    version: str
    method: str
    template: str
    handler: Callable[[ApiCall], Reply]
    query: Mapping[str, Check] = field(default_factory=dict)
    path_check: Check = checks.query_integer

    @property
    def tokens(self) -> int:
        """What a call costs."""
        return tokens(self.version, self.method, self.template)

    @property
    def name(self) -> str:
        """The kind of call, for counting."""
        return f"{self.method} /api/{self.version}{self.template}"

    @property
    def is_search(self) -> bool:
        """True for the calls with the narrower burst window."""
        return self.template.endswith("/search")

    def lag(self, settings: Settings) -> float:
        """For how many seconds what this reads is still as it was; 0 for what doesn't lag."""
        if self.method != "GET" or self.is_search or "status" in self.template:
            return 0.0
        return settings.read_lag if self.template.endswith("}") else settings.list_lag

    def read_query(self, request: Request) -> Doc:
        """The checked query; Refusal 400 for an unknown parameter or a wrong value."""
        kept: Doc = {}
        problems: list[str] = []
        for name, value in request.pairs():
            check = self.query.get(name)
            if check is None:
                problems.append(f"{name}: Parameter '{name}' is not allowed for this request")
                continue
            try:
                kept[name] = check(name, value)
            except Wrong as wrong:
                problems.extend(wrong.problems)
        if problems:
            raise invalid(*problems)
        return kept

    def read_params(self, raw: Mapping[str, str]) -> dict[str, Any]:
        """The ids in the path; Refusal 400 for one of the wrong type."""
        try:
            return {name: self._param(name, value) for name, value in raw.items()}
        except Wrong as wrong:
            raise invalid(*wrong.problems) from wrong

    def _param(self, name: str, value: str) -> Any:
        if name == "field_code":
            return value
        return (checks.uuid if name == "conversion_id" else self.path_check)(name, value)


class Router:
    """All endpoints, found by method and path."""

    def __init__(self, routes: Iterable[Endpoint]) -> None:
        """Order the routes so that fixed words win over `{id}`."""
        self._by_shape: dict[tuple[str, str, int], list[tuple[list[str], Endpoint]]] = {}
        for route in sorted(routes, key=lambda route: route.template.count("{")):
            parts = route.template.split("/")[1:]
            key = (route.version, route.method, len(parts))
            self._by_shape.setdefault(key, []).append((parts, route))

    def routes(self) -> list[Endpoint]:
        """All endpoints, in no particular order."""
        return [route for group in self._by_shape.values() for _, route in group]

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint and the raw ids of the path, or None."""
        for prefix, version in PREFIXES.items():
            if path.startswith(prefix + "/"):
                parts = path[len(prefix) + 1 :].split("/")
                for template, route in self._by_shape.get((version, method, len(parts)), ()):
                    params = _params(template, parts)
                    if params is not None:
                        return route, params
        return None


def _params(template: list[str], parts: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for word, part in zip(template, parts, strict=True):
        if word.startswith("{"):
            params[word[1:-1]] = part
        elif word != part:
            return None
    return params
