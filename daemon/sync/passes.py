"""One pass of the sync, from what is due to what came of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from daemon.ledger.journal import JournalRow
from daemon.log import event
from daemon.pipedrive.objects import Target
from daemon.pipedrive.outcomes import Moved
from daemon.rules.case import RANK_FRESH
from daemon.sync import configuration, listing
from daemon.sync.external_changes import look_due, look_lately, look_twice
from daemon.sync.follow_ups import ask_first, is_task_for, overdue_at_first
from daemon.sync.lost_records import adopt_lost_activities
from daemon.sync.planning import plan_due
from daemon.sync.prepare import prepare
from daemon.sync.push import Pusher
from daemon.sync.pushed import Pushed
from daemon.sync.refresh import everything_due, look_again, refresh
from daemon.sync.relocation import relocate
from daemon.sync.safety_limit import Checked, check, creates_record, is_first
from daemon.sync.session import LAG, Session

_KEEP_DONE = timedelta(days=30)
_CLOCK_NOISE, _CLOCK_WRONG = 5, 60  # seconds
_ROUNDS = 5  # of planning again what a push has shown to be otherwise, in one pass


def _is_field(row: JournalRow) -> bool:
    """Our custom fields come first and alone: what shows them must know their codes."""
    return row.kind == "field"


def _is_record(row: JournalRow) -> bool:
    return row.kind != "field"


def _is_harmless(row: JournalRow) -> bool:
    """What may be sent while the creation of records waits for approval."""
    return row.kind != "field" and (row.unknown or not creates_record(row))


def _may_be_made(row: JournalRow) -> bool:
    return row.unknown and row.kind != "field"


def _is_fresh(row: JournalRow) -> bool:
    """Whether somebody in touch lately waits for it."""
    return row.rank.startswith(RANK_FRESH)


def _only_fresh(takes: Callable[[JournalRow], bool]) -> Callable[[JournalRow], bool]:
    return lambda row: _is_fresh(row) and takes(row)


def _without_tasks(
    takes: Callable[[JournalRow], bool], overdue: datetime
) -> Callable[[JournalRow], bool]:
    return lambda row: takes(row) and not is_task_for(row, overdue)


def _allowed(checked: Checked) -> Callable[[JournalRow], bool]:
    """Of the journal, what may be sent whether or not a person approves the rest."""
    if checked.asks is None:
        return _is_record
    if checked.fresh_may_go:
        return lambda row: _is_harmless(row) or (_is_record(row) and _is_fresh(row))
    return _is_harmless


def plan_only(session: Session) -> None:
    """List and plan as a pass does, and send nothing; for a ledger that is a copy."""
    configuration.follow(session)
    place = prepare(session)
    plan_due(session, place, *refresh(session, place))


@dataclass(slots=True)
class Sync:
    """One company kept in agreement with one ledger; it lives through any failure of a pass."""

    session: Session
    _started: datetime | None = None
    _pruned: date | None = None
    _adopted_lost: bool = False
    _configured: bool = False  # the ledger agrees with the configuration
    _maybe_first: bool = True  # nothing may have been created out of this ledger yet
    _facts: tuple[int, int] = (0, 0)  # offset of the clock in seconds, the day's tokens
    _look_twice: bool = False  # when a second look for something missing is due
    _fields_made: datetime | None = None  # when they were made, if not by this start

    def __post_init__(self) -> None:
        session = self.session
        self._fields_made = session.ledger.records.last_written("field")
        self._maybe_first = session.limit is not None
        session.client.lag = timedelta(seconds=session.ledger.setting(LAG) or 0)

    def sync(self) -> Pushed:
        """Do what is due; what can't be done yet stands in the journal with its time.

        Raises AuthProblem, ConfigProblem (unknown stage or owner too) and RetryLater.
        """
        session = self.session
        with session.ledger.remembering():
            try:
                pushed = self._wherever_it_is()
            finally:
                session.keep_usage()
                self._keep_facts()
        if pushed.resume_at is None and pushed.kept_back_until is not None:
            due = session.ledger.backlog.next_due()
            pushed.resume_at = min(pushed.kept_back_until, due or pushed.kept_back_until)
        if pushed.resume_at is not None:
            pushed.resume_at = session.by_our_clock(pushed.resume_at)
        return pushed

    def _wherever_it_is(self) -> Pushed:
        """A pass, at the company's new address if it has moved."""
        session = self.session
        if session.client.moved:
            relocate(session)
        try:
            return self._pass()
        except Moved:
            if not relocate(session):
                raise
            return self._pass()

    def _keep_facts(self) -> None:
        """Keep what Pipedrive has told of its clock and its budget, where it has changed."""
        session, client = self.session, self.session.client
        offset = client.clock_offset
        if offset is None:
            return  # nothing was asked yet: what an earlier pass heard still holds
        seconds = round(offset.total_seconds())
        facts = (seconds, client.budget.limit)
        near = abs(seconds - self._facts[0]) < _CLOCK_NOISE
        if near and facts[1] == self._facts[1]:
            return
        self._facts = facts
        with session.ledger.transaction("facts"):
            session.ledger.set("clock_offset_s", seconds)
            session.ledger.set("daily_tokens", client.budget.limit)
            conditions, wall = session.ledger.conditions, session.wall()
            if abs(seconds) > _CLOCK_WRONG:
                way = "ahead of" if seconds > 0 else "behind"
                why = f"this machine's clock is {abs(seconds)} s {way} Pipedrive's"
                conditions.failed("clock", why, wall, needs_person=True)
                event("clock.wrong", logging.WARNING, seconds=seconds, why=why)
            elif conditions.is_failing("clock"):
                conditions.good("clock", wall)

    def has_work(self) -> bool:
        """Whether anything waits to be planned or sent, or the CRM to be listed again."""
        ledger, now = self.session.ledger, self.session.now()
        if ledger.senders.due(1) or ledger.journal.ready(now, 1):
            return True
        due = self._next_due()
        return due is not None and due <= now

    def next_due(self) -> datetime | None:
        """When there is something to do without new mail, by our clock."""
        soonest = self._next_due(follow_up=self.session.settings.policy.follow_up is not None)
        return None if soonest is None else self.session.by_our_clock(soonest)

    def _next_due(self, *, follow_up: bool = False) -> datetime | None:
        ledger = self.session.ledger
        due = [ledger.backlog.next_due(follow_up=follow_up), look_due(self.session)]
        return min((moment for moment in due if moment is not None), default=None)

    def _pass(self) -> Pushed:
        session = self.session
        total = Pushed()
        session.client.check_clock()
        due = self._recover()
        if not self._configured:
            configuration.follow(session, lambda: self._go_on_with_news(total))
            self._configured, due = not session.stopping(), False
        rounds = 0
        while rounds < _ROUNDS and not session.stopping() and (due or self.has_work()):
            due = False
            pushed = self._round(total)
            if pushed is None or total.resume_at or total.problem:
                break
            if not pushed.interrupted:
                rounds += 1
                if not (pushed.touched or pushed.again):
                    break
        return total

    def _recover(self) -> bool:
        """Take up what an earlier pass has left: nothing is in flight between two passes.

        Whether it is known already that somebody is to be planned.
        """
        ledger, now = self.session.ledger, self.session.now()
        left, self._look_twice, due = ledger.backlog.left_over(now)
        if left:
            with ledger.transaction("recover"):
                ledger.journal.recover(now)
                ledger.journal.release_due(now)
                ledger.senders.touch_waiting(now)
                for rest in ledger.resting.all().values():
                    if rest.next_try is not None and rest.next_try <= now:
                        ledger.journal.release_one(rest.kind)
        if self._pruned != now.date():
            with ledger.transaction("prune"):
                ledger.journal.prune(now - _KEEP_DONE)
            self._pruned = now.date()
        return due

    def _go_on_with_news(self, total: Pushed) -> None:
        """See to those in touch lately while what is known is judged again, which takes minutes."""
        session = self.session
        if not total.halted and session.ledger.senders.due(1, session.fresh_since()):
            self._round(total, only_fresh=True)

    def _round(self, total: Pushed, *, only_fresh: bool = False) -> Pushed | None:
        """List, plan and push once; None if nothing more may be sent for now.

        `only_fresh`: of the journal, only what those in touch lately wait for.
        """
        session = self.session
        first = self._maybe_first = self._maybe_first and is_first(session.ledger)
        place = prepare(session)
        fields, unknown = session.ledger.backlog.comes_first(session.now())
        if fields and not first:
            place = self._make_fields(place, total)
        self._started = self._started or session.now()
        if total.halted:
            return None
        # What may exist already is found out first, or it would seem to be people's.
        if unknown and self._add(total, Pusher(session, place).push(_may_be_made)):
            return None
        if self._look_twice:
            look_twice(session, place)
            self._look_twice = False
        self._look_lately(place)
        due, drafts = refresh(session, place, self._started)
        if not self._adopted_lost:
            adopt_lost_activities(session, self._fields_made)
            self._adopted_lost = True
        plan_due(session, place, due, drafts)
        checked = self._check_limit(first=first)
        total.asks = checked.asks
        if first and total.asks is not None:
            return None
        if first:
            place = self._make_first_fields(total)
        takes = _allowed(checked)
        if only_fresh:
            takes = _only_fresh(takes)
        overdue = overdue_at_first(session)
        asks = ask_first(session, overdue) if overdue is not None else None
        if asks is not None and overdue is not None:
            total.asks, takes = total.asks or asks, _without_tasks(takes, overdue)
        pushed = Pusher(session, place).push(takes)
        self._add(total, pushed)
        return pushed

    def _look_lately(self, place: Target) -> None:
        """Look for deletions between two full listings; what seems gone may be elsewhere."""
        session, now = self.session, self.session.now()
        due = look_due(session)
        if due is None or due > now:
            return
        everything = everything_due(session)
        if everything is not None and everything <= now:
            return  # that shows more
        kinds = look_lately(session, place)
        if kinds:
            with session.ledger.transaction("look again"):
                look_again(session, kinds)

    def _make_fields(self, place: Target, total: Pushed) -> Target:
        """Make the planned fields, except those that Pipedrive refuses; where records go then."""
        self._add(total, Pusher(self.session, place).push(_is_field))
        return prepare(self.session)

    def _check_limit(self, *, first: bool) -> Checked:
        """Whether the planned records may be created without a person's approval."""
        session, ledger = self.session, self.session.ledger
        if session.limit is None:
            return Checked()
        complete = first and listing.is_complete(session)
        persons = ledger.crm.count("person") if complete else None
        return check(ledger, session.limit, session.now(), persons=persons, first=first)

    def _make_first_fields(self, total: Pushed) -> Target:
        """Make the fields that waited for the safety limit, and plan again now that they exist."""
        session, ledger = self.session, self.session.ledger
        place = prepare(session)
        if ledger.backlog.comes_first(session.now())[0]:
            place = self._make_fields(place, total)
        with ledger.transaction("touch"):
            # All that were planned without the fields, persons that need nothing else included.
            touched = sorted(ledger.backlog.senders() | ledger.records.with_person())
            ledger.senders.touch(touched)
        plan_due(session, place, touched)
        return place

    def _add(self, total: Pushed, pushed: Pushed) -> bool:
        """Join what one push did to the others of the pass.

        True if nothing more may be sent for now.
        """
        total.writes += pushed.writes
        total.parked += pushed.parked
        total.waiting += pushed.waiting
        total.resume_at, total.problem = pushed.resume_at, pushed.problem
        total.kept_back_until = pushed.kept_back_until
        return total.halted
