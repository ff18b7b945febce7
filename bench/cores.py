"""The whole backfill on one core and on two: what a second core is worth.

`--catch-up --intake-only` as in `backfill`, held to so many cores (sched_setaffinity(2)); the
server may use all of them, and takes a twentieth. On one core the process that fetches also parses;
on more, others do. Pairs in turn; four cores are tried where there are as many.

    python bench/cores.py [MAILS [ROUNDS]]
"""

import os
import sys
from collections.abc import Sequence
from itertools import pairwise

from backfill import ours, show
from measure import Cost, paired
from postoffice import PostOffice, post_office


def held(office: PostOffice, cores: Sequence[int]) -> Cost:
    """The backfill on these cores."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # its processes inherit that
    try:
        return ours(office, "big", office.server.port)
    finally:
        os.sched_setaffinity(0, every)


def main(arguments: list[str]) -> None:
    """Measure in turn, from few cores to many."""
    mails = int(arguments[0]) if arguments else 5_000
    rounds = int(arguments[1]) if arguments[1:] else 3
    cores = sorted(os.sched_getaffinity(0))
    counts = [count for count in (1, 2, 4) if count <= len(cores)]
    costs: dict[int, list[Cost]] = {count: [] for count in counts}
    with post_office() as office:
        office.mailbox("big", mails)
        held(office, cores)  # warms the server up
        for _ in range(rounds):
            for count in counts:
                costs[count].append(held(office, cores[:count]))
                show(f"{count} core{'s' if count > 1 else ''}", mails, costs[count][-1])
    seconds = {count: [one.seconds for one in several] for count, several in costs.items()}
    for few, many in pairwise(counts):
        what = f"backfill: time on {few} core{'s' if few > 1 else ''} / on {many}"
        paired(what, seconds[few], seconds[many], at_least=1.6)


if __name__ == "__main__":
    main(sys.argv[1:])
