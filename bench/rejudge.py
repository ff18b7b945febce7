"""What polls and pushes notice of a ledger that is judged again because the configuration changed.

A filled ledger (`scale`) gets another configuration: domains of two hundred senders are ignored
from now on. The sync judges and computes everything again, while another thread polls all the time
and finds a mail now and then. Told are: how long the sync holds the ledger at most, how long it
goes without looking whether somebody who has just written is to be pushed, and by how much polls
are slower beside it than before. A thread that only sleeps tells how long Python's lock is held.

    python bench/rejudge.py [SIZE ...]
"""

import logging
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from measure import ratio
from scale import Place
from world import READING

from daemon.intake import rebuilding
from daemon.ledger.store import Ledger
from daemon.sync import configuration

SIZES = (100_000,)
IGNORED = 67  # domains, each of three senders
POLLS = 60  # before, to compare with
PAUSE = 0.02  # seconds from poll to poll
MAIL_EVERY = 5  # polls
NAP = 0.001


@dataclass
class Beside:
    """Seconds that were measured while the sync was at work."""

    held: list[float] = field(default_factory=list)  # the ledger, by each transaction of the sync
    apart: list[float] = field(default_factory=list)  # from one look for news to the next
    polls: list[float] = field(default_factory=list)
    naps: list[float] = field(default_factory=list)  # too long by so much


def timed(ledger: Ledger, held: list[float]) -> None:
    """Note how long each transaction of this ledger takes, from when it has the lock."""
    begin: Callable[..., AbstractContextManager[None]] = ledger.transaction

    @contextmanager
    def transaction(name: str, *, repeatable: bool = False) -> Iterator[None]:
        with begin(name, repeatable=repeatable):
            start = time.perf_counter()
            yield
            end = time.perf_counter
        held.append(end() - start)

    ledger.transaction = transaction  # type: ignore[method-assign]


def polling(place: Place, found: list[float], more: Callable[[], bool]) -> None:
    """Poll as long as there is more to do, on a connection of one's own."""
    with Ledger.open(place.world.path) as ledger:
        while more():
            if len(found) % MAIL_EVERY == 0:
                place.mail("known")
            start = time.perf_counter()
            place.world.take_in(ledger)
            found.append(time.perf_counter() - start)
            time.sleep(PAUSE)


def napping(late: list[float], more: Callable[[], bool]) -> None:
    """Sleep again and again; by how much each nap was too long."""
    while more():
        start = time.perf_counter()
        time.sleep(NAP)
        late.append(time.perf_counter() - start - NAP)


def settled(place: Place) -> None:
    """Have the filled ledger as the same configuration leaves it, and planned."""
    rebuilding.rebuild(place.ledger, READING)
    with place.ledger.transaction("bench"):
        place.ledger.rows("UPDATE senders SET synced_version = version")


def edited(place: Place) -> tuple[float, Beside, list[float]]:
    """Seconds of judging all again after the edit; what others noticed; polls before."""
    alone: list[float] = []
    polling(place, alone, lambda: len(alone) < POLLS)
    place.sync.sync()  # those mails
    beside, done = Beside(), threading.Event()
    ignored = frozenset(f"firm{place.size // 30 - 1 - n}.example" for n in range(IGNORED))
    session = replace(
        place.world.session(place.ledger),
        scoring=replace(READING, us=replace(READING.us, ignored_domains=ignored)),
        rest=time.sleep,
    )
    timed(place.ledger, beside.held)
    looks = [0.0]

    def look() -> None:
        if looks[0]:
            beside.apart.append(time.perf_counter() - looks[0])
        looks[0] = time.perf_counter()

    threads = [
        threading.Thread(target=polling, args=(place, beside.polls, lambda: not done.is_set())),
        threading.Thread(target=napping, args=(beside.naps, lambda: not done.is_set())),
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    try:
        configuration.follow(session, look)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    seconds = time.perf_counter() - start
    gone = place.ledger.rows(
        "SELECT count(*) AS n FROM senders WHERE domain IN (SELECT value FROM json_each(?))",
        f'["{next(iter(ignored))}"]',
    )
    if gone[0]["n"]:
        raise SystemExit("who is ignored is a sender still")
    return seconds, beside, alone


def main(arguments: list[str]) -> None:
    """Measure each size."""
    logging.disable(logging.CRITICAL)
    sys.setswitchinterval(0.005)  # Python's own
    for size in tuple(map(int, arguments)) or SIZES:
        with tempfile.TemporaryDirectory(prefix="m2d-bench-") as folder:
            place = Place(Path(folder), size)
            settled(place)
            seconds, beside, alone = edited(place)
            place.ledger.close()
        slower = statistics.median(beside.polls) - statistics.median(alone)
        print(
            f"{size:,} messages judged again in {seconds:.1f} s, {len(beside.polls)} polls beside"
        )
        for what, some in (
            ("polls alone", alone),
            ("polls beside", beside.polls),
            ("the ledger held", beside.held),
            ("from look to look", beside.apart),
            ("Python's lock", beside.naps),
        ):
            ordered = sorted(some)
            print(
                f"{what:18} {ordered[len(some) // 2] * 1e3:8.2f} ms   "
                f"99 of 100 {ordered[len(some) * 99 // 100] * 1e3:8.2f}   "
                f"longest {ordered[-1] * 1e3:8.2f}"
            )
        of = f"rejudge, {size:,}: ms"
        ratio(f"{of} that the ledger is held, longest", max(beside.held) * 1e3, at_most=50)
        ratio(f"{of} by which polls are slower, median", max(slower * 1e3, 0.001), at_most=50)
        later = sorted(beside.apart)[len(beside.apart) * 99 // 100]
        ratio(f"{of} until news are pushed, 99 of 100", later * 1e3, at_most=50)


if __name__ == "__main__":
    main(sys.argv[1:])
