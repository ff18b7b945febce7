"""What can come of a call: an answer, or an error that says whether a write may be repeated.

The one line that matters is between `NotSent` (certainly not processed: repeat without a look)
and `Unknown` (may have been processed: look before creating again). Everything else is a refusal
that repeating doesn't change. Messages are bounded plain text and never hold the token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.errors import Rejected, RetryLater


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: the `data` and `additional_data` members, and the tokens that it cost.

    `data` may have any shape; the properties raise Unknown where it isn't the one they promise.
    """

    status: int
    data: Any
    additional: Mapping[str, Any]
    cost: int
    kind: str = field(default="", compare=False)  # of the call that it answers

    @property
    def object(self) -> Mapping[str, Any]:
        """The one object that was asked for or made."""
        if not isinstance(self.data, dict):
            raise Unknown(f"answered {type(self.data).__name__}, not an object", what=self.kind)
        return self.data

    @property
    def items(self) -> list[dict[str, Any]]:
        """The objects of a list that has no pages."""
        if not isinstance(self.data, list) or not all(isinstance(row, dict) for row in self.data):
            raise Unknown("a list that isn't one", what=self.kind)
        return self.data

    def identifier(self, name: str = "id") -> str:
        """The id of the object, or another id that it names."""
        value = self.object.get(name)
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            raise Unknown(f"answered an object without its {name}", what=self.kind)
        return str(value)


class Unknown(RetryLater):
    """The request may have been processed (timeout, cut line, 5xx, unreadable success)."""


class NothingListed(Unknown):
    """A page of v1 is null with the numbers of an empty list: one, or an odd answer."""


class Moved(Unknown):
    """A redirect, which is never followed: the token goes to no other host than the company's."""


class TooLong(Unknown):
    """An answer longer than we read; a smaller page may fit."""


class NotSent(RetryLater):
    """The request was certainly not processed: no connection, no slot, or blocked."""


class TooMany(NotSent):
    """429: the burst window is full; `after` is what the answer asked for, if it did."""


class Blocked(NotSent):
    """403 without JSON: the firewall in front of the API blocks us for a while."""


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

    @property
    def is_cap(self) -> bool:
        """Whether it is about the plan, so that every record of the kind is refused alike."""
        return self.code == "payment" or self.code.startswith("feature_capping")


class Gone(Refused):
    """404 or 410 from the API itself: the record isn't there (any more)."""
