"""An event receiver that is slow, and whether it delays pushes or the other receivers.

The real service in a process of its own, a Dovecot, a sandbox over HTTP and two receivers of
events: one that answers at once, and one that takes so many seconds an answer. Mails of new senders
come, each of which makes a lead and so an event. Told are, in seconds: from a mail's arrival to its
lead, and to its event at the quick receiver; and what waits in the ledger for the slow one, which
the service must say by itself, while its memory and threads stay as they are without.

    python bench/receiver.py [MAILS [SECONDS ...]]
"""

import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from day import look
from latency import LEAD, _wait_for_folders, configured, letter, requested
from measure import ratio
from postoffice import PASSWORD, PostOffice, post_office

from daemon.sandbox.crm import Sandbox, Server, Settings

MAILS, SECONDS = 12, (0.0, 10.0)
EVERY = 0.8  # seconds from one mail to the next
PATIENCE = 60.0


@dataclass
class Hook:
    """A receiver: its address, when it was told, and how long it takes to answer."""

    url: str = ""
    wait: float = 0.0
    told: list[float] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hooked(wait: float) -> Iterator[Hook]:
    """A receiver that listens while the block runs."""
    hook = Hook(wait=wait)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            hook.told.append(time.time())
            hook.ending.wait(hook.wait)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hook
    finally:
        hook.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()


def served(office: PostOffice, mails: int, wait: float, first: int) -> dict[str, float]:
    """What a service notices of a receiver that waits so long."""
    with (
        tempfile.TemporaryDirectory(prefix="m2d-bench-") as folder,
        closing(Sandbox(Path(folder) / "crm.db", settings=Settings(plan="ultimate"))) as sandbox,
        Server(sandbox) as server,
        hooked(0.0) as quick,
        hooked(wait) as slow,
        (Path(folder) / "log").open("w") as log,
    ):
        config = configured(office, Path(folder), server, {"every": "60s", "idle": True})
        document = yaml.safe_load(config.read_text())
        document["events"] = [
            {"name": name, "url": hook.url, "kinds": ["lead_created"]}
            for name, hook in (("slow", slow), ("quick", quick))
        ]
        config.write_text(yaml.safe_dump(document, sort_keys=False))
        ledger = config.with_suffix(".db")
        with subprocess.Popen(
            [sys.executable, "-m", "daemon", "--config", str(config)], stdout=log, stderr=log
        ) as service:
            try:
                _wait_for_folders(ledger)
                sent = []
                for number in range(first, first + mails):
                    sent.append(time.time())
                    office.server.deliver("fresh", "INBOX", letter(number))
                    time.sleep(EVERY)
                _until(lambda: len(quick.told) >= mails)
                with closing(sqlite3.connect(ledger)) as db:
                    (waiting,) = db.execute(
                        "SELECT count(*) FROM events WHERE receiver = 'slow' AND told_at IS NULL"
                    ).fetchone()
                seen = look(service.pid, mails, ledger, Path(folder) / "log")
            finally:
                service.terminate()
                service.wait()
        leads = requested(sandbox, LEAD)
    return {
        "arrival to lead, s, median": _median(leads, sent),
        "arrival to the quick receiver, s, median": _median(quick.told, sent),
        "events that wait for the slow one": float(waiting),
        "RSS, MB": seen.rss / 1e6,
        "threads": float(seen.threads),
    }


def _median(later: list[float], earlier: list[float]) -> float:
    """Seconds from the one to the other; the first mail waits for the service's start."""
    return statistics.median(b - a for a, b in list(zip(earlier, later, strict=True))[1:])


def _until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("the quick receiver wasn't told of every lead")
        time.sleep(0.02)


def main(arguments: list[str]) -> None:
    """Serve with each receiver, and compare with one that answers at once."""
    mails = int(arguments[0]) if arguments else MAILS
    waits = tuple(map(float, arguments[1:])) or SECONDS
    columns: list[dict[str, float]] = []
    with post_office() as office:
        office.server.add_user("fresh", PASSWORD)
        office.folders["fresh"] = ["INBOX"]
        for number, wait in enumerate(waits):
            columns.append(served(office, mails, wait, 1000 * number))
    print(f"{'seconds that a receiver takes':42}" + "".join(f"{wait:10g}" for wait in waits))
    for what in columns[0]:
        print(f"{what:42}" + "".join(f"{column[what]:10.2f}" for column in columns))
    for what, most in (
        ("arrival to lead, s, median", 1.2),
        ("arrival to the quick receiver, s, median", 1.2),
        ("RSS, MB", 1.1),
        ("threads", 1.1),
    ):
        ratio(f"slow receiver: {what}", columns[-1][what] / columns[0][what], at_most=most)


if __name__ == "__main__":
    main(sys.argv[1:])
