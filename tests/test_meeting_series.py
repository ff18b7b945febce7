import pytest
from calendars import stands, they_answer, we_cancel, we_invite

from daemon.rules.meeting import Statement

SERIES: dict[str, tuple[tuple[str, bool], list[Statement]]] = {
    "one occurrence cancelled": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED"), we_cancel(recurrence_id="r1", sequence=1)],
    ),
    "one occurrence cancelled, the invitation not seen": (
        ("accepted", True),
        [they_answer("ACCEPTED"), we_cancel(recurrence_id="r1", sequence=1)],
    ),
    "one occurrence declined": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED", 2), they_answer("DECLINED", 3, recurrence_id="r1")],
    ),
    "only one occurrence accepted": (
        ("accepted", True),
        [we_invite(), they_answer("DECLINED", 2), they_answer("ACCEPTED", 3, recurrence_id="r1")],
    ),
    "one occurrence moved": (
        ("accepted", True),
        [we_invite(), they_answer("ACCEPTED"), we_invite(3, recurrence_id="r1", sequence=1)],
    ),
    "one occurrence moved of a declined series": (
        ("declined", False),
        [we_invite(), they_answer("DECLINED"), we_invite(3, recurrence_id="r1", sequence=1)],
    ),
    "one occurrence accepted, then the whole series cancelled": (
        ("cancelled", False),
        [we_invite(), they_answer("ACCEPTED", recurrence_id="r1"), we_cancel(sequence=1)],
    ),
    "only one occurrence was ever spoken of": (
        ("cancelled", False),
        [we_invite(recurrence_id="r1"), we_cancel(recurrence_id="r1", sequence=1)],
    ),
    "one occurrence open, another cancelled": (
        ("invited", False),
        [we_invite(recurrence_id="r1"), we_cancel(recurrence_id="r2", sequence=5)],
    ),
    "only the cancellation of one occurrence is known": (
        ("cancelled", False),
        [we_cancel(recurrence_id="r1")],
    ),
}


@pytest.mark.parametrize(("expected", "statements"), SERIES.values(), ids=SERIES.keys())
def test_a_series_is_one_meeting_that_stands_while_any_part_of_it_does(
    expected: tuple[str, bool], statements: list[Statement]
) -> None:
    assert stands(*statements) == expected
