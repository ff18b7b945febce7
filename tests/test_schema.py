"""A new ledger and one that was brought up from the release are the same, and say what they hold."""

import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlite_utils import Database

from daemon.ledger import schema
from daemon.ledger.migrations import STEPS, migrations
from daemon.ledger.store import Ledger
from daemon.service.health import health
from daemon.sync.safety_limit import approve, held_back

RELEASED = Path(__file__).parent / "release_0" / "ledger.sql"
SCHEMA = Path(schema.__file__).with_name("schema.sql")
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@pytest.fixture
def new(tmp_path: Path) -> sqlite3.Connection:
    Ledger.open(tmp_path / "new.db").close()
    return sqlite3.connect(tmp_path / "new.db")


@pytest.fixture
def old(tmp_path: Path) -> sqlite3.Connection:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as released:
        released.executescript(RELEASED.read_text())
    Ledger.open(path).close()
    return sqlite3.connect(path)


def columns(ledger: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = ledger.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    return {name: ledger.execute(f"PRAGMA table_info({name})").fetchall() for (name,) in tables}


def statements(ledger: sqlite3.Connection) -> dict[str, str]:
    """What makes indexes, triggers and views, without comments and line ends."""
    rows = ledger.execute(
        "SELECT name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL"
    )
    return {name: "".join(COMMENT.sub("", sql).split()).strip(";") for name, sql in rows}


def test_a_ledger_of_the_release_becomes_what_a_new_one_is(
    new: sqlite3.Connection, old: sqlite3.Connection
) -> None:
    assert columns(old) == columns(new)
    assert statements(old) == statements(new)


def test_a_new_ledger_says_what_it_holds(new: sqlite3.Connection) -> None:
    told = "\n".join(sql for (sql,) in new.execute("SELECT sql FROM sqlite_master") if sql)
    comments = re.findall(r"(?m)^[^-\n]+(--.*)", SCHEMA.read_text())
    assert len(comments) > 100
    assert [comment for comment in comments if comment not in told] == []
    for name, sql in new.execute(
        "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE '%sqlite%'"
    ):
        assert re.match(r"CREATE (TABLE|VIEW) \w+ (\(\n  |AS )--", sql), f"{name} isn't explained"


def test_columns_that_a_step_adds_are_explained_too(old: sqlite3.Connection) -> None:
    (folders,) = old.execute("SELECT sql FROM sqlite_master WHERE name = 'folders'").fetchone()
    assert re.search(r"account TEXT /\* host and login; .* \*/", folders)


def test_views_are_made_again_after_a_start_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as cut:
        cut.execute("DROP VIEW problems")
        cut.execute("CREATE VIEW mine AS SELECT address FROM senders")
        cut.commit()
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as whole:
        assert whole.execute("SELECT * FROM problems").fetchall() == []
        assert whole.execute("SELECT * FROM mine").fetchall() == []


def test_processes_that_open_an_older_ledger_at_once_all_can(
    tmp_path: Path,
) -> None:
    """As `retry` beside a service that starts after an upgrade."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as ledger:
        ledger.executescript(RELEASED.read_text())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL").fetchall()
        other.execute("BEGIN IMMEDIATE")  # so that all have looked before one of them begins
        with ThreadPoolExecutor(4) as pool:
            opened = [pool.submit(lambda: Ledger.open(path).close()) for _ in range(4)]
            time.sleep(0.3)
            other.execute("COMMIT")
            for one in opened:
                one.result()


def test_a_new_ledger_has_no_step_before_it(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger.db").close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        assert migrations.pending(Database(ledger)) == []


def test_a_question_that_an_earlier_version_asked_can_still_be_answered(tmp_path: Path) -> None:
    path, now = tmp_path / "ledger.db", datetime(2026, 11, 1, tzinfo=UTC)
    with Ledger.open(path) as ledger, ledger.transaction("as it was"):
        ledger.conditions.failed("read again", "1 lead waits", now, needs_person=True)
        ledger.set("held", True)  # noqa: FBT003 - a value
        ledger.rows("DELETE FROM _sqlite_migrations WHERE name = 'm025_old_mail'")
    with Ledger.open(path) as ledger:
        asked = held_back(ledger)
        assert asked is not None
        assert asked.message == "1 lead waits"
        assert [line.part for line in health(ledger, now) if not line.do] == []
        with ledger.transaction("approve"):
            approve(ledger, "test", None, now)
        assert health(ledger, now) == []


def test_every_script_is_a_step() -> None:
    scripts = {path.stem for path in SCHEMA.with_name("steps").iterdir()}
    assert scripts == set(STEPS)
