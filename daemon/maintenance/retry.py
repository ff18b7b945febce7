"""FLOW what failed, again, now: quarantined messages, parked changes, mailboxes left alone."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from daemon.errors import Problem
from daemon.ledger.conditions import EVENTS
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.imap import Mailbox
from daemon.maintenance.catch_up import CaughtUp, Show, pass_over, read, write_out
from daemon.sync import Sync
from daemon.wiring import Wiring


def release(ledger: Ledger, now: datetime) -> tuple[int, int, int]:
    """Make everything that failed due at once; how many messages, changes and mailboxes."""
    with ledger.transaction("retry"):
        ledger.events.retry()
        ledger.conditions.try_now(EVENTS)
        return (
            ledger.quarantine.release(now),
            ledger.journal.retry(),
            ledger.troubles.release(),
        )


def run_once(wiring: Wiring, ledger: Ledger, command: str, show: Show) -> CaughtUp:
    """Read what is new and due, then write what is due; `show` is told how far each phase is."""
    with ledger.transaction("run"):
        result = CaughtUp(ledger.runs.begin(command, wiring.now()))
    for box in wiring.config.mailboxes:
        floor = wiring.floor(box) or wiring.now()
        read(wiring, ledger, box, pass_over(wiring, box, floor, show), result)
    flow = Sync(wiring.session(ledger, result.run, show))
    result.pushed = write_out(flow, result, wiring.now, wiring.stop.wait)
    with ledger.transaction("end of run"):
        ledger.runs.add(result.run, messages=result.new)
        ledger.runs.end(result.run, "done", wiring.now())
    return result


def quarantined(wiring: Wiring, ledger: Ledger) -> Iterator[tuple[str, bytes]]:
    """Fetch each quarantined message as it is, with a name for its file."""
    rows = ledger.quarantine.entries()
    for box in wiring.config.mailboxes:
        mine = [row for row in rows if row["mailbox"] == box.name]
        if not mine:
            continue
        try:
            with Mailbox.connect(wiring.account(box)) as mailbox:
                mailbox.folders()
                yield from _raw(mailbox, mine)
        except Problem as problem:  # the other mailboxes may be there
            event("retry.not_saved", mailbox=box.name, problem=problem)


def _raw(mailbox: Mailbox, rows: Iterable[Any]) -> Iterator[tuple[str, bytes]]:
    for row in rows:
        try:
            if mailbox.closed:  # over the message before
                mailbox.reconnect()
            if mailbox.examine(row["name"]).uidvalidity != row["uidvalidity"]:
                continue
            raw = mailbox.raw(row["uid"])
        except Problem as problem:
            event("retry.not_saved", uid=row["uid"], problem=problem)
            continue
        # Nothing that came by mail is part of a file's name.
        yield f"{row['folder']}-{row['uidvalidity']}-{row['uid']}.eml", raw
