"""`mail2deal explain ADDRESS`: why a sender is what it is, from the ledger alone."""

from rich.table import Table
from rich.text import Text

from daemon.cli import output
from daemon.cli.wiring import Wiring
from daemon.errors import Rejected
from daemon.explain import Explanation
from daemon.explain import explain as explanation
from daemon.ledger.store import Ledger
from daemon.message.parse import Address
from daemon.reckoning import state_of


def explain(wiring: Wiring, address: str) -> int:
    """Print the explanation; raises Rejected for an address that never wrote or was written to."""
    key = Address("", address.strip().lower()).key
    reading = wiring.reading()
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        row = ledger.senders.get(key)
        state = state_of(ledger, reading, [key]) if row else None
        if row is None or state is None:
            raise Rejected("isn't a sender in this ledger", what=address, hint=_seen(ledger, key))
        person = ledger.records.get("person", key)
        told = explanation(
            state,
            ledger.senders.correspondence([key]),
            ledger.senders.subjects(key),
            reading.rules,
            row.class_,
            known_before=person is not None and person.origin == "adopted",
            has_deal=ledger.records.get("deal", key) is not None or ledger.crm.has_deal(key),
            count=reading.count,
        )
        _show(told)
        _show_records(ledger, key)
    return output.DONE


def _seen(ledger: Ledger, key: str) -> str:
    rows = ledger.rows(
        "SELECT reason, count(*) AS n FROM messages WHERE from_address = ? GROUP BY reason", key
    )
    if not rows:
        return "no message from it was read"
    return "; ".join(f"{row['n']} messages ignored: {row['reason']}" for row in rows)


def _show(told: Explanation) -> None:
    _say(f"{told.name} <{told.address}>, organization {told.organization or 'none'}")
    _say(f"class {told.class_.name}: {told.class_.reason}")
    _say(f"rule: {told.rule}")
    for threshold in told.thresholds:
        _say(f"  {threshold}")
    for change in told.changes:
        _say(f"would change it: {change}")
    table = Table(title="messages", title_justify="left")
    for name in ("date (UTC)", "", "subject", "verdict", "why"):
        table.add_column(name)
    for line in told.timeline:
        table.add_row(
            f"{line.sent_at:%Y-%m-%d %H:%M}",
            "→ us" if line.direction == "received" else "← us",
            Text(line.subject),
            f"{line.verdict.kind}{'' if line.counts else ' (not counted)'}",
            Text(line.why),
        )
    output.console.print(table)
    for met in told.meetings:
        when = f"{met.meeting.starts_at:%Y-%m-%d %H:%M}" if met.meeting.starts_at else "no date"
        _say(f"meeting {met.meeting.summary!r} ({when}, {met.meeting.status}): {met.why}")


def _show_records(ledger: Ledger, key: str) -> None:
    rows = ledger.rows("SELECT url FROM pipeline WHERE sender = ?", key)
    notes = ledger.rows("SELECT notes FROM senders WHERE address = ?", key)[0]["notes"]
    for row in ledger.rows(
        "SELECT kind, pipedrive_id, origin, reason, tombstone, tombstone_at FROM records"
        " WHERE sender = ? AND kind IN ('person', 'lead', 'deal') ORDER BY kind DESC",
        key,
    ):
        gone = f", {row['tombstone']} at {row['tombstone_at']}" if row["tombstone"] else ""
        why = f" ({row['reason']})" if row["reason"] else ""
        _say(f"{row['kind']} {row['pipedrive_id']}: {row['origin']}{why}{gone}")
    (activities,) = ledger.rows(
        "SELECT count(*) AS n FROM records WHERE sender = ? AND kind = 'activity'", key
    )
    _say(f"activities: {activities['n']}")
    if rows and rows[0]["url"]:
        _say(f"in Pipedrive: {rows[0]['url']}")
    if notes:
        _say(f"left alone: {notes}")
    for row in ledger.rows(
        "SELECT kind, action, state, not_before, last_error FROM journal"
        " WHERE sender = ? AND state <> 'done' ORDER BY id",
        key,
    ):
        due = f" until {row['not_before']}" if row["not_before"] else ""
        error = f": {row['last_error']}" if row["last_error"] else ""
        _say(f"{row['state']}{due}: {row['action']} {row['kind']}{error}")


def _say(text: str) -> None:
    output.console.print(text, markup=False)
