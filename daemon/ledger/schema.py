"""A ledger of this version: made from `schema.sql`, or migrated step by step."""

import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from sqlite_utils import Database

from daemon.errors import LedgerProblem
from daemon.ledger.migrations import RELEASED, STEPS, migrations
from daemon.ledger.sql_script import statements

# "m2d" and a 1: `file ledger.db` shows it, and a foreign SQLite file is told apart.
APPLICATION_ID = 0x6D326431

_VIEW = re.compile(r"^CREATE VIEW (\w+)", re.MULTILINE)


def newest() -> str:
    """The migration that makes a ledger of this version, e.g. m004_counts."""
    return max(_known())


def migrate(db: Database) -> None:
    """Bring the file to this version; raises LedgerProblem for a foreign or a newer file."""
    check(db)
    if not db.table_names():
        _make(db)
    if migrations.pending(db) or not _views().keys() <= set(db.view_names()):
        # All steps at once, and one process at a time: a command may start beside the service.
        with db.conn:
            db.conn.execute("BEGIN IMMEDIATE")
            for view in _views():
                db.execute(f"DROP VIEW IF EXISTS {view}")
            migrations.apply(db)  # what is still pending by now
            for statement in _views().values():
                db.execute(statement)


def check(db: Database) -> None:
    """Refuse a file that isn't a ledger, or that a newer mail2deal has migrated."""
    application_id = next(iter(db.query("PRAGMA application_id")))["application_id"]
    tables = set(db.table_names())
    if application_id != APPLICATION_ID and (application_id or tables):
        raise LedgerProblem(
            "this SQLite file isn't a mail2deal ledger", hint="name another file as `ledger`"
        )
    applied = {row.name for row in migrations.applied(db)} if tables else set()
    if unknown := sorted(applied - _known()):
        raise LedgerProblem(
            f"the ledger was written by a newer mail2deal (migration {unknown[-1]})",
            hint="install that version, or restore a backup made by this one",
        )


def _make(db: Database) -> None:
    """Make everything at once, unless another process has done so in this moment."""
    with db.conn:
        db.conn.execute("BEGIN IMMEDIATE")
        if db.table_names():
            return
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in _schema():
            db.execute(statement)
        migrations.ensure_migrations_table(db)
        now = str(datetime.now(UTC))
        db.table(migrations.migrations_table).insert_all(
            {"migration_set": migrations.name, "name": name, "applied_at": now}
            for name in sorted(_known())
        )


@cache
def _schema() -> tuple[str, ...]:
    return tuple(statements((files("daemon.ledger") / "schema.sql").read_text("utf-8")))


@cache
def _views() -> dict[str, str]:
    """The statements that make the views, by name."""
    found = ((_VIEW.search(statement), statement) for statement in _schema())
    return {view[1]: statement for view, statement in found if view}


def _known() -> set[str]:
    return {*RELEASED, *STEPS}
