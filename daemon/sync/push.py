"""FLOW journal → Pipedrive → records: sends what is due, the most urgent first, each change once.

    ready rows → commit `sending` → workers send → commit records and `done`

One thread owns the ledger; the workers only talk to Pipedrive, so no connection is shared and no
transaction is open across a request. At most one change of a sender, and of an organization, is on
the wire at a time.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta

from daemon.errors import LedgerProblem, Problem
from daemon.ledger.journal import JournalRow
from daemon.log import event
from daemon.pipedrive import directory
from daemon.pipedrive.apply import Outcome, apply
from daemon.pipedrive.costs import price_of
from daemon.pipedrive.objects import Target
from daemon.pipedrive.outcomes import Unknown
from daemon.rules.case import RANK_FRESH
from daemon.sync.joins import JOINS
from daemon.sync.outcomes import Outcomes
from daemon.sync.pushed import Pushed
from daemon.sync.session import Session
from daemon.sync.write_requests import Prepared, SetAside, WriteRequests

_WINDOW = 1000  # rows looked at for the next ones to send
_LOOKS = 30  # times that the journal is read while as many are sent, at most
_NEWS_EVERY = timedelta(seconds=5)  # looks for senders who have come meanwhile
_PLAN_EVERY = timedelta(minutes=1)  # those of them who aren't fresh are planned together
_REPORT_EVERY = timedelta(minutes=1)
_InFlight = dict[Future[Outcome], JournalRow]


class Pusher:
    """Sends what is in the journal of a session.

    It stops for those who come meanwhile, and before a record is made on an old listing; the caller
    lists, plans and pushes again.
    """

    def __init__(self, session: Session, place: Target) -> None:
        self._session = session
        self._place = place
        self.ledger = session.ledger
        self.pushed = Pushed()
        self._set_aside_some = False
        self._read = 0  # how many rows the last look at the journal showed
        self._unblocked = False
        self._outcomes = Outcomes(session, place.codes, self.pushed)
        self._broken: BaseException | None = None  # why nothing more can be recorded
        self._began = self._looked = self._reported = session.now()
        self._settled_after = session.settled_after()
        self._backlog = True  # whether there are tokens for what isn't fresh
        self._requests = WriteRequests(session)

    def push(self, takes: Callable[[JournalRow], bool]) -> Pushed:
        """Send what is due and `takes` says yes to, until nothing is or nothing may be sent.

        The outcome of each change is recorded by itself; a ledger that can't be written to ends the
        push once everything that is in flight has come back.
        """
        with ThreadPoolExecutor(self._workers, thread_name_prefix="pipedrive") as pool:
            in_flight: _InFlight = {}
            queue: list[JournalRow] = []
            while True:
                if self._may_go_on():
                    try:
                        queue = self._launch(pool, in_flight, queue, takes)
                    except LedgerProblem as problem:
                        self._broken = problem
                if not in_flight:
                    break
                back, _ = wait(in_flight, return_when=FIRST_COMPLETED)
                self._record([_outcome(in_flight.pop(future), future) for future in back])
                if self._is_outdated(len(queue)):
                    queue = []
                self._report()
        if self._broken is not None:
            raise self._broken
        return self.pushed

    def _may_go_on(self) -> bool:
        """Whether more is to be sent before others are planned, listed or waited for."""
        pushed = self.pushed
        if pushed.halted or pushed.interrupted or self._broken or self._session.stopping():
            return False
        now = self._session.now()
        if now - self._looked >= _NEWS_EVERY:
            self._looked = now
            self._requests.look_anew()
            all_due = now - self._began >= _PLAN_EVERY
            since = None if all_due and self._backlog else self._session.fresh_since()
            pushed.interrupted = bool(self.ledger.senders.due(1, since))
        return not pushed.interrupted

    def _is_outdated(self, left: int) -> bool:
        """Whether the journal is to be read again before what is left of the last look at it.

        A record that is there now may have unblocked what comes first in order of spending. The
        longer the list, the more of it is sent between two looks, each of which costs time.
        """
        parked, unblocked = self._outcomes.take_news()
        self._unblocked = self._unblocked or unblocked
        return parked or (self._unblocked and (self._read - left) * _LOOKS >= self._read)

    @property
    def _workers(self) -> int:
        return self._session.settings.workers

    def _launch(
        self,
        pool: ThreadPoolExecutor,
        in_flight: _InFlight,
        queue: list[JournalRow],
        takes: Callable[[JournalRow], bool],
    ) -> list[JournalRow]:
        """Commit the next changes to `sending`, then hand them to the workers."""
        self._set_aside_some = True
        chosen, rest = self._choose(in_flight, queue)
        while not chosen and not (queue and in_flight) and self._set_aside_some:
            # What is set aside may have been what others were waiting for.
            self._set_aside_some = False
            ready = self.ledger.journal.ready(self._session.now(), _WINDOW)
            due = [row for row in ready if takes(row)]
            self._read, self._unblocked = len(due), False
            chosen, rest = self._choose(in_flight, due)
        if chosen:
            now = self._session.now()
            settled = now - self._settled_after
            with self.ledger.transaction("sending"):
                self.ledger.journal.sending([one.row for one in chosen], now, settled)
        for one in chosen:
            self._outcomes.proves[one.row.id] = one.proves
            sent = pool.submit(apply, self._session.client, one.request, self._place)
            in_flight[sent] = one.row
        return rest

    def _choose(
        self, in_flight: _InFlight, queue: list[JournalRow]
    ) -> tuple[list[Prepared], list[JournalRow]]:
        busy = {subject for row in in_flight.values() for subject in _subjects(row)}
        chosen: list[Prepared] = []
        rest: list[JournalRow] = []
        room = self._workers - len(in_flight)
        for position, row in enumerate(queue):
            if len(chosen) >= room or self._rests_on_old_listings(row) or self._is_kept_back(row):
                rest += queue[position:]
                break
            if busy & _subjects(row) or self._is_doubtful(
                row, (*in_flight.values(), *(one.row for one in chosen))
            ):
                rest.append(row)
                continue
            ready = None if self._rests(row) else self._prepare(row)
            if ready is None:
                continue  # set aside, or what it hangs on is on its way
            chosen.append(ready)
            busy |= _subjects(row)
        return chosen, rest

    def _rests_on_old_listings(self, row: JournalRow) -> bool:
        """Whether people may have made this record since the listings that its plan rests on."""
        makes = row.action == "create" and row.kind in directory.KINDS and not row.unknown
        if makes and self._session.now() - self._began > self._session.settings.refresh:
            self.pushed.interrupted = True
        return self.pushed.interrupted

    def _is_kept_back(self, row: JournalRow) -> bool:
        """Whether the tokens that are left today are kept for those who are fresh.

        The rows come in the order of their ranks, so none of those after this one is fresh.
        """
        if row.rank.startswith(RANK_FRESH):
            return False
        budget = self._session.client.budget
        self._backlog = self._backlog and (budget.for_backlog() > 0 or not budget.remaining())
        if not self._backlog and self.pushed.kept_back_until is None:
            self.pushed.kept_back_until = budget.resets_at
            event("sync.kept_back", tokens=budget.remaining(), until=f"{budget.resets_at:%FT%TZ}")
        return not self._backlog

    def _is_doubtful(self, row: JournalRow, others: Sequence[JournalRow]) -> bool:
        """Whether its kind was refused last, so that only one of them is tried at a time."""
        makes = row.action in {"create", "convert"} and row.kind in self._outcomes.resting
        return makes and any(row.kind == other.kind for other in others)

    def _rests(self, row: JournalRow) -> bool:
        """Whether its kind rests, so that it is set aside; one of the kind is still tried."""
        rest = self._outcomes.resting.get(row.kind)
        if rest is None or rest.next_try is None or row.unknown:
            return False
        if row.action not in {"create", "convert"} or row.id in self.pushed.tried:
            return False
        if rest.next_try <= self._session.now() and not self.pushed.tried:
            self.pushed.tried.add(row.id)
            return False
        self._set_aside(row, SetAside(rest.reason))
        return True

    def _prepare(self, row: JournalRow) -> Prepared | None:
        """A change that can be sent now; else it is set aside, or waits for what is on its way."""
        found = self._requests.of(row)
        if self._requests.should_list:
            self.pushed.interrupted = True
        if isinstance(found, SetAside):
            self._set_aside(row, found)
            return None
        return found

    def _set_aside(self, row: JournalRow, aside: SetAside) -> None:
        with self.ledger.transaction("set aside"):
            if aside.drop:
                self.ledger.journal.drop(row)
                if JOINS in row.fields:  # it gets a person of its own
                    self.pushed.touched.add(row.key)
                    self.ledger.senders.touch([row.key])
            else:
                self.ledger.journal.park(row, aside.why, parked_for=aside.parked_for)
                self.pushed.parked += 1
        self._set_aside_some = True
        event("sync.set_aside", kind=row.kind, key=row.key, action=row.action, reason=aside.why)

    def _record(self, back: Sequence[tuple[JournalRow, Outcome | Problem]]) -> None:
        """Record what came of some changes, together if that works, else each by itself."""
        now, before = self._session.now(), self._outcomes.state()
        try:
            with self.ledger.transaction("outcome"):
                for row, outcome in back:
                    self._outcomes.record(row, outcome, now)
                self.ledger.runs.spend(f"{now:%Y-%m-%d}", self._session.usage.take())
        except Exception as error:  # noqa: BLE001 - raised once everything is back
            self._outcomes.go_back(before)
            if len(back) == 1:
                self._broken = self._broken or error
                return
            for one in back:
                self._record([one])

    def _report(self) -> None:
        """Say how far a long push has got."""
        now = self._session.now()
        if now - self._reported < _REPORT_EVERY:
            self._session.progress("writing", self.pushed.writes, 0)
            return
        self._reported = now
        left = self.ledger.backlog.unfinished()
        budget = self._session.client.budget
        self._session.progress("writing", self.pushed.writes, self.pushed.writes + left)
        event(
            "sync.progress",
            written=self.pushed.writes,
            left=left,
            tokens_left=budget.remaining(),
            days_left=budget.days_for(price_of(self.ledger.backlog.pending())) or None,
        )


def _outcome(row: JournalRow, future: Future[Outcome]) -> tuple[JournalRow, Outcome | Problem]:
    try:
        return row, future.result()
    except Problem as problem:
        return row, problem
    except Exception as error:  # noqa: BLE001 - an answer of a shape that nobody thought of
        trace = "".join(traceback.format_exception(error))
        event("sync.bug", logging.ERROR, kind=row.kind, key=row.key, error=trace)
        return row, Unknown(f"{type(error).__name__}: {error}", what=f"{row.kind} {row.key}")


def _subjects(row: JournalRow) -> set[str]:
    """What must not be on the wire twice: the sender, and an organization being made."""
    if row.kind == "organization":
        return {f"organization {row.key}"}
    subjects = {f"sender {row.sender}"} if row.sender else {f"{row.kind} {row.key}"}
    others = [*(row.fields.get("participants") or ()), row.fields.get(JOINS, row.key)]
    return subjects | {f"sender {name}" for name in others}
