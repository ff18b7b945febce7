"""Items taken by a thread of their own, ahead of whoever needs them.

A line to a server stands still while its owner computes or writes to the disk; a thread that goes
on reading keeps it busy. Promises: the same items in the same order, then the same end or the same
exception; at most `most` items are held; when the block is left, the thread has ended, and what it
used belongs to the caller again.
"""

import time
from collections.abc import Callable, Iterator
from queue import Empty, Queue
from threading import Event, Thread
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_PATIENCE = 3.0  # seconds for what the thread is about when nobody wants it any more
_LOOK = 0.05  # seconds between two looks whether it has ended


class Ahead(Generic[T]):
    """An iterator over `items`, which a thread runs while the block is open."""

    def __init__(self, items: Iterator[T], most: int, cut: Callable[[], object]) -> None:
        """`cut` has a read that doesn't end fail; it is called by another thread than the read."""
        self._items = items
        self._cut = cut
        self._taken: Queue[tuple[T] | BaseException | None] = Queue(most)
        self._left = Event()
        self._thread = Thread(target=self._take, name="ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        given_up = time.monotonic() + _PATIENCE
        while self._thread.is_alive():
            try:
                self._taken.get(timeout=_LOOK)  # it may be waiting for room
            except Empty:
                if time.monotonic() > given_up:
                    self._cut()
                    given_up += _PATIENCE

    def __iter__(self) -> Iterator[T]:
        while (one := self._taken.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield from one

    def ready(self) -> bool:
        """Whether the next item, or the end, needs no waiting for."""
        return not self._taken.empty()

    def _take(self) -> None:
        try:
            for item in self._items:
                self._taken.put((item,))
                if self._left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            self._taken.put(error)
        else:
            self._taken.put(None)
