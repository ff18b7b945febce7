"""What to ask for: our plan against its rivals, each pipelined alike, by one connection.

    facts, then parts         ours: header fields and structure, then the text and invitations
    and a first piece         the same with 4 kB of part 1 from the beginning, as ours does for few
    a prefix of each          the first 16 kB of every message, whatever they hold
    small ones whole          sizes, then messages below 32 kB whole and of the others our plan

A prefix misses texts and invitations that stand behind an attachment, so it is cheaper than fair.

    python bench/plans.py [MAILS [ROUNDS]]
"""

import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

from line import slow_line
from measure import paired
from postoffice import PASSWORD, post_office

from daemon.mailbox import fetch
from daemon.mailbox.cursor import batches, uid_set
from daemon.mailbox.fetch_response import Items, number, read_fetch
from daemon.mailbox.imap import Account, Mailbox

PREFIX = 16_384
SMALL = 32_768

Plan = Callable[[Mailbox, Sequence[int]], int]


def ours(mailbox: Mailbox, uids: Sequence[int]) -> int:
    return sum(1 for _ in mailbox.fetch(uids))


def and_a_first_piece(mailbox: Mailbox, uids: Sequence[int]) -> int:
    usual, fetch.EARLY_FOR = fetch.EARLY_FOR, len(uids)
    try:
        return ours(mailbox, uids)
    finally:
        fetch.EARLY_FOR = usual


def prefix(mailbox: Mailbox, uids: Sequence[int]) -> int:
    return len(asked(mailbox, uids, b"INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.%d>" % PREFIX))


def small_ones_whole(mailbox: Mailbox, uids: Sequence[int]) -> int:
    sizes = {
        number(items[b"UID"]) or 0: number(items[b"RFC822.SIZE"]) or 0
        for items in asked(mailbox, uids, b"RFC822.SIZE")
    }
    small = [uid for uid in uids if sizes[uid] < SMALL]
    whole = asked(mailbox, small, b"INTERNALDATE BODY.PEEK[]")
    return len(whole) + ours(mailbox, [uid for uid in uids if sizes[uid] >= SMALL])


def asked(mailbox: Mailbox, uids: Sequence[int], what: bytes) -> list[Items]:
    """Ask one question of all, as many commands on the wire as `Mailbox.fetch` has."""
    wire, found = mailbox._session.wire, list[Items]()  # noqa: SLF001 - a rival has no better way in
    sent: deque[bytes] = deque()

    def finish() -> None:
        wire.finish(sent.popleft(), lambda response: found.append(read_fetch(response) or {}))

    for some in batches(uids, fetch.BATCH):
        sent.append(wire.send(b"UID FETCH %s (UID %s)" % (uid_set(some).encode(), what)))
        if len(sent) == fetch.UNDER_WAY:
            finish()
    while sent:
        finish()
    return [items for items in found if b"UID" in items]


PLANS: dict[str, Plan] = {
    "facts, then parts": ours,
    "and a first piece": and_a_first_piece,
    "a prefix of each": prefix,
    "small ones whole": small_ones_whole,
}


def seconds(port: int, plan: Plan) -> float:
    account = Account("bench", "127.0.0.1", "one", lambda: PASSWORD, port=port, tls="none")
    with Mailbox.connect(account, bulk=True) as mailbox:
        mailbox.examine("INBOX")
        uids = mailbox.uids()
        start = time.monotonic()
        count = plan(mailbox, uids)
        taken = time.monotonic() - start
    if count != len(uids):
        raise SystemExit(f"{count} of {len(uids)} messages came")
    return taken


def main(arguments: list[str]) -> None:
    mails = int(arguments[0]) if arguments else 10_000
    rounds = int(arguments[1]) if arguments[1:] else 5
    fast: dict[str, list[float]] = {name: [] for name in PLANS}
    slow: dict[str, list[float]] = {name: [] for name in PLANS}
    down: dict[str, int] = {}
    with post_office() as office:
        office.mailbox("one", mails)
        for number in range(rounds + 1):
            for name, plan in PLANS.items():
                taken = seconds(office.server.port, plan)
                if not number:
                    continue  # warm now
                fast[name].append(taken)
                with slow_line(office.server.port) as line:
                    slow[name].append(seconds(line.port, plan))
                down[name] = line.down
    print("one connection, the inbox        loopback   40 ms, 5 MB/s        bytes")
    for name in PLANS:
        quick, late = statistics.median(fast[name]), statistics.median(slow[name])
        print(f"{name:30}{quick:9.2f} s{late:13.2f} s{down[name] / 1e6:11.1f} MB", flush=True)
    for name in list(PLANS)[1:]:
        what = f"backfill, slow line: {name}, its time / ours"
        paired(what, slow[name], slow["facts, then parts"], at_least=1)


if __name__ == "__main__":
    main(sys.argv[1:])
