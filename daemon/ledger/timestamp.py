"""The ledger's one way to write an instant: UTC, ISO 8601, whole seconds, `Z`."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)  # one mail's date is written in several columns and keys
def stamp(instant: datetime) -> str:
    """An aware instant as the ledger's text, e.g. `2026-11-24T08:15:00Z`; sorts as it passes."""
    utc = instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    # Not strftime: its %Y leaves out leading zeros, and a Date header may say the year 206.
    return utc.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def instant(text: str) -> datetime:
    """The aware UTC instant that `stamp` wrote; raises ValueError on anything else."""
    return datetime.fromisoformat(text)


def stamp_or_none(moment: datetime | None) -> str | None:
    """`stamp`, with None kept as SQL NULL."""
    return None if moment is None else stamp(moment)


def instant_or_none(text: str | None) -> datetime | None:
    """`instant`, with SQL NULL kept as None."""
    return None if text is None else instant(text)
