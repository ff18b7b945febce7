"""FLOW journal → Pipedrive → records: sends what is due, in order of spending, each change once.

    ready rows → commit `sending` → workers send → commit records and `done`

One thread owns the ledger; the workers only talk to Pipedrive, so no connection is shared and no
transaction is open across a request. At most one change of a sender, and of an organization, is on
the wire at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta

from daemon.errors import Problem
from daemon.ledger.journal import JournalRow
from daemon.ledger.senders import SenderRow
from daemon.log import event
from daemon.pipedrive.apply import Outcome, WriteRequest, apply
from daemon.pipedrive.objects import Links, Target
from daemon.sync.outcomes import NO_PERSON, Outcomes, Pushed
from daemon.sync.session import Session

_WINDOW = 1000  # rows looked at for the next ones to send
_LOOKS = 30  # times that the journal is read while as many are sent, at most
_SETTLED = timedelta(minutes=2)  # a conversion takes seconds, as a rule
Around = Mapping[tuple[str, str], str]
_Flights = dict[Future[Outcome], JournalRow]


class Pusher:
    """Drains the journal of a session."""

    def __init__(self, session: Session, place: Target) -> None:
        self._session = session
        self._place = place
        self.ledger = session.ledger
        self.pushed = Pushed()
        self._set_aside_some = False
        self._read = 0  # how many rows the last look at the journal showed
        self._unblocked = False
        self._landing = Outcomes(session, place.codes, self.pushed)

    def push(self, takes: Callable[[JournalRow], bool]) -> Pushed:
        """Send what is due and `takes` says yes to, until nothing is or nothing may be sent."""
        with ThreadPoolExecutor(self._workers, thread_name_prefix="pipedrive") as pool:
            flights: _Flights = {}
            queue: list[JournalRow] = []
            while True:
                if not (self.pushed.halted or self._session.stopping()):
                    queue = self._launch(pool, flights, queue, takes)
                if not flights:
                    break
                landed, _ = wait(flights, return_when=FIRST_COMPLETED)
                self._land([(flights.pop(future), future) for future in landed])
                if self._is_outdated(len(queue)):
                    queue = []
                self._session.progress("writing", self.pushed.writes, 0)
        return self.pushed

    def _is_outdated(self, left: int) -> bool:
        """Whether the journal is to be read again before what is left of the last look at it.

        A record that is there now may have unblocked what comes first in order of spending. The
        longer the list, the more of it is sent between two looks, each of which costs time.
        """
        parked, unblocked = self._landing.take_news()
        self._unblocked = self._unblocked or unblocked
        return parked or (self._unblocked and (self._read - left) * _LOOKS >= self._read)

    @property
    def _workers(self) -> int:
        return self._session.settings.workers

    def _launch(
        self,
        pool: ThreadPoolExecutor,
        flights: _Flights,
        queue: list[JournalRow],
        takes: Callable[[JournalRow], bool],
    ) -> list[JournalRow]:
        """Commit the next changes to `sending`, then hand them to the workers."""
        self._set_aside_some = True
        chosen, rest = self._choose(flights, queue)
        while not chosen and not (queue and flights) and self._set_aside_some:
            # What is set aside may have been what others were waiting for.
            self._set_aside_some = False
            ready = self.ledger.journal.ready(self._session.now(), _WINDOW)
            due = [row for row in ready if takes(row)]
            self._read, self._unblocked = len(due), False
            chosen, rest = self._choose(flights, due)
        if chosen:
            with self.ledger.transaction("sending"):
                self.ledger.journal.sending([row for row, _ in chosen], self._session.now())
        for row, order in chosen:
            flights[pool.submit(apply, self._session.client, order, self._place)] = row
        return rest

    def _choose(
        self, flights: _Flights, queue: list[JournalRow]
    ) -> tuple[list[tuple[JournalRow, WriteRequest]], list[JournalRow]]:
        busy = {subject for row in flights.values() for subject in _subjects(row)}
        chosen: list[tuple[JournalRow, WriteRequest]] = []
        rest: list[JournalRow] = []
        room = self._workers - len(flights)
        for position, row in enumerate(queue):
            if len(chosen) >= room:
                rest += queue[position:]
                break
            if busy & _subjects(row):
                rest.append(row)
                continue
            ready = self._prepare(row)
            if ready is None:
                continue  # set aside, or what it hangs on is on its way
            chosen.append(ready)
            busy |= _subjects(row)
        return chosen, rest

    def _prepare(self, row: JournalRow) -> tuple[JournalRow, WriteRequest] | None:
        """A change with the ids that it hangs on; None while one of them is being made.

        The row names only those participants that have an id, so that the others are added once
        they have one.
        """
        records = self.ledger.records
        sender = self.ledger.senders.get(row.sender) if row.sender else None
        if not row.unknown and not self._is_wanted(row, sender):
            self._set_aside(row, "nobody needs it any more", drop=True)
            return None
        around = self._around(row, sender)
        persons = self._persons(row, around)
        if persons is None:
            return None
        if row.kind in {"lead", "deal", "activity"} and not persons:
            gone = records.get("person", row.sender or "")
            # A removed person's changes are planned again if it is found elsewhere.
            dropped = gone is not None and gone.tombstone is not None
            self._set_aside(row, f"{NO_PERSON} (parked, or removed there)", drop=dropped)
            return None
        kind = "lead" if row.action == "convert" else row.kind
        target = None
        if row.action != "create":
            target = around.get((kind, row.key)) or records.live_id(kind, row.key)
        if row.action in {"update", "archive", "convert"} and target is None:
            self._set_aside(row, "what it would change isn't in Pipedrive any more", drop=True)
            return None
        if row.fields.get("participants"):
            row = replace(row, fields={**row.fields, "participants": list(persons)})
        return row, self._order(row, target, tuple(dict.fromkeys(persons.values())), around)

    def _is_wanted(self, row: JournalRow, sender: SenderRow | None) -> bool:
        """Whether the sender of a change is still there, or anybody of an organization's."""
        if row.kind == "organization":
            return self.ledger.senders.any_of(row.key)
        return row.sender is None or sender is not None

    def _around(self, row: JournalRow, sender: SenderRow | None) -> Around:
        """The ids of what a change may hang on, by kind and key."""
        if row.sender is None and "participants" not in row.fields:
            return {}
        key = row.fields.get("organization") or row.organization
        if row.kind == "activity":
            key = sender.organization if sender else None
        live = self.ledger.records.around({*_names(row), row.sender or ""}, key)
        return {(r.kind, r.key): r.pipedrive_id for r in live if r.pipedrive_id is not None}

    def _persons(self, row: JournalRow, around: Around) -> dict[str, int] | None:
        """Ids of the persons that a change names, by address; None while one is being made."""
        if row.kind in {"person", "organization", "field"}:
            return {}
        persons: dict[str, int] = {}
        for name in _names(row):
            identifier = around.get(("person", name))
            if identifier is not None:
                persons[name] = int(identifier)
            elif self._is_coming("person", name):
                return None
        return persons

    def _order(
        self, row: JournalRow, target: str | None, persons: Sequence[int], around: Around
    ) -> WriteRequest:
        organization = next((i for (kind, _), i in around.items() if kind == "organization"), None)
        hangs = row.kind == "activity" and row.sender is not None
        return WriteRequest(
            kind=row.kind,
            key=row.key,
            action=row.action,
            fields=row.fields,
            links=Links(
                organization=int(organization) if organization else None,
                person=persons[0] if persons else None,
                deal=self._open_deal(row, around) if hangs else None,
                lead=_first_live("lead", row, around) if hangs else None,
                participants=tuple(persons),
            ),
            target=target,
            unknown=row.unknown,
            since=row.sent_at,
            conversion=row.conversion,
            settled=row.sent_at is None or self._session.now() - row.sent_at >= _SETTLED,
        )

    def _open_deal(self, row: JournalRow, around: Around) -> int | None:
        deal = _first_live("deal", row, around)
        listed = self.ledger.crm.deal(deal) if deal else None
        # One that isn't listed yet is ours and young; a won or lost one takes no more activities.
        is_open = listed is None or (listed.status == "open" and not listed.archived)
        return int(deal) if deal and is_open else None

    def _is_coming(self, kind: str, key: str) -> bool:
        row = self.ledger.journal.open_row(kind, key)
        return row is not None and row.action == "create" and row.state != "parked"

    def _set_aside(self, row: JournalRow, why: str, *, drop: bool = False) -> None:
        with self.ledger.transaction("set aside"):
            if drop:
                self.ledger.journal.drop(row)
            else:
                self.ledger.journal.park(row, why)
                self.pushed.parked += 1
        self._set_aside_some = True
        event("sync.set_aside", kind=row.kind, key=row.key, action=row.action, reason=why)

    def _land(self, landed: Sequence[tuple[JournalRow, Future[Outcome]]]) -> None:
        """Record in one transaction what came of the changes that are back."""
        now = self._session.now()
        with self.ledger.transaction("outcome"):
            for row, future in landed:
                try:
                    self._landing.succeeded(row, future.result(), now)
                except Problem as problem:
                    self._landing.failed(row, problem, now)
            self.ledger.runs.spend(now.strftime("%Y-%m-%d"), self._session.usage.take())


def _names(row: JournalRow) -> Sequence[str]:
    """The senders whose persons a change names."""
    return row.fields.get("participants") or ([row.sender] if row.sender else [])


def _first_live(kind: str, row: JournalRow, around: Around) -> str | None:
    """The lead or deal of a sender, or of another address of the same person."""
    sender = row.sender or ""
    person = around.get(("person", sender))
    twins = sorted(key for (k, key), i in around.items() if person and (k, i) == ("person", person))
    found = (around.get((kind, address)) for address in (sender, *twins))
    return next((identifier for identifier in found if identifier is not None), None)


def _subjects(row: JournalRow) -> set[str]:
    """What must not be on the wire twice: the sender, and an organization being made."""
    if row.kind == "organization":
        return {f"organization {row.key}"}
    subjects = {f"sender {row.sender}"} if row.sender else {f"{row.kind} {row.key}"}
    return subjects | {f"sender {name}" for name in row.fields.get("participants") or ()}
