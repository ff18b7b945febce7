"""The states of senders, which `rules` computes: written with a new version when they change."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from daemon.ledger.histories import History
from daemon.ledger.sql_list import AMONG, chunks, listed
from daemon.ledger.timestamp import instant_or_none, stamp_or_none
from daemon.message.candidates import Fact
from daemon.rules.carried import Carried
from daemon.rules.classify import Class
from daemon.rules.sender import SenderState


class Computed(NamedTuple):
    """A state and a class, computed from a history; `digest` is of all that they say."""

    state: SenderState
    class_: Class
    history: History
    digest: str

    @classmethod
    def of(cls, state: SenderState, class_: Class, history: History) -> Self:
        """With its digest."""
        return cls(state, class_, history, _digest(state, class_))

    def is_kept(self) -> bool:
        """Whether the ledger has just this."""
        written = self.history.written
        return self.digest == self.history.digest and self.state.verdicts == tuple(
            [(key, written[key][1]) for key, _ in self.state.verdicts]
        )


class States:
    """Owns the counts in `senders`, `meetings`, `sender_facts` and final verdicts of messages."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def write(self, states: Iterable[Computed]) -> int:
        """Keep the states of senders; how many have changed."""
        states = [one for one in states if not one.is_kept()]
        changed = [one for one in states if one.history.digest != one.digest]
        mailboxes = self._first_mailboxes([state.address for state, *_ in changed])
        self._db.executemany(
            _UPSERT,
            [
                _values(state, class_, mailboxes.get(state.address), digest)
                for state, class_, _, digest in changed
            ],
        )
        self._db.executemany(
            "UPDATE correspondence SET verdict = ?, reason = ? WHERE sender = ? AND message = ?",
            [
                (*verdict, state.address, history.written[key][0])
                for state, _, history, _ in states
                for key, verdict in state.verdicts
                if history.written[key][1] != verdict
            ],
        )
        before = [state.address for state, _, history, _ in changed if history.has_details]
        for table in ("meetings", "sender_facts") if before else ():
            self._db.execute(f"DELETE FROM {table} WHERE sender {AMONG}", (listed(before),))
        self._write_meetings([state for state, *_ in changed])
        self._write_facts([state for state, *_ in changed])
        return len(changed)

    def grow(self, state: SenderState, class_: Class, message: int) -> None:
        """Keep the state of a sender that has one message more."""
        self._db.execute(_UPSERT, _values(state, class_, None, _digest(state, class_)))
        self._db.executemany(
            "UPDATE correspondence SET verdict = ?, reason = ? WHERE sender = ? AND message = ?"
            " AND (verdict, reason) <> (?, ?)",
            [(*final, state.address, message, *final) for _, final in state.verdicts],
        )
        self._db.execute("DELETE FROM sender_facts WHERE sender = ?", (state.address,))
        self._write_facts([state])

    def long_known(self, addresses: Iterable[str]) -> dict[str, SenderState]:
        """The states of those of these senders who have a long history, without its verdicts.

        Neither their meetings are read, nor which messages are replies: `growth` needs neither.
        """
        rows = self._db.execute(f"{_LONG_KNOWN} {AMONG}", (listed(addresses),)).fetchall()
        found = {}
        for row in rows:
            facts = self._db.execute(
                "SELECT kind, value, source FROM sender_facts WHERE sender = ? ORDER BY kind",
                (row["address"],),
            )
            found[row["address"]] = _state(row, tuple(Fact(*one) for one in facts))
        return found

    def unlike(self, states: Iterable[Computed]) -> list[str]:
        """Those of these senders whose numbers in the ledger are others."""
        numbers = {state.address: _numbers(state) for state, *_ in states}
        rows = self._db.execute(
            f"SELECT address, {_STATE} FROM senders WHERE address {AMONG}", (listed(numbers),)
        )
        kept = {row["address"]: tuple(row) for row in rows}
        return [address for address in numbers if kept.get(address) != numbers[address]]

    def addresses(self) -> set[str]:
        """Every sender to whom a message belongs."""
        return {row[0] for row in self._db.execute("SELECT DISTINCT sender FROM correspondence")}

    def remove(self, addresses: Iterable[str]) -> None:
        """Drop senders to whom no message belongs any more."""
        rows = [(address,) for address in addresses]
        self._db.executemany("DELETE FROM senders WHERE address = ?", rows)
        self._db.executemany("DELETE FROM meetings WHERE sender = ?", rows)
        self._db.executemany("DELETE FROM sender_facts WHERE sender = ?", rows)

    def keep(self) -> None:
        """Keep every sender's numbers as they are, for `changed` on this connection."""
        self._db.execute(f"CREATE TEMP TABLE before AS SELECT address, {_STATE} FROM senders")
        self._db.execute("CREATE UNIQUE INDEX before_address ON before (address)")

    def changed(self) -> list[str]:
        """Senders whose numbers aren't those that were kept."""
        return [row["address"] for row in self._db.execute(_CHANGED)]

    def distrust(self, address: str | None = None) -> None:
        """Make the next computation write a sender, or all of them, even if nothing changed."""
        self._db.execute(
            "UPDATE senders SET digest = '' WHERE ? IS NULL OR address = ?", (address, address)
        )

    def _first_mailboxes(self, addresses: Sequence[str]) -> dict[str, str]:
        """Where the first message with each sender was seen."""
        mailboxes = self._db.execute("SELECT DISTINCT mailbox FROM folders LIMIT 2").fetchall()
        if len(mailboxes) == 1:
            return dict.fromkeys(addresses, mailboxes[0]["mailbox"])
        found: dict[str, str] = {}
        for chunk in chunks(addresses):
            # Of the row with the smallest min(), SQLite takes the other columns too.
            rows = self._db.execute(
                "SELECT c.sender, f.mailbox, min(m.sent_at || m.key || f.mailbox)"
                " FROM correspondence c JOIN messages m ON m.id = c.message"
                " JOIN sightings s ON s.message = m.id JOIN folders f ON f.id = s.folder"
                f" WHERE c.sender {AMONG} AND m.verdict <> 'ignored'"
                " GROUP BY c.sender",
                (listed(chunk),),
            )
            found |= {row["sender"]: row["mailbox"] for row in rows}
        return found

    def _write_facts(self, states: Iterable[SenderState]) -> None:
        self._db.executemany(
            "INSERT INTO sender_facts VALUES (?, ?, ?, ?)",
            [(one.address, f.kind, f.value, f.way) for one in states for f in one.facts],
        )

    def _write_meetings(self, states: Sequence[SenderState]) -> None:
        self._db.executemany(
            "INSERT INTO meetings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    state.address,
                    meeting.uid,
                    meeting.summary,
                    stamp_or_none(meeting.starts_at),
                    stamp_or_none(meeting.ends_at),
                    meeting.status,
                    meeting.organizer,
                    meeting.counts,
                    meeting.sequence,
                    meeting.all_day,
                )
                for state in states
                for meeting in state.meeting_list
            ],
        )


# One person with several addresses is classified as a whole, by the sync: see `classify`.
_IS_SHARED = """EXISTS (
  SELECT 1 FROM records p CROSS JOIN records o INDEXED BY records_pipedrive_id
  ON o.kind = 'person' AND o.pipedrive_id = p.pipedrive_id AND o.key <> p.key
  WHERE p.kind = 'person' AND p.key = excluded.address
  AND p.tombstone IS NULL AND o.tombstone IS NULL)"""

_UPSERT = f"""
INSERT INTO senders (address, name, domain, organization, msg_count, sent_count, replies, meetings,
  thread_count, first_contact, last_contact, avg_response_hours, class, reason, mailbox, digest,
  copied, carried, version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (address) DO UPDATE SET
  name = excluded.name, domain = excluded.domain, organization = excluded.organization,
  msg_count = excluded.msg_count, sent_count = excluded.sent_count, replies = excluded.replies,
  meetings = excluded.meetings, thread_count = excluded.thread_count,
  first_contact = excluded.first_contact, last_contact = excluded.last_contact,
  avg_response_hours = excluded.avg_response_hours,
  class = iif({_IS_SHARED}, class, excluded.class),
  reason = iif({_IS_SHARED}, reason, excluded.reason),
  copied = excluded.copied, digest = excluded.digest,
  mailbox = coalesce(excluded.mailbox, mailbox), carried = excluded.carried,
  version = version + 1
"""

_STATE = (
    "name, domain, organization, msg_count, sent_count, replies, meetings, thread_count,"
    " first_contact, last_contact, avg_response_hours"
)

_CHANGED = f"""
SELECT address FROM senders WHERE ({_STATE}) IS NOT
  (SELECT {_STATE} FROM before WHERE before.address = senders.address)
UNION
SELECT address FROM before WHERE address NOT IN (SELECT address FROM senders)
ORDER BY address
"""

_LONG_KNOWN = (
    f"SELECT address, {_STATE}, carried FROM senders WHERE carried IS NOT NULL AND address"
)


def _state(row: sqlite3.Row, facts: tuple[Fact, ...]) -> SenderState:
    carried = Carried(*json.loads(row["carried"]))
    return SenderState(
        address=row["address"],
        name=row["name"],
        domain=row["domain"],
        organization=row["organization"],
        msg_count=row["msg_count"],
        sent_count=row["sent_count"],
        replies=row["replies"],
        meetings=row["meetings"],
        thread_count=row["thread_count"],
        first_contact=instant_or_none(row["first_contact"]),
        last_contact=instant_or_none(row["last_contact"]),
        avg_response_hours=row["avg_response_hours"],
        verdicts=(),
        meeting_list=(),
        submitted=carried.submitted,
        facts=facts,
        our_response_hours=carried.our_response_hours,
        carried=carried,
    )


def _values(
    state: SenderState, class_: Class, mailbox: str | None, digest: str
) -> tuple[object, ...]:
    carried = json.dumps(state.carried) if state.carried else None
    return (*_numbers(state), *class_, mailbox, digest, state.copied, carried)


def _digest(state: SenderState, class_: Class) -> str:
    """Of all that a state and a class say; the verdicts by hand, since there are many."""
    if state.carried:  # which has all that isn't in the numbers
        told = (_numbers(state), state.carried, state.facts, *class_)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]
    verdicts = "\n".join([f"{key} {kind} {reason}" for key, (kind, reason) in state.verdicts])
    rest: tuple[object, ...] = (_numbers(state), state.meeting_list, state.reply_keys, state.facts)
    rest += (*class_, state.copied) if state.copied else class_
    return hashlib.sha256(f"{verdicts}\n{rest!r}".encode()).hexdigest()[:32]


def _numbers(state: SenderState) -> tuple[object, ...]:
    return (
        state.address,
        state.name,
        state.domain,
        state.organization,
        state.msg_count,
        state.sent_count,
        state.replies,
        state.meetings,
        state.thread_count,
        stamp_or_none(state.first_contact),
        stamp_or_none(state.last_contact),
        state.avg_response_hours,
    )
