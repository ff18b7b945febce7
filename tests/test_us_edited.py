"""Who is ours is edited: what a mail is follows from where it lay and from the configuration of now."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from postbox import START, WE, letter
from test_mailbox_years import Years, senders
from world import READING

from daemon.intake import rebuilding
from daemon.intake.poll import Pass


class _Edited(Years):
    """With domains of ours that are edited."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.reading = READING

    def run_of(self) -> Pass:
        return replace(super().run_of(), scoring=self.reading)

    def edit(self, *domains: str) -> None:
        us = replace(READING.us, domains=READING.us.domains | {*domains})
        self.reading = replace(READING, us=us)
        with self.ledger() as ledger:
            rebuilding.rebuild(ledger, self.reading)
            assert rebuilding.is_right(ledger, self.reading)

    def file_all(self, source: str, target: str) -> None:
        for uid in list(self.box.folders[source].mails):
            self.box.move(source, uid, target)
        self.look()

    def judged(self) -> list[dict[str, object]]:
        columns = "key, direction, verdict, reason, seen_in, in_sent"
        with self.ledger() as ledger:
            return [
                dict(row) for row in ledger.rows(f"SELECT {columns} FROM messages ORDER BY key")
            ]


def _edited_first(world: _Edited) -> None:
    world.edit("acme.example")
    world.look()
    world.file_all("INBOX", "Sent")


def _edited_between(world: _Edited) -> None:
    world.look()
    world.edit("acme.example")
    world.file_all("INBOX", "Sent")


def _edited_last(world: _Edited) -> None:
    world.look()
    world.file_all("INBOX", "Sent")
    world.edit("acme.example")


def _filed_back(world: _Edited) -> None:
    world.edit("acme.example")
    world.file_all("INBOX", "Sent")
    world.file_all("Sent", "INBOX")


def _forgotten_uids(world: _Edited) -> None:
    """The server forgets where they lay, so the ledger prunes it, too."""
    _edited_between(world)
    for folder in world.box.folders.values():
        folder.uidvalidity += 1
    world.look()


@pytest.mark.parametrize(
    "history", [_edited_first, _edited_between, _edited_last, _filed_back, _forgotten_uids]
)
def test_a_sender_is_who_the_configuration_says_whatever_it_said_before(
    tmp_path: Path, history: Callable[[_Edited], None]
) -> None:
    world = _Edited(tmp_path)
    for _ in range(2):
        world.receives("ada@acme.example")
    world.receives("bob@stone.example")
    at = START + timedelta(days=3)
    world.box.deliver(
        "INBOX", letter("ada@acme.example", "bob@stone.example", number=60, at=at), at
    )
    history(world)
    # Who is ours writes to others: that is in both folders, and is ours as long as they are.
    assert senders(world) == {"bob@stone.example": 1}
    as_ours = {(one["direction"], one["reason"]) for one in world.judged()}
    assert ("sent", "sent") in as_ours

    world.edit()
    assert senders(world) == {"ada@acme.example": 3, "bob@stone.example": 1}
    theirs = world.judged()
    world.edit("acme.example")
    world.edit()
    assert world.judged() == theirs
    world.look()
    assert world.judged() == theirs


def test_a_ledger_of_an_earlier_version_knows_where_its_mails_lay(tmp_path: Path) -> None:
    world = _Edited(tmp_path)
    world.receives("ada@acme.example")
    world.look()
    world.file_all("INBOX", "Sent")
    world.receives("bob@stone.example")
    at = START + timedelta(days=3)
    world.box.deliver("Sent", letter(WE, "eve@noid.example", number=60, at=at), at)
    world.look()
    known = world.judged()
    assert [one["seen_in"] for one in known] != ["inbox"] * 3

    with closing(sqlite3.connect(world.path)) as db:
        db.execute("ALTER TABLE messages DROP COLUMN seen_in")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm028_seen_in'")
        db.commit()
    assert world.judged() == known
