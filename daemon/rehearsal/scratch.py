"""A copy of the ledger that a rehearsal may change, and what it says about the CRM."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.ledger.store import Ledger

NAME = "ledger.db"
_LONG_AGO = "2000-01-01T00:00:00Z"


@contextmanager
def scratch(ledger: Path, home: Path, now: datetime) -> Iterator[Ledger]:
    """The ledger's copy in the directory `home`, or a new one; a running service isn't disturbed.

    Raises LedgerProblem for a file that isn't a ledger of this version.
    """
    copy = home / NAME
    if ledger.exists():
        with Ledger.open(ledger, readonly=True):  # refuses what isn't a ledger by its own name
            pass
        source = sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    with Ledger.open(copy) as opened:
        opened.rows("PRAGMA synchronous = OFF")  # a copy needn't outlive a power cut
        with opened.transaction("rehearsal"):
            # What is done already isn't part of the forecast.
            opened.journal.prune(now + timedelta(seconds=1))
            # A running conversion is unknown to the sandbox: there it starts anew.
            opened.rows("UPDATE journal SET conversion = NULL WHERE conversion IS NOT NULL")
        yield opened


def listed(ledger: Path) -> dict[str, int]:
    """How many objects of each kind the last listing showed; empty without a ledger."""
    if not ledger.exists():
        return {}
    with Ledger.open(ledger, readonly=True) as opened:
        (row,) = opened.rows(
            "SELECT (SELECT count(*) FROM crm_organizations) AS organization,"
            " (SELECT count(*) FROM crm_persons) AS person,"
            " (SELECT count(*) FROM crm_deals) AS deal, (SELECT count(*) FROM crm_leads) AS lead"
        )
    return row


def activities(ledger: Ledger, listed: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The activities that were listed, and a stub of each that we made and no listing showed.

    An update has to find its activity; a stub is too old to be listed as updated.
    """
    found = [dict(one) for one in listed]
    known = {one["id"] for one in found}
    rows = ledger.rows(
        "SELECT pipedrive_id, key FROM records WHERE kind = 'activity'"
        " AND tombstone IS NULL AND pipedrive_id IS NOT NULL"
    )
    return found + [
        {"id": int(row["pipedrive_id"]), "subject": row["key"], "update_time": _LONG_AGO}
        for row in rows
        if int(row["pipedrive_id"]) not in known
    ]


def last_activity(ledger: Path) -> datetime | None:
    """When the ledger last wrote an activity; None if it never did, or without a ledger."""
    if not ledger.exists():
        return None
    with Ledger.open(ledger, readonly=True) as opened:
        return opened.records.last_written("activity")
