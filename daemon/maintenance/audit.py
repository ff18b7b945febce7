"""FLOW mailbox ↔ ledger ↔ Pipedrive: where the three don't agree, one line a gap.

    every UID of every folder ↔ sightings · every contact message ↔ its activity ·
    every record ↔ Pipedrive · every sender ↔ its state computed anew

Looking changes nothing, here or there; `close` has what is missing read, planned and buried by the
same flows that do it every day. What is on its way (waiting in the journal) isn't a gap.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from daemon.intake import scoring
from daemon.intake.scoring import ScoringSettings
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Mailbox
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call

_PAGE = 10_000  # UIDs or records in memory at once, however many there are


@dataclass(frozen=True, slots=True)
class Gap:
    """One disagreement: `kind` is what is missing, `key` where or which, `why` in words."""

    kind: str
    key: str
    why: str = ""


def mailbox_gaps(mailbox: Mailbox, ledger: Ledger, name: str) -> Iterator[Gap]:
    """UIDs on the server that the ledger hasn't looked at, and those in quarantine."""
    for folder in ledger.folders.of(name):
        status = mailbox.examine(folder.name)
        where = f"{name}/{folder.name}"
        if folder.uidvalidity != status.uidvalidity:
            yield Gap("epoch", where, "UIDVALIDITY has changed: not read again yet")
            continue
        since = folder.floor.date() if folder.floor else None
        uids = sorted(mailbox.uids(since=since))
        for start in range(0, len(uids), _PAGE):
            page = uids[start : start + _PAGE]
            stretch = (folder.id, status.uidvalidity, page[0], page[-1])
            known = {row["uid"] for row in ledger.rows(_KNOWN, *stretch * 2)}
            for uid in page:
                if uid not in known:
                    yield Gap("message", f"{where} UID {uid}", "not read")
    for row in ledger.rows(_QUARANTINED, name):
        yield Gap("quarantined", f"{name}/{row['name']} UID {row['uid']}", row["reason"])


def activity_gaps(ledger: Ledger) -> Iterator[Gap]:
    """Contact messages of senders with a person that have no activity, nor one on its way."""
    for row in ledger.rows(_WITHOUT_ACTIVITY):
        yield Gap("activity", row["key"], f"message of {row['sender']}")
    for row in ledger.rows("SELECT * FROM parked"):
        yield Gap("parked", f"{row['action']} {row['kind']} {row['key']}", row["last_error"] or "")


def record_gaps(ledger: Ledger, client: Client) -> Iterator[Gap]:
    """Records that Pipedrive doesn't show any more: a list by ids each hundred."""
    code = ledger.records.live_id("field", "mail_key")
    for kind in (*directory.KINDS, "activity"):
        last = ""
        while page := ledger.rows(_LIVE, kind, last, _PAGE):
            last = page[-1]["key"]
            there = _there(client, kind, sorted({row["pipedrive_id"] for row in page}), code)
            for row in page:
                if row["pipedrive_id"] not in there:
                    yield Gap(kind, row["key"], f"{row['pipedrive_id']} isn't in Pipedrive")


def _there(client: Client, kind: str, ids: list[str], code: str | None) -> set[str]:
    if kind != "activity":
        return {str(item.id) for page in directory.own(client, kind, ids, code) for item in page}
    found: set[str] = set()
    for start in range(0, len(ids), directory.IDS):
        query = {"ids": ",".join(ids[start : start + directory.IDS])}
        for page in client.pages(Call.to("activities.list", query=query)):
            found |= {str(row["id"]) for row in page}
    return found


def state_gaps(ledger: Ledger, reading: ScoringSettings) -> Iterator[Gap]:
    """Senders whose state isn't what their messages say: computed anew on a copy.

    The class isn't compared: it is the sync's, which knows what people have in Pipedrive.
    """
    with tempfile.TemporaryDirectory(prefix="mail2deal-") as directory_:
        copy = Path(directory_) / "ledger.db"
        ledger.copy_to(copy)
        with Ledger.open(copy) as rebuilt:
            with rebuilt.transaction("before"):
                rebuilt.rows(f"CREATE TABLE before AS SELECT address, {_STATE} FROM senders")
                rebuilt.rows("CREATE UNIQUE INDEX before_address ON before (address)")
                rebuilt.rows("UPDATE senders SET digest = ''")  # so that all are written anew
            scoring.rebuild(rebuilt, reading)
            for row in rebuilt.rows(_CHANGED):
                yield Gap("state", row["address"], "isn't what its messages say")


def close(ledger: Ledger, reading: ScoringSettings, gaps: list[Gap], now: datetime) -> None:
    """Have the gaps closed by the next intake and sync: due again, buried, or computed anew."""
    with ledger.transaction("close gaps"):
        ledger.folders.read_again()
        ledger.folders.release_quarantine(now)
        ledger.journal.retry()
        touched: set[str] = set()
        for gap in gaps:
            if gap.kind in {*directory.KINDS, "activity"} and gap.why.endswith("Pipedrive"):
                touched |= set(ledger.records.senders_of(gap.kind, gap.key))
                ledger.records.bury(gap.kind, gap.key, "deleted", now, "found gone by an audit")
            elif gap.kind == "activity":
                touched.add(gap.why.removeprefix("message of "))
            elif gap.kind == "state":  # the digest may be that of the right state
                ledger.rows("UPDATE senders SET digest = '' WHERE address = ?", gap.key)
        ledger.senders.touch(touched)
    if any(gap.kind == "state" for gap in gaps):
        scoring.rebuild(ledger, reading)


_KNOWN = """
SELECT uid FROM sightings WHERE folder = ? AND uidvalidity = ? AND uid BETWEEN ? AND ?
UNION ALL
SELECT uid FROM quarantine WHERE folder = ? AND uidvalidity = ? AND uid BETWEEN ? AND ?
"""

_LIVE = """
SELECT key, pipedrive_id FROM records
WHERE kind = ? AND key > ? AND tombstone IS NULL AND pipedrive_id IS NOT NULL
ORDER BY key LIMIT ?
"""

_STATE = (
    "name, domain, organization, msg_count, sent_count, replies, meetings, thread_count,"
    " first_contact, last_contact, avg_response_hours"
)

_CHANGED = f"""
SELECT address FROM senders WHERE ({_STATE}) IS NOT
  (SELECT {_STATE} FROM before WHERE before.address = senders.address)
UNION
SELECT address FROM before WHERE address NOT IN (SELECT address FROM senders)
ORDER BY address
"""

_QUARANTINED = """
SELECT f.name, q.uid, q.reason FROM quarantine q JOIN folders f ON f.id = q.folder
WHERE f.mailbox = ? AND f.active ORDER BY f.name, q.uid
"""

_WITHOUT_ACTIVITY = """
SELECT m.key, min(c.sender) AS sender FROM correspondence c
JOIN messages m ON m.id = c.message
JOIN senders s ON s.address = c.sender
JOIN records p ON p.kind = 'person' AND p.key = c.sender AND p.tombstone IS NULL
LEFT JOIN records r ON r.kind = 'activity' AND r.key = m.key
LEFT JOIN journal j ON j.kind = 'activity' AND j.key = m.key AND j.state <> 'done'
WHERE c.verdict = 'contact' AND s.class <> 'ignore' AND s.version = s.synced_version
  AND r.key IS NULL AND j.id IS NULL
GROUP BY m.key
"""
