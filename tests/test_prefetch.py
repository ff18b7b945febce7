"""Items taken ahead by a thread: the same ones, and nothing left running."""

import socket
import threading
from collections.abc import Iterator

import pytest

from daemon.intake.prefetch import Prefetch, Source


def nothing_to_cut() -> None:
    pytest.fail("it would have ended by itself")


def taken_by(items: Iterator[int], most: int = 2) -> Prefetch[int]:
    return Prefetch([Source(items, nothing_to_cut)], most)


def test_the_items_come_in_order_and_from_another_thread() -> None:
    threads = set()

    def items() -> Iterator[int]:
        for number in range(100):
            threads.add(threading.current_thread())
            yield number

    with taken_by(items()) as ahead:
        assert list(ahead) == list(range(100))
    assert threads
    assert threading.current_thread() not in threads


def test_what_is_raised_comes_after_what_came_before() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise RuntimeError("cut")

    with taken_by(items()) as ahead:
        found = iter(ahead)
        assert [next(found), next(found)] == [1, 2]
        with pytest.raises(RuntimeError, match="cut"):
            next(found)


def test_several_sources_are_one_stream_with_one_end() -> None:
    sources = [Source(iter(range(start, 300, 3)), nothing_to_cut) for start in range(3)]

    with Prefetch(sources, 2) as ahead:
        found = list(ahead)

    assert sorted(found) == list(range(300))
    for start in range(3):
        assert [one for one in found if one % 3 == start] == list(range(start, 300, 3))


def test_no_more_is_held_than_was_said() -> None:
    begun = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            if number == 3:
                third.set()
            yield number

    with taken_by(items(), most=3) as ahead:
        assert third.wait(10)
        assert ahead.ready()
        # Three are held and the fourth waits for room: nobody has begun a fifth.
        assert begun == [0, 1, 2, 3]


def test_leaving_early_ends_the_thread_and_takes_no_more() -> None:
    begun = []

    def items() -> Iterator[int]:
        for number in range(1_000_000):
            begun.append(number)
            yield number

    with taken_by(items()) as ahead:
        assert next(iter(ahead)) == 0

    assert not [one for one in threading.enumerate() if one.name == "ahead"]
    assert len(begun) < 10


def test_a_read_that_doesnt_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.intake.prefetch._PATIENCE", 0.1)
    ours, theirs = socket.socketpair()

    def items() -> Iterator[int]:
        yield 1
        yield len(ours.recv(1))  # nobody sends anything

    with ours, theirs:
        source = Source(items(), lambda: ours.shutdown(socket.SHUT_RDWR))
        with Prefetch([source], 2) as ahead:
            assert next(iter(ahead)) == 1
        assert not [one for one in threading.enumerate() if one.name == "ahead"]
