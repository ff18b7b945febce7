"""Open deals and who takes part in them: by what we made, by what Pipedrive listed.

A participant is a record of this kind with the key `<deal id> <sender>`. It has an id where
we made its person a participant there; without one, it only says that its mail goes to that deal.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import replace

from daemon.ledger.records import records
from daemon.ledger.sql_list import AMONG, listed
from daemon.rules.deals import PARTICIPANT, DealRules, OpenDeal, participant_key
from daemon.rules.records import Record


class Deals:
    """Reads `crm_deals`, `records` and `journal`; writes the participants among `records`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def open_of(self, senders: Collection[str]) -> list[OpenDeal]:
        """The open deals of these senders: theirs, and those in which they take part."""
        return self._with_people(self._db.execute(_OF_SENDERS, {"senders": listed(senders)}))

    def open_of_organization(
        self, organization: str, pipedrive_id: str | None, near: Iterable[str]
    ) -> list[OpenDeal]:
        """Open deals of an organization: of its senders, or linked to it in Pipedrive.

        Those of `near` (ids) and the ones that were changed last: of thousands no other is chosen.
        """
        asked = {"organization": organization, "id": pipedrive_id, "near": listed(near)}
        return self._with_people(self._db.execute(_OF_ORGANIZATION, asked))

    def taking(self, ids: Collection[str], rules: DealRules) -> list[OpenDeal]:
        """Those of these deals that are closed but still get new mail."""
        rows = self._db.execute(f"SELECT * FROM crm_deals WHERE id {AMONG}", (listed(ids),))
        return [
            OpenDeal(str(row["id"]), touched_at=row["touched_at"] or "")
            for row in rows
            if rules.takes_mail(row["status"], archived=bool(row["archived"]))
        ]

    def people(self, ids: Iterable[str]) -> dict[str, frozenset[str]]:
        """Who is the contact person of these deals, or takes part in them: sender keys by deal."""
        deals = list(ids)
        found: dict[str, set[str]] = {}
        for row in self._db.execute(_PEOPLE, {"deals": listed(deals)}) if deals else ():
            found.setdefault(str(row[0]), set()).add(row[1])
        return {one: frozenset(people) for one, people in found.items()}

    def coming_of(self, senders: Iterable[str]) -> list[OpenDeal]:
        """Deals that are on their way for these senders, the first one first."""
        several = list(senders)
        rows = self._db.execute(_COMING, (listed(several),)).fetchall() if several else ()
        return [OpenDeal(None, row[0], people=frozenset({row[0]})) for row in rows]

    def coming_of_organization(self, organization: str, but: str) -> list[OpenDeal]:
        """The deal that came first of those on their way for an organization's other senders."""
        asked = {"organization": organization, "but": but}
        rows = self._db.execute(_COMING_OF_ORGANIZATION, asked)
        return [OpenDeal(None, row[0], people=frozenset({row[0]})) for row in rows]

    def who_could_join(self, deal: str, senders: Collection[str]) -> set[str]:
        """Those senders who have no open deal of their own and aren't participants of this one."""
        rows = self._db.execute(f"{_COULD_JOIN} s.address {AMONG}", (deal, deal, listed(senders)))
        return {row[0] for row in rows}

    def companions_who_could_join(self, deal: str, organization: str) -> set[str]:
        """The same of all senders of an organization."""
        rows = self._db.execute(f"{_COULD_JOIN} s.organization = ?", (deal, deal, organization))
        return {row[0] for row in rows}

    def participants_of(self, sender: str) -> list[Record]:
        """A sender's records as a participant of others' deals, in order of the deals' ids."""
        return records(
            self._db,
            "SELECT * FROM records INDEXED BY records_sender WHERE sender = ? AND kind = ?"
            " ORDER BY CAST(key AS INTEGER)",
            sender,
            PARTICIPANT,
        )

    def participants_in(self, deal: str) -> list[Record]:
        """Who takes part in a deal that we made."""
        sql = "SELECT * FROM records WHERE kind = ? AND key >= ? AND key < ?"
        return records(self._db, sql, PARTICIPANT, f"{deal} ", f"{deal}!")

    def senders_in(self, deals: Collection[str]) -> set[str]:
        """The senders whose deal one of these is, and those who take part in it."""
        found = {one.key.partition(" ")[2] for deal in deals for one in self.participants_in(deal)}
        rows = self._db.execute(
            "SELECT key FROM records INDEXED BY records_pipedrive_id WHERE kind = 'deal'"
            f" AND pipedrive_id {AMONG} AND tombstone IS NULL",
            (listed(deals),),
        )
        return found | {row["key"] for row in rows}

    def coming_participants(self, sender: str) -> list[str]:
        """Keys of a sender's planned participations that certainly weren't made yet."""
        rows = self._db.execute(
            "SELECT key FROM journal WHERE sender = ? AND kind = ? AND state IN"
            " ('planned', 'waiting', 'parked') AND NOT unknown",
            (sender, PARTICIPANT),
        )
        return [row[0] for row in rows]

    def note_participant(self, deal: str, sender: str, why: str) -> None:
        """Note that a sender's mail goes to a deal of somebody else."""
        fields = json.dumps({"deal": deal, "joined": True})
        self._db.execute(
            "INSERT INTO records (kind, key, origin, fields, reason, sender)"
            " VALUES (?, ?, 'adopted', ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET fields = json_patch(fields, excluded.fields)",
            (PARTICIPANT, participant_key(deal, sender), fields, why, sender),
        )

    def leave(self, deal: str, sender: str) -> None:
        """Forget a participant that was never made in Pipedrive and has no mail at the deal."""
        self._db.execute(
            "DELETE FROM records WHERE kind = ? AND key = ? AND pipedrive_id IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM records a INDEXED BY records_sender"
            "  WHERE a.sender = ? AND a.kind = 'activity'"
            "  AND json_extract(a.fields, '$.deal') = ?)",
            (PARTICIPANT, participant_key(deal, sender), sender, deal),
        )

    def linked(self, messages: Iterable[str]) -> dict[str, str]:
        """The ids of the deals to which the activities of these messages are linked, by message."""
        rows = self._db.execute(
            "SELECT key, json_extract(fields, '$.deal') FROM records"
            f" WHERE kind = 'activity' AND key {AMONG} AND tombstone IS NULL",
            (listed(messages),),
        )
        return {row[0]: row[1] for row in rows if row[1]}

    def without_deal(self, sender: str) -> list[str]:
        """The keys of a sender's activities that aren't known to be linked to a deal."""
        rows = self._db.execute(
            "SELECT key FROM records INDEXED BY records_sender WHERE sender = ?"
            " AND kind = 'activity' AND tombstone IS NULL AND pipedrive_id IS NOT NULL"
            " AND json_extract(fields, '$.deal') IS NULL",
            (sender,),
        )
        return [row[0] for row in rows]

    def _with_people(self, rows: Iterable[sqlite3.Row]) -> list[OpenDeal]:
        found: dict[str, OpenDeal] = {}
        for row in rows:
            identifier = str(row["id"])
            known = found.get(identifier)
            key = row["key"] or (known.key if known else None)
            found[identifier] = OpenDeal(identifier, key, touched_at=row["touched_at"])
        people = self.people(found)
        return [
            replace(one, people=people.get(number, frozenset()) | ({one.key} if one.key else set()))
            for number, one in found.items()
        ]


_LATEST = 20  # rows of those deals that were changed last; one deal may have several
# What we made is there, whether or not a listing has shown it yet.
_OPEN = "coalesce(d.status, 'open') = 'open' AND NOT coalesce(d.archived, 0)"
_LISTED = """
SELECT d.id, NULL AS key, coalesce(d.touched_at, '') AS touched_at FROM crm_deals d
WHERE d.status = 'open' AND NOT d.archived
"""
_MADE = f"""
SELECT CAST(r.pipedrive_id AS INTEGER) AS id, r.key, coalesce(d.touched_at, '') AS touched_at
FROM json_each(:senders) one JOIN records r ON r.kind = 'deal' AND r.key = one.value
LEFT JOIN crm_deals d ON d.id = r.pipedrive_id
WHERE r.tombstone IS NULL AND r.pipedrive_id IS NOT NULL AND {_OPEN}
"""
_OF_SENDERS = f"""
{_MADE}
UNION {_LISTED} AND d.person_id IN
  (SELECT e.person_id FROM json_each(:senders) one JOIN crm_emails e ON e.email = one.value
   UNION SELECT CAST(p.pipedrive_id AS INTEGER) FROM json_each(:senders) one
   JOIN records p ON p.kind = 'person' AND p.key = one.value AND p.tombstone IS NULL)
UNION SELECT CAST(t.key AS INTEGER), NULL, coalesce(d.touched_at, '')
FROM json_each(:senders) one JOIN records t ON t.sender = one.value AND t.kind = '{PARTICIPANT}'
LEFT JOIN crm_deals d ON d.id = CAST(t.key AS INTEGER)
WHERE t.tombstone IS NULL AND {_OPEN} AND NOT EXISTS
  (SELECT 1 FROM records g INDEXED BY records_pipedrive_id WHERE g.kind = 'deal'
   AND g.pipedrive_id = json_extract(t.fields, '$.deal') AND g.tombstone IS NOT NULL)
ORDER BY 1
"""
_LATELY = f"ORDER BY touched_at DESC, id DESC LIMIT {_LATEST}"
# CROSS JOIN keeps the order of the tables (SQLite): from the senders of one organization.
_OF_ORGANIZATION = f"""
SELECT * FROM (
  SELECT CAST(r.pipedrive_id AS INTEGER) AS id, r.key, coalesce(d.touched_at, '') AS touched_at
  FROM senders s CROSS JOIN records r ON r.kind = 'deal' AND r.key = s.address
  LEFT JOIN crm_deals d ON d.id = r.pipedrive_id
  WHERE s.organization = :organization AND r.tombstone IS NULL AND r.pipedrive_id IS NOT NULL
  AND {_OPEN} {_LATELY})
UNION SELECT * FROM ({_LISTED} AND d.organization_id = CAST(:id AS INTEGER) {_LATELY})
UNION SELECT * FROM (
  SELECT d.id, NULL, coalesce(d.touched_at, '') AS touched_at
  FROM senders s CROSS JOIN crm_emails e ON e.email = s.address
  CROSS JOIN crm_deals d ON d.person_id = e.person_id
  WHERE s.organization = :organization AND d.status = 'open' AND NOT d.archived {_LATELY})
UNION SELECT CAST(r.pipedrive_id AS INTEGER), r.key, coalesce(d.touched_at, '')
FROM json_each(:near) one CROSS JOIN records r INDEXED BY records_pipedrive_id
  ON r.kind = 'deal' AND r.pipedrive_id = one.value
CROSS JOIN senders s ON s.address = r.key AND s.organization = :organization
LEFT JOIN crm_deals d ON d.id = r.pipedrive_id WHERE r.tombstone IS NULL AND {_OPEN}
UNION {_LISTED} AND d.id IN (SELECT CAST(value AS INTEGER) FROM json_each(:near))
  AND (d.organization_id = CAST(:id AS INTEGER) OR EXISTS (
    SELECT 1 FROM crm_emails e CROSS JOIN senders s ON s.address = e.email
    WHERE e.person_id = d.person_id AND s.organization = :organization))
ORDER BY 1
"""
_COMING_OF_ORGANIZATION = """
SELECT j.key FROM senders s CROSS JOIN journal j INDEXED BY journal_open
  ON j.kind = 'deal' AND j.key = s.address AND j.state <> 'done'
WHERE s.organization = :organization AND s.address <> :but AND j.action IN ('create', 'convert')
  AND j.state IN ('planned', 'sending', 'waiting') ORDER BY j.id LIMIT 1
"""
_COMING = f"""
SELECT key FROM journal WHERE kind = 'deal' AND action IN ('create', 'convert')
  AND state IN ('planned', 'sending', 'waiting') AND key {AMONG} ORDER BY id
"""
_PEOPLE = f"""
SELECT d.id, e.email FROM json_each(:deals) one JOIN crm_deals d ON d.id = one.value
JOIN crm_emails e ON e.person_id = d.person_id
UNION SELECT d.id, p.key FROM json_each(:deals) one JOIN crm_deals d ON d.id = one.value
JOIN records p INDEXED BY records_pipedrive_id ON p.kind = 'person'
  AND p.pipedrive_id = CAST(d.person_id AS TEXT)
UNION SELECT one.value, t.sender FROM json_each(:deals) one
JOIN records t ON t.kind = '{PARTICIPANT}'
  AND t.key >= one.value || ' ' AND t.key < one.value || '!'
"""
_COULD_JOIN = f"""
SELECT s.address FROM senders s
WHERE (s.class <> 'ignore' OR s.copied)
  AND NOT EXISTS (SELECT 1 FROM records r LEFT JOIN crm_deals d ON d.id = r.pipedrive_id
                  WHERE r.kind = 'deal' AND r.key = s.address AND r.tombstone IS NULL
                  AND {_OPEN})
  AND NOT EXISTS (SELECT 1 FROM records t WHERE t.kind = '{PARTICIPANT}'
                  AND t.key = ? || ' ' || s.address)
  AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.kind = '{PARTICIPANT}' AND j.state <> 'done'
                  AND j.key = ? || ' ' || s.address)
  AND
"""
