"""The company's data: one JSON document per record in SQLite, with columns derived from it.

One connection behind the sandbox's lock; every request is one transaction, so a store that a
killed process leaves behind holds only whole requests. Documents have the shape of API v2's
answers (leads: v1's); keys that begin with `_` are ours and never sent.
"""

import json
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from daemon.errors import ConfigProblem
from daemon.sandbox.crm.exchange import Doc

FORMAT = 2
SEARCHABLE = ("organizations", "persons")
_COLUMNS = (
    "name",
    "owner_id",
    "person_id",
    "org_id",
    "deal_id",
    "lead_id",
    "pipeline_id",
    "stage_id",
    "order_nr",
    "status",
    "done",
    "due_date",
    "title",
    "is_deleted",
    "is_archived",
    "add_time",
    "update_time",
    "entity",
    "field_code",
)
_INDEXES = {
    "organizations": ("name", "update_time"),
    "persons": ("org_id", "update_time"),
    "deals": ("person_id", "org_id", "stage_id", "update_time", "status, is_archived, is_deleted"),
    "leads": ("person_id", "org_id", "update_time", "is_archived, is_deleted"),
    "activities": ("person_id", "deal_id", "lead_id", "org_id", "update_time"),
    "pipelines": (),
    "stages": (),
    "users": (),
    "lead_labels": (),
    "labels": ("entity",),
    "fields": ("entity",),
}
KINDS = tuple(_INDEXES)
_PATHS = {"leads": {"org_id": "organization_id"}}
_TEXT_IDS = ("leads", "lead_labels")


class Store:
    """Documents by kind and id; `now` of every write feeds the search queue.

    For `remember` seconds what a write replaced is kept, so that a read can see it as it was.
    """

    remember = 0.0

    def __init__(self, path: str | Path) -> None:
        """Open or create the store; ConfigProblem for a file that is something else."""
        try:
            self.db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
            weakref.finalize(self, self.db.close)  # a sandbox that is let go lets go of its file
            self._prepare(str(path))
        except sqlite3.DatabaseError as error:
            raise ConfigProblem(f"not a sandbox store: {error}", what=str(path)) from error

    def _prepare(self, path: str) -> None:
        found = self.db.execute("PRAGMA user_version").fetchone()[0]
        if found not in (0, FORMAT):
            raise ConfigProblem(
                f"a sandbox store of format {found}, this version knows {FORMAT}",
                what=path,
                hint="use a new file",
            )
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")  # survives kill -9, which is what we test
        self.db.execute("PRAGMA busy_timeout = 5000")
        for kind in KINDS:
            self.db.execute(_table(kind))
            for columns in _INDEXES[kind]:
                name = f"{kind}_{columns.replace(', ', '_')}"
                self.db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {kind} ({columns})")
        self.db.executescript((files("daemon.sandbox.crm") / "store.sql").read_text("utf-8"))
        self.db.execute(f"PRAGMA user_version = {FORMAT}")

    def be_quick(self) -> None:
        """Wait for no disk: what is in it may be lost with the machine."""
        self.db.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested use is a savepoint."""
        name = "inner" if self.db.in_transaction else "outer"
        self.db.execute("BEGIN IMMEDIATE" if name == "outer" else f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK" if name == "outer" else f"ROLLBACK TO {name}")
            if name == "inner":
                self.db.execute(f"RELEASE {name}")
            raise
        self.db.execute("COMMIT" if name == "outer" else f"RELEASE {name}")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever is written inside is gone at the end."""
        self.db.execute("SAVEPOINT undone")
        try:
            yield
        finally:
            self.db.execute("ROLLBACK TO undone")
            self.db.execute("RELEASE undone")

    def rewind(self, moment: float) -> None:
        """Put back what was replaced after that moment; use it inside `undone`."""
        rows = self.db.execute(
            "SELECT kind, id, doc FROM replaced WHERE at > ? ORDER BY number DESC", (moment,)
        ).fetchall()
        for kind, record_id, text in rows:
            if text is None:
                self.remove(kind, record_id)
            else:
                self.db.execute(f"UPDATE {kind} SET doc = ? WHERE id = ?", (text, record_id))

    def is_younger(self, kind: str, record_id: int | str, moment: float) -> bool:
        """True for a record that was made after that moment."""
        found = self.db.execute(
            "SELECT 1 FROM replaced WHERE kind = ? AND id = ? AND doc IS NULL AND at > ?",
            (kind, record_id, moment),
        ).fetchone()
        return found is not None

    def insert(self, kind: str, doc: Doc, now: float) -> Doc:
        """Keep a new document; without an `id` it gets the next integer."""
        cursor = self.db.execute(
            f"INSERT INTO {kind} (id, doc) VALUES (?, '{{}}')", (doc.get("id"),)
        )
        made = {"id": doc.get("id", cursor.lastrowid), **doc}
        self.save(kind, made, now)
        return made

    def save(self, kind: str, doc: Doc, now: float) -> None:
        """Keep a changed document."""
        text = json.dumps(doc, ensure_ascii=False)
        if self.remember:
            self.db.execute("DELETE FROM replaced WHERE at < ?", (now - self.remember,))
            self.db.execute(
                f"INSERT INTO replaced (at, kind, id, doc) SELECT ?, ?, id, nullif(doc, '{{}}')"
                f" FROM {kind} WHERE id = ?",
                (now, kind, doc["id"]),
            )
        self.db.execute(f"UPDATE {kind} SET doc = ? WHERE id = ?", (text, doc["id"]))
        if kind in SEARCHABLE:
            self.db.execute(
                "INSERT INTO search_queue (at, kind, id, doc) VALUES (?, ?, ?, ?)",
                (now, kind, str(doc["id"]), text),
            )

    def get(self, kind: str, record_id: int | str) -> Doc | None:
        """One document, deleted or not."""
        row = self.db.execute(f"SELECT doc FROM {kind} WHERE id = ?", (record_id,)).fetchone()
        return None if row is None else _load(row[0])

    def next_number(self, name: str) -> int:
        """1, 2, 3 … for what isn't a document of its own."""
        row = self.db.execute(
            "INSERT INTO numbers VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last = last + 1"
            " RETURNING last",
            (name,),
        ).fetchone()
        return int(row[0])

    def remove(self, kind: str, record_id: int | str) -> None:
        """Forget a document for good."""
        self.db.execute(f"DELETE FROM {kind} WHERE id = ?", (record_id,))

    def select(
        self,
        kind: str,
        where: str = "1",
        values: Sequence[Any] = (),
        *,
        order: str = "id",
        limit: int = -1,
        offset: int = 0,
    ) -> list[Doc]:
        """Documents for which the SQL condition holds."""
        rows = self.db.execute(
            f"SELECT doc FROM {kind} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return [_load(row[0]) for row in rows]

    def count(self, kind: str, where: str = "1", values: Sequence[Any] = ()) -> int:
        """How many documents there are for which the SQL condition holds."""
        row = self.db.execute(f"SELECT count(*) FROM {kind} WHERE {where}", values).fetchone()
        return int(row[0])


def _load(text: str) -> Doc:
    doc: Doc = json.loads(text)
    return doc


def _table(kind: str) -> str:
    paths = _PATHS.get(kind, {})
    columns = ", ".join(
        f"{name} GENERATED ALWAYS AS (json_extract(doc, '$.{paths.get(name, name)}')) VIRTUAL"
        for name in _COLUMNS
    )
    key = "TEXT PRIMARY KEY" if kind in _TEXT_IDS else "INTEGER PRIMARY KEY AUTOINCREMENT"
    return f"CREATE TABLE IF NOT EXISTS {kind} (id {key}, doc TEXT NOT NULL, {columns})"
