"""The journal: changes on their way, each row committed as `sending` before its request leaves.

A row taken over by a newer plan keeps its place and grows its version, so the answer to an older
request never marks the newer change as done.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from daemon.ledger.timestamp import instant_or_none, stamp, stamp_or_none
from daemon.rules.records import Change

_STAGES = {"field": 0, "organization": 0, "person": 1, "lead": 2, "deal": 2}
_LAST = 3  # what hangs on those: activities and participants
_UNDER_WAY = timedelta(seconds=10)  # a request takes at most, as a rule
# What shows our fields, the marker among them, waits for them this long; then it goes without.
_FIELD_TRIES = 5
# "state <> 'done'" says nothing new, but lets SQLite use the partial indexes.
FREE = f"""
  NOT EXISTS (SELECT 1 FROM journal b WHERE b.sender = j.sender AND b.stage < j.stage
                  AND b.action <> 'update' AND b.state <> 'done'
                  AND b.state IN ('planned', 'sending', 'waiting'))
  AND NOT EXISTS (SELECT 1 FROM journal o WHERE o.kind = 'organization' AND o.key = j.organization
                  AND o.action = 'create' AND o.state <> 'done'
                  AND o.state IN ('planned', 'sending', 'waiting'))
  AND (j.deal IS NULL OR NOT EXISTS
       (SELECT 1 FROM journal d WHERE d.kind = 'deal' AND d.key = j.deal AND d.state <> 'done'
        AND d.action IN ('create', 'convert') AND d.state IN ('planned', 'sending', 'waiting')))
  AND (j.kind NOT IN ('person', 'lead', 'deal') OR NOT EXISTS
       (SELECT 1 FROM journal f WHERE f.kind = 'field' AND f.state IN ('planned', 'waiting')
        AND f.attempts < {_FIELD_TRIES}))
"""
_READY = f"""
SELECT * FROM journal j WHERE state IN ('planned', 'waiting')
  AND (not_before IS NULL OR not_before <= ?) AND {FREE}
ORDER BY rank, id LIMIT ?
"""
_RELEASE = (
    "UPDATE journal SET not_before = NULL, parked_for = NULL,"
    " state = iif(unknown OR conversion IS NOT NULL, 'waiting', 'planned')"
)
MAKES = "action IN ('create', 'convert')"


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One change on its way."""

    id: int
    kind: str
    key: str
    action: str
    sender: str | None
    organization: str | None
    fields: Mapping[str, Any]
    rank: str
    state: str
    version: int
    unknown: bool
    conversion: str | None
    attempts: int
    sent_at: datetime | None
    planned_at: datetime | None = None
    last_error: str | None = None
    deal: str | None = None  # the sender whose deal it waits for


class Journal:
    """Owns `journal`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def plan(self, change: Change, now: datetime, run: int | None) -> None:
        """Put a change on its way, or let it take over the one that is on its way already."""
        planned = self._db.execute(
            "INSERT INTO journal (kind, key, action, sender, organization, stage, fields,"
            " rank, state, version, not_before, planned_at, run, deal)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'planned', 1, ?, ?, ?, ?)"
            " ON CONFLICT (kind, key) WHERE state <> 'done' DO NOTHING",
            (
                change.kind,
                change.key,
                change.action,
                change.sender,
                change.organization,
                stage(change.kind, change.action),
                _json(change.fields),
                change.rank,
                stamp_or_none(change.not_before),
                stamp(now),
                run,
                change.deal,
            ),
        ).rowcount
        if planned:
            return
        open_row = self._db.execute(
            "SELECT * FROM journal WHERE kind = ? AND key = ? AND state <> 'done'",
            (change.kind, change.key),
        ).fetchone()
        fields = {**json.loads(open_row["fields"]), **change.fields}
        if fields == json.loads(open_row["fields"]) and change.action == open_row["action"]:
            return
        self._take_over(open_row, change, fields)

    def _take_over(self, row: sqlite3.Row, change: Change, fields: Mapping[str, Any]) -> None:
        # What is being created stays a creation, with the newer fields; a lead that is being made
        # isn't a deal, so those two never meet in one row.
        action = row["action"] if row["action"] in {"create", "convert"} else change.action
        state = row["state"] if row["state"] in {"sending", "waiting"} else "planned"
        sooner = min(
            (row["not_before"] or "", stamp_or_none(change.not_before) or ""),
        )
        self._db.execute(
            "UPDATE journal SET action = ?, fields = ?, rank = min(rank, ?), state = ?,"
            " deal = coalesce(?, deal), version = version + 1, not_before = nullif(?, '')"
            " WHERE id = ?",
            (action, _json(fields), change.rank, state, change.deal, sooner, row["id"]),
        )

    def ready(self, now: datetime, limit: int) -> list[JournalRow]:
        """Changes that may be sent now, the most urgent first."""
        return [_row(row) for row in self._db.execute(_READY, (stamp(now), limit))]

    def sending(
        self, rows: Iterable[JournalRow], now: datetime, settled: datetime | None = None
    ) -> None:
        """Commit to sending: from here on the outcome is unknown until it is recorded.

        What was sent before `settled` and may have been made would have come to light by now; it is
        sent again, as is everything without that instant.
        """
        # What is only looked for, as its last request may still come to light, isn't sent again.
        self._db.executemany(
            "UPDATE journal SET state = 'sending', attempts = attempts + 1,"
            " sent_at = iif(unknown AND sent_at > ?, sent_at, ?), sending_since = ? WHERE id = ?",
            [(stamp_or_none(settled), stamp(now), stamp(now), row.id) for row in rows],
        )

    def done(self, row: JournalRow, now: datetime) -> None:
        """Close the row, unless a newer plan has taken it over: then the rest is an update."""
        closed = self._db.execute(
            "UPDATE journal SET state = 'done', done_at = ?, last_error = NULL, fields = '{}'"
            " WHERE id = ? AND version = ?",
            (stamp(now), row.id, row.version),
        ).rowcount
        if not closed:
            self._db.execute(
                "UPDATE journal SET state = 'planned', action = 'update', unknown = 0,"
                " attempts = 0, sent_at = NULL, conversion = NULL, stage = 3 WHERE id = ?",
                (row.id,),
            )

    def wait(
        self,
        row: JournalRow,
        not_before: datetime | None,
        error: str | None,
        *,
        unknown: bool,
        conversion: str | None = None,
    ) -> None:
        """Postpone a change; `unknown` means that it may have been done."""
        self._db.execute(
            "UPDATE journal SET state = 'waiting', not_before = ?, last_error = ?, unknown = ?,"
            " conversion = coalesce(?, conversion) WHERE id = ?",
            (stamp_or_none(not_before), error, unknown, conversion, row.id),
        )

    def create_instead(self, row: JournalRow) -> None:
        """Turn a conversion that Pipedrive won't do into the creation of a deal.

        What was a creation already may have been done.
        """
        self._db.execute(
            "UPDATE journal SET action = 'create', state = 'planned', conversion = NULL,"
            " attempts = 0, unknown = iif(action = 'create', unknown, 0),"
            " sent_at = iif(action = 'create', sent_at, NULL) WHERE id = ?",
            (row.id,),
        )

    def plan_archive(self, row: JournalRow, now: datetime, run: int | None) -> None:
        """Have the lead archived whose place a deal has taken."""
        change = Change("lead", row.key, "archive", {}, row.rank, row.sender)
        self.plan(change, now, run)

    def park(
        self,
        row: JournalRow,
        error: str,
        due: datetime | None = None,
        *,
        parked_for: Literal["person"] | None = None,
    ) -> None:
        """Set a change aside until it is due, or a newer plan or a person decides.

        `parked_for`: or until there is such a record, see `release_for_person`. `unknown` stays as
        it is; what depends on the change is sent without it.
        """
        self._db.execute(
            "UPDATE journal SET state = 'parked', last_error = ?, not_before = ?, parked_for = ?"
            " WHERE id = ?",
            (error, stamp_or_none(due), parked_for, row.id),
        )

    def release_due(self, now: datetime) -> None:
        """Try what was parked until now once more."""
        self._db.execute(f"{_RELEASE} WHERE state = 'parked' AND not_before <= ?", (stamp(now),))

    def park_kind(self, kind: str, error: str) -> int:
        """Set aside all that would make records of a kind that rests."""
        return self._db.execute(
            "UPDATE journal SET state = 'parked', last_error = ?, not_before = NULL,"
            f" parked_for = NULL WHERE kind = ? AND {MAKES}"
            " AND state IN ('planned', 'waiting') AND NOT unknown",
            (error, kind),
        ).rowcount

    def release_kind(self, kind: str) -> None:
        """Try all of a kind that were parked: Pipedrive has taken one."""
        self._db.execute(f"{_RELEASE} WHERE state = 'parked' AND kind = ? AND {MAKES}", (kind,))

    def release_one(self, kind: str) -> None:
        """Try one of a kind that rests, rather one that was never refused."""
        self._db.execute(
            f"{_RELEASE} WHERE id = (SELECT id FROM journal WHERE state = 'parked' AND kind = ?"
            f" AND {MAKES} ORDER BY attempts, rank, id LIMIT 1)",
            (kind,),
        )

    def drop(self, row: JournalRow) -> None:
        """Take back a change that no longer has a meaning."""
        self._db.execute("DELETE FROM journal WHERE id = ?", (row.id,))

    def drop_of(self, sender: str) -> None:
        """Take back what is planned for a sender and not on the wire."""
        self._db.execute(
            "DELETE FROM journal WHERE sender = ? AND state IN ('planned', 'waiting', 'parked')"
            " AND NOT unknown",
            (sender,),
        )

    def drop_of_run(self, run: int) -> None:
        """Take back what a run has planned and certainly not sent."""
        self._db.execute(
            "DELETE FROM journal WHERE run = ? AND state IN ('planned', 'waiting', 'parked')"
            " AND NOT unknown AND conversion IS NULL",
            (run,),
        )

    def recover(self, now: datetime) -> int:
        """After a crash: whatever was being sent has an unknown outcome; how many there are.

        It is looked for after a pause: what we sent just before we died may still be under way.
        """
        return self._db.execute(
            "UPDATE journal SET state = 'waiting', unknown = 1, not_before = ?"
            " WHERE state = 'sending'",
            (stamp(now + _UNDER_WAY),),
        ).rowcount

    def open_row(self, kind: str, key: str) -> JournalRow | None:
        """The change that is on its way for a record, if there is one."""
        row = self._db.execute(
            "SELECT * FROM journal WHERE kind = ? AND key = ? AND state <> 'done'", (kind, key)
        ).fetchone()
        return _row(row) if row else None

    def release_for_person(self, sender: str) -> None:
        """Try the changes of a sender that were set aside for want of a person: there is one."""
        self._db.execute(
            f"{_RELEASE}, attempts = 0"
            " WHERE sender = ? AND state = 'parked' AND parked_for = 'person'",
            (sender,),
        )

    def forget_conversions(self) -> None:
        """Have every conversion begun anew: what runs in Pipedrive isn't known where this is."""
        self._db.execute("UPDATE journal SET conversion = NULL WHERE conversion IS NOT NULL")

    def open_rows(self, address: str) -> dict[str, JournalRow]:
        """The changes on their way to a sender's person, lead and deal, by kind."""
        rows = self._db.execute(
            "SELECT * FROM journal WHERE kind IN ('person', 'lead', 'deal') AND key = ?"
            " AND state <> 'done'",
            (address,),
        )
        return {row["kind"]: _row(row) for row in rows}

    def retry(self) -> int:
        """Make parked and waiting changes due at once; how many there are."""
        self._db.execute("DELETE FROM resting")
        return self._db.execute(
            f"{_RELEASE}, attempts = 0 WHERE state IN ('parked', 'waiting')"
        ).rowcount

    def prune(self, before: datetime) -> int:
        """Forget changes done before an instant; their records stay."""
        return self._db.execute(
            "DELETE FROM journal WHERE state = 'done' AND done_at < ?", (stamp(before),)
        ).rowcount


def stage(kind: str, action: str) -> int:
    """When in a sender's order a change comes: what others hang on first, updates last."""
    return _LAST if action == "update" else _STAGES.get(kind, _LAST)


def _json(fields: Mapping[str, Any]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False)


def _row(row: sqlite3.Row) -> JournalRow:
    return JournalRow(
        id=row["id"],
        kind=row["kind"],
        key=row["key"],
        action=row["action"],
        sender=row["sender"],
        organization=row["organization"],
        fields=json.loads(row["fields"]),
        rank=row["rank"],
        state=row["state"],
        version=row["version"],
        unknown=bool(row["unknown"]),
        conversion=row["conversion"],
        attempts=row["attempts"],
        sent_at=instant_or_none(row["sent_at"]),
        planned_at=instant_or_none(row["planned_at"]),
        last_error=row["last_error"],
        deal=row["deal"],
    )
