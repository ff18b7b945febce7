"""What can come of a call: an answer, or an error that says whether a write may be repeated.

The one line that matters is between `NotSent` (certainly not processed: repeat without a look)
and `Unknown` (may have been processed: look before creating again). Everything else is a refusal
that repeating doesn't change. Messages are bounded plain text and never hold the token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.errors import Rejected, RetryLater


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the `data` and `additional_data` members, and the tokens it cost."""

    status: int
    data: Any
    additional: Mapping[str, Any]
    cost: int


class Unknown(RetryLater):
    """The request may have been processed (timeout, cut line, 5xx, unreadable success)."""


class NotSent(RetryLater):
    """The request was certainly not processed: no connection, no slot, or refused at the gate."""


class TooMany(NotSent):
    """429: the burst window is full; `after` is what the answer asked for, if it did."""


class Blocked(NotSent):
    """403 without JSON: the gate in front of the API shuts us out for a while."""


class BudgetSpent(NotSent):
    """The day's tokens (all of them, or our share) are spent until `resets_at`, UTC."""

    def __init__(self, message: str, *, what: str, after: float, resets_at: datetime) -> None:
        """Keep the seconds until it is worth trying again and the moment the budget resets."""
        super().__init__(message, what=what, after=after)
        self.resets_at = resets_at


class Refused(Rejected):
    """The API understood and said no; `status` and its `code` (empty when it gave none)."""

    def __init__(
        self, message: str, *, what: str = "", hint: str = "", status: int = 0, code: str = ""
    ) -> None:
        """Keep the HTTP status and the API's code beside the words."""
        super().__init__(message, what=what, hint=hint)
        self.status = status
        self.code = code


class Capped(Refused):
    """402 or 403 with JSON: `code` is `payment`, `permission` or the plan's `feature_capping_…`."""


class Gone(Refused):
    """404 or 410 from the API itself: the record isn't there (any more)."""
