"""`mail2deal audit`: mailbox against ledger against Pipedrive; 0 gaps is the promise."""

from collections.abc import Iterator

from daemon.cli import output
from daemon.cli.retry import run_once
from daemon.intake.scoring import rebuild
from daemon.ledger.store import Ledger, owned
from daemon.mailbox.imap import Mailbox
from daemon.maintenance.audit import (
    Gap,
    activity_gaps,
    close,
    mailbox_gaps,
    record_gaps,
    state_gaps,
)
from daemon.wiring import Wiring


def audit(wiring: Wiring, *, repair: bool, rebuild_all: bool, as_json: bool) -> int:
    """Print the gaps; 0 if there are none, else 1."""
    if not (repair or rebuild_all):
        with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
            return _report(_gaps(wiring, ledger), as_json=as_json)
    with owned(wiring.config.ledger, "mail2deal audit") as ledger:
        if rebuild_all:
            changed = rebuild(ledger, wiring.reading())
            output.errors.print(f"computed every sender anew: {changed} differed", markup=False)
        gaps = _gaps(wiring, ledger)
        if repair and gaps:
            close(ledger, wiring.reading(), gaps, wiring.now())
            run_once(wiring, ledger, "audit --repair")
            output.errors.print(f"found {len(gaps)} gaps, and looked again:", markup=False)
            gaps = _gaps(wiring, ledger)
        return _report(gaps, as_json=as_json)


def _gaps(wiring: Wiring, ledger: Ledger) -> list[Gap]:
    session = wiring.session(ledger, None)
    return [
        *_of_mailboxes(wiring, ledger),
        *(activity_gaps(ledger) if wiring.config.activities.emails else ()),
        *record_gaps(ledger, session.client),
        *state_gaps(ledger, wiring.reading()),
    ]


def _of_mailboxes(wiring: Wiring, ledger: Ledger) -> Iterator[Gap]:
    for box in wiring.config.mailboxes:
        with Mailbox.connect(wiring.account(box)) as mailbox:
            mailbox.folders()
            yield from mailbox_gaps(mailbox, ledger, box.name)


def _report(gaps: list[Gap], *, as_json: bool) -> int:
    if as_json:
        rows = [{"kind": gap.kind, "key": gap.key, "why": gap.why} for gap in gaps]
        output.print_json({"gaps": len(gaps), "found": rows})
    else:
        for gap in gaps:
            output.console.print(f"{gap.kind} {gap.key}: {gap.why}", markup=False)
        output.console.print(f"{len(gaps)} gaps", markup=False)
    return output.ATTENTION if gaps else output.DONE
