"""A copy of the ledger that a rehearsal may change, and what it says about the CRM."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.ledger.store import Ledger

NAME = "ledger.db"


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


def activities(ledger: Ledger) -> list[dict[str, Any]]:
    """The activities we made, which no listing shows: their ids, so that updates find them."""
    return [
        {"id": int(row["pipedrive_id"]), "subject": row["key"]}
        for row in ledger.rows(
            "SELECT pipedrive_id, key FROM records WHERE kind = 'activity'"
            " AND tombstone IS NULL AND pipedrive_id IS NOT NULL"
        )
    ]
