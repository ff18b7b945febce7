"""Large companies in Pipedrive: what grows with what is in it, and what doesn't.

- a CRM that others have filled: persons, and three deals for each. The first listing reads all of
  it, so its time is linear; a later listing reads what has changed, and a mail of somebody new
  costs what it always does. Tokens are those that the sandbox counts. Memory is told of the whole
  process: the sandbox is in it and indexes its records for searches meanwhile, so it isn't ours.
- an organization with many senders: one more mail of one of them, for each `deals.per`.

Times are CPU time without the sandbox's own, which whatever else runs disturbs least.

    python bench/company.py [PERSONS ...] [-- SENDERS ...]
"""

import gc
import logging
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from desk import Answering
from measure import grown, ratio
from scale import PER_SENDER, Place

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from world import World

from daemon.ledger.store import Ledger
from daemon.rules.deals import DealRules, Per
from daemon.sandbox.crm.seed import seed_from
from daemon.sync import Sync

PERSONS = (10_000, 100_000)
SENDERS = (100, 1_000, 10_000)
DEALS = 3  # of a person
TIMES = 7


def synced(world: World, ledger: Ledger) -> tuple[Sync, Answering]:
    """A sync of a company, and who answers it."""
    session = world.session(ledger)
    answering = Answering(world.sandbox, world.clock.sleep)
    http = session.client._session  # noqa: SLF001 - whose answers are timed
    assert http is not None  # noqa: S101 - the world has given it one
    http.mount("https://", answering)
    return Sync(session), answering


def costs(sync: Sync, answering: Answering) -> tuple[float, float]:
    """CPU seconds of a pass, and the megabytes by which the process grows meanwhile."""
    gc.collect()

    def timed() -> float:
        start = time.process_time() - answering.seconds
        sync.sync()
        return time.process_time() - answering.seconds - start

    seconds, megabytes = grown(timed)
    return seconds, max(megabytes, 0.1)


def _filled(world: World, persons: int) -> None:
    """Put persons and deals into the CRM, as people have made them."""

    def organizations() -> Iterator[dict[str, Any]]:
        yield from ({"id": i, "name": f"Firm {i}"} for i in range(1, persons // 2 + 1))

    def people() -> Iterator[dict[str, Any]]:
        for i in range(1, persons + 1):
            mail = {"value": f"p{i}@firm{i // 2}.example", "primary": True}
            yield {"id": i, "name": f"Person {i}", "emails": [mail], "org_id": max(i // 2, 1)}

    def deals() -> Iterator[dict[str, Any]]:
        for i in range(DEALS * persons):
            yield {"id": i + 1, "title": "Offer", "person_id": i // DEALS + 1, "status": "open"}

    listing = {"organizations": organizations(), "persons": people(), "deals": deals()}
    seed_from(world.sandbox, listing)


def crm(persons: int) -> dict[str, float]:
    """What a CRM of this size costs."""
    with tempfile.TemporaryDirectory(prefix="m2d-bench-") as home:
        world = World(Path(home))
        start = time.process_time()
        _filled(world, persons)
        world.clock.now += timedelta(days=1)  # nothing of it is news
        print(f"{persons:,} persons, made in {time.process_time() - start:.0f} s", flush=True)
        found: dict[str, float] = {}

        def spent() -> int:
            return sum(one.tokens for one in world.sandbox.requests)

        with Ledger.open(world.path) as ledger:
            sync, answering = synced(world, ledger)
            world.receives("first@new.example")
            world.take_in(ledger)
            before = spent()
            seconds, megabytes = costs(sync, answering)
            found["first listing, CPU s"] = seconds
            found["first listing, sandbox included, MB"] = megabytes
            found["first listing, tokens"] = spent() - before
            later: list[float] = []
            tokens: list[int] = []
            for number in range(TIMES):
                world.clock.now += timedelta(minutes=3)
                world.receives(f"n{number}@other{number}.example")
                world.take_in(ledger)
                before = spent()
                later.append(costs(sync, answering)[0])
                tokens.append(spent() - before)
            found["a new sender, CPU ms"] = statistics.median(later) * 1e3
            found["a new sender, tokens"] = statistics.median(tokens)
        return found


def organization(senders: int) -> dict[str, float]:
    """CPU milliseconds of one more mail of somebody in an organization of so many senders."""
    found: dict[str, float] = {}
    for per in get_args(Per):
        with tempfile.TemporaryDirectory(prefix="m2d-bench-") as home:
            place = Place(Path(home), senders * PER_SENDER, senders, deals=DealRules(per=per))
            sync, answering = synced(place.world, place.ledger)
            sync.sync()
            for who in ("known", "new"):
                spent = []
                for number in range(TIMES):
                    if who == "known":
                        place.mail(who)
                    else:
                        place.world.receives(f"new{number}@firm0.example")
                    place.poll()
                    spent.append(costs(sync, answering)[0])
                found[f"{who} sender, deals.per {per}"] = statistics.median(spent) * 1e3
            place.ledger.close()
    return found


def table(name: str, columns: dict[int, dict[str, float]]) -> dict[str, float]:
    """Print a table; by which power of the size each thing grows."""
    sizes = list(columns)
    print(f"\n{name:34}" + "".join(f"{size:>12,}" for size in sizes) + "   exponent")
    powers: dict[str, float] = {}
    for what in columns[sizes[0]]:
        values = [columns[size][what] for size in sizes]
        span = math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else 1.0
        powers[what] = math.log(max(values[-1], 0.01) / max(values[0], 0.01)) / span
        print(f"{what:34}" + "".join(f"{one:12.1f}" for one in values) + f"   {powers[what]:8.2f}")
    return powers


def main(arguments: list[str]) -> None:
    """Measure both; sizes of CRMs, then after -- those of organizations."""
    logging.disable(logging.CRITICAL)
    middle = arguments.index("--") if "--" in arguments else len(arguments)
    persons = tuple(map(int, arguments[:middle])) or PERSONS
    senders = tuple(map(int, arguments[middle + 1 :])) or SENDERS
    powers = table("persons in the CRM", {size: crm(size) for size in persons})
    flat = math.log10(2)  # twice as much each decade
    ratio("company: listing by persons, exponent", powers["first listing, CPU s"], at_most=1.1)
    ratio("company: a new sender, exponent", powers["a new sender, CPU ms"], at_most=flat)
    powers = table("senders in one organization", {size: organization(size) for size in senders})
    worst = max(powers, key=powers.__getitem__)
    ratio(f"organization: {worst}, exponent", powers[worst], at_most=flat)


if __name__ == "__main__":
    main(sys.argv[1:])
