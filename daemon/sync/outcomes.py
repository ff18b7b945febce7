"""The outcome of a change: recorded in the ledger, with what follows from it.

Called inside the transaction that closes the change; never talks to Pipedrive.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from daemon.errors import AuthProblem, ConfigProblem, Problem, Rejected, RetryLater
from daemon.ledger.journal import JournalRow
from daemon.ledger.resting import Rest
from daemon.ledger.timestamp import stamp
from daemon.log import event
from daemon.pipedrive.apply import Missing, NotSeen, Outcome, Outdated
from daemon.pipedrive.directory import Absence
from daemon.pipedrive.outcomes import Blocked, BudgetSpent, NotSent, Refused, TooMany
from daemon.rules import backoff, follow_up
from daemon.rules.case import STATISTICS
from daemon.rules.deals import PARTICIPANT
from daemon.rules.records import Adoption
from daemon.sync import joins
from daemon.sync.consequences import apply_consequences
from daemon.sync.joins import JOINS
from daemon.sync.prepare import forget_place
from daemon.sync.pushed import Pushed
from daemon.sync.refresh import look_again
from daemon.sync.session import Session, note_lag

# What a record keeps of what was written: enough to see a difference, no bodies.
_KEPT = {
    "activity": (
        *("participants", "subject", "due_date", "due_time", "duration", "unlinked", "deal"),
        *("done", "since", "covers"),
    ),
    "organization": (),
}


class Outcomes:
    """Records outcomes of one session into one `Pushed`."""

    def __init__(self, session: Session, codes: Iterable[str], pushed: Pushed) -> None:
        self._session = session
        self._codes = frozenset(codes)  # custom fields of ours that Pipedrive has
        self._pushed = pushed
        self._parked_others = self._unblocked = False
        self.ledger = session.ledger
        self.resting: dict[str, Rest] = self.ledger.resting.all()
        # By change: what its success proves to be there, as (kind, id), if nothing has before.
        self.proves: dict[int, list[tuple[str, str]]] = {}

    def take_news(self) -> tuple[bool, bool]:
        """Whether changes of others were parked, and whether some may have become ready."""
        news = (self._parked_others, self._unblocked)
        self._parked_others = self._unblocked = False
        return news

    def state(self) -> tuple[Pushed, dict[str, Rest]]:
        """What was counted so far, to go back to if a transaction fails."""
        pushed = replace(self._pushed, touched=set(self._pushed.touched))
        return pushed, dict(self.resting)

    def go_back(self, state: tuple[Pushed, dict[str, Rest]]) -> None:
        """Forget what was counted since."""
        before, self.resting = state
        for one in fields(Pushed):
            setattr(self._pushed, one.name, getattr(before, one.name))

    def record(self, row: JournalRow, outcome: Outcome | Problem, now: datetime) -> None:
        """Record what came of a change."""
        deal = row.fields.get("deal")
        if isinstance(outcome, Problem) and not isinstance(outcome, Outdated) and deal is not None:
            self._session.looked.pop(str(deal), None)  # the deal may not have been looked at
        proves = self.proves.get(row.id)
        if proves and row.kind == "activity" and isinstance(outcome, Outcome) and not outcome.found:
            self.ledger.presence.prove(proves)
        if isinstance(outcome, Problem):
            self._failed(row, outcome, now)
        else:
            self._succeeded(row, outcome, now)

    def _succeeded(self, row: JournalRow, outcome: Outcome, now: datetime) -> None:
        """The request was answered well, or the change was found done."""
        journal, records = self.ledger.journal, self.ledger.records
        if outcome.archived:
            records.mark_gone("lead", row.key, "archived", now, "by people, in Pipedrive")
            journal.drop(row)
            self._plan_again([row.key])
            return
        if outcome.needless:
            journal.drop(row)
            return
        if outcome.failed:
            # Pipedrive won't convert this lead: a deal is made, and the lead archived after it.
            journal.create_instead(row)
            event("sync.not_converted", key=row.key)
            return
        if outcome.id is None:
            due = backoff.due(now, backoff.pause(backoff.CONVERSION, row.attempts + 1))
            journal.wait(row, due, None, unknown=False, conversion=outcome.conversion)
            self._pushed.waiting += 1
            return
        if outcome.found and row.id in self._session.unseen and row.sent_at is not None:
            note_lag(self._session, now - row.sent_at)
        if row.action == "archive":
            records.mark_gone("lead", row.key, "archived", now, "a deal took its place")
        elif outcome.lead is not None:
            self._converted_by_people(row, outcome.id, outcome.lead, now)
        else:
            self._written(row, outcome, now)
        self._unblocked = self._unblocked or (row.kind != "activity" and row.action != "update")
        made = outcome.id if outcome.lead is None else None
        self._plan_again(apply_consequences(self._session, row, made, now))
        journal.done(row, now)
        if row.action in {"create", "convert"} and row.kind in self.resting:
            self._taken(row.kind)
        if self._session.run is not None:
            self.ledger.runs.add(self._session.run, writes=1)
        self._pushed.writes += 1

    def _failed(self, row: JournalRow, problem: Problem, now: datetime) -> None:
        """What to do next, by what the problem says."""
        journal, pushed = self.ledger.journal, self._pushed
        match problem:
            case AuthProblem() | ConfigProblem():
                journal.wait(row, None, str(problem), unknown=row.unknown)
                pushed.problem = problem
            case BudgetSpent():
                journal.wait(row, None, "today's tokens are spent", unknown=row.unknown)
                pushed.resume_at = now + timedelta(seconds=problem.after or 60)
                pushed.problem = problem
            case Blocked() | TooMany():
                journal.wait(row, None, str(problem), unknown=row.unknown)
                pushed.resume_at = now + timedelta(seconds=problem.after or 2)
            case Missing():
                self._missing(row, problem, now)
            case Outdated():
                self._outdated(row, problem, now)
            case Rejected():
                self._refused(row, problem, now)
            case RetryLater():
                asked, unknown = problem.after or 0.0, not isinstance(problem, NotSent)
                steps = backoff.UNKNOWN if row.unknown or unknown else backoff.CHANGE
                pause = backoff.pause(steps, row.attempts + 1)
                if isinstance(problem, NotSeen):
                    self._session.unseen.add(row.id)
                    # Then it is sent again, however often it was looked for before.
                    due = backoff.due(now, min(pause, asked))
                else:
                    due = backoff.due(now, max(pause, asked))
                journal.wait(row, due, str(problem), unknown=row.unknown or unknown)
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
        written = self._kept(row)
        if JOINS in row.fields:
            written = joins.keep(self._session, row, outcome.id or "")
            self._plan_again([row.key, row.fields[JOINS]])
            self._unblocked = True
        if outcome.people is not None:
            written = dict(outcome.people)
            self._plan_again(self._whose(row))
        elif outcome.found and row.version > 1:
            # What was made may be an earlier version of this change: what can change is compared
            # anew, as if it had never been written. Without its class the update goes at once.
            kept = {n: v for n, v in written.items() if n not in {"class", "participants"}}
            written = {n: None if n in STATISTICS else v for n, v in kept.items()}
            written |= follow_up.as_first_made(row.fields)
            self._plan_again(row.fields.get("participants") or self._whose(row))
        self.ledger.records.written(
            row.kind,
            row.key,
            outcome.id or "",
            written,
            now,
            sender=row.sender,
            run=self._session.run,
            created=row.action in {"create", "convert"},
        )

    def _converted_by_people(self, row: JournalRow, deal: str, lead: str, now: datetime) -> None:
        """The lead that was made is a deal by now, because people were faster than our look."""
        records = self.ledger.records
        reason = "converted from our lead"
        records.adopt(Adoption("lead", row.key, lead, reason, ours=True), row.key, now)
        records.mark_gone("lead", row.key, "converted", now, "by people, in Pipedrive")
        records.adopt(Adoption("deal", row.key, deal, reason, ours=True), row.key, now)
        self._plan_again([row.key])

    def _kept(self, row: JournalRow) -> dict[str, Any]:
        planned: Mapping[str, Any] = row.fields
        if row.kind == "person":
            # A field that Pipedrive doesn't have, or an organization that it didn't get, isn't
            # written: it will be, as soon as it is there.
            there = self.ledger.records.live_id("organization", planned.get("organization") or "")
            return {
                name: value
                for name, value in planned.items()
                if (name not in STATISTICS or name in self._codes)
                and (name != "organization" or there is not None)
            }
        names = _KEPT.get(row.kind)
        return dict(planned) if names is None else {n: planned[n] for n in names if n in planned}

    def _refused(self, row: JournalRow, problem: Rejected, now: datetime) -> None:
        """Set it aside for a while; after three different records alike, all of its kind."""
        steps: Sequence[float] = backoff.REFUSED
        if row.kind == "field":
            steps = steps[-1:]  # an administrator has to make it, which is looked for once a day
        due = backoff.due(now, backoff.pause(steps, row.attempts + 1))
        self.ledger.journal.park(row, str(problem), due)
        self._pushed.parked += 1
        makes = row.action in {"create", "convert"} and row.kind != "field"
        if not isinstance(problem, Refused) or not makes:
            return
        alike = f"{problem.status} {problem.code}"
        rest = self.ledger.resting.refused(
            self.resting.get(row.kind), row.kind, row.key, alike, str(problem), now
        )
        self.resting[row.kind] = rest
        if rest.next_try is not None:
            self._pushed.parked += self.ledger.journal.park_kind(row.kind, str(problem))
            self._parked_others = True
            event("sync.rests", kind=row.kind, until=stamp(rest.next_try), reason=problem)

    def _taken(self, kind: str) -> None:
        """A record of a kind that was refused lately was made: all that waited for that goes on."""
        rested = self.resting.pop(kind).next_try is not None
        self.ledger.resting.ended(kind)
        if rested:
            self.ledger.journal.release_kind(kind)
            self._parked_others = True

    def _missing(self, row: JournalRow, problem: Missing, now: datetime) -> None:
        """Something that it names isn't there: for good, or only not to be seen now."""
        journal = self.ledger.journal
        if problem.absence != Absence.DELETED and not self._is_proven(problem, now):
            is_target = problem.id == self._target_of(row)
            if is_target and not self.ledger.presence.is_young(problem.kind, problem.id, now):
                due = backoff.due(now, backoff.pause(backoff.REFUSED, row.attempts + 1))
                journal.park(row, str(problem), due)
                self._pushed.parked += 1
            else:
                # Made a moment ago: to be seen soon. Else it goes on without what is missing.
                due = backoff.due(now, backoff.pause(backoff.CHANGE, row.attempts + 1))
                journal.wait(row, due, str(problem), unknown=row.unknown)
                self._pushed.waiting += 1
            return
        if row.unknown and row.action == "create" and problem.kind != "deal":
            # An earlier request may have made it: looked for again where its links went. Nothing is
            # looked for at a deal: one is asked for when a look has shown that nothing was made.
            due = backoff.due(now, backoff.pause(backoff.CHANGE, 1))
            journal.wait(row, due, str(problem), unknown=True)
        else:
            journal.drop(row)  # not made: what is wanted now is planned anew
        self._plan_again(self._whose(row))
        match problem.kind:
            case "stage" | "owner" | "label":
                forget_place(self._session)
                self._pushed.again = True
            case "field":
                self.ledger.records.mark_gone("field", problem.id, "deleted", now, "by people")
                self._pushed.again = True
            case _:
                self._mark_gone(problem.kind, problem.id, now)

    def _outdated(self, row: JournalRow, problem: Outdated, now: datetime) -> None:
        """People have closed or reopened the deal: where its mail goes is planned again."""
        self.ledger.crm.keep([problem.deal], self.ledger.setting("sweep") or 0)
        if row.kind == PARTICIPANT:
            self.ledger.journal.drop(row)
        else:  # a look before it has shown that no earlier request made it
            self.ledger.journal.wait(row, now, str(problem), unknown=False)
        for sender in self._whose(row):
            self.ledger.deals.leave(str(problem.deal.id), sender)
        self._plan_again(self._whose(row))
        self._pushed.interrupted = True

    def _is_proven(self, problem: Missing, now: datetime) -> bool:
        """Whether a look that doesn't find it, after others, shows that it is gone."""
        records = self.ledger.records
        if problem.kind == "field":
            code = records.live_id("field", problem.id) or ""
            return not self.ledger.presence.is_young("field", code, now)
        if self.ledger.presence.is_young(problem.kind, problem.id, now):
            return False
        if problem.kind == "lead":
            look_again(self._session, {"lead", "deal"})  # people may have converted it
        return self.ledger.presence.miss(problem.kind, problem.id, str(problem.absence), now)

    def _target_of(self, row: JournalRow) -> str | None:
        if row.action == "create":
            return None
        kind = "lead" if row.action in {"convert", "archive"} else row.kind
        return self.ledger.records.live_id(kind, row.key)

    def _mark_gone(self, kind: str, identifier: str, now: datetime) -> None:
        """An object is gone: whatever it stands for is, until it is found elsewhere."""
        records = self.ledger.records
        for record in records.by_id(kind, identifier):
            if not record.tombstone:
                records.mark_gone(kind, record.key, "deleted", now, "Pipedrive answered: gone")
                self._plan_again(records.senders_of(kind, record.key))
        if kind in {"organization", "person", "deal", "lead"}:
            self.ledger.crm.drop(kind, identifier)
            # Merged: its survivor has what it had. Converted: there is a deal.
            look_again(self._session, {kind} | ({"deal"} if kind == "lead" else set()))

    def _whose(self, row: JournalRow) -> Iterable[str]:
        """The senders for whom a change is made."""
        if row.kind == "organization":
            return self.ledger.records.senders_of(row.kind, row.key)
        return [row.sender or row.key]

    def _plan_again(self, senders: Iterable[str]) -> None:
        """Have them planned again, in the transaction of the outcome that makes it necessary.

        After a crash nothing else would show that it is.
        """
        told = set(senders)
        self._pushed.touched |= told
        self.ledger.senders.touch(told)
