"""What a command costs: wall clock, CPU at both ends, the memory of all its processes together.

CPU is user and system time. Memory is the largest sum over the command and all its descendants,
looked at ten times a second: resident size, where pages that processes share count for each of
them, and proportional size, where they count once.
"""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LOOK = 0.02
_WEIGH = 5  # looks from one to the next look at memory

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of wall clock and CPU, bytes of memory, and what the command printed."""

    seconds: float
    cpu: float
    server_cpu: float
    rss: int
    pss: int
    said: str


def run(command: Sequence[str], *, server: int | None = None, timeout: float = 600) -> Cost:
    """Run a command to its end; `server` is the leader of the session whose CPU counts too."""
    before, server_before = _children_cpu(), session_cpu(server)
    start = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        rss = pss = looks = 0
        while process.poll() is None:
            if looks % _WEIGH == 0:
                family = _family(process.pid)
                rss = max(rss, sum(_rss(pid) for pid in family))
                pss = max(pss, sum(_pss(pid) for pid in family))
            looks += 1
            if time.monotonic() - start > timeout:
                process.kill()
            time.sleep(_LOOK)
        seconds = time.monotonic() - start
        said = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}:\n{said[-2000:]}")
    cpu, server_cpu = _children_cpu() - before, session_cpu(server) - server_before
    return Cost(seconds, cpu, server_cpu, rss, pss, said)


def grown(work: Callable[[], Result]) -> tuple[Result, float]:
    """What work in this process gives, and by how many MB that grows at most meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak is now what is in use
    before = _peak_mb()
    return work(), _peak_mb() - before


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


def median(costs: Iterable[Cost]) -> Cost:
    """The median of each number, the words of one."""
    several = list(costs)
    return Cost(
        statistics.median(one.seconds for one in several),
        statistics.median(one.cpu for one in several),
        statistics.median(one.server_cpu for one in several),
        max(one.rss for one in several),
        max(one.pss for one in several),
        several[-1].said,
    )


def session_cpu(leader: int | None) -> float:
    """CPU seconds of all processes of a session, and of their children that have ended."""
    if leader is None:
        return 0.0
    found = (_stat(pid) for pid in _pids())
    return sum(sum(map(int, one[11:15])) for one in found if one and int(one[3]) == leader) / _TICK


def rss_of_session(leader: int) -> int:
    """Bytes resident of all processes of a session."""
    stats = {pid: _stat(pid) for pid in _pids()}
    return sum(_rss(pid) for pid, one in stats.items() if one and int(one[3]) == leader)


def paired(
    what: str,
    over: Sequence[float],
    under: Sequence[float],
    *,
    at_least: float = 0.0,
    at_most: float = 0.0,
) -> None:
    """Print the ratio of what was measured in pairs, in turn: their median, the least, the most.

    What else the machine does disturbs both of a pair alike, and a median isn't moved by one pair.
    """
    each = sorted(a / b for a, b in zip(over, under, strict=True))
    spread = f"{each[0]:.3g} to {each[-1]:.3g}"
    ratio(what, statistics.median(each), at_least=at_least, at_most=at_most, spread=spread)


def ratio(
    what: str, value: float, *, at_least: float = 0.0, at_most: float = 0.0, spread: str = ""
) -> None:
    """Print one line of the table of ratios that `bench/run.py` collects."""
    target = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
    met = value >= at_least if at_least else value <= at_most
    word = "met" if met else "MISSED"
    print(f"ratio\t{what}\t{value:.3g}\t{spread}\t{target}\t{word}", flush=True)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _pids() -> list[int]:
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _family(parent: int) -> set[int]:
    parents = {pid: int(one[1]) for pid in _pids() if (one := _stat(pid))}
    family = {parent}
    while more := {pid for pid, above in parents.items() if above in family} - family:
        family |= more
    return family


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
