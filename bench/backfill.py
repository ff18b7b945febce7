"""The first backfill, side by side: ours, mbsync, a fetch-everything loop, and the floor.

Ours is end to end: `--catch-up --intake-only` in a fresh process, from its start to the ledger on
disk with every sender's state. mbsync copies the mails into a Maildir and knows nothing of them.
Everything runs on one warm Dovecot of this machine, in turn, ROUNDS times, and so again through a
line of 40 ms and 5 MB/s, where bytes and round trips count (mbsync once, with fewer mails).

    python bench/backfill.py [MAILS [MBSYNCS_MAILS_ON_THE_SLOW_LINE [ROUNDS]]]
"""

import shutil
import sqlite3
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from line import Running, slow_line
from measure import Cost, median, paired, ratio, run
from postoffice import PostOffice, post_office
from rivals import mbsync_config

HERE = Path(__file__).parent
LOOP = 1_000  # mails of the fetch-everything loop


def ours(office: PostOffice, user: str, port: int) -> Cost:
    ledger = office.home / "ours" / "ledger.db"
    shutil.rmtree(ledger.parent, ignore_errors=True)
    ledger.parent.mkdir(mode=0o700)
    config = office.config(user, ledger, port)
    command = [sys.executable, "-m", "daemon", "--config", str(config)]
    cost = run([*command, "--catch-up", "--intake-only"], server=office.server.process.pid)
    with sqlite3.connect(ledger) as db:
        (seen,) = db.execute("SELECT count(*) FROM sightings").fetchone()
        (messages,) = db.execute("SELECT count(*) FROM messages").fetchone()
    db.close()
    size = sum(path.stat().st_size for path in ledger.parent.glob("ledger.db*"))
    print(f"  ours: {seen} seen, {messages} messages, {size / messages:.0f} ledger bytes a message")
    return cost


def mbsync(office: PostOffice, port: int, user: str) -> Cost:
    home = office.home / "mbsync"
    home.mkdir()
    config = mbsync_config(home, port, user)
    cost = run(["mbsync", "-q", "-c", str(config), "-a"], server=office.server.process.pid)
    shutil.rmtree(home)
    return cost


def rival(office: PostOffice, way: str, port: int, user: str, *more: str) -> Cost:
    command = [sys.executable, str(HERE / "rivals.py"), way, str(port), user, *more]
    return run(command, server=office.server.process.pid)


def show(name: str, mails: int, cost: Cost, line: Running | None = None) -> None:
    wire = f"{(line.up + line.down) / 1e6:8.1f} MB" if line else ""
    print(
        f"{name:24}{cost.seconds:8.2f} s {mails / cost.seconds:9.0f}/s   CPU {cost.cpu:6.2f} s"
        f" + server {cost.server_cpu:6.2f} s  "
        f" RSS {cost.rss / 1e6:4.0f} PSS {cost.pss / 1e6:4.0f} MB {wire}",
        flush=True,
    )


def on_loopback(office: PostOffice, mails: int, rounds: int) -> None:
    port = office.server.port
    commands = str(office.home / "commands")
    rival(office, "record", port, "big", commands, *office.folders["big"])  # warms the server up
    have_mbsync = shutil.which("mbsync") is not None
    costs: dict[str, list[Cost]] = {"ours": [], "mbsync": [], "loop": [], "floor": []}
    for _ in range(rounds):
        costs["ours"].append(ours(office, "big", port))
        if have_mbsync:
            costs["mbsync"].append(mbsync(office, port, "big"))
        costs["loop"].append(rival(office, "loop", port, "big", str(LOOP)))
        costs["floor"].append(rival(office, "floor", port, "big", commands))
    best = {name: median(several) for name, several in costs.items() if several}
    print(f"\nloopback, {mails} mails, warm, medians of {rounds}")
    for name, cost in best.items():
        show(name, LOOP if name == "loop" else mails, cost)
    seconds = {name: [one.seconds for one in several] for name, several in costs.items()}
    if have_mbsync:
        paired(
            "backfill, loopback: mbsync's time / ours",
            seconds["mbsync"],
            seconds["ours"],
            at_least=1.3,
        )
    else:
        print("mbsync isn't installed (apt install isync): no comparison with it")
    loop = [one / LOOP * mails for one in seconds["loop"]]
    paired("backfill, loopback: the loop's time / ours", loop, seconds["ours"], at_least=8)
    ratio("backfill: MB of all our processes, RSS", best["ours"].rss / 1e6, at_most=120)
    ratio("backfill: the same, shared pages once", best["ours"].pss / 1e6, at_most=120)


def on_slow_line(office: PostOffice, mails: int, few: int, rounds: int) -> None:
    commands = str(office.home / "commands")
    print(f"\nthrough a line of 40 ms and 5 MB/s, {mails} mails ({few} for mbsync)")
    ways: dict[str, tuple[int, Callable[[int], Cost]]] = {
        "ours": (mails, lambda port: ours(office, "big", port)),
        "floor": (mails, lambda port: rival(office, "floor", port, "big", commands)),
        "mbsync": (few, lambda port: mbsync(office, port, "small")),
    }
    seconds: dict[str, list[float]] = {"ours": [], "floor": [], "mbsync": []}
    for name in [*["ours", "floor"] * rounds, *(["mbsync"] if shutil.which("mbsync") else [])]:
        count, way = ways[name]
        with slow_line(office.server.port) as line:
            cost = way(line.port)
        show(name, count, cost, line)
        seconds[name].append(cost.seconds)
    if seconds["mbsync"]:
        theirs = seconds["mbsync"][0] / few * mails
        mine = statistics.median(seconds["ours"])
        ratio("backfill, slow line: our mails/s / mbsync's", theirs / mine, at_least=8)
    paired(
        "backfill, slow line: our time / the floor's",
        seconds["ours"],
        seconds["floor"],
        at_most=1.2,
    )


def main(arguments: list[str]) -> None:
    numbers = [int(one) for one in arguments]
    mails = numbers[0] if numbers else 20_000
    few = numbers[1] if numbers[1:] else 2_000
    rounds = numbers[2] if numbers[2:] else 5
    with post_office() as office:
        office.mailbox("big", mails)
        office.mailbox("small", few)
        on_loopback(office, mails, rounds)
        on_slow_line(office, mails, few, rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
