"""Whose turn it is: the owners that a route gave, each for good."""

import sqlite3
from collections.abc import Sequence

from daemon.ledger.sql_list import listed


class Assignments:
    """Owns `assignments`: one owner for each organization, or address without one, of a route."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def owner(self, route: str, key: str, owners: Sequence[str]) -> tuple[str, bool]:
        """The owner that was given, else the one whose turn it is, and whether it was given.

        Nothing is written.
        """
        before, given = self._db.execute(
            "SELECT before, iif(before IN (SELECT value FROM json_each(:owners)), 0,"
            " (SELECT count(*) FROM assignments WHERE route = :route)) FROM"
            " (SELECT (SELECT owner FROM assignments WHERE route = :route AND key = :key) before)",
            {"route": route, "key": key, "owners": listed(owners)},
        ).fetchone()
        if before in owners:
            return str(before), True
        return owners[given % len(owners)], False

    def assign(self, route: str, key: str, owner: str) -> None:
        """Keep whose turn it was."""
        self._db.execute(
            "INSERT INTO assignments (route, key, owner) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET owner = excluded.owner",
            (route, key, owner),
        )
