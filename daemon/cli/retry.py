"""`mail2deal retry`: quarantined messages and parked changes again, now.

Beside a running service it only makes them due and tells it so, and the service does the rest.
"""

from pathlib import Path

from daemon.cli import output
from daemon.cli.catch_up import CaughtUp, read, write_out
from daemon.errors import Problem
from daemon.intake.poll import Pass
from daemon.ledger.store import Held, Ledger, owned
from daemon.log import event
from daemon.mailbox.imap import Mailbox
from daemon.service.running import reload_service
from daemon.sync import Sync
from daemon.wiring import Wiring


def retry(wiring: Wiring, save: Path | None) -> int:
    """Do it; 1 if something is parked or quarantined still."""
    if save is not None:
        with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
            _save(wiring, ledger, save)
    try:
        with owned(wiring.config.ledger, "mail2deal retry") as ledger:
            _release(wiring, ledger)
            return run_once(wiring, ledger, "retry")
    except Held as held:
        with Ledger.open(wiring.config.ledger) as ledger:
            _release(wiring, ledger)
        # The service has a mailbox's pause in memory, where the ledger doesn't reach it.
        told = reload_service(wiring.config.ledger, held.holder)
        follows = (
            "it was told to read its configuration again and to try at once"
            if told
            else "it will try with its next pass, a mailbox that failed when its pause is over"
        )
        output.console.print(f"{held.holder} is at work: {follows}", markup=False)
        return output.DONE


def _release(wiring: Wiring, ledger: Ledger) -> None:
    with ledger.transaction("retry"):
        messages = ledger.folders.release_quarantine(wiring.now())
        changes = ledger.journal.retry()
        mailboxes = ledger.troubles.release()
    output.console.print(
        f"trying again: {messages} messages, {changes} changes, {mailboxes} mailboxes that failed",
        markup=False,
    )


def run_once(wiring: Wiring, ledger: Ledger, command: str) -> int:
    """Read what is new and due, write what is due; the exit status."""
    with ledger.transaction("run"):
        run = ledger.runs.begin(command, wiring.now())
    result = CaughtUp()
    for box in wiring.config.mailboxes:
        start = wiring.floor(box) or wiring.now()
        one = Pass(wiring.reading(), box.name, start, wiring.now, stopping=wiring.stop.is_set)
        read(wiring, ledger, box, one, result)
    flow = Sync(wiring.session(ledger, run))
    result.pushed = write_out(flow, result, wiring.now, wiring.stop.wait)
    parked, quarantined = ledger.journal.counts().get("parked", 0), ledger.folders.quarantined()
    with ledger.transaction("end of run"):
        ledger.runs.add(run, messages=result.new)
        ledger.runs.end(run, "done", wiring.now())
    output.console.print(
        f"read {result.new} messages, wrote {result.pushed.writes} changes;"
        f" left: {quarantined} in quarantine, {parked} parked",
        markup=False,
    )
    statuses = [output.tell(problem) for problem in result.problems]
    statuses.append(output.ATTENTION if parked or quarantined else output.DONE)
    return max(statuses, key=output.severity)


def _save(wiring: Wiring, ledger: Ledger, directory: Path) -> None:
    """Write each quarantined message to a file of its own, for a report; never into the log."""
    rows = ledger.folders.quarantine_rows()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for box in wiring.config.mailboxes:
        mine = [row for row in rows if row["mailbox"] == box.name]
        if not mine:
            continue
        with Mailbox.connect(wiring.account(box)) as mailbox:
            mailbox.folders()
            for row in mine:
                # Nothing that came by mail is part of a file's name.
                path = directory / f"{row['folder']}-{row['uidvalidity']}-{row['uid']}.eml"
                try:
                    if mailbox.examine(row["name"]).uidvalidity != row["uidvalidity"]:
                        continue
                    raw = mailbox.raw(row["uid"])
                except Problem as problem:
                    event("retry.not_saved", uid=row["uid"], problem=problem)
                    continue
                path.touch(mode=0o600)
                path.write_bytes(raw)
                output.console.print(f"saved {path}", markup=False)
