"""What a sandbox company is: plan, seats, users, tokens, limits and known oddities.

Numbers of the plans are those of Pipedrive's rate limit and usage limit pages (September 2026).
Everything the real API is known to do in more than one way is a switch here, set to the harder
way by default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PlanName = Literal["lite", "growth", "premium", "ultimate"]
Ending = Literal["completed", "failed", "rejected"]

ADMIN_APPS = ("sales", "global", "account_settings")
DEFAULT_TOKEN = "sandbox-token-of-ada"  # noqa: S105 - a name that is printed, not a secret
TOKENS_PER_SEAT = 30_000
SEARCH_BURST = 10
WINDOW_SECONDS = 2.0


class Plan(NamedTuple):
    """One plan: multiplier of the daily budget, requests per 2 s, caps per seat and company."""

    multiplier: int
    burst: int
    open_cap_per_seat: int
    custom_field_cap: int


PLANS: Mapping[PlanName, Plan] = {
    "lite": Plan(1, 20, 2_500, 30),
    "growth": Plan(2, 40, 5_000, 100),
    "premium": Plan(5, 100, 15_000, 300),
    "ultimate": Plan(7, 120, 20_000, 500),
}


@dataclass(frozen=True, slots=True)
class User:
    """One person with a seat.

    An `admin` is one in each of `apps`; only who is one in `sales` and `global` sees everything.
    `denied` names permissions (as GET /users/{id}/permissions does) that the user doesn't have;
    `visibility` is the `visible_to` of the user's role for what doesn't name one.
    """

    name: str
    email: str
    admin: bool = False
    apps: tuple[str, ...] = ADMIN_APPS
    denied: tuple[str, ...] = ()
    visibility: int = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """One sandbox company; every duration in seconds of the sandbox's clock."""

    company: str = "sandbox"
    currency: str = "EUR"
    plan: PlanName = "growth"
    seats: int = 1
    top_up: int = 0
    tokens: Mapping[str, str] = field(default_factory=lambda: {DEFAULT_TOKEN: "ada@example.com"})
    users: tuple[User, ...] = (
        User("Ada Example", "ada@example.com", admin=True),
        User("Bob Example", "bob@example.com"),
    )
    default_world: bool = True
    contact_sync: bool = False  # was set up once: persons have a job title
    # limits
    burst: bool = True
    burst_requests: int | None = None
    daily_tokens: int | None = None
    daily_headers: bool = True
    retry_after: bool = False
    hammer_after: int | None = 60
    hammer_block: float = 60.0
    open_cap: int | None = None
    custom_field_cap: int | None = None
    # reading what was written (seconds during which a list, or a record by its id and the links to
    # it, are still as they were before)
    list_lag: float = 0.0
    read_lag: float = 0.0
    # search
    search_lag: float = 5.0
    search_keeps_deleted: tuple[str, ...] = ("organizations",)
    sloppy_exact_match: bool = False
    # conversion of leads
    conversion_seconds: float | None = 1.0
    conversion_polls: int | None = 2
    conversion_ends: Ending = "completed"
    # oddities
    lead_pages_wrapped: bool = False
    null_custom_fields: bool = True
    sanitise_notes: bool = True
    hidden_status: Literal[403, 404] = 403
    lists_deleted_stages: bool = False
    lists_all_permissions: bool = False
    inactive_types: tuple[str, ...] = ()
    keep_deleted_days: int = 30
    latency: float = 0.0

    @property
    def daily_budget(self) -> int:
        """Tokens of one UTC day for the whole company."""
        if self.daily_tokens is not None:
            return self.daily_tokens
        return TOKENS_PER_SEAT * PLANS[self.plan].multiplier * self.seats + self.top_up

    @property
    def burst_limit(self) -> int:
        """Requests of one token in any 2 seconds."""
        return PLANS[self.plan].burst if self.burst_requests is None else self.burst_requests

    @property
    def open_limit(self) -> int:
        """Open deals and leads together."""
        if self.open_cap is not None:
            return self.open_cap
        return min(PLANS[self.plan].open_cap_per_seat * self.seats, 300_000)

    @property
    def custom_field_limit(self) -> int:
        """Custom fields of the company."""
        if self.custom_field_cap is not None:
            return self.custom_field_cap
        return PLANS[self.plan].custom_field_cap
