"""Python's garbage collection, less often where many objects are made and hardly a cycle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = (50_000, 20, 20)  # objects that are made before Python looks for cycles; see `gc`


def collect_garbage_seldom() -> None:
    """Look for cycles less often, and never among what is there now: a backfill makes none.

    It makes many objects, which Python would otherwise go through again and again.
    """
    gc.freeze()
    gc.set_threshold(*_SELDOM)


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look for cycles less often for a while, in a process that goes on with other things."""
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
