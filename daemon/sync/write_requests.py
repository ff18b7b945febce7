"""From a row of the journal to the request that the workers send, with the ids that it hangs on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.pipedrive.objects import Links
from daemon.pipedrive.write_request import WriteRequest
from daemon.sync import joins, links
from daemon.sync.deal_looks import DealLooks
from daemon.sync.session import Session

_OF_A_PERSON = frozenset({"lead", "deal", "participant", "activity"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change that can be sent; the row is what the ledger keeps of it."""

    row: JournalRow
    request: WriteRequest
    proves: list[tuple[str, str]]  # what its success shows to be there: kind and id


@dataclass(frozen=True, slots=True)
class SetAside:
    """Why a change can't be sent: it is parked, or dropped."""

    why: str
    parked_for: Literal["person"] | None = None
    drop: bool = False


class WriteRequests:
    """The requests of one push; only reads the ledger, but has deals listed (see `DealLooks`)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger
        self._looks = DealLooks(session)
        self._settled_after = session.settled_after()
        self._senders: dict[str, SenderRow | None] = {}  # as they were at the last look

    @property
    def should_list(self) -> bool:
        """Whether deals have to be listed before anything else is sent."""
        return self._looks.should_list

    def look_anew(self) -> None:
        """Read senders again: somebody else may have changed them meanwhile."""
        self._senders.clear()

    def of(self, row: JournalRow) -> Prepared | SetAside | None:
        """A change with the ids that it hangs on; None while one of them is being made or listed.

        The row names only those participants that have an id, so that the others are added once
        they have one.
        """
        sender = self._sender(row.sender) if row.sender else None
        if not row.unknown and not self._is_wanted(row, sender):
            return SetAside("nobody needs it any more", drop=True)
        around, unproven = links.ids_around(self._session, row, sender)
        persons = links.persons_of(self._session, row, around)
        if persons is None or joins.waits(self._session, row):
            return None
        if row.kind in _OF_A_PERSON and not persons:
            return self._without_person(row)
        target = self._target(row, around)
        if target is None and row.action != "create":
            return SetAside("what it would change isn't in Pipedrive any more", drop=True)
        if row.fields.get("participants"):
            row = replace(row, fields={**row.fields, "participants": list(persons)})
        request = self._request(row, target, around, persons)
        if self.should_list:
            return None
        proves = [one for one in request.links.all() if one[1] in unproven]
        return Prepared(self._noting_links(row, request.links, sender), request, proves)

    def _sender(self, address: str) -> SenderRow | None:
        """A sender as it was when it was looked at last, a few seconds ago at most."""
        if address not in self._senders:
            self._senders[address] = self._ledger.senders.get(address)
        return self._senders[address]

    def _is_wanted(self, row: JournalRow, sender: SenderRow | None) -> bool:
        """Whether a change's sender is still there, or any sender of an organization."""
        if row.kind == "organization":
            return self._ledger.senders.any_of(row.key)
        return row.sender is None or sender is not None

    def _without_person(self, row: JournalRow) -> SetAside:
        gone = self._ledger.records.get("person", row.sender or "")
        # A removed person's changes are planned again if it is found elsewhere.
        dropped = gone is not None and gone.tombstone is not None
        why = "its person isn't in Pipedrive (parked, or removed there)"
        return SetAside(why, parked_for="person", drop=dropped)

    def _target(self, row: JournalRow, around: links.Around) -> str | None:
        """The id of the object that a change is made to."""
        if row.action == "create":
            return None
        if joins.JOINS in row.fields:
            return self._ledger.records.live_id("person", row.fields[joins.JOINS])
        kind = "lead" if row.action == "convert" else row.kind
        return around.get((kind, row.key)) or self._ledger.records.live_id(kind, row.key)

    def _request(
        self,
        row: JournalRow,
        target: str | None,
        around: links.Around,
        persons: Mapping[str, int],
    ) -> WriteRequest:
        ids = tuple(dict.fromkeys(persons.values()))
        hangs_on = links.links_of(self._session, row, ids, around)
        return WriteRequest(
            kind=row.kind,
            key=row.key,
            action=row.action,
            fields=row.fields,
            links=hangs_on,
            target=target,
            unknown=row.unknown,
            since=row.planned_at,
            settles_at=row.sent_at + self._settled_after if row.sent_at else None,
            conversion=row.conversion,
            deal=self._looks.of(row, hangs_on, around),
        )

    def _noting_links(
        self, row: JournalRow, hangs_on: Links, sender: SenderRow | None
    ) -> JournalRow:
        """The row with what is still to be linked, and the deal that an activity is linked to."""
        noted: dict[str, Any] = {}
        makes = row.action == "create" or "unlinked" in row.fields
        if makes and sender and links.waits_for_link(self._session, row, hangs_on, sender):
            noted["unlinked"] = True
        if row.kind == "activity" and hangs_on.deal is not None:
            noted["deal"] = str(hangs_on.deal)
        return replace(row, fields={**row.fields, **noted}) if noted else row
