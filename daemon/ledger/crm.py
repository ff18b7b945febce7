"""Who is in the CRM already: Pipedrive's listings, kept here so that no search is needed.

A full sweep numbers what it sees; what an older sweep saw and this one didn't is gone from the
lists, which is how deletions by people come to light (API v2 lists omit deleted objects).
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from daemon.ledger.records import record_of
from daemon.ledger.sql_list import AMONG, listed
from daemon.ledger.timestamp import stamp
from daemon.rules.crm_objects import (
    Listed,
    ListedDeal,
    ListedLead,
    ListedOrganization,
    ListedPerson,
)
from daemon.rules.records import CrmDeal, CrmLead, CrmPerson, Record, RemoteMatches

TABLES = {
    "person": "crm_persons",
    "organization": "crm_organizations",
    "deal": "crm_deals",
    "lead": "crm_leads",
}


class Crm:
    """Owns the `crm_` tables."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def keep(self, page: Sequence[Listed], sweep: int) -> None:
        """Keep what a page of a listing showed."""
        for item in page:
            match item:
                case ListedPerson():
                    self._keep_person(item, sweep)
                case ListedOrganization():
                    self._db.execute(
                        "INSERT OR REPLACE INTO crm_organizations"
                        " (id, name, name_key, domain, sweep) VALUES (?, ?, ?, ?, ?)",
                        (item.id, item.name, item.name.strip().lower(), item.domain, sweep),
                    )
                case ListedDeal():
                    self._db.execute(
                        "INSERT OR REPLACE INTO crm_deals (id, person_id, organization_id, status,"
                        " archived, mail_key, source_lead_id, touched_at, sweep)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            item.id,
                            item.person_id,
                            item.organization_id,
                            item.status,
                            item.archived,
                            item.mail_key,
                            item.source_lead_id,
                            item.touched_at,
                            sweep,
                        ),
                    )
                case ListedLead():
                    self._db.execute(
                        "INSERT OR REPLACE INTO crm_leads (id, person_id, organization_id,"
                        " archived, mail_key, sweep) VALUES (?, ?, ?, ?, ?, ?)",
                        (
                            item.id,
                            item.person_id,
                            item.organization_id,
                            item.archived,
                            item.mail_key,
                            sweep,
                        ),
                    )

    def _keep_person(self, person: ListedPerson, sweep: int) -> None:
        self._db.execute(
            "INSERT INTO crm_persons (id, name, organization_id, sweep, as_made)"
            " VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET name = excluded.name,"
            " organization_id = excluded.organization_id, sweep = excluded.sweep,"
            " as_made = excluded.as_made",
            (person.id, person.name, person.organization_id, sweep, person.as_made),
        )
        self._db.execute("DELETE FROM crm_emails WHERE person_id = ?", (person.id,))
        self._db.executemany(
            "INSERT OR IGNORE INTO crm_emails VALUES (?, ?)",
            [(email, person.id) for email in person.emails],
        )

    def reopened(self, page: Sequence[Listed]) -> list[str]:
        """The ids of the deals on a page that are open, and weren't when they were last listed."""
        there = [one.id for one in page if isinstance(one, ListedDeal) and one.is_open]
        rows = self._db.execute(
            f"SELECT id FROM crm_deals WHERE id {AMONG} AND (status <> 'open' OR archived)",
            (listed(there),),
        )
        return [str(row["id"]) for row in rows]

    def drop(self, kind: str, identifier: str | int) -> None:
        """Forget one object that Pipedrive no longer shows."""
        self._db.execute(f"DELETE FROM {TABLES[kind]} WHERE id = ?", (identifier,))

    def end_sweep(self, kind: str, sweep: int) -> None:
        """Forget what a full sweep didn't see."""
        self._db.execute(f"DELETE FROM {TABLES[kind]} WHERE sweep < ?", (sweep,))

    def unlisted(self) -> list[Record]:
        """Live records that the last full listing didn't show."""
        return [
            record_of(row)
            for kind, table in TABLES.items()
            for row in self._db.execute(
                f"SELECT r.* FROM records r LEFT JOIN {table} t ON t.id = r.pipedrive_id"
                " WHERE r.kind = ? AND r.tombstone IS NULL AND r.pipedrive_id IS NOT NULL"
                " AND t.id IS NULL ORDER BY r.key",
                (kind,),
            )
        ]

    def found_again(self) -> set[str]:
        """Senders whose person is gone, and whose address a person has that is listed now.

        As the survivor of a merge that a lagging list didn't show at first.
        """
        rows = self._db.execute(
            "SELECT r.key FROM records r INDEXED BY records_deleted"
            " CROSS JOIN crm_emails e ON e.email = r.key"
            " WHERE r.kind = 'person' AND r.tombstone = 'deleted'"
            " AND e.person_id <> CAST(r.pipedrive_id AS INTEGER)"
        )
        return {row["key"] for row in rows}

    def parted(self, before: datetime) -> list[Record]:
        """Persons that got a sender's address from us before an instant and are listed without."""
        rows = self._db.execute(
            "SELECT r.* FROM records r CROSS JOIN crm_persons p"
            " ON p.id = CAST(r.pipedrive_id AS INTEGER)"
            " WHERE r.kind = 'person' AND r.tombstone IS NULL AND r.written_at < ?"
            " AND json_extract(r.fields, '$.joined') IS NOT NULL AND NOT EXISTS"
            "  (SELECT 1 FROM crm_emails e WHERE e.person_id = p.id AND e.email = r.key)",
            (stamp(before),),
        )
        return [record_of(row) for row in rows]

    def worked_leads(self) -> list[tuple[Record, int | None]]:
        """Our leads that are listed as archived; those that a listed deal came from, with that.

        The deal isn't a record yet. A lead that seemed deleted is among them: converting one
        deletes it.
        """
        rows = self._db.execute(
            "SELECT r.*, d.id AS deal FROM records r JOIN crm_deals d"
            " ON d.source_lead_id = r.pipedrive_id"
            " WHERE r.kind = 'lead' AND (r.tombstone IS NULL OR r.tombstone = 'deleted')"
            " AND NOT EXISTS (SELECT 1 FROM records o WHERE o.kind = 'deal' AND o.key = r.key)"
            " AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deal' AND j.key = r.key"
            "  AND j.state <> 'done' AND (j.unknown OR j.conversion IS NOT NULL))"
            " UNION ALL SELECT r.*, NULL FROM records r JOIN crm_leads l ON l.id = r.pipedrive_id"
            " WHERE r.kind = 'lead' AND r.tombstone IS NULL AND l.archived"
        )
        return [(record_of(row), row["deal"]) for row in rows]

    def is_any_as_made(self, addresses: Sequence[str]) -> bool:
        """Whether one of these senders has a listed person of ours that no record stands for."""
        found = self._db.execute(
            "SELECT 1 FROM crm_emails e JOIN crm_persons p ON p.id = e.person_id"
            f" WHERE e.email {AMONG} AND p.as_made AND NOT EXISTS (SELECT 1 FROM records r"
            "  WHERE r.kind = 'person' AND r.pipedrive_id = CAST(p.id AS TEXT)) LIMIT 1",
            (listed(addresses),),
        )
        return found.fetchone() is not None

    def newest(self, kind: str) -> str | None:
        """The id of one that the last listing showed, None if it showed none."""
        (found,) = self._db.execute(f"SELECT max(id) FROM {TABLES[kind]}").fetchone()
        return None if found is None else str(found)

    def count(self, kind: str) -> int:
        """How many objects of a kind are kept."""
        (count,) = self._db.execute(f"SELECT count(*) FROM {TABLES[kind]}").fetchone()
        return int(count)

    def deal(self, identifier: str) -> CrmDeal | None:
        """One listed deal."""
        row = self._db.execute("SELECT * FROM crm_deals WHERE id = ?", (identifier,)).fetchone()
        return _deal(row) if row else None

    def holds_our_marks(self) -> bool:
        """Whether a deal or lead was listed with our Mail key."""
        return any(
            self._db.execute(
                f"SELECT 1 FROM {TABLES[kind]} WHERE mail_key IS NOT NULL LIMIT 1"
            ).fetchone()
            for kind in ("deal", "lead")
        )

    def emails_of(self, person: int) -> list[str]:
        """The sender keys of a listed person."""
        rows = self._db.execute(
            "SELECT email FROM crm_emails WHERE person_id = ? ORDER BY email", (person,)
        )
        return [row["email"] for row in rows]

    def hanging_on(self, kind: str, identifier: str) -> list[str]:
        """Kinds of what is listed with a link to a person or an organization."""
        column = {"person": "person_id", "organization": "organization_id"}[kind]
        linked = ("deal", "lead") if kind == "person" else ("person", "deal", "lead")
        return [
            one
            for one in linked
            if self._db.execute(
                f"SELECT 1 FROM {TABLES[one]} WHERE {column} = ? LIMIT 1", (identifier,)
            ).fetchone()
        ]

    def for_sender(
        self, address: str, organization: str | None, known: str | None = None
    ) -> RemoteMatches:
        """What may stand for a sender, with the deals and leads of those persons.

        `known` is the id of its person if it has one, which may not be listed with the address.
        Where nobody has the address and the sender never had a record, a lead or deal with its
        Mail key tells: an earlier ledger made it, and people have changed the address since.
        """
        persons = tuple(
            CrmPerson(row["id"], row["organization_id"], bool(row["as_made"]), row["name"])
            for row in self._db.execute(_PERSONS, {"known": known, "address": address})
        )
        ids = {person.id for person in persons} | ({int(known)} if known else set())
        rows = self._db.execute(_OF_PERSONS, (listed(ids),) * 2).fetchall() if ids else []
        return RemoteMatches(
            persons=persons,
            organization=self._organization(organization) if organization else None,
            deals=tuple(_deal(row) for row in rows if row["is_deal"]),
            leads=tuple(_lead(row) for row in rows if not row["is_deal"]),
        )

    def _organization(self, domain: str) -> tuple[int, str] | None:
        """By its name, by its website, else where most known people of the domain are."""
        row = self._db.execute(_ORGANIZATION, (domain,) * 3).fetchone()
        return (row["id"], row["reason"]) if row else None


_OF_PERSONS = f"""
SELECT 1 AS is_deal, person_id, id, status, archived, mail_key, source_lead_id, touched_at
FROM crm_deals WHERE person_id {AMONG}
UNION ALL SELECT 0, person_id, id, NULL, archived, mail_key, NULL, NULL
FROM crm_leads WHERE person_id {AMONG} ORDER BY 1, 2, 3
"""
_PERSONS = """
WITH found AS (
  SELECT :known AS id WHERE :known IS NOT NULL
  UNION SELECT person_id FROM crm_emails WHERE email = :address),
marked AS (
  SELECT person_id FROM crm_leads WHERE mail_key = :address
  UNION SELECT person_id FROM crm_deals WHERE mail_key = :address)
SELECT * FROM crm_persons WHERE id IN (
  SELECT id FROM found UNION ALL SELECT person_id FROM marked
  WHERE NOT EXISTS (SELECT 1 FROM found)
    AND NOT EXISTS (SELECT 1 FROM records WHERE kind = 'person' AND key = :address))
ORDER BY id
"""
_ORGANIZATION = """
SELECT * FROM (SELECT id, 'its name' AS reason FROM crm_organizations
               WHERE name_key = ? ORDER BY id LIMIT 1)
UNION ALL
SELECT * FROM (SELECT id, 'its website' FROM crm_organizations WHERE domain = ?
               ORDER BY id LIMIT 1)
UNION ALL
SELECT * FROM (
SELECT p.organization_id, 'most people with this domain are there' FROM senders s
JOIN crm_emails e ON e.email = s.address
JOIN crm_persons p ON p.id = e.person_id
JOIN crm_organizations o ON o.id = p.organization_id
WHERE s.organization = ?
GROUP BY p.organization_id ORDER BY count(*) DESC, p.organization_id LIMIT 1)
LIMIT 1
"""


def _deal(row: sqlite3.Row) -> CrmDeal:
    return CrmDeal(
        row["id"],
        row["status"],
        bool(row["archived"]),
        row["mail_key"],
        row["source_lead_id"],
        row["touched_at"],
    )


def _lead(row: sqlite3.Row) -> CrmLead:
    return CrmLead(row["id"], bool(row["archived"]), row["mail_key"])
