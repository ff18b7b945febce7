"""One sender with all that a plan rests on, and the plan itself. Pure data."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from daemon.rules.classify import Class, Rules
from daemon.rules.deals import DealChoice, InCopy, OpenDeal
from daemon.rules.records import Adoption, Change, CrmPerson, Kind, LocalRecords, RemoteMatches
from daemon.rules.sender import SenderState

# Order of spending, smallest first: what is fresh; in it and after it deals, leads, field updates,
# then activities newest first.
RANK_FRESH = "0"
RANK_DEAL, RANK_LEAD, RANK_FIELDS, RANK_ACTIVITY = "1", "2", "3", "4"
USUAL_STATISTICS = ("thread_count", "last_contact", "avg_response_hours")
STATISTICS = (*USUAL_STATISTICS, "our_response_hours")
_END_OF_TIME = 99_999_999_999  # seconds; newer mails get smaller ranks
NAME_CHARS = 255  # Pipedrive's limit for names and titles


@dataclass(frozen=True, slots=True)
class BounceMark:
    """What a person gets to whom no mail can be delivered: a label, no more marketing, a note."""

    label: str | None = None
    marketing: bool = False
    note: bool = False
    label_id: int | str | None = None  # once its name is looked up

    @property
    def wanted(self) -> str:
        """What of it is wanted, in words; empty for nothing."""
        said = [self.label or "", "marketing" * self.marketing, "note" * self.note]
        return " ".join(said).strip()

    def fields(self, *, bounced: bool) -> dict[str, Any]:
        """What is written of it, empty where nothing is wanted."""
        found: dict[str, Any] = {}
        if self.label_id is not None:
            found["bounce_label"] = self.label_id
        if self.marketing and bounced:
            found["marketing_status"] = "unsubscribed"
        return found | {"bounced": bounced} if found or self.marketing else {}


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules and habits that the configuration sets, and what this Pipedrive lets us write."""

    rules: Rules
    fields_every: timedelta = timedelta(hours=6)
    owner: str | None = None
    fresh_since: datetime | None = None  # who wrote since then goes before everybody else
    fields: Collection[str] = USUAL_STATISTICS  # our custom person fields that are wanted
    zone: tzinfo = UTC  # in which people count days
    stage: str | None = None  # of leads and deals, as `Target.stages` names it; None: the usual one
    channel_id: str | None = None  # of leads
    label_ids: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)  # by kind
    bounce: BounceMark = field(default_factory=BounceMark)
    follow_up: timedelta | None = None  # how long a mail may wait for our answer; None: for ever
    facts: Collection[str] = ("phone",)  # what mails say of persons that can be written
    participants: bool = True  # those who join a deal become its participants
    in_copy: InCopy | None = None  # whether who is only in To or Cc of others' mail gets a person


@dataclass(slots=True)
class SenderPlan:
    """The outcome for one sender; `notes` says what was left alone and why."""

    class_: Class
    adoptions: list[Adoption] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    joins: OpenDeal | None = None  # a deal of somebody else, to which the sender's mail goes


@dataclass(frozen=True, slots=True)
class Case:
    """One sender with all that is known of it."""

    state: SenderState
    known: LocalRecords
    crm: RemoteMatches
    policy: Policy
    person: CrmPerson | None  # the listed person that stands for it
    before: bool  # that person was in Pipedrive before we came
    choice: DealChoice  # where its mail goes

    @property
    def address(self) -> str:
        """The sender key."""
        return self.state.address

    def labels(self, kind: Kind) -> dict[str, Any]:
        """The labels that the route gives to what we make; those of people's records are theirs."""
        ids = self.policy.label_ids.get(kind, ())
        return {"label_ids": list(ids)} if ids else {}

    def rank(self, rank: str) -> str:
        """The rank among everybody's changes, by how lately this sender was in touch."""
        last, since = self.state.last_contact, self.policy.fresh_since
        return RANK_FRESH + rank if since and last and last >= since else rank


def activity_rank(sent_at: datetime, fresh_since: datetime | None = None) -> str:
    """Rank of what happened at `sent_at`: newest first, after everything else that is as fresh."""
    rank = f"{RANK_ACTIVITY}{_END_OF_TIME - int(sent_at.timestamp()):011d}"
    return RANK_FRESH + rank if fresh_since is not None and sent_at >= fresh_since else rank
