"""FLOW mailbox → ledger → Pipedrive, once: everything that lies in the mailboxes.

All mail is read before anything is written, so that a sender is classified once, at its end state:
no lead that becomes a deal an hour later. Where a service is running, that service does the work:
`ask_service` asks it to read further back, and `follow` watches its progress in the ledger.
"""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from daemon.config import MailboxSection
from daemon.errors import (
    ATTENTION,
    DONE,
    LATER,
    USAGE,
    LedgerProblem,
    Problem,
    exit_status,
)
from daemon.intake.garbage import collect_garbage_seldom
from daemon.intake.poll import Pass, poll
from daemon.intake.server_memory import remembered
from daemon.ledger.folders import FolderRow
from daemon.ledger.lock import Lock
from daemon.ledger.rereading import AT_ONCE
from daemon.ledger.store import Ledger
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.login import is_loopback
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings

if TYPE_CHECKING:  # the sync is loaded by those who sync: see `wiring`
    from daemon.sync import Pushed, SafetyLimit, Sync

Show = Callable[[str, int, int], None]  # phase, done, total (0: unknown)

_WORTH_WAITING = timedelta(minutes=2)  # a pause this short is slept through
_LOOK = 1.0  # seconds between two looks at what the service does
_STOPPING = {"sync", "approval"}  # parts that a service waits for a person with


@dataclass(slots=True)
class CaughtUp:
    """What a catch-up did, and the problems that it met."""

    run: int
    new: int = 0
    quarantined: int = 0
    pushed: "Pushed | None" = None
    problems: list[Problem] = field(default_factory=list)
    without_sent: list[str] = field(default_factory=list)  # mailboxes: no replies can be detected
    status: int = DONE  # the exit status


@dataclass(frozen=True, slots=True)
class Followed:
    """How following a service ended: an exit status, or None if the service did; and a word."""

    status: int | None
    word: str = ""


def catch_up(
    wiring: Wiring,
    ledger: Ledger,
    boxes: Sequence[MailboxSection],
    since: datetime | None,
    progress: Show,
    *,
    intake: bool = True,
    sync: bool = True,
    limit: "SafetyLimit | None" = None,
) -> CaughtUp:
    """Read these mailboxes, then write; `limit` is what may be done without approval."""
    collect_garbage_seldom()
    with ledger.transaction("run"):
        run = ledger.runs.begin("catch-up", wiring.now())
    result = CaughtUp(run)
    if intake:
        for box in boxes:
            take_in(wiring, ledger, box, since, result, progress)
    if sync and not wiring.stop.is_set():
        from daemon.sync import Sync, held_back  # noqa: PLC0415 - loaded by those who sync

        flow = Sync(wiring.session(ledger, run, progress, limit=limit))
        result.pushed = write_out(flow, result, wiring.now, wiring.stop.wait)
        if (asks := held_back(ledger)) is not None:
            result.problems.append(asks)
    result.status = _status(ledger, result, stopped=wiring.stop.is_set())
    with ledger.transaction("end of run"):
        ledger.runs.add(run, messages=result.new)
        ledger.runs.end(run, _OUTCOMES[result.status], wiring.now())
    return result


def ask_service(
    wiring: Wiring, ledger: Ledger, boxes: Sequence[MailboxSection], since: datetime | None
) -> None:
    """Have the running service read further back with its next poll."""
    with ledger.transaction("floor"):
        for box in boxes:
            ledger.folders.lower_floor(box.name, since or wiring.floor(box))
            ledger.folders.read_again(box.name)
        ledger.set(AT_ONCE, [box.name for box in boxes])


def follow(wiring: Wiring, boxes: Sequence[MailboxSection], progress: Show) -> Followed:
    """Watch until the service has read further back and written, or can't for now."""
    names = [box.name for box in boxes]
    lock = Lock(wiring.config.ledger)
    most = 0
    with Ledger.open(wiring.config.ledger, readonly=True) as ledger:
        while not wiring.stop.is_set():
            failing = _failing(ledger, names, wiring.now())
            behind = _behind(ledger, names)
            to_read = _behind(ledger, [name for name in names if name not in failing])
            pending = ledger.backlog.unfinished()
            most = max(most, behind)
            progress("reading further back", most - behind, most)
            progress("changes still to write", pending, 0)
            if not (behind or pending or failing or ledger.senders.due(1)):
                return Followed(DONE, "the service has read that far back, and written all of it")
            stuck = [one for one in ledger.conditions.problems() if one.needs_person]
            in_the_way = [one for one in stuck if one.part in _STOPPING or one.name in names]
            if in_the_way and not to_read:
                return Followed(USAGE, f"the service can't go on: {in_the_way[0].reason}")
            if not lock.is_held():
                return Followed(None)
            refused = _refused(ledger, names, failing, wiring.now())
            if (refused or failing) and len(refused) == to_read:
                some = [f"{one.name} of {one.mailbox}" for one in refused]
                some += [f"{name} ({why})" for name, why in failing.items()]
                word = f"the service couldn't read {', '.join(some)}, and tries again"
                return Followed(LATER, word)
            if not to_read and (pausing := _pausing(ledger, wiring.now())):
                return Followed(LATER, pausing)
            wiring.stop.wait(_LOOK)
    return Followed(LATER, "the service goes on with it")


def _behind(ledger: Ledger, names: Sequence[str]) -> int:
    """How much of these mailboxes is still to be read: folders, and what is read again."""
    again = sum(bool(ledger.rereading.places(name, 1)) for name in names)
    return ledger.folders.unread_back(names) + again


def _failing(ledger: Ledger, names: Sequence[str], now: datetime) -> dict[str, str]:
    """The mailboxes that can't be polled before a later time, with the reasons."""
    known = (ledger.troubles.of(name) for name in names)
    return {
        one.mailbox: one.reason
        for one in known
        if one is not None and (one.next_due is None or one.next_due > now)
    }


def _refused(
    ledger: Ledger, mailboxes: Sequence[str], failing: Collection[str], now: datetime
) -> list[FolderRow]:
    """The folders that were tried since the service was asked, and couldn't be read through."""
    return [
        folder
        for mailbox in mailboxes
        if mailbox not in failing
        for folder in ledger.folders.of(mailbox)
        if folder.scanned_at is None and folder.next_due is not None and folder.next_due > now
    ]


def _pausing(ledger: Ledger, now: datetime) -> str | None:
    """Why the service writes nothing for a while that isn't worth waiting for."""
    for one in ledger.conditions.of("sync", "budget"):
        if one.failing_since and one.next_try and one.next_try - now > _WORTH_WAITING:
            return f"the service writes nothing until {one.next_try:%H:%M} UTC: {one.reason}"
    return None


def wait(wiring: Wiring) -> Followed:
    """Wait until the command that holds the ledger has ended."""
    lock = Lock(wiring.config.ledger)
    while lock.is_held():
        if wiring.stop.wait(_LOOK):
            return Followed(LATER, "nothing was read or written")
    return Followed(None)


_OUTCOMES = {
    DONE: "done",
    ATTENTION: "done, something is parked or quarantined",
    USAGE: "stopped: configuration or login",
    LATER: "unfinished: try again later",
}


def take_in(
    wiring: Wiring,
    ledger: Ledger,
    box: MailboxSection,
    since: datetime | None,
    result: CaughtUp,
    progress: Show,
) -> None:
    """Read one mailbox back to `since` (None: its own floor) into the ledger."""
    floor = since or wiring.floor(box)
    run = pass_over(wiring, box, floor, progress)
    with ledger.transaction("floor"):
        ledger.folders.belong(box.name, wiring.account(box).identity, run.configured)
        ledger.folders.lower_floor(box.name, floor)
        bulk = bool(ledger.folders.unread_back([box.name])) or not ledger.folders.of(box.name)
        ledger.folders.read_again(box.name)  # what was restored from a backup is found, too

    def another() -> Mailbox:
        return Mailbox.connect(wiring.account(box), bulk=True)

    run = replace(
        run,
        bulk=bulk,
        # Over loopback there is no way to go, and one connection is as fast.
        another=None if is_loopback(box.host) else another,
        again=sys.maxsize,
    )
    if read(wiring, ledger, box, run, result, bulk=True) and not ledger.setting(
        f"reply_detection:{box.name}"
    ):
        result.without_sent.append(box.name)


def pass_over(wiring: Wiring, box: MailboxSection, floor: datetime | None, show: Show) -> Pass:
    """One pass over a mailbox for a command, which `show` is told about."""
    return Pass(
        scoring=scoring_settings(wiring.config),
        name=box.name,
        floor=floor,
        now=wiring.now,
        stopping=wiring.stop.is_set,
        progress=lambda folder, done, total: show(f"{box.name}: {folder}", done, total),
        account=wiring.account(box).identity,
        configured=frozenset(one.name for one in wiring.config.mailboxes),
    )


def read(
    wiring: Wiring,
    ledger: Ledger,
    box: MailboxSection,
    run: Pass,
    result: CaughtUp,
    *,
    bulk: bool = False,
) -> bool:
    """Connect to one mailbox and take in what is new or due there; False if that failed.

    `bulk` says that far more than a few mails are expected. What was read and the problems, but
    those of the ledger, go into `result`.
    """
    try:
        with (
            remembered(wiring.account(box), ledger) as account,
            Mailbox.connect(account, bulk=bulk) as mailbox,
        ):
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
    from daemon.sync.condition import keep_failure, keep_pass  # noqa: PLC0415 - see above

    ledger, total = sync.session.ledger, Pushed()
    try:
        while True:
            pushed = sync.sync()
            total.writes += pushed.writes
            total.resume_at, total.problem = pushed.resume_at, pushed.problem
            if pushed.problem is not None:
                break
            due = pushed.resume_at or ledger.backlog.next_due()
            worth = due is not None and due - now() <= _WORTH_WAITING
            if not ledger.backlog.unfinished() or not worth or due is None:
                break
            if pause(max(0.05, (due - now()).total_seconds())):
                break
        keep_pass(ledger, pushed, now())
        result.problems += [one for one in (pushed.problem, pushed.asks) if one is not None]
    except LedgerProblem:
        raise
    except Problem as problem:
        keep_failure(ledger, problem, now())
        result.problems.append(problem)
    return total


def _status(ledger: Ledger, result: CaughtUp, *, stopped: bool) -> int:
    statuses = {exit_status(problem) for problem in result.problems}
    if USAGE in statuses:
        return USAGE
    if LATER in statuses or stopped or ledger.backlog.unfinished():
        return LATER
    attention = ledger.backlog.counts().get("parked") or ledger.quarantine.count()
    return ATTENTION if attention or statuses else DONE
