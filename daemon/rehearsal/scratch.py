"""A copy of the ledger that a rehearsal may change, and what it says about the CRM."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.ledger.store import Ledger
from daemon.rules import follow_up

NAME = "ledger.db"
_PAGE = 1000  # of our activities in memory at once
_LONG_AGO = "2000-01-01T00:00:00Z"


@contextmanager
def scratch(ledger: Path, home: Path, now: datetime) -> Iterator[Ledger]:
    """The ledger's copy in the directory `home`, or a new one; a running service isn't disturbed.

    Raises LedgerProblem for a file that isn't a ledger of this version.
    """
    copy = home / NAME
    if ledger.exists():
        with Ledger.open(ledger, readonly=True) as source:
            source.copy_to(copy)
    with Ledger.open(copy) as opened:
        with opened.transaction("rehearsal"):
            # What is done already isn't part of the forecast.
            opened.journal.prune(now + timedelta(seconds=1))
            # A running conversion is unknown to the sandbox: there it starts anew.
            opened.journal.forget_conversions()
        yield opened


def listed(ledger: Path) -> dict[str, int]:
    """How many objects of each kind the last listing showed; empty without a ledger."""
    if not ledger.exists():
        return {}
    with Ledger.open(ledger, readonly=True) as opened:
        kinds = ("organization", "person", "deal", "lead")
        return {kind: opened.crm.count(kind) for kind in kinds}


def activities(ledger: Ledger, listed: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The activities that were listed, and a stub of each that we made and no listing showed.

    An update has to find its activity; a stub is too old to be listed as updated. A follow-up is as
    we wrote it, since what people changed in it would be left alone.
    """
    known: set[int] = set()
    for one in listed:
        known.add(one["id"])
        yield dict(one)
    last = ""
    while page := ledger.records.live_page("activity", last, _PAGE):
        last, _ = page[-1]
        for key, identifier in page:
            if int(identifier) not in known:
                yield {
                    "id": int(identifier),
                    "subject": key,
                    **_as_written(ledger, key),
                    "update_time": _LONG_AGO,
                }


def _as_written(ledger: Ledger, key: str) -> dict[str, Any]:
    record = ledger.records.get("activity", key) if key.startswith(follow_up.PREFIX) else None
    written = record.fields if record else {}
    if written.get("theirs"):
        return {"subject": "as people have it"}
    return {name: written[name] for name in ("subject", "due_date", "done") if name in written}


def last_activity(ledger: Path) -> datetime | None:
    """When the ledger last wrote an activity; None if it never did, or without a ledger."""
    if not ledger.exists():
        return None
    with Ledger.open(ledger, readonly=True) as opened:
        return opened.records.last_written("activity")
