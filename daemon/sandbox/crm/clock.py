"""Times as Pipedrive writes them, from the sandbox's clock (seconds since 1970).

Formats only; nothing here reads a clock.
"""

from datetime import UTC, datetime

DAY_SECONDS = 86_400


def stamp(now: float) -> str:
    """API v2: `2026-11-23T08:00:00Z`, whole seconds."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_ms(now: float) -> str:
    """Leads: `2026-11-23T08:00:00.000Z`."""
    moment = datetime.fromtimestamp(now, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def stamp_v1(now: float) -> str:
    """API v1: `2026-11-23 08:00:00`, in UTC without saying so."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S")


def day_of(now: float) -> str:
    """The UTC day, whose midnight resets the token budget."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")


def read_stamp(text: str) -> str:
    """RFC 3339 (or v1's format) to v2's UTC format; ValueError for anything else."""
    moment = datetime.fromisoformat(text.replace(" ", "T", 1))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
