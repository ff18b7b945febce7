"""`mail2deal --catch-up`: everything that lies in the mailboxes, once, then exit."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from daemon.cli import output
from daemon.ledger.store import Held, Ledger, owned
from daemon.maintenance import catch_up as flow
from daemon.wiring import Wiring

if TYPE_CHECKING:  # the sync is loaded by those who sync: see `wiring`
    from daemon.sync import SafetyLimit


def catch_up(
    wiring: Wiring,
    *,
    since: datetime | None,
    mailbox: str | None,
    intake_only: bool,
    sync_only: bool,
    valve: "SafetyLimit | None" = None,
    granted: int | Literal["all"] | None = None,
) -> int:
    """Run it, or follow the service that does; the exit status.

    `valve` is what a first run may do unasked, `granted` how much a person allows it to do.
    """
    path = wiring.config.ledger
    boxes = wiring.mailboxes(mailbox)
    try:
        with owned(path, "mail2deal --catch-up") as ledger:
            _keep_word(ledger, granted)
            with output.progress(ledger) as progress:
                result = flow.catch_up(
                    wiring,
                    ledger,
                    boxes,
                    since,
                    progress,
                    intake=not sync_only,
                    sync=not intake_only,
                    valve=valve,
                )
            return _report(wiring, ledger, result)
    except Held as held:
        if sync_only:
            raise
        output.say(f"{held.holder} is at work: it will read further back")
    with Ledger.open(path) as ledger:
        _keep_word(ledger, granted)
    with output.progress() as progress:
        return flow.follow(wiring, boxes, since, progress)


def _keep_word(ledger: Ledger, granted: int | Literal["all"] | None) -> None:
    if granted is not None:
        from daemon.sync import grant  # noqa: PLC0415 - see above

        with ledger.transaction("grant"):
            grant(ledger, granted)


def _report(wiring: Wiring, ledger: Ledger, result: flow.CaughtUp) -> int:
    for name in result.without_sent:
        output.note(
            f"{name}: no Sent folder found, so replies can't be detected"
            " (name it as `folders.sent`)"
        )
    made = output.listed(ledger.records.made_by(result.run))
    output.say(
        f"read {result.new} new messages, wrote {ledger.runs.writes(result.run)} changes"
        + (f" (made {made})" if made else "")
        + f", spent {wiring.usage.total} tokens"
    )
    left = ", ".join(f"{n} {state}" for state, n in sorted(ledger.journal.counts().items()) if n)
    if left:
        output.say(f"still in the journal: {left}")
    if result.pushed is not None and result.pushed.resume_at is not None:
        output.say(
            f"to be continued at {result.pushed.resume_at:%Y-%m-%d %H:%M} UTC: run the same again"
        )
    for problem in result.problems:
        output.tell(problem)
    return result.status
