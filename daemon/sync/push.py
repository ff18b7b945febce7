"""FLOW journal → Pipedrive → records: sends what is due, in order of spending, each change once.

    ready rows → commit `sending` → workers send → commit records and `done`

One thread owns the ledger; the workers only talk to Pipedrive, so no connection is shared and no
transaction is open across a request. At most one change of a sender, and of an organization, is on
the wire at a time.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from daemon.errors import AuthProblem, Problem, Rejected, RetryLater
from daemon.ledger.journal import Row
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.pipedrive.apply import Order, Outcome, apply
from daemon.pipedrive.objects import Links, Place
from daemon.pipedrive.outcomes import Blocked, BudgetSpent, Capped, Gone, NotSent, TooMany
from daemon.sync.session import Session

_WINDOW = 1000  # rows looked at for the next ones to send
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=6)
_POLL_CONVERSION = timedelta(seconds=2)
# What a record keeps of what was written: enough to see a difference, no bodies.
_KEPT = {
    "activity": ("participants", "subject", "due_date", "due_time", "duration"),
    "organization": (),
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


class Pusher:
    """Drains the journal of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.ledger = session.ledger
        self.client = session.client
        self.now = session.now
        self.run = session.run
        self.workers = session.settings.workers

    def push(self, place: Place) -> Pushed:
        """Send everything that is due; returns when nothing is, or nothing may be sent."""
        pushed = Pushed()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="pipedrive") as pool:
            flights: dict[Future[Outcome], Row] = {}
            queue: list[Row] = []
            while True:
                halted = pushed.resume_at is not None or pushed.problem or self._session.stopping()
                if not halted:
                    queue = self._launch(pool, flights, queue, place)
                if not flights:
                    break
                landed, _ = wait(flights, return_when=FIRST_COMPLETED)
                self._land([(flights.pop(future), future) for future in landed], pushed)
                self._session.progress("writing", pushed.writes, 0)
        return pushed

    def _launch(
        self,
        pool: ThreadPoolExecutor,
        flights: dict[Future[Outcome], Row],
        queue: list[Row],
        place: Place,
    ) -> list[Row]:
        """Commit the next changes to `sending`, then hand them to the workers."""
        chosen, rest = self._choose(flights, queue)
        if not chosen and not (queue and flights):
            chosen, rest = self._choose(flights, self.ledger.journal.ready(self.now(), _WINDOW))
        if chosen:
            with self.ledger.transaction("sending"):
                self.ledger.journal.sending([row for row, _ in chosen], self.now())
        for row, order in chosen:
            flights[pool.submit(apply, self.client, order, place)] = row
        return rest

    def _choose(
        self, flights: Mapping[Future[Outcome], Row], queue: list[Row]
    ) -> tuple[list[tuple[Row, Order]], list[Row]]:
        busy = {subject for row in flights.values() for subject in _subjects(row)}
        chosen: list[tuple[Row, Order]] = []
        rest: list[Row] = []
        room = self.workers - len(flights)
        for position, row in enumerate(queue):
            if len(chosen) >= room:
                rest += queue[position:]
                break
            if busy & _subjects(row):
                rest.append(row)
                continue
            order = self._order(row)
            if order is None:
                continue  # what it hangs on is on its way; the next look finds it ready
            chosen.append((row, order))
            busy |= _subjects(row)
        return chosen, rest

    def _order(self, row: Row) -> Order | None:
        """A change with the ids that it hangs on; None while one of them is being made."""
        records = self.ledger.records
        names: list[str] = row.fields.get("participants") or ([row.sender] if row.sender else [])
        persons: dict[int, None] = {}
        for name in names if row.kind != "person" else ():
            identifier = records.live_id("person", name)
            if identifier is not None:
                persons[int(identifier)] = None
            elif _coming(self.ledger, "person", name):
                return None
        if row.kind in {"lead", "deal", "activity"} and not persons:
            self._set_aside(row, "its person isn't in Pipedrive (parked, or removed there)")
            return None
        organization = self._organization(row)
        lead = records.live_id("lead", row.sender) if row.sender else None
        deal = self._open_deal(row.sender) if row.sender else None
        target = lead if row.action == "convert" else records.live_id(row.kind, row.key)
        if row.action in {"update", "archive", "convert"} and target is None:
            self._set_aside(row, "what it would change isn't in Pipedrive any more", drop=True)
            return None
        return Order(
            kind=row.kind,
            key=row.key,
            action=row.action,
            fields=row.fields,
            links=Links(
                organization=int(organization) if organization else None,
                person=next(iter(persons), None),
                deal=int(deal) if deal else None,
                lead=lead,
                participants=tuple(persons),
            ),
            target=target,
            unknown=row.unknown,
            since=row.sent_at,
            conversion=row.conversion,
        )

    def _organization(self, row: Row) -> str | None:
        if row.kind == "organization":
            return None
        key = row.fields.get("organization") or row.organization
        if row.kind == "activity" and row.sender:
            sender = self.ledger.senders.get(row.sender)
            key = sender.organization if sender else None
        return self.ledger.records.live_id("organization", key) if key else None

    def _open_deal(self, sender: str) -> str | None:
        deal = self.ledger.records.live_id("deal", sender)
        listed = self.ledger.crm.deal(deal) if deal else None
        # One that isn't listed yet is ours and young; a won or lost one takes no more activities.
        is_open = listed is None or (listed.status == "open" and not listed.archived)
        return deal if is_open else None

    def _set_aside(self, row: Row, why: str, *, drop: bool = False) -> None:
        with self.ledger.transaction("set aside"):
            if drop:
                self.ledger.journal.drop(row)
            else:
                self.ledger.journal.park(row, why)
        event("sync.set_aside", kind=row.kind, key=row.key, action=row.action, reason=why)

    def _land(self, landed: Sequence[tuple[Row, Future[Outcome]]], pushed: Pushed) -> None:
        """Record in one transaction what came of the changes that are back."""
        now = self.now()
        with self.ledger.transaction("outcome"):
            for row, future in landed:
                try:
                    self._succeeded(row, future.result(), now, pushed)
                except Problem as problem:
                    self._failed(row, problem, now, pushed)
            self.ledger.runs.spend(now.strftime("%Y-%m-%d"), self._session.usage.take())

    def _succeeded(self, row: Row, outcome: Outcome, now: datetime, pushed: Pushed) -> None:
        journal, records = self.ledger.journal, self.ledger.records
        if outcome.failed:
            # Pipedrive won't convert this lead: a deal is made, and the lead archived after it.
            journal.become(row, "create")
            return
        if outcome.id is None:
            delay = _POLL_CONVERSION * (row.attempts + 1)
            journal.wait(row, now + delay, None, unknown=False, conversion=outcome.conversion)
            pushed.waiting += 1
            return
        created = row.action in {"create", "convert"}
        if row.action == "archive":
            records.bury("lead", row.key, "archived", now, "a deal took its place")
        else:
            records.written(
                row.kind,
                row.key,
                outcome.id,
                _kept(row.kind, row.fields),
                now,
                sender=row.sender,
                run=self.run,
                created=created,
            )
        if row.kind == "deal" and created:
            self._after_deal(row, now)
        journal.done(row, now)
        if self.run is not None:
            self.ledger.runs.add(self.run, writes=1)
        pushed.writes += 1

    def _after_deal(self, row: Row, now: datetime) -> None:
        if row.action == "convert":
            self.ledger.records.bury("lead", row.key, "converted", now, "to the deal, by us")
        elif self.ledger.records.live_id("lead", row.key) is not None:
            self.ledger.journal.plan_archive(row, now, self.run)

    def _failed(self, row: Row, problem: Problem, now: datetime, pushed: Pushed) -> None:
        """What to do next, by what the problem says."""
        journal = self.ledger.journal
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
            case Gone():
                self._gone(row, now, pushed)
            case Capped():
                journal.park(row, str(problem))
                parked = journal.park_kind(row.kind, str(problem)) if row.action == "create" else 0
                pushed.parked += parked + 1
            case Rejected():
                journal.park(row, str(problem))
                pushed.parked += 1
            case RetryLater():
                due = now + _pause(row.attempts, problem.after)
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

    def _gone(self, row: Row, now: datetime, pushed: Pushed) -> None:
        """Something it changes or hangs on was removed by people: leave it so, look again."""
        kind = "lead" if row.action in {"convert", "archive"} else row.kind
        if row.action != "create":
            self.ledger.records.bury(kind, row.key, "deleted", now, "Pipedrive answered: gone")
            self.ledger.journal.drop(row)
        else:
            self.ledger.journal.park(row, "what it hangs on was removed in Pipedrive")
            pushed.parked += 1
        if row.sender:
            pushed.touched.add(row.sender)


def _subjects(row: Row) -> set[str]:
    """What must not be on the wire twice: the sender, and an organization being made."""
    if row.kind == "organization":
        return {f"organization {row.key}"}
    subjects = {f"sender {row.sender}"} if row.sender else {f"{row.kind} {row.key}"}
    return subjects | {f"sender {name}" for name in row.fields.get("participants") or ()}


def _coming(ledger: Ledger, kind: str, key: str) -> bool:
    row = ledger.journal.open_row(kind, key)
    return row is not None and row.action == "create" and row.state != "parked"


def _kept(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    names = _KEPT.get(kind)
    return dict(fields) if names is None else {n: fields[n] for n in names if n in fields}


def _pause(attempts: int, asked: float | None) -> timedelta:
    """How long to wait after a failure: what was asked for, else longer with each attempt."""
    doublings = min(attempts, 20)
    own = min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)
    return max(own, timedelta(seconds=asked)) if asked else own
