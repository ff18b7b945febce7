"""A day of the service, accelerated, to see whether anything grows that shouldn't.

The real service in a process of its own, a Dovecot and a sandbox over HTTP, with a poll every
second instead of every minute, and a mail of one of twenty senders, or an answer of ours, every
half second. Eight times it is looked at: memory, open files, threads, the ledger, its log (WAL) and
the lines in our own log. The first quarter is the start; what is compared is the end with what came
after it. The ledger grows with the mails, so that it is told by the mail.

    python bench/day.py [SECONDS]
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from imapclient import IMAPClient
from latency import _wait_for_folders, answer, configured, letter
from measure import ratio
from postoffice import PASSWORD, SENT, PostOffice, post_office

from daemon.sandbox.crm import Sandbox, Server, Settings

SECONDS, LOOKS, EVERY, SENDERS = 240, 8, 0.5, 20


class Look(NamedTuple):
    """What a running service has at one moment; sizes in bytes."""

    mails: int
    rss: int
    files: int
    threads: int
    ledger: int
    wal: int
    lines: int


def look(pid: int, mails: int, ledger: Path, log: Path) -> Look:
    """Look at a process and its files (proc(5))."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    wal = ledger.with_name(ledger.name + "-wal")
    return Look(
        mails,
        int(status["VmRSS"].split()[0]) * 1024,
        len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208 - names are enough
        int(status["Threads"]),
        ledger.stat().st_size,
        wal.stat().st_size if wal.exists() else 0,
        log.read_bytes().count(b"\n"),
    )


def lived(office: PostOffice, home: Path, seconds: float) -> list[Look]:
    """A service's life, looked at from time to time."""
    looks: list[Look] = []
    log = home / "log"
    with (
        closing(Sandbox(home / "crm.db", settings=Settings(plan="ultimate"))) as sandbox,
        Server(sandbox) as server,
        log.open("w") as written,
    ):
        config = configured(office, home, server, {"every": "1s"})
        command = [sys.executable, "-m", "daemon", "--config", str(config)]
        ledger = config.with_suffix(".db")
        with subprocess.Popen(command, stdout=written, stderr=written) as service:
            try:
                _wait_for_folders(ledger)
                with IMAPClient("127.0.0.1", port=office.server.port, ssl=False) as mine:
                    mine.login("fresh", PASSWORD)
                    start, mails = time.monotonic(), 0
                    while len(looks) < LOOKS:
                        number, turn = mails % SENDERS, mails // SENDERS
                        own = b"Message-ID: <%d." % turn if turn else b"Message-ID: <"
                        if turn % 4 == 1:
                            mine.append(SENT, answer(number).replace(b"Message-ID: <", own))
                        else:
                            mail = letter(number).replace(b"Message-ID: <", own)
                            office.server.deliver("fresh", "INBOX", mail)
                        mails += 1
                        time.sleep(EVERY)
                        if time.monotonic() - start > seconds * (len(looks) + 1) / LOOKS:
                            looks.append(look(service.pid, mails, ledger, log))
            finally:
                service.terminate()
                service.wait()
    return looks


def main(arguments: list[str]) -> None:
    """Live, and compare the end with the second quarter."""
    seconds = float(arguments[0]) if arguments else SECONDS
    with tempfile.TemporaryDirectory(prefix="m2d-bench-") as folder:
        home = Path(folder)
        with post_office() as office:
            office.server.add_user("fresh", PASSWORD)
            office.folders["fresh"] = ["INBOX"]
            looks = lived(office, home, seconds)
    names = ("mails", "RSS MB", "files", "threads", "ledger MB", "WAL MB", "lines")
    print("".join(f"{name:>11}" for name in names))
    for one in looks:
        print(
            f"{one.mails:11}{one.rss / 1e6:11.1f}{one.files:11}{one.threads:11}"
            f"{one.ledger / 1e6:11.2f}{one.wal / 1e6:11.2f}{one.lines:11}"
        )
    early, late = looks[LOOKS // 4], looks[-1]
    for what, before, after in (
        ("memory", early.rss, late.rss),
        ("open files", early.files, late.files),
        ("threads", early.threads, late.threads),
        ("the ledger's log", max(early.wal, 2**24), late.wal),
    ):
        ratio(f"day: {what}, at the end / after a quarter", after / before, at_most=1.1)
    mails = late.mails - early.mails
    print(f"{(late.ledger - early.ledger) / mails / 1e3:.1f} kB of ledger a mail")
    lines = (late.lines - early.lines) / mails
    ratio("day: lines of the log a mail", lines, at_most=12)


if __name__ == "__main__":
    main(sys.argv[1:])
