"""Ledger → the activity that reminds people to answer: what becomes of it when a sender is planned.

`senders.follow_up_due` says when a mail will have waited long enough. So a pass, even the first one
after a week without the service, knows from the ledger alone whom to plan.
"""

from datetime import datetime

from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.ledger.timestamp import instant_or_none
from daemon.rules.correspondence import Unanswered
from daemon.rules.follow_up import Habit, NextStep, next_step, standing_of
from daemon.sync.news import tell
from daemon.sync.safety_limit import TASKS_FROM, AskFirst, check_tasks
from daemon.sync.session import LOST_UNTIL, Session
from daemon.sync.wanted_activities import claim


def plan_follow_up(
    session: Session,
    row: SenderRow,
    name: str,
    waiting: tuple[Unanswered, ...],
    now: datetime,
    *,
    pursued: bool,
) -> NextStep:
    """What is planned for a sender, inside the transaction of its plan."""
    policy, ledger = session.settings.policy, session.ledger
    if policy.follow_up is None:
        return NextStep(row.follow_up)
    coming = record = None
    if row.follow_up is not None:
        record = ledger.records.get("activity", row.follow_up)
        coming = ledger.journal.open_row("activity", row.follow_up)
    standing = standing_of(
        row.follow_up,
        record,
        coming.fields if coming else None,
        may_be=coming is not None and _may_be_there(coming),
    )
    habit = Habit(policy.follow_up, policy.zone, now)
    step = next_step((row.address, name), waiting, standing, habit, pursued=pursued)
    if step.take_back and coming is not None:
        ledger.journal.drop(coming)
    if step.is_new and step.key is not None:
        claim(session, step.changes)
        since = datetime.fromisoformat(step.changes[-1].fields["since"])
        if ledger.records.get("activity", step.key) is not None:
            step.changes.pop()  # made by a ledger that was lost, and found again
            return step
        marks = ledger.settings(LOST_UNTIL, TASKS_FROM)
        lost = instant_or_none(marks.get(LOST_UNTIL) or None)
        if lost is not None and since + policy.follow_up <= lost:
            # A ledger that was lost had made it, and people have deleted it since.
            later = tuple(mail for mail in waiting if mail.sent_at > lost)
            return plan_follow_up(session, row, name, later, now, pursued=pursued)
        if not marks.get(TASKS_FROM):
            _tell(session, row.address, step.key, now)
    return step


def overdue_at_first(session: Session) -> datetime | None:
    """Mail up to this time had waited too long already when follow-ups were switched on.

    None if the tasks for it are approved, or need no approval.
    """
    wait = session.settings.policy.follow_up
    if wait is None or session.limit is None:
        return None
    began = instant_or_none(session.ledger.setting(TASKS_FROM))
    return None if began is None else began - wait


def ask_first(session: Session, overdue: datetime) -> AskFirst | None:
    """What a person has to approve before the tasks for mail up to `overdue` are made."""
    return check_tasks(session.ledger, overdue, session.now())


def is_task_for(row: JournalRow, overdue: datetime) -> bool:
    """Whether a change is a new task for mail that was written until then."""
    since = row.fields.get("since") if row.action == "create" and not row.unknown else None
    return since is not None and datetime.fromisoformat(since) <= overdue


def _may_be_there(row: JournalRow) -> bool:
    return row.state == "sending" or row.unknown


def _tell(session: Session, address: str, key: str, now: datetime) -> None:
    """Tell those who want to know, with a link to the deal or the lead if there is one."""
    live = session.ledger.records.live_id
    found = ((kind, live(kind, address)) for kind in ("deal", "lead"))
    record = next(((kind, one) for kind, one in found if one is not None), None)
    subscribers = session.settings.subscribers
    tell(session.ledger, subscribers, "follow_up_due", address, now, record, about=key)
