"""How parsing grows with processes: the same mails by one, by two, and so on, in turn.

On a machine of N cores the program parses in N - 1 processes, at most three, and fetches, judges
and writes in one more. Here there is nothing but parsing, so as many processes as there are cores
may be compared.

    python bench/parsers.py [MAILS [ROUNDS]]
"""

import os
import sys
import time
from datetime import UTC, datetime

from corpus import generate
from measure import paired

from daemon.intake import parsing
from daemon.intake.parsing import Job, Parser

BATCH = 200
SMALL = 32_768  # bytes
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def seconds(batches: list[list[Job]], processes: int) -> float:
    """How long these take, once the processes are up."""
    parsing._cores = lambda: processes + 1  # noqa: SLF001 - what a larger machine would have
    with Parser(500, worth_a_process=1) as parser:
        parser.start()
        for _ in range(processes):
            parser.put(batches[0], total=len(batches))
        for _ in range(processes):
            parser.get()
        start, waiting = time.monotonic(), 0
        for batch in batches:
            parser.put(batch, total=len(batches))
            waiting += 1
            while parser.is_ready():
                parser.get()
                waiting -= 1
        for _ in range(waiting):
            parser.get()
        return time.monotonic() - start


def main(arguments: list[str]) -> None:
    mails = int(arguments[0]) if arguments else 4_000
    rounds = int(arguments[1]) if arguments[1:] else 5
    raws = [one.raw for one in generate(5, mails, now=NOW).mails]
    # Of the others, which have attachments, only parts are fetched.
    jobs = [Job(raw, len(raw), None) for raw in raws if len(raw) < SMALL]
    batches = [jobs[start : start + BATCH] for start in range(0, len(jobs), BATCH)]
    counts = [count for count in (1, 2, 3) if count <= (os.cpu_count() or 1)]
    found: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            found[count].append(seconds(batches, count))
    for count, several in found.items():
        rates = ", ".join(f"{len(jobs) / one:,.0f}" for one in several)
        print(f"{count} process{'es' if count > 1 else ''}: {rates} mails a second", flush=True)
    for count in counts[1:]:
        what = f"parsing: one process's time / that of {count}"
        paired(what, found[1], found[count], at_least=0.8 * count)


if __name__ == "__main__":
    main(sys.argv[1:])
