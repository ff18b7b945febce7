"""What to do next: one undone activity for a sender who has waited too long for our answer. Pure.

It stands for an episode: the mails of a sender that came since we last wrote. It is planned once
the first of them has waited, names the day until which the latest should be answered, moves when
another comes, and is done when we have written. What people did with it ends the episode: only
mails that came later begin another. So there is never a second one beside one that is open.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.rules.case import RANK_FRESH, activity_rank
from daemon.rules.correspondence import Unanswered
from daemon.rules.marks import marked
from daemon.rules.records import Change, LocalRecords, Record, RemoteMatches

PREFIX = "follow-up-"  # of the record keys of these activities
TYPE = "task"
# What should have been answered longer ago isn't news: a first backfill plans nothing for it.
_OLDEST = timedelta(days=30)
_SUBJECT_CHARS = 255


@dataclass(frozen=True, slots=True)
class Habit:
    """How long a mail may wait, the zone in which people count days, and what time it is."""

    wait: timedelta
    zone: Any
    now: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The activity of a sender's latest episode: what it says, or will say once it is written."""

    key: str
    fields: Mapping[str, Any]
    written: bool  # it is in Pipedrive, or may be
    tombstone: bool = False

    @property
    def covers(self) -> datetime:
        """When the latest mail was written that it stands for."""
        return datetime.fromisoformat(self.fields["covers"])

    @property
    def since(self) -> datetime:
        """When the first of them was written."""
        return datetime.fromisoformat(self.fields["since"])

    @property
    def closed(self) -> datetime | None:
        """Until when nothing needs another one; None while it is open."""
        if self.tombstone or self.fields.get("done"):
            at = self.fields.get("closed")
            return max(self.covers, datetime.fromisoformat(at)) if at else self.covers
        return None


@dataclass(slots=True)
class NextStep:
    """What is planned: the activity that stands for the sender, and when to look again."""

    key: str | None = None
    due: datetime | None = None
    changes: list[Change] = field(default_factory=list)
    take_back: bool = False  # the activity was planned, not made, and isn't needed
    is_new: bool = False  # something has just become due


def is_pursued(kinds: Collection[str], known: LocalRecords, crm: RemoteMatches) -> bool:
    """Whether a sender has a lead or an open deal; `kinds`: of what is planned or adopted."""
    if not {"lead", "deal"}.isdisjoint(kinds):
        return True
    if known.deal is not None and not known.deal.tombstone:
        return crm.has_open(known.deal)
    return known.lead is not None and not known.lead.tombstone


def next_step(
    who: tuple[str, str],
    waiting: Sequence[Unanswered],
    standing: Standing | None,
    habit: Habit,
    *,
    pursued: bool,
) -> NextStep:
    """What becomes of the follow-up of `who` (sender key and name) at `habit.now`."""
    step = NextStep(key=standing.key if standing else None)
    closed = standing.closed if standing else None
    is_open = standing is not None and closed is None
    if closed is not None:
        waiting = [mail for mail in waiting if mail.sent_at > closed]
    if is_open and standing is not None:
        if waiting and waiting[0].sent_at <= standing.since:
            step.changes += _moved(who, waiting[-1], standing, habit)
            return step
        if not standing.written:
            step.take_back, step.key = True, None
        else:
            step.changes.append(_done(who, standing, habit))
            if standing.fields.get("theirs"):
                return step  # whether people have done it is to be seen first
    if not waiting or not pursued:
        return step
    first, last = waiting[0], waiting[-1]
    due = first.sent_at + habit.wait
    if due > habit.now:
        step.due = due
    elif last.sent_at + habit.wait >= habit.now - _OLDEST:
        step.key, step.is_new = _key(who[0], first), True
        step.changes.append(_created(who, step.key, first, last, habit))
    return step


def _key(address: str, first: Unanswered) -> str:
    """The same for the same episode, also from a ledger that was lost."""
    return PREFIX + hashlib.sha256(f"{address}\0{first.key}".encode()).hexdigest()[:32]


def _says(who: tuple[str, str], last: Unanswered, habit: Habit) -> dict[str, str]:
    day = (last.sent_at + habit.wait).astimezone(habit.zone).date()
    subject = f"Answer {who[1]}: {last.subject}" if last.subject else f"Answer {who[1]}"
    return {"subject": " ".join(subject.split())[:_SUBJECT_CHARS], "due_date": day.isoformat()}


def _created(
    who: tuple[str, str], key: str, first: Unanswered, last: Unanswered, habit: Habit
) -> Change:
    fields = {
        **_says(who, last, habit),
        "type": TYPE,
        "done": False,
        **marked("", key),
        "participants": [who[0]],
        "since": _iso(first.sent_at),
        "covers": _iso(last.sent_at),
    }
    return _change(key, "create", fields, who, habit)


def _moved(
    who: tuple[str, str], last: Unanswered, standing: Standing, habit: Habit
) -> Iterator[Change]:
    if last.sent_at <= standing.covers or standing.fields.get("theirs"):
        return
    fields = {**_says(who, last, habit), "covers": _iso(last.sent_at), **_expected(standing)}
    yield _change(standing.key, "update", fields, who, habit)


def _done(who: tuple[str, str], standing: Standing, habit: Habit) -> Change:
    return _change(standing.key, "update", {"done": True, **_expected(standing)}, who, habit)


def _expected(standing: Standing) -> dict[str, Any]:
    """What the activity may say as long as nobody but us has changed it."""
    says = [standing.fields.get("subject"), standing.fields.get("due_date")]
    before = [one for one in standing.fields.get("ours", ()) if one != says]
    return {"ours": [*before, says]}


def _change(
    key: str, action: Any, fields: Mapping[str, Any], who: tuple[str, str], habit: Habit
) -> Change:
    rank = RANK_FRESH + activity_rank(habit.now)
    return Change("activity", key, action, fields, rank, who[0])


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def standing_of(
    key: str | None, record: Record | None, coming: Mapping[str, Any] | None, *, may_be: bool
) -> Standing | None:
    """What stands for a key: its record, and the fields of the change that is on its way to it.

    `may_be`: that change may have been made already. None where neither is an episode's.
    """
    fields = {**(record.fields if record else {}), **(coming or {})}
    if key is None or "since" not in fields:
        return None
    gone = record is not None and record.tombstone is not None
    return Standing(key, fields, record is not None or may_be, gone)


def as_first_made(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What to keep of a change whose activity was found, perhaps as an earlier plan had it.

    Its latest mail and whether it is done are compared anew, against all that it may say.
    """
    if "since" not in fields:
        return {}
    says = [fields.get("subject"), fields.get("due_date")]
    return {"covers": fields["since"], "done": False, "ours": [*fields.get("ours", ()), says]}


def as_found(activity: Mapping[str, Any]) -> dict[str, Any]:
    """What to keep of one that an earlier ledger has made: it covers what came until it changed."""
    made, changed = activity.get("add_time"), activity.get("update_time")
    if not isinstance(made, str):
        return {}
    covers = max(made, changed) if isinstance(changed, str) else made
    return {"since": made, "covers": covers, "done": activity.get("done") is True}
