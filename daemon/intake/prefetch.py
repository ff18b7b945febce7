"""Items taken by threads of their own, ahead of whoever needs them.

A line to a server stands still while its owner computes or writes to the disk; a thread that goes
on reading keeps it busy. Promises: the same items, those of one source in their order, then the end
or what a source has raised; no more is held than was said; when the block is left, the threads have
ended, and what they used belongs to the caller again.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from queue import Empty, Queue
from threading import Event, Thread
from typing import Generic, NamedTuple, Self, TypeVar

T = TypeVar("T")

_PATIENCE = 3.0  # seconds for what a thread is about when nobody wants it any more
_LOOK = 0.05  # seconds between two looks whether all have ended


class Source(NamedTuple, Generic[T]):
    """Where items come from; `cut` has a read that doesn't end fail, called by another thread."""

    items: Iterable[T]
    cut: Callable[[], object]


class Prefetch(Generic[T]):
    """An iterator over the items of `sources`, each run by a thread while the block is open."""

    def __init__(self, sources: Sequence[Source[T]], most: int) -> None:
        """At most `most` items are held, and one more by each source."""
        self._sources = sources
        self._taken: Queue[tuple[T] | BaseException | None] = Queue(most)
        self._left = Event()
        self._threads = [
            # In the caller's context: a sign of life given there is one of the caller's.
            Thread(
                target=copy_context().run,
                args=(self._take, source.items),
                name="ahead",
                daemon=True,
            )
            for source in sources
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        given_up = time.monotonic() + _PATIENCE
        while any(thread.is_alive() for thread in self._threads):
            try:
                self._taken.get(timeout=_LOOK)  # one may be waiting for room
            except Empty:
                if time.monotonic() > given_up:
                    given_up += _PATIENCE
                    for source in self._sources:
                        source.cut()

    def __iter__(self) -> Iterator[T]:
        running = len(self._sources)
        while running:
            one = self._taken.get()
            if isinstance(one, BaseException):
                raise one
            if one is None:
                running -= 1
            else:
                yield from one

    def ready(self) -> bool:
        """Whether the next item, or an end, needs no waiting for."""
        return not self._taken.empty()

    def _take(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                self._taken.put((item,))
                if self._left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are used
            self._taken.put(error)
        else:
            self._taken.put(None)
