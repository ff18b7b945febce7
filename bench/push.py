"""How fast a pool of workers pushes creates, against the sandbox with 150 ms latency per answer.

For each plan: the share of the burst limit that is used in steady state, the fullest two seconds
that the server counted, and the number of 429s (the target is at least 95 % and none). The share
is taken from the time between a request and the one a full window later, the first window left
out, so that neither the start nor the end flatters it. Each plan is measured on a steady line and
on one whose requests are each late by up to 40 ms, at random, before the server counts them.

    python bench/push.py [seconds per row] [workers] [plan ...]
"""

import logging
import multiprocessing
import random
import sqlite3
import sys
import tempfile
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import requests
from measure import ratio
from requests.adapters import HTTPAdapter

from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import TooMany
from daemon.pipedrive.pacing import PLANS, WINDOW
from daemon.sandbox.crm import Settings, run_server

LATENCY = 0.15
JITTERS = (0.0, 0.04)


def _serve(plan: str, store: Path, ready: Connection) -> None:
    settings = Settings(plan=plan, daily_tokens=10_000_000, latency=LATENCY)  # type: ignore[arg-type] # one of PLANS
    run_server(0, store, settings=settings, ready=lambda *seen: ready.send(seen))


class _Late(HTTPAdapter):
    """Lets each request be late on its way there."""

    def __init__(self, jitter: float) -> None:
        super().__init__(pool_maxsize=128)
        self.jitter = jitter

    def send(self, *args: Any, **options: Any) -> requests.Response:
        if self.jitter:
            time.sleep(random.uniform(0, self.jitter))
        return super().send(*args, **options)


def _push(url: str, token: str, plan: str, workers: int, seconds: float, jitter: float) -> None:
    """Create persons until the time is up."""
    session = requests.Session()
    session.trust_env = False
    session.mount(url, _Late(jitter))
    client = Client(url, lambda: token, plan=plan, session=session)
    until = time.monotonic() + seconds

    def work(worker: int) -> None:
        number = 0
        while time.monotonic() < until:
            number += 1
            body = {"name": f"Person {worker}-{number}"}
            with suppress(TooMany):  # counted by the server
                client.send(Call.to("persons.create", body=body))

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    client.close()


def _measure(store: Path, burst: int) -> tuple[int, float, int, int]:
    with sqlite3.connect(store) as db:
        rows = db.execute("SELECT at, status FROM requests ORDER BY at").fetchall()
    db.close()
    at = [when for when, _ in rows]
    between = [later - earlier for earlier, later in zip(at[burst:], at[2 * burst :], strict=False)]
    window: deque[float] = deque()
    fullest = 0
    for when in at:
        window.append(when)
        while window[0] <= when - WINDOW:
            window.popleft()
        fullest = max(fullest, len(window))
    share = WINDOW * len(between) / sum(between) if between else float("nan")
    return len(rows), share, fullest, sum(status == 429 for _, status in rows)


def _row(plan: str, jitter: float, workers: int, seconds: float) -> None:
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "sandbox.db"
        ours, theirs = spawn.Pipe()
        server = spawn.Process(target=_serve, args=(plan, store, theirs))
        server.start()
        theirs.close()  # so that a server that fails to start ends the wait for it
        url, tokens = ours.recv()
        _push(url, next(iter(tokens)), plan, workers, seconds, jitter)
        server.terminate()
        server.join()
        sent, share, fullest, refused = _measure(store, PLANS[plan].burst)
    case = f"push, {plan}, late by up to {jitter * 1000:.0f} ms"
    ratio(f"{case}: share of the limit", share, at_least=0.95)
    ratio(f"{case}: 429s", refused, at_most=0)
    print(
        f"{plan:10} {PLANS[plan].burst:9} {jitter * 1000:4.0f} ms {sent:6} {share:7.1%}"
        f" {fullest:12} {refused:5}",
        flush=True,
    )


def main() -> None:
    arguments = sys.argv[1:]
    seconds = float(arguments[0]) if arguments else 12.0
    workers = int(arguments[1]) if arguments[1:] else 24
    logging.disable(logging.CRITICAL)
    print(
        f"{'plan':10} {'limit/2 s':>9} {'late':>7} {'sent':>6} {'used':>7} {'fullest 2 s':>12}"
        f" {'429s':>5}"
    )
    for plan in arguments[2:] or PLANS:
        for jitter in JITTERS:
            _row(plan, jitter, workers, seconds)


if __name__ == "__main__":
    main()
