"""What came of a change: recorded in the ledger, with what follows from it.

Called inside the transaction that closes the change; never talks to Pipedrive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from daemon.errors import AuthProblem, Problem, Rejected, RetryLater
from daemon.ledger.journal import JournalRow
from daemon.log import event
from daemon.pipedrive.apply import LinkGone, Outcome
from daemon.pipedrive.outcomes import Blocked, BudgetSpent, Capped, Gone, NotSent, TooMany
from daemon.rules import backoff
from daemon.rules.events import EventKind
from daemon.rules.plan import STATISTICS
from daemon.sync.news import tell
from daemon.sync.prepare import forget_place
from daemon.sync.refresh import look_again
from daemon.sync.session import Session

NO_PERSON = "its person isn't in Pipedrive"
# What a record keeps of what was written: enough to see a difference, no bodies.
_KEPT = {
    "activity": ("participants", "subject", "due_date", "due_time", "duration"),
    "organization": (),
}


_TOLD: Mapping[tuple[str, str], EventKind] = {
    ("lead", "create"): "lead_created",
    ("deal", "create"): "deal_created",
    ("deal", "convert"): "lead_converted",
}


@dataclass(slots=True)
class Pushed:
    """What a push did; `resume_at` is set when it stopped before the journal was empty."""

    writes: int = 0
    parked: int = 0
    waiting: int = 0
    resume_at: datetime | None = None
    problem: Problem | None = None
    touched: set[str] = field(default_factory=set)  # senders to be planned again
    again: bool = False  # where records go has changed: prepare again before the rest is sent

    @property
    def halted(self) -> bool:
        """Whether nothing more may be sent for now."""
        return self.resume_at is not None or self.problem is not None or self.again


class Outcomes:
    """Records outcomes of one session into one `Pushed`."""

    def __init__(self, session: Session, codes: Iterable[str], pushed: Pushed) -> None:
        self._session = session
        self._codes = frozenset(codes)  # our fields that Pipedrive has
        self._pushed = pushed
        self._parked_others = self._unblocked = False
        self.ledger = session.ledger

    def take_news(self) -> tuple[bool, bool]:
        """Whether changes of others were parked, and whether some may have become ready."""
        news = (self._parked_others, self._unblocked)
        self._parked_others = self._unblocked = False
        return news

    def succeeded(self, row: JournalRow, outcome: Outcome, now: datetime) -> None:
        """The request was answered well, or the change was found done."""
        journal, records = self.ledger.journal, self.ledger.records
        if outcome.archived:
            records.bury("lead", row.key, "archived", now, "by people, in Pipedrive")
            journal.drop(row)
            self._plan_again([row.key])
            return
        if outcome.failed:
            # Pipedrive won't convert this lead: a deal is made, and the lead archived after it.
            journal.become(row, "create")
            event("sync.not_converted", key=row.key)
            return
        if outcome.id is None:
            due = backoff.due(now, backoff.pause(backoff.CONVERSION, row.attempts + 1))
            journal.wait(row, due, None, unknown=False, conversion=outcome.conversion)
            self._pushed.waiting += 1
            return
        if row.action == "archive":
            records.bury("lead", row.key, "archived", now, "a deal took its place")
        else:
            self._written(row, outcome, now)
        self._follow(row, now)
        journal.done(row, now)
        if self._session.run is not None:
            self.ledger.runs.add(self._session.run, writes=1)
        self._pushed.writes += 1

    def failed(self, row: JournalRow, problem: Problem, now: datetime) -> None:
        """What to do next, by what the problem says."""
        journal, pushed = self.ledger.journal, self._pushed
        match problem:
            case AuthProblem():
                journal.wait(row, None, str(problem), unknown=row.unknown)
                pushed.problem = problem
            case BudgetSpent():
                journal.wait(row, None, "today's tokens are spent", unknown=row.unknown)
                pushed.resume_at = now + timedelta(seconds=problem.after or 60)
                pushed.problem = problem
            case Blocked() | TooMany():
                journal.wait(row, None, str(problem), unknown=row.unknown)
                pushed.resume_at = now + timedelta(seconds=problem.after or 2)
            case LinkGone():
                if row.unknown:
                    # An earlier request may have made it: looked for again where its links went.
                    due = backoff.due(now, backoff.pause(backoff.CHANGE, 1))
                    journal.wait(row, due, str(problem), unknown=True)
                else:
                    journal.drop(row)  # not made: what is wanted now is planned anew
                self._plan_again([row.sender or row.key])
                self._link_gone(problem, now)
            case Gone():
                self._gone(row, problem, now)
            case Capped():
                journal.park(row, str(problem))
                parked = journal.park_kind(row.kind, str(problem)) if row.action == "create" else 0
                pushed.parked += parked + 1
                self._parked_others = True
            case Rejected():
                journal.park(row, str(problem))
                pushed.parked += 1
            case RetryLater():
                own = backoff.pause(backoff.CHANGE, row.attempts + 1)
                due = backoff.due(now, max(own, problem.after or 0.0))
                unknown = row.unknown or not isinstance(problem, NotSent)
                journal.wait(row, due, str(problem), unknown=unknown)
                pushed.waiting += 1
            case _:
                raise problem
        event(
            "sync.change_failed",
            kind=row.kind,
            key=row.key,
            action=row.action,
            outcome=type(problem).__name__,
            error=problem,
        )

    def _written(self, row: JournalRow, outcome: Outcome, now: datetime) -> None:
        fields = self._kept(row)
        if outcome.found and row.version > 1:
            # What was made may be an earlier version of this change: what can change is compared
            # anew, as if it had never been written.
            fields = {n: v for n, v in fields.items() if n not in {*STATISTICS, "participants"}}
            self._plan_again(row.fields.get("participants") or [row.sender or row.key])
        self.ledger.records.written(
            row.kind,
            row.key,
            outcome.id or "",
            fields,
            now,
            sender=row.sender,
            run=self._session.run,
            created=row.action in {"create", "convert"},
        )

    def _kept(self, row: JournalRow) -> dict[str, Any]:
        fields: Mapping[str, Any] = row.fields
        if row.kind == "person":
            # A field that Pipedrive doesn't have, or an organization that it didn't get, isn't
            # written: it will be, as soon as it is there.
            there = self.ledger.records.live_id("organization", fields.get("organization") or "")
            return {
                name: value
                for name, value in fields.items()
                if (name not in STATISTICS or name in self._codes)
                and (name != "organization" or there is not None)
            }
        names = _KEPT.get(row.kind)
        return dict(fields) if names is None else {n: fields[n] for n in names if n in fields}

    def _follow(self, row: JournalRow, now: datetime) -> None:
        """What a change that is through means for others."""
        self._unblocked = self._unblocked or (row.kind != "activity" and row.action != "update")
        self._tell(row, now)
        records, journal = self.ledger.records, self.ledger.journal
        if row.kind == "person" and row.action == "create":
            for parked in journal.parked_for(row.key, NO_PERSON):
                journal.become(parked, parked.action)
            if self._session.settings.emails and self.ledger.senders.missing_activities(row.key, 1):
                self._plan_again([row.key])  # logged without it, while it couldn't be made
        if row.kind == "lead" and row.action == "create":
            sender = self.ledger.senders.get(row.key)
            if sender is not None and sender.class_.name == "person_with_deal":
                self._plan_again([row.key])  # it has crossed the threshold meanwhile
        if row.kind == "deal" and row.action == "convert":
            records.bury("lead", row.key, "converted", now, "to the deal, by us")
        elif row.kind == "deal" and records.live_id("lead", row.key) is not None:
            journal.plan_archive(row, now, self._session.run)

    def _tell(self, row: JournalRow, now: datetime) -> None:
        subscribers = self._session.settings.subscribers
        kind = _TOLD.get((row.kind, row.action)) if subscribers else None
        made = self.ledger.records.live_id(row.kind, row.key) if kind else None
        if kind is not None and made is not None:
            tell(self.ledger, subscribers, kind, row.key, now, (row.kind, made))

    def _gone(self, row: JournalRow, problem: Gone, now: datetime) -> None:
        """What it changes was removed by people: leave it so, and look where it went."""
        if row.action == "create":
            self.ledger.journal.park(row, str(problem))
            self._pushed.parked += 1
            return
        kind = "lead" if row.action in {"convert", "archive"} else row.kind
        record = self.ledger.records.get(kind, row.key)
        self.ledger.journal.drop(row)
        if record is not None and record.pipedrive_id is not None:
            self._bury(kind, record.pipedrive_id, now)

    def _link_gone(self, problem: LinkGone, now: datetime) -> None:
        match problem.kind:
            case "stage":
                forget_place(self._session)
                self._pushed.again = True
            case "field":
                self.ledger.records.bury("field", problem.id, "deleted", now, "by people")
                self._pushed.again = True
            case _:
                self._bury(problem.kind, problem.id, now)

    def _bury(self, kind: str, identifier: str, now: datetime) -> None:
        """An object is gone: whatever it stands for is, until it is found elsewhere."""
        records = self.ledger.records
        for record in records.by_id(kind, identifier):
            if not record.tombstone:
                records.bury(kind, record.key, "deleted", now, "Pipedrive answered: gone")
                self._plan_again(records.senders_of(kind, record.key))
        if kind in {"organization", "person", "deal", "lead"}:
            self.ledger.crm.drop(kind, identifier)
            # Merged: its survivor has what it had. Converted: there is a deal.
            look_again(self._session, {kind} | ({"deal"} if kind == "lead" else set()))

    def _plan_again(self, senders: Iterable[str]) -> None:
        self._pushed.touched |= set(senders)
