"""One pass of the sync, from what is due to what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.ledger.journal import JournalRow
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


def _is_field(row: JournalRow) -> bool:
    """Our custom fields come first and alone: what shows them must know their codes."""
    return row.kind == "field"


def _is_record(row: JournalRow) -> bool:
    return row.kind != "field"


def _may_be_made(row: JournalRow) -> bool:
    return row.unknown and row.kind != "field"


@dataclass(slots=True)
class Sync:
    """One company kept in agreement with one ledger."""

    session: Session
    _recovered: bool = False
    _recognised: bool = False
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
            held = session.valve is not None and is_first(ledger)
            place = prepare(session)
            if not held:
                place = self._make_fields(place, total)
                if total.halted:
                    break
            # What may exist already is found out first, or it would seem to be people's.
            if self._has_unknown() and self._add(total, Pusher(session, place).push(_may_be_made)):
                break
            due, drafts = refresh(session, place)
            if not self._recognised:
                recognise(session, self._fields_made)
                self._recognised = True
            plan_due(session, place, due, drafts)
            if held:
                place = self._let_through(total)
            pushed = Pusher(session, place).push(_is_record)
            self._add(total, pushed)
            if pushed.resume_at or pushed.problem or not (pushed.touched or pushed.again):
                break
        return total

    def _make_fields(self, place: Target, total: Pushed) -> Target:
        """Make the fields that are planned, those that Pipedrive refuses aside; the place then."""
        session = self.session
        if not session.ledger.journal.ready_of("field", session.now()):
            return place
        self._add(total, Pusher(session, place).push(_is_field))
        return prepare(session)

    def _let_through(self, total: Pushed) -> Target:
        """Ask the valve, then make the fields that it held back and plan with them; once."""
        session, ledger = self.session, self.session.ledger
        assert session.valve is not None  # noqa: S101 - held only by one
        persons = ledger.crm.count("person") if listing.is_complete(session) else None
        check(ledger, session.valve, persons=persons)
        place = self._make_fields(prepare(session), total)
        with ledger.transaction("touch"):
            # All that were planned without the fields, persons that need nothing else included.
            touched = sorted(ledger.journal.senders() | ledger.records.senders_with("person"))
            ledger.senders.touch(touched)
        plan_due(session, place, touched)
        return place

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
