"""No hot statement of ours reads a whole table that grows with the mail: held by SQLite's own plans.

Every statement of a poll, an intake, a sync, `status`, `metrics` and `explain` is caught as it is
executed, and its plan is asked for. Reading a whole index counts as reading the whole table.
"""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from world import READING, World

from daemon.ledger import reports
from daemon.ledger.overview import overview
from daemon.ledger.store import Ledger
from daemon.maintenance.explain import tell
from daemon.sync import Sync

GROWING = (
    "messages", "sightings", "answers", "correspondence", "senders", "meetings", "records",
    "journal", "crm_persons", "crm_emails", "crm_organizations", "crm_deals", "crm_leads",
)  # fmt: skip
PLANNED = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
# All records of a kind, or all sightings of a folder, are most of the table.
BY_KIND = re.compile(r"SEARCH (records|sightings|[a-z]) USING PRIMARY KEY \((?:kind|folder)=\?\)$")
SCAN = re.compile(rf"\bSCAN (?:TABLE )?({'|'.join(GROWING)}|[a-z]{{1,2}})\b")


def scans(connection: sqlite3.Connection, statements: set[str]) -> dict[str, list[str]]:
    """Statements that read a growing table from end to end, with their plans."""
    found = {}
    for sql in sorted(statements):
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
        # An alias may be any table: those that stand for small ones are named in the statement.
        if sql.startswith("INSERT INTO messages ("):
            continue  # what it shows is how foreign keys would be checked, if they were deferred
        if "WHERE kind = 'field'" in sql:
            continue  # there are four of them
        if "r.kind = 'lead'" in sql:
            continue  # after a listing, every open lead is compared with what was listed
        # An index that holds only what is due is short, whatever the table.
        steps = [step for step in plan if not step.endswith("USING INDEX senders_due")]
        names = [m[1] for step in steps if (m := SCAN.search(step) or BY_KIND.search(step))]
        if any(name in GROWING or _means(sql, name) for name in names):
            found[sql] = plan
    return found


def _means(sql: str, alias: str) -> bool:
    """Whether an alias stands for a growing table in this statement."""
    return re.search(rf"\b(?:{'|'.join(GROWING)})(?: AS)? {alias}\b", sql) is not None


def caught(ledger: Ledger, work: Callable[[], object]) -> set[str]:
    """The statements that `work` executes, those of triggers left out."""
    statements: set[str] = set()
    ledger._connection.set_trace_callback(statements.add)
    try:
        work()
    finally:
        ledger._connection.set_trace_callback(None)
    return {sql for sql in statements if PLANNED.match(sql)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Some correspondence that is settled, and one more mail in each direction."""
    world = World(tmp_path)
    for number in range(3):
        first = world.receives(f"ada@firm{number}.example")
        ours = world.sends(f"ada@firm{number}.example", answers=first)
        world.receives(f"ada@firm{number}.example", answers=ours)
    world.settle()
    new = world.receives("ada@firm1.example")
    world.receives("eve@firm9.example")
    world.sends("ada@firm2.example", answers=new)
    return world


def test_the_check_sees_a_scan(world: World) -> None:
    with world.ledger() as ledger:
        for sql in (
            "SELECT * FROM messages WHERE subject = 'x'",
            "SELECT count(*) FROM correspondence c",
            "SELECT s.name FROM senders s JOIN messages m ON m.id = s.msg_count",
            "SELECT count(*) FROM records WHERE kind = 'activity' AND fields > 'a'",
            "SELECT uid FROM sightings s WHERE s.folder = 1 ORDER BY s.uid DESC LIMIT 1",
        ):
            assert scans(ledger._connection, {sql})


def test_taking_in_mail_reads_no_table_from_end_to_end(world: World) -> None:
    with world.ledger() as ledger:
        statements = caught(ledger, lambda: world.take_in(ledger))

        assert sum("INSERT INTO messages" in sql for sql in statements) >= 3
        assert scans(ledger._connection, statements) == {}


def test_a_poll_that_finds_nothing_reads_no_table_from_end_to_end(world: World) -> None:
    with world.ledger() as ledger:
        world.take_in(ledger)

        assert scans(ledger._connection, caught(ledger, lambda: world.take_in(ledger))) == {}


def test_a_sync_reads_no_table_from_end_to_end(world: World) -> None:
    with world.ledger() as ledger:
        world.take_in(ledger)
        sync = Sync(world.session(ledger))
        statements = caught(ledger, sync.sync)
        sync.session.client.close()

        assert any("UPDATE journal" in sql for sql in statements)
        assert scans(ledger._connection, statements) == {}


def test_explaining_a_sender_reads_no_table_from_end_to_end(world: World) -> None:
    with world.ledger() as ledger:
        statements = caught(ledger, lambda: tell(ledger, READING, "ada@firm1.example"))

        assert statements
        assert scans(ledger._connection, statements) == {}


def test_what_status_tells_reads_no_table_from_end_to_end(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.receives("ada@firm1.example")  # and nothing of ours: then answers are counted, too
    with world.ledger() as ledger:
        world.take_in(ledger)

        def told() -> None:
            reports.folders(ledger)
            reports.troubles(ledger)
            reports.sent_folders(ledger, "sales")
            reports.unmatched_answers(ledger, "sales")
            reports.unwanted(ledger, 3)

        statements = caught(ledger, told)
        assert any("'contact'" in sql for sql in statements)
        assert scans(ledger._connection, statements) == {}


def test_the_first_page_reads_only_what_it_shows(world: World) -> None:
    with world.ledger() as ledger:
        statements = caught(ledger, lambda: overview(ledger, world.clock()))

        found = scans(ledger._connection, statements)
        # It lists every deal that is silent, so it may look at every deal.
        assert [sql for sql in found if "FROM pipeline p LEFT JOIN" not in sql[:120]] == []


@pytest.mark.parametrize("view", ["waiting", "parked", "health"])
def test_a_view_for_people_reads_no_table_from_end_to_end(world: World, view: str) -> None:
    with world.ledger() as ledger:
        assert scans(ledger._connection, {f"SELECT * FROM {view}"}) == {}


def test_the_counts_are_what_counting_gives(world: World) -> None:
    with world.ledger() as ledger:
        world.take_in(ledger)
        for what, column, live in (
            ("messages", "verdict", "1"),
            ("senders", "class", "1"),
            ("records", "kind", "tombstone IS NULL"),
        ):
            sql = f"SELECT {column} AS v, count(*) AS n FROM {what} WHERE {live} GROUP BY 1"
            counted = {row["v"]: row["n"] for row in ledger.rows(sql)}

            assert counted
            assert ledger.counts(what) == counted


UNWANTED = """
SELECT key, kind FROM records LEFT JOIN senders ON address = key
WHERE kind IN ('person', 'lead', 'deal') AND origin = 'created' AND tombstone IS NULL
  AND pipedrive_id IS NOT NULL AND (class IS NULL OR (kind = 'deal' AND class = 'lead')
    OR (class = 'ignore' AND NOT (kind = 'person' AND copied)))
"""


def test_records_that_would_no_longer_be_made_are_those_that_a_comparison_of_all_finds(
    world: World,
) -> None:
    for _ in range(5):  # a deal
        world.receives("ada@firm0.example")
    world.settle()
    changes = [
        *(f"UPDATE senders SET class = '{one}'" for one in ("ignore", "lead", "person_with_deal")),
        "UPDATE senders SET class = 'ignore', copied = 2",
        "UPDATE senders SET copied = 3",
        "UPDATE senders SET copied = 0",
        "UPDATE records SET tombstone = 'merged' WHERE kind = 'person'",
        "UPDATE records SET tombstone = NULL",
        "UPDATE records SET origin = 'adopted' WHERE kind = 'deal'",
        "UPDATE records SET origin = 'created', pipedrive_id = NULL WHERE kind = 'deal'",
        "UPDATE records SET pipedrive_id = '7' WHERE kind = 'deal'",
        "UPDATE OR IGNORE records SET kind = 'lead' WHERE kind = 'deal'",
        "CREATE TEMP TABLE were AS SELECT * FROM senders",
        "DELETE FROM senders",
        "INSERT INTO senders SELECT * FROM were",
        "INSERT OR REPLACE INTO records SELECT * FROM records",
        "DELETE FROM records WHERE kind = 'person'",
    ]
    sizes = set()
    with world.ledger() as ledger, ledger.transaction("edits"):
        for change in changes:
            ledger.rows(change)
            found = {(row["key"], row["kind"]) for row in ledger.rows("SELECT * FROM unwanted")}
            sizes.add(len(found))

            compared = {(row["key"], row["kind"]) for row in ledger.rows(UNWANTED)}
            assert found == compared, change
    assert len(sizes) > 3
