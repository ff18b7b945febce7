"""Settings that a pass reads once: what it writes itself counts at once, what others write later."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.ledger.store import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        with opened.transaction("before"):
            opened.set("mine", 1)
        yield opened


def test_what_is_written_in_the_block_is_read_in_it(ledger: Ledger) -> None:
    with ledger.remembering():
        assert ledger.setting("mine") == 1
        with ledger.transaction("mine"):
            ledger.set("mine", [2])
        assert ledger.settings("mine", "never") == {"mine": [2]}
    assert ledger.setting("mine") == [2]


def test_what_was_rolled_back_is_not(ledger: Ledger) -> None:
    with ledger.remembering():
        assert ledger.setting("mine") == 1

        def set_two() -> None:
            with ledger.transaction("mine"):
                ledger.set("mine", 2)
                ledger.set("mine", object())

        with pytest.raises(TypeError):
            set_two()
        assert ledger.setting("mine") == 1


def test_what_others_write_is_read_after_the_block_and_by_who_asks_for_now(ledger: Ledger) -> None:
    with ledger.remembering(), Ledger.open(ledger.path) as other:
        assert ledger.setting("theirs") is None
        with other.transaction("theirs"):
            other.set("theirs", "new")
        assert ledger.setting("theirs") is None
        assert ledger.settings_now("theirs") == {"theirs": "new"}
    assert ledger.setting("theirs") == "new"
