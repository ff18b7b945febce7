"""What a rehearsal found, as data: what would be made, for whom, for how much, and who is left out.

Read from the scratch ledger after the rehearsal; nothing here prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from daemon.ledger import reports
from daemon.ledger.store import Ledger
from daemon.rules.explain import REASONS

_IMPORTANT = 20
_EXAMPLES = 3
_KINDS = ("organization", "person", "lead", "deal", "activity")
_PLURALS = {
    "organization": "organizations",
    "person": "persons",
    "lead": "leads",
    "deal": "deals",
    "activity": "activities",
    "field": "fields",
}


@dataclass(frozen=True, slots=True)
class Important:
    """One sender for whom something would happen, and why."""

    address: str
    name: str
    organization: str | None
    what: str  # new deal, lead becomes deal, new lead, deal adopted, …
    reason: str
    messages: int
    replies: int
    meetings: int
    last_contact: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Messages that would make no record, for one reason; examples are sender addresses."""

    reason: str  # the slug
    words: str
    messages: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """One kind of call."""

    call: str
    calls: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """The whole answer of a rehearsal."""

    create: Mapping[str, int]  # by plural of the kind; deals include converted leads
    tokens: int
    conversions: int  # deals that are made from leads
    fields: int  # custom fields of ours
    updates: Mapping[str, int]  # persons (our fields), activities (meetings, participants)
    adopted: Mapping[str, int]
    parked: Mapping[str, int]  # changes that Pipedrive would refuse, by reason
    important: tuple[Important, ...]
    left_out: tuple[LeftOut, ...]
    ignored_senders: int
    spent: tuple[Spent, ...]
    messages_read: int
    quarantined: int

    @property
    def objects(self) -> int:
        """Records that would be created, activities apart."""
        return sum(n for kind, n in self.create.items() if kind != "activities")


def forecast(
    ledger: Ledger,
    run: int,
    spent: Mapping[str, tuple[int, int]],
    *,
    messages_read: int,
    quarantined: int,
    adopted_before: Mapping[str, int],
) -> Forecast:
    """Gather what `run` did in the scratch ledger; `spent` is (calls, tokens) by kind of call."""
    made = ledger.records.made_by(run)
    done = ledger.journal.done_counts()
    return Forecast(
        create={_PLURALS[kind]: made.get(kind, 0) for kind in _KINDS},
        tokens=sum(tokens for _, tokens in spent.values()),
        conversions=done.get(("deal", "convert"), 0),
        fields=made.get("field", 0),
        updates={
            "persons": done.get(("person", "update"), 0),
            "activities": done.get(("activity", "update"), 0),
        },
        adopted={
            _PLURALS[kind]: n - adopted_before.get(kind, 0) for kind, n in adopted(ledger).items()
        },
        parked=reports.parked_reasons(ledger),
        important=_important(ledger, run),
        left_out=_left_out(ledger),
        ignored_senders=ledger.counts("senders").get("ignore", 0),
        spent=tuple(
            Spent(call, *spent[call]) for call in sorted(spent, key=lambda c: (-spent[c][1], c))
        ),
        messages_read=messages_read,
        quarantined=quarantined,
    )


def adopted(ledger: Ledger) -> dict[str, int]:
    """How many records of each kind stand for objects that people made."""
    counts = ledger.records.adopted_counts()
    return {kind: counts.get(kind, 0) for kind in _KINDS[:4]}


def _important(ledger: Ledger, run: int) -> tuple[Important, ...]:
    return tuple(
        Important(
            address=row["address"],
            name=row["name"],
            organization=row["organization"],
            what=row["what"],
            reason=row["reason"],
            messages=row["msg_count"],
            replies=row["replies"],
            meetings=row["meetings"],
            last_contact=row["last_contact"],
        )
        for row in reports.important(ledger, run, _IMPORTANT)
    )


def _left_out(ledger: Ledger) -> tuple[LeftOut, ...]:
    """Messages without a record by their final reason, the most frequent first."""
    return tuple(
        LeftOut(
            reason=row["reason"],
            words=REASONS.get(row["reason"], row["reason"]),
            messages=row["messages"],
            examples=tuple(reports.left_out_senders(ledger, row["reason"], _EXAMPLES)),
        )
        for row in reports.left_out(ledger)
    )
