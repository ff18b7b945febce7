"""`mail2deal --catch-up`: everything that lies in the mailboxes, once, then exit."""

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from daemon.cli import output
from daemon.config import MailboxSection
from daemon.ledger.lock import Held, owned
from daemon.ledger.store import Ledger
from daemon.maintenance import catch_up as flow
from daemon.service.running import is_service, reload_service
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
    limit: "SafetyLimit | None" = None,
    granted: int | Literal["all"] | None = None,
) -> int:
    """Run it, or follow the service that does; the exit status.

    `limit` is what may be done without approval, `granted` what a person approves by this call.
    """
    boxes = wiring.mailboxes(mailbox)
    while True:
        try:
            with owned(wiring.config.ledger, "mail2deal --catch-up", wiring.now()) as ledger:
                _approve(wiring, ledger, granted)
                with output.progress(ledger) as progress:
                    result = flow.catch_up(
                        wiring,
                        ledger,
                        boxes,
                        since,
                        progress,
                        intake=not sync_only,
                        sync=not intake_only,
                        limit=limit,
                    )
                return _report(wiring, ledger, result)
        except Held as held:
            if sync_only:
                raise
            holder = held.holder
        if is_service(holder):
            followed = _follow(wiring, boxes, since, granted, holder)
        else:
            output.say(f"{holder} is at work: waiting until it has ended")
            followed = flow.wait(wiring)
        if followed.word:
            output.note(f"mail2deal: {followed.word}")
        if followed.status is not None:
            return followed.status
        output.say("it has ended: going on without it")
        granted = None  # it stands in the ledger


def _follow(
    wiring: Wiring,
    boxes: list[MailboxSection],
    since: datetime | None,
    granted: int | Literal["all"] | None,
    holder: str,
) -> flow.Followed:
    with Ledger.open(wiring.config.ledger) as ledger:
        _approve(wiring, ledger, granted)
        flow.ask_service(wiring, ledger, boxes, since)
    every = wiring.config.poll.every.total_seconds()
    begins = (
        "it was told to read its configuration again and to begin at once"
        if reload_service(wiring.config.ledger, holder)
        else f"it begins with its next poll (one every {every:.0f} s)"
    )
    output.say(f"{holder} is at work: it will read further back; {begins}")
    with output.progress() as progress:
        return flow.follow(wiring, boxes, progress)


def _approve(wiring: Wiring, ledger: Ledger, granted: int | Literal["all"] | None) -> None:
    if granted is not None:
        from daemon.sync import approve  # noqa: PLC0415 - see above

        with ledger.transaction("approve"):
            creates = None if granted == "all" else granted
            approve(ledger, "mail2deal --catch-up", creates, wiring.now())


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
    left = ", ".join(f"{n} {state}" for state, n in sorted(ledger.backlog.counts().items()) if n)
    if left:
        output.say(f"still in the journal: {left}")
    if result.pushed is not None and result.pushed.resume_at is not None:
        output.say(
            f"to be continued at {result.pushed.resume_at:%Y-%m-%d %H:%M} UTC: run the same again"
        )
    for problem in result.problems:
        output.tell(problem)
    return result.status
