"""One pass of the sync, from what is due to what came of it."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daemon.ledger.journal import JournalRow
from daemon.pipedrive.apply import Outcome, WriteRequest
from daemon.pipedrive.objects import Target
from daemon.sync import listing
from daemon.sync.lost_records import recognise
from daemon.sync.outcomes import Pushed
from daemon.sync.planning import plan_due
from daemon.sync.prepare import prepare
from daemon.sync.push import Pusher
from daemon.sync.refresh import everything_due, refresh
from daemon.sync.safety_limit import check, is_first
from daemon.sync.session import Session

_KEEP_DONE = timedelta(days=30)
_ROUNDS = 5  # of planning again what a push has shown to be otherwise, in one pass


class _FieldsFirst(Pusher):
    """Makes our custom fields and nothing else: what was planned earlier waits for their codes."""

    def _choose(
        self, flights: dict[Future[Outcome], JournalRow], queue: list[JournalRow]
    ) -> tuple[list[tuple[JournalRow, WriteRequest]], list[JournalRow]]:
        return super()._choose(flights, [row for row in queue if row.kind == "field"])


class _FieldsDone(Pusher):
    """Leaves our fields alone: what shows them must know their codes, as `prepare` finds them."""

    def _choose(
        self, flights: dict[Future[Outcome], JournalRow], queue: list[JournalRow]
    ) -> tuple[list[tuple[JournalRow, WriteRequest]], list[JournalRow]]:
        return super()._choose(flights, [row for row in queue if row.kind != "field"])


def _hold(_place: Target) -> Pushed:
    """Send nothing yet."""
    return Pushed()


@dataclass(slots=True)
class Sync:
    """One company kept in agreement with one ledger."""

    session: Session
    _recovered: bool = False
    _recognised: bool = False
    _fields: Pushed = field(default_factory=Pushed)  # what the last making of fields did
    _fields_made: datetime | None = None  # when they were made, if not by this start

    def __post_init__(self) -> None:
        self._fields_made = self.session.ledger.records.last_written("field")

    def sync(self) -> Pushed:
        """Do what is due; what can't be done yet stands in the journal with its time.

        Raises AuthProblem, ConfigProblem (unknown stage or owner too) and RetryLater.
        """
        try:
            return self._pass()
        finally:
            self.session.keep_usage()

    def has_work(self) -> bool:
        """Whether anything waits to be planned or sent, or the CRM to be listed again."""
        ledger, now = self.session.ledger, self.session.now()
        listing = everything_due(self.session)
        return bool(
            ledger.senders.due(1)
            or ledger.journal.ready(now, 1)
            or (listing is not None and listing <= now)
        )

    def next_due(self) -> datetime | None:
        """When there is something to do without new mail."""
        due = [self.session.ledger.journal.next_due(), everything_due(self.session)]
        return min((moment for moment in due if moment is not None), default=None)

    def _pass(self) -> Pushed:
        session = self.session
        ledger = session.ledger
        if not self._recovered:
            with ledger.transaction("recover"):
                ledger.journal.recover(session.now())
                ledger.journal.prune(session.now() - _KEEP_DONE)
            self._recovered = True
        total = Pushed()
        for _ in range(_ROUNDS):
            if not self.has_work():
                break
            self._fields = Pushed()
            held = session.valve is not None and is_first(ledger)
            place = prepare(session, _hold if held else self._push_fields)
            if not held and self._add(total, self._fields):
                break
            # What may exist already is found out first, or it would seem to be people's.
            if self._has_unknown() and self._add(
                total, _FieldsDone(session, place).push(unknown_only=True)
            ):
                break
            due = refresh(session, place)
            if not self._recognised:
                recognise(session, self._fields_made)
                self._recognised = True
            plan_due(session, due)
            if held:
                place = self._let_through()
            pushed = self._push(place)
            self._add(total, pushed)
            if pushed.resume_at or pushed.problem or not (pushed.touched or pushed.again):
                break
        return total

    def _let_through(self) -> Target:
        """Ask the valve, then make the fields that it held back and plan with them; once."""
        session, ledger = self.session, self.session.ledger
        assert session.valve is not None  # noqa: S101 - held only by one
        persons = ledger.crm.count("person") if listing.is_complete(session) else None
        check(ledger, session.valve, persons=persons)
        place = prepare(session, self._push_fields)
        with ledger.transaction("touch"):
            # All that were planned without the fields, persons that need nothing else included.
            touched = sorted(ledger.journal.senders() | ledger.records.senders_with("person"))
            ledger.senders.touch(touched)
        plan_due(session, touched)
        return place

    def _push(self, place: Target) -> Pushed:
        return _FieldsDone(self.session, place).push()

    def _push_fields(self, place: Target) -> Pushed:
        self._fields = _FieldsFirst(self.session, place).push()
        return self._fields

    def _has_unknown(self) -> bool:
        return self.session.ledger.journal.has_unknown(self.session.now())

    def _add(self, total: Pushed, pushed: Pushed) -> bool:
        """Join what one push did to the others of the pass, and have touched senders planned.

        True if nothing more may be sent for now.
        """
        total.writes += pushed.writes
        total.parked += pushed.parked
        total.waiting += pushed.waiting
        total.resume_at, total.problem = pushed.resume_at, pushed.problem
        if pushed.touched:
            with self.session.ledger.transaction("touch"):
                self.session.ledger.senders.touch(pushed.touched)
        return total.halted
