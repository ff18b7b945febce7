"""A ledger and a CRM that the first release left: what they know stays known.

`release_0/` holds both as SQL, and the mails that they were made from, as that release's code wrote
them. Nothing of it is ever made anew.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from postbox import WE
from world import World

RELEASE = Path(__file__).parent / "release_0"
MAILS = json.loads((RELEASE / "mails.json").read_text())


class Upgraded(World):
    """The world in which the first release has worked for two days."""

    def __init__(self, home: Path, *, ledger: bool = True) -> None:
        super().__init__(home)
        with closing(sqlite3.connect(":memory:")) as crm, self.sandbox.at_work() as call:
            crm.executescript((RELEASE / "crm.sql").read_text())
            for kind, doc in crm.execute("SELECT kind, doc FROM documents"):
                call.store.insert(kind, json.loads(doc), call.now)
        if ledger:
            with closing(sqlite3.connect(self.path)) as file:
                file.executescript((RELEASE / "ledger.sql").read_text())
        for mail in MAILS:
            raw, at = mail["raw"].encode("latin-1"), datetime.fromisoformat(mail["at"])
            self.box.deliver(mail["folder"], raw, at)


@contextmanager
def upgraded(home: Path, *, ledger: bool = True) -> Iterator[Upgraded]:
    world = Upgraded(home, ledger=ledger)
    try:
        yield world
    finally:
        world.sandbox.close()


def numbers(world: World) -> list[dict[str, object]]:
    columns = "address, class, msg_count, sent_count, replies, meetings, thread_count"
    with world.ledger() as ledger:
        return ledger.rows(f"SELECT {columns} FROM senders ORDER BY address")


def made(world: World) -> dict[str, int]:
    return {kind: len(rows) for kind, rows in world.crm().items()}


def tagged(raw: bytes) -> bytes:
    """As a gateway with a banner in the subject hands it on, from another zone."""
    return (
        raw.replace(b"Subject: ", b"Subject: [EXTERNAL] ")
        .replace(b" +0000\r\n", b" -0000\r\n")
        .replace(
            b"From: ", b"Received: from gate by mx; Mon, 2 Mar 2026 09:00:00 +0000\r\nFrom: ", 1
        )
    )


def test_an_upgrade_changes_nothing(tmp_path: Path) -> None:
    with upgraded(tmp_path) as world:
        before = made(world), len(world.writes())
        with closing(sqlite3.connect(world.path)) as old:
            old.row_factory = sqlite3.Row
            rows = old.execute("SELECT address, class, msg_count, replies FROM senders ORDER BY 1")
            senders = [dict(row) for row in rows]

        world.settle()

        assert (made(world), len(world.writes())) == before
        now = [{name: row[name] for name in senders[0]} for row in numbers(world)]
        assert now == senders


@pytest.mark.parametrize("how", ["reset", "tagged", "moved server"])
def test_what_was_read_before_is_known_in_every_copy(tmp_path: Path, how: str) -> None:
    with upgraded(tmp_path) as world:
        world.settle()
        before, senders = made(world), numbers(world)
        if how == "reset":
            world.box.reset("INBOX")
            world.box.reset("Sent")
        for mail in MAILS if how != "reset" else ():
            raw, at = mail["raw"].encode("latin-1"), datetime.fromisoformat(mail["at"])
            if how == "moved server":  # its own trace makes it longer
                raw = b"Received: from a by b; Mon, 2 Mar 2026 09:00:00 +0000\r\n" + raw
            else:
                raw = tagged(raw)
            world.box.deliver(mail["folder"], raw, at + timedelta(minutes=1))

        world.settle()

        assert numbers(world) == senders
        assert made(world) == before
        assert world.doubled() == []


def test_without_the_old_ledger_its_activities_are_known_by_their_marks(tmp_path: Path) -> None:
    with upgraded(tmp_path, ledger=False) as world:
        before = made(world)

        world.settle()

        assert made(world) == before
        assert {row["address"] for row in numbers(world)} >= {"ada@acme.example"}
        assert WE not in {row["address"] for row in numbers(world)}
