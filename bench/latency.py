"""From a mail's arrival in Dovecot to its record in the sandbox, by IDLE and by polling alone.

The real service in a process of its own, a Dovecot, a sandbox over HTTP that answers at once. Each
mail is from somebody new, so a record means organization, person, then lead; the time is that of
the request which makes the lead. Then our answer comes into Sent, and the lead is to be converted;
of Sent the server tells by NOTIFY (RFC 5465), or, where it has none, by a second IDLE. Polling
alone is bound by how often: half of it on average.

    python bench/latency.py [MAILS [SECONDS_BETWEEN_POLLS]]
"""

import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from statistics import quantiles
from typing import Any

import yaml
from imapclient import IMAPClient
from measure import ratio
from postoffice import PASSWORD, SENT, PostOffice, post_office

from daemon.sandbox.crm import Sandbox, Server, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

PATIENCE = 60.0
US = "sales@ours.example"
LEAD, DEAL = "/leads", "/convert/deal"


def letter(number: int) -> bytes:
    them, asked = f"p{number}@firm{number}.example.org", f"<{number}@firm{number}.example.org>"
    return _mail(f"Person {number} <{them}>", US, number, f"Message-ID: {asked}")


def answer(number: int) -> bytes:
    """What we say to the letter of this number."""
    them, asked = f"p{number}@firm{number}.example.org", f"<{number}@firm{number}.example.org>"
    own = f"Message-ID: <{number}@ours.example>\r\nIn-Reply-To: {asked}"
    return _mail(US, them, number, own)


def _mail(sender: str, to: str, number: int, ids: str) -> bytes:
    now = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())
    head = f"From: {sender}\r\nTo: {to}\r\nSubject: Offer {number}\r\n{ids}\r\nDate: {now}"
    return f"{head}\r\n\r\nHello\r\n".encode()


def requested(sandbox: Sandbox, what: str) -> list[float]:
    """When the requests were made that end so, in seconds of the wall clock."""
    return [one.at for one in sandbox.writes() if one.method == "POST" and one.path.endswith(what)]


def configured(office: PostOffice, home: Path, server: Server, poll: dict[str, Any]) -> Path:
    config = office.config("fresh", home / "ledger.db")
    document = yaml.safe_load(config.read_text()) | {
        "poll": poll,
        "pipedrive": {"base_url": server.url, "token": DEFAULT_TOKEN, "plan": "ultimate"},
        "us": {"domains": ["ours.example"]},
    }
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    return config


def measure(
    office: PostOffice, mails: int, first: int, poll: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Seconds from each letter to its lead, and from each answer of ours to its deal."""
    with (
        tempfile.TemporaryDirectory(prefix="m2d-bench-") as folder,
        closing(Sandbox(Path(folder) / "crm.db", settings=Settings(plan="ultimate"))) as sandbox,
        Server(sandbox) as server,
        (Path(folder) / "log").open("w") as log,
    ):
        config = configured(office, Path(folder), server, poll)
        command = [sys.executable, "-m", "daemon", "--config", str(config)]
        with subprocess.Popen(command, stdout=log, stderr=log) as service:
            try:
                _wait_for_folders(config.with_suffix(".db"))
                with IMAPClient("127.0.0.1", port=office.server.port, ssl=False) as mine:
                    mine.login("fresh", PASSWORD)
                    times = list(_deliver(office, mine, sandbox, mails, first))
            finally:
                service.terminate()
                service.wait()
    # The first one waits for the start of the service.
    return [lead for lead, _ in times[1:]], [deal for _, deal in times[1:]]


def _wait_for_folders(ledger: Path) -> None:
    """Until both folders have been looked at: what is there before lies below their oldest date."""
    for _ in range(int(PATIENCE * 10)):
        time.sleep(0.1)
        if ledger.exists():
            with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as database:
                looked = "SELECT count(*) FROM folders WHERE polled_at IS NOT NULL"
                with suppress(sqlite3.OperationalError):  # its tables aren't there yet
                    if database.execute(looked).fetchone()[0] == len(("INBOX", SENT)):
                        return
    raise SystemExit("the service didn't look at its folders")


def _deliver(
    office: PostOffice, mine: IMAPClient, sandbox: Sandbox, mails: int, first: int
) -> Iterator[tuple[float, float]]:
    rng = random.Random(first)
    for number in range(first, first + mails + 1):
        seconds = []
        for folder, mail, what in (("INBOX", letter, LEAD), (SENT, answer, DEAL)):
            before, sent = len(requested(sandbox, what)), time.time()
            if folder == SENT:  # as mail programs do: of this the server tells
                mine.append(SENT, mail(number))
            else:
                office.server.deliver("fresh", folder, mail(number))
            while len(made := requested(sandbox, what)) == before:
                if time.time() - sent > PATIENCE:
                    asked = " ".join(one.path for one in sandbox.writes()[-9:])
                    raise SystemExit(f"mail {number} in {folder} made nothing; last: {asked}")
                time.sleep(0.01)
            seconds.append(made[-1] - sent)
            time.sleep(rng.uniform(0.2, 0.7))
        yield seconds[0], seconds[1]


def show(name: str, seconds: list[float]) -> float:
    cuts = quantiles(seconds, n=100, method="inclusive")
    p50, p95, p99 = cuts[49], cuts[94], cuts[98]
    print(f"{name:22} p50 {p50:6.3f} s   p95 {p95:6.3f} s   p99 {p99:6.3f} s", flush=True)
    return p50


def main(arguments: list[str]) -> None:
    mails = int(arguments[0]) if arguments else 40
    every = arguments[1] if len(arguments) > 1 else "2"
    told = {"every": "60s", "idle": True}
    print(f"arrival to record, {mails} mails each")
    with post_office() as office:
        office.server.add_user("fresh", PASSWORD)
        office.folders["fresh"] = ["INBOX"]
        by_idle, by_notify = measure(office, mails, 1, told)
        half = mails // 2
        asked = {"every": f"{every}s", "idle": False, "jitter": "0s"}
        by_polls, sent_by_polls = measure(office, half, 1000, asked)
    plain = "imap_capability = IMAP4rev1 IDLE LITERAL+ LIST-EXTENDED LIST-STATUS SPECIAL-USE"
    with post_office(settings=lambda _: plain) as office:
        office.server.add_user("fresh", PASSWORD)
        office.folders["fresh"] = ["INBOX"]
        _, by_second_idle = measure(office, half, 2000, told)
    lead = show("lead, IDLE", by_idle)
    show(f"lead, a poll every {every} s", by_polls)
    deal = show("deal, NOTIFY of Sent", by_notify)
    second = show("deal, second IDLE", by_second_idle)
    show(f"deal, a poll every {every} s", sent_by_polls)
    ratio("latency: s from arrival to lead with IDLE, p50", lead, at_most=1)
    ratio("latency: s from our answer in Sent to deal with NOTIFY, p50", deal, at_most=1)
    ratio("latency: the same with a second IDLE, p50", second, at_most=1)


if __name__ == "__main__":
    main(sys.argv[1:])
