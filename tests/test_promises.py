"""Each promise names the tests that hold it, and they are there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "promises.md").read_text()
PROMISES = dict(re.findall(r"^\*\*(.+?)\*\*(.*?)(?=^\*\*|^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_names_the_tests_that_hold_it(promise: str) -> None:
    named = re.findall(r"\btest_\w+\.py\b", PROMISES[promise])
    assert named
    assert [name for name in named if not (TESTS / name).is_file()] == []


def test_there_are_promises() -> None:
    assert len(PROMISES) > 10
