"""Every benchmark, one after the other, and one table of ratios; below 20 minutes.

    python bench/run.py [NAME ...]

Without names what was measured is written into RESULTS.md, between its two marks.
"""

import contextlib
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end of what was measured -->\n"
# In this order; the arguments make each short enough for all to fit.
BENCHMARKS: dict[str, list[str]] = {
    "backfill": ["20000", "2000", "5"],
    "parsers": [],
    "plans": ["4000", "5"],
    "connections": ["6000", "5"],
    "library": [],
    "polls": [],
    "latency": ["24"],
    "scale": [],
    "rejudge": ["100000"],
    "company": ["10000", "30000", "--", "100", "1000"],
    "folder": ["1000", "10000"],
    "conversation": ["100", "1000"],
    "receiver": ["6"],
    "cores": ["2000", "3"],
    "day": ["60"],
    "tokens": [],
    "push": ["6", "24", "lite", "ultimate"],
    "walk": ["--everything"],
    "fleet": [],
}


class Ratio(NamedTuple):
    """One line of the table, as `measure.ratio` prints it."""

    what: str
    here: str
    spread: str
    target: str
    met: str


def machine() -> str:
    """What it ran on, and what it ran."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpus if "model name" in line), "")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    command = ["git", "describe", "--always", "--dirty"]  # there may be no git: then it is unknown
    described = subprocess.run(command, check=False, cwd=HERE, capture_output=True, text=True)
    return (
        f"{datetime.now(UTC):%d %B %Y}, commit {described.stdout.strip() or 'unknown'},\n"
        f"{os.cpu_count()} cores of {model or platform.machine()}, {pages / 1e9:.0f} GB,"
        f" {platform.system()} {platform.release()},\n"
        f"Python {platform.python_version()}; load before: {load}"
    )


def measured(name: str, table: list[Ratio], printed: list[str]) -> bool:
    """Run one benchmark to its end; whether it came to its end."""
    command = [sys.executable, str(HERE / f"{name}.py"), *BENCHMARKS[name]]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - asked for
        for line in process.stdout:
            if line.startswith("ratio\t"):
                table.append(Ratio(*line.rstrip("\n").split("\t")[1:]))
            else:
                print(line, end="", flush=True)
                printed.append(line)
    printed.append(f"({time.monotonic() - started:.0f} s)\n")
    if process.returncode:
        print(f"{name} FAILED with {process.returncode}", file=sys.stderr, flush=True)
    return process.returncode == 0


def main(names: list[str]) -> int:
    """Run them; 1 if one failed, and then RESULTS.md stays as it is."""
    with contextlib.suppress(OSError):
        # What else the machine does shouldn't be measured; all rivals inherit this. Where processes
        # are scheduled by session, the session's own niceness is what counts.
        os.nice(-10)
        Path("/proc/self/autogroup").write_text("-10", encoding="ascii")
    about = machine()
    print(about, flush=True)
    started = time.monotonic()
    table: list[Ratio] = []
    printed: list[str] = []
    failed: list[str] = []
    for name in names or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        printed.append(f"\n== {name}\n")
        if not measured(name, table, printed):
            failed.append(name)
    print(f"\n{'what':62}{'here':>9}  {'least to most':16}{'target':9} ")
    for one in table:
        print(f"{one.what:62}{one.here:>9}  {one.spread:16}{one.target:9} {one.met}")
    print(f"\n{time.monotonic() - started:.0f} s in all")
    if failed:
        print(f"failed: {', '.join(failed)}")
        return 1
    if not names:
        write(about, time.monotonic() - started, table, printed)
    return 0


def write(about: str, seconds: float, table: list[Ratio], printed: list[str]) -> None:
    """Put this run between the marks of RESULTS.md."""
    before, _, rest = RESULTS.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    rows = "".join(
        f"| {one.what} | {one.here} | {one.spread} | {one.target} | {one.met} |\n" for one in table
    )
    RESULTS.write_text(
        f"{before}{BEGIN}```\n{about}; {seconds:.0f} s in all\n```\n\n"
        f"| what | median | least to most | target | |\n| --- | --- | --- | --- | --- |\n{rows}\n"
        f"What they printed:\n\n```{''.join(printed)}```\n{END}{after}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
