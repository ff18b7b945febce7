"""Each promise names the tests that hold it, by function, and they are there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "promises.md").read_text()
PROMISES = dict(re.findall(r"^\*\*(.+?)\*\*(.*?)(?=^\*\*|^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
_NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_names_the_tests_that_hold_it(promise: str) -> None:
    told, _, held = PROMISES[promise].partition("*Held by:*")
    named = _NAMED.findall(held)
    assert named
    assert "test_" not in told
    assert [one for one in named if not _is_there(*one)] == []
    assert len(named) == held.count("test_") // 2, "each as `file::function`"


def _is_there(file: str, function: str) -> bool:
    path = TESTS / file
    return path.is_file() and f"\ndef {function}(" in path.read_text()


def test_there_are_promises() -> None:
    assert len(PROMISES) > 10
