"""`mail2deal --catch-up`: everything that lies in the mailboxes, once, then exit.

The intake comes first and whole, so that a sender is classified once, at its end state: no lead
that becomes a deal an hour later. Beside a running service it only lowers the floors, and follows
what the service does with them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from daemon.cli import output
from daemon.config import MailboxSection
from daemon.errors import LedgerProblem, Problem
from daemon.intake.parsing import collect_garbage_seldom
from daemon.intake.poll import Pass, poll
from daemon.ledger.store import Held, Ledger, owned
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.login import is_loopback
from daemon.wiring import Wiring

if TYPE_CHECKING:  # the sync is loaded by those who sync: see `wiring`
    from daemon.sync import Pushed, SafetyLimit, Sync

_WORTH_WAITING = timedelta(minutes=2)  # a pause this short is slept through
_LOOK = 1.0  # seconds between two looks at what the service does


@dataclass(slots=True)
class CaughtUp:
    """What a catch-up did, and the problems that it met."""

    new: int = 0
    quarantined: int = 0
    pushed: "Pushed | None" = None
    problems: list[Problem] = field(default_factory=list)


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
    """Run it all; the exit status.

    `valve` is what a first run may do unasked, `granted` how much it may do by a person's word.
    """
    collect_garbage_seldom()
    path = wiring.config.ledger
    boxes = wiring.mailboxes(mailbox)
    try:
        with owned(path, "mail2deal --catch-up") as ledger:
            _keep_word(ledger, granted)
            return _run(
                wiring, ledger, boxes, since, valve, intake=not sync_only, sync=not intake_only
            )
    except Held as held:
        if sync_only:
            raise
        return _follow(wiring, boxes, since, held, granted)


def _keep_word(ledger: Ledger, granted: int | Literal["all"] | None) -> None:
    if granted is not None:
        from daemon.sync import grant  # noqa: PLC0415 - see above

        with ledger.transaction("grant"):
            grant(ledger, granted)


def _run(
    wiring: Wiring,
    ledger: Ledger,
    boxes: list[MailboxSection],
    since: datetime | None,
    valve: "SafetyLimit | None",
    *,
    intake: bool,
    sync: bool,
) -> int:
    with ledger.transaction("run"):
        run = ledger.runs.begin("catch-up", wiring.now())
    result = CaughtUp()
    with output.progress_bars(terminal=output.errors.is_terminal, ledger=ledger) as progress:
        if intake:
            for box in boxes:
                take_in(wiring, ledger, box, since, result, progress)
        if sync and not wiring.stop.is_set():
            from daemon.sync import Sync  # noqa: PLC0415 - see above

            flow = Sync(wiring.session(ledger, run, progress, valve=valve))
            result.pushed = write_out(flow, result, wiring.now, wiring.stop.wait)
    status = _status(ledger, result, stopped=wiring.stop.is_set())
    with ledger.transaction("end of run"):
        ledger.runs.add(run, messages=result.new)
        ledger.runs.end(run, _OUTCOMES[status], wiring.now())
    _report(ledger, run, result, wiring)
    for problem in result.problems:
        output.tell(problem)
    return status


_OUTCOMES = {
    output.DONE: "done",
    output.ATTENTION: "done, something is parked or quarantined",
    output.USAGE: "stopped: configuration or login",
    output.LATER: "unfinished: try again later",
}


def take_in(
    wiring: Wiring,
    ledger: Ledger,
    box: MailboxSection,
    since: datetime | None,
    result: CaughtUp,
    progress: output.Show,
) -> None:
    """Read one mailbox back to `since` (None: its own floor) into the ledger."""
    floor = since or wiring.floor(box)
    with ledger.transaction("floor"):
        ledger.folders.lower_floor(box.name, floor)
        ledger.folders.due_now(box.name)

    def another() -> Mailbox:
        return Mailbox.connect(wiring.account(box), much=True)

    run = Pass(
        reading=wiring.reading(),
        name=box.name,
        floor=floor,
        now=wiring.now,
        stopping=wiring.stop.is_set,
        progress=lambda folder, done, total: progress(f"{box.name}: {folder}", done, total),
        much=bool(ledger.folders.unread_back([box.name])) or not ledger.folders.of(box.name),
        # Over loopback there is no way to go, and one connection is as fast.
        another=None if is_loopback(box.host) else another,
    )
    if not read(wiring, ledger, box, run, result, much=True):
        return
    if not ledger.setting(f"reply_detection:{box.name}"):
        output.errors.print(
            f"{box.name}: no Sent folder found, so replies can't be detected"
            " (name it as `folders.sent`)",
            markup=False,
        )


def read(
    wiring: Wiring,
    ledger: Ledger,
    box: MailboxSection,
    run: Pass,
    result: CaughtUp,
    *,
    much: bool = False,
) -> bool:
    """Connect to one mailbox and take in what is new or due there; False if that failed.

    `much` says that far more than a few mails are expected. What was read and the problems, but
    those of the ledger, go into `result`.
    """
    try:
        with Mailbox.connect(wiring.account(box), much=much) as mailbox:
            tally = poll(mailbox, ledger, run)
    except LedgerProblem:
        raise
    except Problem as problem:
        result.problems.append(problem)
        return False
    result.new += tally.new
    result.quarantined += tally.quarantined
    result.problems += tally.problems
    return True


def write_out(
    sync: "Sync",
    result: CaughtUp,
    now: Callable[[], datetime],
    pause: Callable[[float], bool],
) -> "Pushed":
    """Sync until nothing is due soon; `pause(seconds)` says whether somebody wants to stop."""
    from daemon.sync import Pushed  # noqa: PLC0415 - see above

    ledger, total = sync.session.ledger, Pushed()
    try:
        while True:
            pushed = sync.sync()
            total.writes += pushed.writes
            total.resume_at, total.problem = pushed.resume_at, pushed.problem
            if pushed.problem is not None:
                result.problems.append(pushed.problem)
                break
            due = pushed.resume_at or ledger.journal.next_due()
            worth = due is not None and due - now() <= _WORTH_WAITING
            if not ledger.journal.unfinished() or not worth or due is None:
                break
            if pause(max(0.05, (due - now()).total_seconds())):
                break
    except LedgerProblem:
        raise
    except Problem as problem:
        result.problems.append(problem)
    return total


def _status(ledger: Ledger, result: CaughtUp, *, stopped: bool) -> int:
    statuses = {output.status_of(problem) for problem in result.problems}
    if output.USAGE in statuses:
        return output.USAGE
    if output.LATER in statuses or stopped or ledger.journal.unfinished():
        return output.LATER
    attention = ledger.journal.counts().get("parked") or ledger.folders.quarantined()
    return output.ATTENTION if attention or statuses else output.DONE


_PLURALS = {
    "organization": "organizations",
    "person": "persons",
    "lead": "leads",
    "deal": "deals",
    "activity": "activities",
    "field": "fields",
}


def _report(ledger: Ledger, run: int, result: CaughtUp, wiring: Wiring) -> None:
    made = ledger.records.made_by(run)
    parts = [f"{count} {kind if count == 1 else _PLURALS[kind]}" for kind, count in made.items()]
    waiting = ledger.journal.counts()
    (counted,) = ledger.rows("SELECT writes FROM runs WHERE id = ?", run)
    output.console.print(
        f"read {result.new} new messages, wrote {counted['writes']} changes"
        + (f" (made {', '.join(parts)})" if parts else "")
        + f", spent {wiring.usage.total} tokens",
        markup=False,
    )
    left = {state: n for state, n in waiting.items() if n}
    if left:
        words = ", ".join(f"{n} {state}" for state, n in sorted(left.items()))
        output.console.print(f"still in the journal: {words}", markup=False)
    if result.pushed is not None and result.pushed.resume_at is not None:
        output.console.print(
            f"to be continued at {result.pushed.resume_at:%Y-%m-%d %H:%M} UTC: run the same again",
            markup=False,
        )


def _follow(
    wiring: Wiring,
    boxes: list[MailboxSection],
    since: datetime | None,
    held: Held,
    granted: int | Literal["all"] | None,
) -> int:
    """Let the running service read further back, and watch it until it is through."""
    output.console.print(f"{held.holder} is at work: it will read further back", markup=False)
    names = [box.name for box in boxes]
    with Ledger.open(wiring.config.ledger) as ledger:
        _keep_word(ledger, granted)
        with ledger.transaction("floor"):
            for box in boxes:
                ledger.folders.lower_floor(box.name, since or wiring.floor(box))
        with output.progress_bars(terminal=output.errors.is_terminal) as progress:
            while not wiring.stop.is_set():
                behind = ledger.folders.unread_back(names)
                pending = ledger.journal.unfinished()
                progress("folders still to read", behind, 0)
                progress("changes still to write", pending, 0)
                if not behind and not pending and not ledger.senders.due(1):
                    return output.DONE
                time.sleep(_LOOK)
    return output.LATER
