"""What is known of an address before it is scored: its messages, and what Pipedrive has of it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from daemon.ledger.message_row import Judgeable, invites_from, without_words
from daemon.ledger.sql_list import AMONG, CHUNK, chunks, listed
from daemon.ledger.timestamp import instant, stamp
from daemon.message.candidates import Fact
from daemon.message.verdict import Verdict
from daemon.rules.correspondence import BY_CALENDAR, IN_COPY, Correspondence, Unanswered


class CrmStanding(NamedTuple):
    """What Pipedrive has of a sender, beside what we made."""

    known_before: bool = False  # its person was there before we came
    has_deal: bool = False  # that person has, or had, any deal


@dataclass(slots=True)
class History:
    """What the ledger has of one address: its messages, its digest, what Pipedrive has of it."""

    messages: list[Correspondence] = field(default_factory=list)
    # By message key: its id in the ledger, and the verdict and reason that count so far.
    written: dict[str, tuple[int, tuple[str, str]]] = field(default_factory=dict)
    digest: str | None = None
    has_details: bool = False  # rows in `meetings` or `sender_facts`
    grounds: list[Judgeable] = field(default_factory=list)  # of the same messages, if asked for
    standing: CrmStanding = field(default_factory=CrmStanding)


class Portion(NamedTuple):
    """Senders whose states are computed together; `long`: those with a long history."""

    addresses: list[str]
    long: set[str]


class Histories:
    """Reads what belongs to senders from `correspondence`, `messages`, `records` and `crm_*`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def correspondence(self, addresses: Iterable[str]) -> list[Correspondence]:
        """All messages that belong to these addresses, each once, as judged one by one."""
        found: dict[str, Correspondence] = {}
        for address in addresses:
            for row in self._rows(f"{_CORRESPONDENCE} = ?", (address,)):
                one = _correspondence(*row[_OF_SENDER:])
                if one.key not in found or found[one.key].way == IN_COPY:
                    found[one.key] = one  # one of them wrote it, another was in copy
        return list(found.values())

    def names_before(self, address: str, before: datetime) -> list[str]:
        """The names under which an address itself wrote mails that count, before an instant."""
        rows = self._db.execute(
            "SELECT DISTINCT c.name FROM correspondence c JOIN messages m ON m.id = c.message"
            " WHERE c.sender = ? AND c.verdict = 'contact' AND c.way = 'from'"
            " AND m.direction = 'received' AND m.sent_at < ?",
            (address, stamp(before)),
        )
        return [row["name"] for row in rows]

    def letter(self, address: str, message: int) -> Correspondence:
        """One message, by its id, as it belongs to one sender."""
        rows = self._rows(f"{_CORRESPONDENCE} = ? AND c.message = ?", (address, message))
        return _correspondence(*next(iter(rows))[_OF_SENDER:])

    def portions(self, addresses: Iterable[str], messages: int) -> Iterator[Portion]:
        """These addresses in order, in groups that have about so many messages together.

        One with a long history closes its group, and is in `long`.
        """
        return _portions(
            (
                (address, bool(is_long), messages if is_long else count)
                for chunk in chunks(sorted(addresses))
                for address, is_long, count in self._db.execute(_SIZES, (listed(chunk),)).fetchall()
            ),
            messages,
        )

    def all(self, messages: int) -> Iterator[list[str]]:
        """Every sender to whom a message belongs, in such groups, however many there are."""
        return (portion.addresses for portion in _portions(self._counted(), messages))

    def _counted(self) -> Iterator[tuple[str, bool, int]]:
        last = ""
        while page := self._db.execute(_COUNTED, (last, CHUNK)).fetchall():
            for address, count in page:
                yield address, False, count
            last = page[-1][0]

    def of(self, addresses: Sequence[str], *, grounds: bool = False) -> dict[str, History]:
        """What the ledger has of each of these addresses, at most 500, in a few sweeps.

        `grounds`: with all that each message is judged by.
        """
        asked = listed(addresses)
        found = {address: History() for address in addresses}
        for address, number, final, reason, sent, *row in self._rows(
            f"{_CORRESPONDENCE} {AMONG}", (asked,)
        ):
            history, one = found[address], _correspondence(*row)
            history.messages.append(one)
            history.written[one.key] = (number, _verdict(final, reason))
            if grounds:
                facts, invites = one.facts, row[_INVITES]
                said = without_words(facts) if '"words"' in facts else facts
                history.grounds.append((sent, said, invites, bool(one.answers)))
        for address, digest, known_before, has_deal, details in self._db.execute(
            _STANDING, (asked,)
        ):
            found[address].digest = digest
            found[address].has_details = bool(details)
            found[address].standing = CrmStanding(bool(known_before), bool(has_deal))
        return found

    def _rows(self, sql: str, values: Sequence[object]) -> Iterable[tuple[Any, ...]]:
        """Rows as plain tuples: a backfill reads each message several times."""
        rows = self._db.execute(sql, values)
        rows.row_factory = None
        return rows

    def unanswered(self, address: str) -> tuple[Unanswered, ...]:
        """The mails of one sender that wait for our answer: `correspondence.unanswered` in SQL."""
        rows = self._rows(_UNANSWERED, (address, address))
        return tuple(Unanswered(instant(sent_at), key, subject) for sent_at, key, subject in rows)

    def standing(self, address: str) -> CrmStanding:
        """What Pipedrive has of one sender."""
        row = self._db.execute(_STANDING, (listed([address]),)).fetchone()
        return CrmStanding(bool(row[2]), bool(row[3]))


def _portions(sizes: Iterable[tuple[str, bool, int]], messages: int) -> Iterator[Portion]:
    """Senders, of which is known whether they are long and how many messages they have."""
    group, total = Portion([], set()), 0
    for address, is_long, size in sizes:
        total += size
        if group.addresses and (total > messages or len(group.addresses) == CHUNK):
            yield group
            group, total = Portion([], set()), size
        group.addresses.append(address)
        if is_long:
            group.long.add(address)
    if group.addresses:
        yield group


_COUNTED = """
SELECT sender, count(*) FROM correspondence WHERE sender > ? GROUP BY sender ORDER BY sender LIMIT ?
"""

# A long history isn't counted: that it is long is enough.
_SIZES = """
SELECT a.value, s.carried IS NOT NULL,
  iif(s.carried IS NULL, (SELECT count(*) FROM correspondence c WHERE c.sender = a.value), 0)
FROM json_each(?) a LEFT JOIN senders s ON s.address = a.value ORDER BY a.key
"""


_OF_SENDER, _INVITES = 5, 9  # columns that aren't the message's own, and its 10th
_CORRESPONDENCE = """
SELECT c.sender, c.message, c.verdict, c.reason, m.seen_in,
       m.key, m.message_id, m.direction, m.verdict, m.reason, m.sent_at, c.name, m.answers,
       m.thread, m.invites, c.way, m.facts, m.subject, m.conversation
FROM correspondence c JOIN messages m ON m.id = c.message WHERE c.sender
"""


_UNANSWERED = f"""
WITH answered AS (
  SELECT coalesce(max(m.sent_at), '') AS at
  FROM correspondence c JOIN messages m ON m.id = c.message
  WHERE c.sender = ? AND c.way <> '{IN_COPY}' AND m.direction = 'sent'
  AND (m.verdict = 'contact' OR m.reason IN {BY_CALENDAR}))
SELECT m.sent_at, m.key, m.subject FROM correspondence c JOIN messages m ON m.id = c.message
WHERE c.sender = ? AND c.verdict = 'contact' AND c.way <> '{IN_COPY}' AND m.direction = 'received'
AND m.sent_at > (SELECT at FROM answered) ORDER BY m.sent_at, m.key
"""

# What people have of a sender in Pipedrive: its person, unless we made it, and any deal. A person
# whose record is a tombstone counts only if another one is listed with the address.
_STANDING = """
SELECT a.value, s.digest,
  CASE WHEN p.pipedrive_id IS NOT NULL AND p.tombstone IS NULL THEN p.origin = 'adopted'
  ELSE EXISTS (
    SELECT 1 FROM crm_emails e WHERE e.email = a.value AND e.person_id IS NOT p.pipedrive_id
    AND NOT EXISTS (SELECT 1 FROM records o INDEXED BY records_pipedrive_id
                    WHERE o.kind = 'person' AND o.pipedrive_id = CAST(e.person_id AS TEXT)
                    AND o.origin = 'created')
    AND NOT EXISTS (SELECT 1 FROM crm_deals d
                    WHERE d.person_id = e.person_id AND d.mail_key = a.value)
    AND NOT EXISTS (SELECT 1 FROM crm_leads l
                    WHERE l.person_id = e.person_id AND l.mail_key = a.value))
  END,
  EXISTS (SELECT 1 FROM records d WHERE d.kind = 'deal' AND d.key = a.value)
  OR EXISTS (SELECT 1 FROM crm_emails e JOIN crm_deals d ON d.person_id = e.person_id
             WHERE e.email = a.value)
  OR EXISTS (SELECT 1 FROM crm_deals d WHERE d.person_id = CAST(p.pipedrive_id AS INTEGER)
             AND p.tombstone IS NULL),
  EXISTS (SELECT 1 FROM meetings t WHERE t.sender = a.value)
  OR EXISTS (SELECT 1 FROM sender_facts t WHERE t.sender = a.value)
FROM json_each(?) a
LEFT JOIN senders s ON s.address = a.value
LEFT JOIN records p ON p.kind = 'person' AND p.key = a.value
"""


_verdict = lru_cache(maxsize=256)(Verdict)  # there are few


def _said(facts: str) -> tuple[Fact, ...]:
    return tuple(Fact(*one) for one in json.loads(facts).get("said", ()))


def _correspondence(  # the columns, in order
    key: str,
    message_id: str | None,
    direction: Any,
    verdict: str,
    reason: str,
    sent_at: str,
    name: str,
    answers: str,
    thread: str | None,
    invites: str | None,
    way: str,
    facts: str,
    subject: str,
    conversation: str | None,
) -> Correspondence:
    return Correspondence(
        key,
        message_id,
        direction,
        _verdict(verdict, reason),
        instant(sent_at),
        name,
        tuple(answers.split()) if answers else (),
        thread,
        invites_from(invites) if invites else (),
        way,
        _said(facts) if '"said"' in facts else (),
        subject,
        conversation,
        facts,
    )
