"""FLOW Pipedrive: what exists twice although it should once, and what another ledger makes there.

By marks, addresses and names. Of what exists twice only what we made counts, one of the two at
least: what people have twice is theirs. Nothing is repaired: which of two lives on is for people
to say (Pipedrive merges them).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from daemon.ledger.forgotten import FORGET_SALT
from daemon.ledger.store import Ledger
from daemon.ledger.timestamp import instant_or_none
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.objects import (
    FIELDS,
    listed_deal,
    listed_lead,
    listed_organization,
    listed_person,
)
from daemon.rules.crm_objects import ListedDeal
from daemon.rules.marks import mark_of, short

_LATELY = timedelta(days=7)  # a ledger that has made nothing for so long isn't at work
_FEW = 2  # copies of one activity, which people make by hand now and then, prove nothing


@dataclass(slots=True)
class OtherLedger:
    """Activities of the last days that carry a mark, and that this ledger has no record of.

    While it was at work: what came after its last write may be its own, lost with a restored
    backup, and is taken over at the next start.
    """

    ledger: Ledger
    now: datetime
    found: dict[str, str] = field(default_factory=dict)  # when each was made, by id
    copies: int = 0  # those whose message has another activity, of ours

    def look(self, marked: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        """See which of these activities, by id, with what their marks say, aren't ours."""
        records = self.ledger.records
        first, last = records.first_written("activity"), records.last_written("activity")
        if first is None or last is None or not marked:
            return
        known = {one.pipedrive_id for one in records.by_id("activity", *marked)}
        coming = {short(key) for key in self.ledger.backlog.keys("activity")}
        for identifier, (said, row) in marked.items():
            made = instant_or_none(row.get("add_time"))
            if identifier in known or said in coming or made is None:
                continue
            if max(first, self.now - _LATELY) < made < last and not self._is_forgotten(row):
                self.found[identifier] = str(row["add_time"])
                self.copies += bool(records.marked(said))

    def _is_forgotten(self, row: Mapping[str, Any]) -> bool:
        """Whether it may be of somebody who was erased from this ledger."""
        salt, crm = self.ledger.setting(FORGET_SALT), self.ledger.crm
        if salt is None:
            return False
        people = [one["person_id"] for one in row.get("participants") or ()]
        addresses = [email for person in people for email in crm.emails_of(person)]
        return not addresses or bool(self.ledger.forgotten.among(salt, addresses))

    def sentence(self) -> str | None:
        """What that says, with the next step; None if nothing is sure."""
        if not self.found or self.copies == len(self.found) < _FEW:
            return None
        made = sorted(self.found.values())
        some = ", ".join(sorted(self.found, key=int)[:3])
        return (
            f"{len(made)} activities (such as {some}) carry our mark and were made between"
            f" {made[0]} and {made[-1]}, but not out of this ledger: a second one is at work on"
            " this company. Stop mail2deal on the other machine, or give it this ledger"
        )


def doubles(
    ledger: Ledger, client: Client, other: OtherLedger | None = None
) -> Iterator[tuple[str, str, list[str]]]:
    """Kind, what is shared, and the ids of those that share it; everything is listed once.

    `other` is shown the activities in passing.
    """
    fields: dict[str, set[str]] = defaultdict(set)
    for of in ("person", "deal"):
        for page in client.pages(Call.to(f"{of}_fields.list")):
            for row in page:
                wanted = (of, row.get("field_name"), row.get("field_type"))
                if wanted in FIELDS.values():
                    fields[f"{of}: {row.get('field_name')}"].add(str(row.get("field_code")))
    # Where the field itself exists twice, each deal carries one of the two.
    codes = fields["{}: {}".format(*FIELDS["mail_key"])] or {""}
    for kind in directory.KINDS:
        seen: dict[str, set[str]] = defaultdict(set)
        for page in directory.raw_pages(client, kind):
            for row in page:
                for key in _keys(kind, row, codes):
                    seen[key].add(str(row["id"]))
        yield from _several(ledger, kind, seen)
    yield from _several(ledger, "activity", _marks(client, other))
    yield from _several(ledger, "field", fields)


def _keys(kind: str, row: dict[str, Any], codes: Collection[str]) -> Iterator[str]:
    """By what an object is one and the same to us; a closed deal isn't the one that is open now."""
    match kind:
        case "person":
            yield from listed_person(row).emails
        case "organization":
            yield listed_organization(row).name.casefold()
        case _:
            for code in codes:
                one = listed_deal(row, code) if kind == "deal" else listed_lead(row, code)
                is_open = one.status == "open" if isinstance(one, ListedDeal) else True
                if one.mail_key and is_open and not one.archived:
                    yield one.mail_key


def _marks(client: Client, other: OtherLedger | None) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = defaultdict(set)
    for page in client.pages(Call.to("activities.list")):
        marked = {str(row["id"]): (short(said), row) for row in page if (said := mark_of(row))}
        for identifier, (said, _) in marked.items():
            seen[said].add(identifier)
        if other is not None:
            other.look(marked)
    return seen


def _several(
    ledger: Ledger, kind: str, seen: dict[str, set[str]]
) -> Iterator[tuple[str, str, list[str]]]:
    ours = {one.pipedrive_id for one in ledger.records.live(kind) if one.origin == "created"}
    for key, ids in sorted(seen.items()):
        if len(ids) > 1 and ids & ours:
            yield kind, key, sorted(ids)
