"""From a mail's arrival in Dovecot to its lead in the sandbox, by IDLE and by polling alone.

The real service in a process of its own, a Dovecot, a sandbox over HTTP that answers at once. Each
mail is from somebody new, so a record means organization, person, then lead; the time is that of
the request which makes the lead. Polling alone is bound by how often: half of it on average.

    python bench/latency.py [MAILS [SECONDS_BETWEEN_POLLS]]
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import quantiles
from typing import Any

import yaml
from measure import ratio
from postoffice import PASSWORD, PostOffice, post_office

from daemon.sandbox.crm import Sandbox, Server, Settings, serve
from daemon.sandbox.crm.settings import DEFAULT_TOKEN

PATIENCE = 60.0


def letter(number: int) -> bytes:
    return (
        f"From: Person {number} <p{number}@firm{number}.example.org>\r\nTo: sales@ours.example\r\n"
        f"Subject: Offer {number}\r\nMessage-ID: <{number}@firm{number}.example.org>\r\n"
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\n\r\nHello\r\n"
    ).encode()


def leads(sandbox: Sandbox) -> dict[int, float]:
    """When the lead of each mail was made, in seconds of the wall clock."""
    made = {}
    for one in sandbox.writes():
        if one.method == "POST" and one.path.endswith("/leads"):
            title = json.loads(one.body)["origin_id"]
            made[int(title.removeprefix("mail2deal:p").partition("@")[0])] = one.at
    return made


def configured(office: PostOffice, home: Path, server: Server, poll: dict[str, Any]) -> Path:
    config = office.config("fresh", home / "ledger.db")
    document = yaml.safe_load(config.read_text()) | {
        "poll": poll,
        "pipedrive": {"base_url": server.url, "token": DEFAULT_TOKEN, "plan": "ultimate"},
        "us": {"domains": ["ours.example"]},
    }
    config.write_text(yaml.safe_dump(document, sort_keys=False))
    return config


def measure(office: PostOffice, mails: int, first: int, poll: dict[str, Any]) -> list[float]:
    with (
        tempfile.TemporaryDirectory(prefix="m2d-bench-") as folder,
        closing(Sandbox(Path(folder) / "crm.db", settings=Settings(plan="ultimate"))) as sandbox,
        serve(sandbox) as server,
        (Path(folder) / "log").open("w") as log,
    ):
        config = configured(office, Path(folder), server, poll)
        command = [sys.executable, "-m", "daemon", "--config", str(config)]
        with subprocess.Popen(command, stdout=log, stderr=log) as service:
            try:
                return list(_deliver(office, sandbox, mails, first))
            finally:
                service.terminate()
                service.wait()


def _deliver(office: PostOffice, sandbox: Sandbox, mails: int, first: int) -> Any:
    rng = random.Random(first)
    time.sleep(2)  # what is there when the service starts lies below its floor
    for number in range(first, first + mails + 1):
        sent = time.time()
        office.server.deliver("fresh", "INBOX", letter(number))
        while number not in (made := leads(sandbox)):
            if time.time() - sent > PATIENCE:
                raise SystemExit(f"mail {number} made no lead")
            time.sleep(0.01)
        if number > first:  # the first one waits for the start of the service
            yield made[number] - sent
        time.sleep(rng.uniform(0.2, 0.7))


def show(name: str, seconds: list[float]) -> float:
    cuts = quantiles(seconds, n=100, method="inclusive")
    p50, p95, p99 = cuts[49], cuts[94], cuts[98]
    print(f"{name:22} p50 {p50:6.3f} s   p95 {p95:6.3f} s   p99 {p99:6.3f} s", flush=True)
    return p50


def main(arguments: list[str]) -> None:
    mails = int(arguments[0]) if arguments else 40
    every = arguments[1] if len(arguments) > 1 else "2"
    with post_office() as office:
        office.server.add_user("fresh", PASSWORD)
        office.folders["fresh"] = ["INBOX"]
        print(f"arrival to lead, {mails} mails each")
        by_idle = measure(office, mails, 1, {"every": "60s", "idle": True})
        half = mails // 2
        by_polls = measure(
            office, half, 1000, {"every": f"{every}s", "idle": False, "jitter": "0s"}
        )
        p50 = show("IDLE", by_idle)
        show(f"a poll every {every} s", by_polls)
    ratio("latency: s from arrival to record with IDLE, p50", p50, at_most=1)


if __name__ == "__main__":
    main(sys.argv[1:])
