"""Judging and computing all anew: whatever the ledger says wrongly is found, mended, and told."""

from collections.abc import Callable
from pathlib import Path

import pytest
from world import READING, World

from daemon.intake.rebuilding import is_right, rebuild
from daemon.ledger.store import Ledger
from daemon.maintenance.audit import state_gaps

TABLES = {
    "messages": "key, direction, verdict, reason",
    "correspondence": "sender, message, verdict, reason, name, way",
    "senders": "address, msg_count, sent_count, replies, thread_count, organization, class, digest",
}
WRONG = {
    "a verdict": "UPDATE messages SET verdict = 'evidence', reason = 'bulk' WHERE id = 1",
    "a direction": "UPDATE messages SET direction = 'sent' WHERE id = 1",
    "a message that is nobody's": "DELETE FROM correspondence WHERE message = 1",
    "one of several to whom a mail went": (
        "DELETE FROM correspondence WHERE message = (SELECT message FROM correspondence"
        " GROUP BY message HAVING count(*) > 1) AND sender LIKE 'carl%'"
    ),
    "somebody else's message": (
        "INSERT INTO correspondence (sender, message, verdict, reason, name)"
        " VALUES ('eve@other.example', 1, 'contact', 'human', 'Eve')"
    ),
    "another sender": "UPDATE correspondence SET sender = 'a@b.example' WHERE message = 1",
    "a name": "UPDATE correspondence SET name = 'Eve' WHERE message = 1",
    "a way": "UPDATE correspondence SET way = 'form' WHERE message = 1",
    "a count": "UPDATE senders SET msg_count = 9 WHERE address = 'ada@acme.example'",
    "a sender who is missing": "DELETE FROM senders WHERE address = 'ada@acme.example'",
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(tmp_path_factory.mktemp("filled"))
    world.receives("Ada <ada@acme.example>")
    asked = world.sends("bob@beta.example, carl@beta.example")
    world.receives("bob@beta.example", answers=asked)
    world.receives("ada@acme.example")
    with world.ledger() as ledger:
        world.take_in(ledger)
    return world.path


@pytest.fixture
def ledger(filled: Path, tmp_path: Path) -> Ledger:
    with Ledger.open(filled) as one:
        one.copy_to(tmp_path / "ledger.db")
    return Ledger.open(tmp_path / "ledger.db")


def told(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: [
            tuple(row.values()) for row in ledger.rows(f"SELECT {some} FROM {table} ORDER BY 1, 2")
        ]
        for table, some in TABLES.items()
    }


def spoil(ledger: Ledger, sql: str) -> None:
    with ledger.transaction("test"):
        changed = ledger.changes
        ledger.rows(sql)
        assert ledger.changes > changed


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found_and_mended(ledger: Ledger, what: str) -> None:
    right = told(ledger)
    assert is_right(ledger, READING)
    spoil(ledger, WRONG[what])

    assert not is_right(ledger, READING)
    with ledger.transaction("test"):
        ledger.states.distrust()  # as `close` does: digests may be those of the right state
    rebuild(ledger, READING, at_once=1)
    assert told(ledger) == right
    assert is_right(ledger, READING)
    ledger.close()


def test_nothing_is_written_where_all_is_right(ledger: Ledger) -> None:
    before = ledger.changes
    assert rebuild(ledger, READING) == 0
    assert list(state_gaps(ledger, READING)) == []
    assert ledger.changes == before
    ledger.close()


@pytest.mark.parametrize("times", [1, 2, 99])
def test_what_others_write_meanwhile_is_counted(
    ledger: Ledger, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another connection moves a mail between the computing and the writing, `times` times."""
    spoil(ledger, WRONG["a count"])
    other = Ledger.open(ledger.path)
    moved = 0
    begin: Callable[..., object] = ledger.transaction

    def transaction(name: str, **how: bool) -> object:
        nonlocal moved
        if name == "rebuild" and moved < times:
            moved += 1
            with other.transaction("test"):
                other.rows(
                    "UPDATE messages SET sent_at = ? WHERE from_address = 'ada@acme.example'",
                    f"2026-01-0{min(moved, 9)}T08:00:00Z",
                )
        return begin(name, **how)

    monkeypatch.setattr(ledger, "transaction", transaction)
    with ledger.transaction("test"):
        ledger.states.distrust()
    rebuild(ledger, READING)
    monkeypatch.undo()

    assert moved
    assert is_right(ledger, READING)
    [ada] = ledger.rows("SELECT * FROM senders WHERE address = 'ada@acme.example'")
    assert ada["first_contact"] == f"2026-01-0{min(moved, 9)}T08:00:00Z"
    other.close()
    ledger.close()


def test_no_copy_is_made_of_a_ledger_that_is_right(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[Path] = []
    monkeypatch.setattr(ledger, "copy_to", copied.append)
    assert list(state_gaps(ledger, READING)) == []
    assert copied == []
    ledger.close()
