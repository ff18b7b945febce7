"""How the program is, read from the ledger alone: for `status`, systemd, metrics and alerts.

What fails is a row of the ledger's view `problems`. Here it gets its weight (a person is needed, or
it fails and is tried again), the next command to type, and the numbers that surround it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from daemon.errors import ATTENTION, DONE, LATER
from daemon.ledger import reports
from daemon.ledger.conditions import EVENTS, Failure
from daemon.ledger.lock import Lock
from daemon.ledger.store import Ledger
from daemon.ledger.timestamp import stamp_or_none
from daemon.pipedrive.costs import price_of
from daemon.pipedrive.pacing import days_for, share_of
from daemon.rules.quantities import counted
from daemon.wiring import Wiring

Weight = Literal["person", "failing", "note"]

# What to do about each part that fails.
_NEXT = {
    "approval": "mail2deal approve",
    "follow-ups": "mail2deal approve, or answer them first",
    "old mail": "mail2deal approve (mail2deal --dry-run shows it)",
    "sync": "mail2deal check",
    "listing": "mail2deal check",
    "resting": "mail2deal check, then mail2deal retry",
    "mailbox": "mail2deal check, then mail2deal retry",
    "folder": "mail2deal check",
    "slow": "nothing, unless it stays: then ask whoever runs the mail server",
    "parked": "mend the cause, then mail2deal retry",
    "quarantine": "mail2deal retry --save DIRECTORY",
    "in flight": "mail2deal retry",
    "waiting": "mail2deal check",
    "not visible": "mail2deal check (it says whose token sees everything)",
    "events": "mend the receiver, then mail2deal retry",
    "owner": "name another owner in the configuration, or activate the user",
    "label": "make the label in Pipedrive again, or name another in the configuration",
    "clock": "set this machine's clock (timedatectl)",
}
PARTS = tuple(_NEXT)
# Parts that only say why something takes longer, or goes on without a part of it.
_PATIENT = {"budget", "clock", "not visible", "slow"}
_MINUTES_APART = 60  # seconds that our clock and Pipedrive's may differ without a word
_EXAMPLES = 3  # of senders whose records would no longer be made
_LONG_AGO = timedelta(minutes=15)  # without a pass, a running service isn't at work


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One thing that a person should know, the worst first, and what to do about it."""

    weight: Weight
    part: str
    name: str
    since: datetime | None
    reason: str
    next_try: datetime | None
    do: str

    def __str__(self) -> str:
        """`sync fails since …: reason; next try …`."""
        what = f"{self.part} {self.name}".rstrip()
        since = f" since {self.since:%Y-%m-%d %H:%M}" if self.since else ""
        again = f"; next try {self.next_try:%Y-%m-%d %H:%M} UTC" if self.next_try else ""
        return f"{what}{since}: {self.reason}{again}"

    def as_json(self) -> dict[str, str | None]:
        """The same for programs; instants as the ledger writes them."""
        return {
            "weight": self.weight,
            "part": self.part,
            "name": self.name,
            "since": stamp_or_none(self.since),
            "reason": self.reason,
            "next_try": stamp_or_none(self.next_try),
            "do": self.do,
        }


def health(ledger: Ledger, now: datetime) -> list[HealthLine]:
    """All that is wrong or worth knowing: what needs a person, what fails, notes."""
    lines = [_line(problem) for problem in ledger.conditions.problems()]
    offset = ledger.setting("clock_offset_s") or 0
    if abs(offset) > _MINUTES_APART:
        way = "ahead of" if offset > 0 else "behind"
        reason = f"this machine's clock is {abs(offset):.0f} s {way} Pipedrive's"
        lines.append(HealthLine("note", "clock", "", None, reason, None, _NEXT["clock"]))
    waiting = ledger.conditions.of("sync")
    good = waiting[0].good_at if waiting else None
    pending = ledger.backlog.unfinished()
    idle = pending and good is not None and now - good > _LONG_AGO
    if idle and not waiting[0].failing_since and not Lock(ledger.path).is_held():
        reason = f"no service is running, and {pending} changes wait"
        do = "systemctl start mail2deal, or mail2deal --catch-up"
        lines.append(HealthLine("failing", "service", "", good, reason, None, do))
    for name, count, since in ledger.events.behind(now - _LONG_AGO):
        reason = f"{counted(count, 'event')} not sent yet"
        do = "nothing while it catches up; else have the receiver answer first and work later"
        lines.append(HealthLine("note", EVENTS, name, since, reason, None, do))
    order: Sequence[Weight] = ("person", "failing", "note")
    return sorted(lines, key=lambda line: order.index(line.weight))


def _line(problem: Failure) -> HealthLine:
    weight: Weight = "person" if problem.needs_person else "failing"
    if problem.part in _PATIENT:
        weight = "note"
    return HealthLine(
        weight=weight,
        part=problem.part,
        name=problem.name,
        since=problem.since,
        reason=problem.reason,
        next_try=problem.next_try,
        do=_NEXT.get(problem.part, ""),
    )


def exit_status_of(lines: Sequence[HealthLine]) -> int:
    """1 if a person is needed, 75 if something fails and is tried again, else 0."""
    weights = {line.weight for line in lines}
    return ATTENTION if "person" in weights else LATER if "failing" in weights else DONE


def summary(lines: Sequence[HealthLine]) -> str:
    """The worst in one short line, for `systemctl status`; empty if all is well."""
    wrong = [line for line in lines if line.weight != "note"]
    if not wrong:
        return ""
    more = f" (and {len(wrong) - 1} more: mail2deal status)" if len(wrong) > 1 else ""
    return f"{wrong[0]}{more}"


def report(wiring: Wiring, ledger: Ledger) -> dict[str, Any]:
    """What `status` shows; this is the shape of `--json`."""
    return {
        "problems": [line.as_json() for line in health(ledger, wiring.now())],
        "service": Lock(ledger.path).holder(),
        "sync": _sync(ledger),
        "folders": reports.folders(ledger),
        "troubles": reports.troubles(ledger),
        "reply_detection": {
            box.name: ledger.setting(f"reply_detection:{box.name}")
            for box in wiring.config.mailboxes
        },
        "sent": {
            box.name: {
                "folders": reports.sent_folders(ledger, box.name),
                "unmatched_answers": reports.unmatched_answers(ledger, box.name),
            }
            for box in wiring.config.mailboxes
        },
        "no_longer_made": reports.unwanted(ledger, _EXAMPLES),
        "crowded_hosts": ledger.setting("crowded_hosts") or {},
        "messages": ledger.counts("messages"),
        "to_read_again": ledger.rereading.left(),
        "senders": ledger.counts("senders"),
        "records": ledger.counts("records"),
        "journal": ledger.backlog.counts(),
        "next_change": reports.next_change(ledger),
        "parked": reports.parked(ledger, 20),
        "quarantine": {
            "messages": ledger.quarantine.count(),
            "reasons": reports.quarantine_reasons(ledger),
        },
        "budget": _budget(wiring, ledger),
    }


def _sync(ledger: Ledger) -> dict[str, Any]:
    """When the sync last worked, and how far clock and searches of Pipedrive lag."""
    sync = ledger.conditions.of("sync")
    return {
        "good_at": stamp_or_none(sync[0].good_at) if sync else None,
        "failing_since": stamp_or_none(sync[0].failing_since) if sync else None,
        "clock_offset_s": ledger.setting("clock_offset_s"),
        "lag_s": ledger.setting("lag_s"),
    }


def _budget(wiring: Wiring, ledger: Ledger) -> dict[str, Any]:
    """Tokens of this day, and what the changes that wait cost and for how many days after it."""
    daily = wiring.daily_tokens(ledger)
    spent = ledger.runs.spent(wiring.now().date().isoformat())
    backlog = price_of(ledger.backlog.pending())
    kept = share_of(daily, wiring.config.pipedrive.reserve)
    return {
        "daily": daily,
        "spent_today": spent,
        "left_today": max(0, daily - spent),
        "backlog": backlog,
        "days_for_backlog": days_for(backlog, max(0, daily - spent - kept), daily - kept),
    }
