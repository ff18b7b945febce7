"""Whose turn it is: the owners that a route gave, each for good."""

import sqlite3
from collections.abc import Sequence


class Assignments:
    """Owns `assignments`: one owner for each organization, or address without one, of a route."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def owner(self, route: str, key: str, owners: Sequence[str]) -> str:
        """The owner that was given, else the one whose turn it is; nothing is written."""
        row = self._db.execute(
            "SELECT owner FROM assignments WHERE route = ? AND key = ?", (route, key)
        ).fetchone()
        if row is not None and row[0] in owners:
            return str(row[0])
        given: int = self._db.execute(
            "SELECT count(*) FROM assignments WHERE route = ?", (route,)
        ).fetchone()[0]
        return owners[given % len(owners)]

    def assign(self, route: str, key: str, owner: str) -> None:
        """Keep whose turn it was."""
        self._db.execute(
            "INSERT INTO assignments (route, key, owner) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET owner = excluded.owner",
            (route, key, owner),
        )
