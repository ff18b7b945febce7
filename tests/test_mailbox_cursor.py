"""What to ask a server for: days, windows, batches and sets of UIDs."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.mailbox.cursor import Batches, batches, expand, search_from, uid_set, windows


@pytest.mark.parametrize(
    ("since", "asked"),
    [
        (date(2026, 3, 1), date(2026, 2, 27)),
        (date(1971, 1, 1), date(1970, 12, 30)),
        (date(1970, 6, 1), None),
        (date(1, 1, 1), None),
        (None, None),
    ],
)
def test_the_day_to_ask_for_is_two_days_early(since: date | None, asked: date | None) -> None:
    assert search_from(since) == asked


@given(st.integers(0, 5000), st.integers(1, 700))
def test_windows_cover_every_message_once_from_the_top(messages: int, width: int) -> None:
    ranges = list(windows(messages, width))
    covered = [number for low, high in reversed(ranges) for number in range(low, high + 1)]

    assert covered == list(range(1, messages + 1))
    assert all(0 <= high - low < width for low, high in ranges)


uids = st.integers(1, 4_294_967_295)


@given(st.lists(uids | st.integers(1, 50), max_size=60))
def test_a_set_names_exactly_these_uids(wanted: list[int]) -> None:
    if wanted:
        assert expand(uid_set(wanted), limit=len(wanted)) == sorted(set(wanted))


@given(st.lists(uids, max_size=60), st.integers(1, 9))
def test_batches_keep_the_order_and_the_bound(wanted: list[int], count: int) -> None:
    cut = list(batches(wanted, count))

    assert [uid for batch in cut for uid in batch] == wanted
    assert all(1 <= len(batch) <= count for batch in cut)


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", [1]), ("1:3", [1, 2, 3]), ("3:1", [1, 2, 3]), ("9,2:3", [9, 2, 3]), ("5:5", [5])],
)
def test_sets_are_read(text: str, found: list[int]) -> None:
    assert expand(text, limit=10) == found


@pytest.mark.parametrize("text", ["", ",", "1:", "*", "1:*", "a", "1:2:3", "1:12", "1:4294967295"])
def test_what_is_no_set_or_too_large_is_refused(text: str) -> None:
    if text == "1:":
        assert expand(text, limit=10) == [1]
    else:
        with pytest.raises(ValueError, match=r"UIDs|invalid literal"):
            expand(text, limit=10)


@given(st.lists(st.integers(1, 2**32 - 1), max_size=60), st.integers(1, 30), st.integers(1, 80))
def test_a_batch_is_bounded_by_its_count_and_by_the_room_of_its_uids(
    uids: list[int], size: int, room: int
) -> None:
    found = list(Batches(uids, size, room=room))

    assert [uid for batch in found for uid in batch] == list(dict.fromkeys(uids))
    assert all(len(batch) <= size for batch in found)
    assert all(len(batch) == 1 or len(uid_set(batch)) <= room for batch in found)
