"""Every benchmark, one after the other, and one table of ratios at the end; below 15 minutes.

python bench/run.py [NAME ...]
"""

import contextlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
# In this order; the arguments make each short enough for all to fit.
BENCHMARKS: dict[str, list[str]] = {
    "backfill": ["20000", "4000", "2"],
    "plans": [],
    "connections": [],
    "library": [],
    "polls": [],
    "latency": [],
    "scale": [],
    "tokens": [],
    "push": ["6", "24", "lite", "ultimate"],
}


def machine() -> str:
    """What it ran on."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpus if "model name" in line), "")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} cores of {model or platform.machine()}, {pages / 1e9:.0f} GB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()};"
        f" load before: {load}"
    )


def main(names: list[str]) -> None:
    with contextlib.suppress(OSError):
        # What else the machine does shouldn't be measured; all rivals inherit this. Where processes
        # are scheduled by session, the session's own niceness is what counts.
        os.nice(-10)
        Path("/proc/self/autogroup").write_text("-10", encoding="ascii")
    print(machine(), flush=True)
    started = time.monotonic()
    table: list[list[str]] = []
    for name in names or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, str(HERE / f"{name}.py"), *BENCHMARKS[name]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None  # noqa: S101 - asked for
            for line in process.stdout:
                if line.startswith("ratio\t"):
                    table.append(line.rstrip("\n").split("\t")[1:])
                else:
                    print(line, end="", flush=True)
        if process.returncode:
            table.append([name, "-", "", f"FAILED with {process.returncode}"])
    print(f"\n{'what':62}{'here':>10}  {'target':9} ")
    for what, value, target, met in table:
        print(f"{what:62}{value:>10}  {target:9} {met}")
    print(f"\n{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main(sys.argv[1:])
