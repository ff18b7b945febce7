"""Ours beneath imapclient against the same job through imapclient's own methods, pairs in turn.

Both have logged in by imapclient and run on one warm Dovecot. imapclient's debug level, which
builds the repr of every byte and drops it, is off: that is anybody's first improvement. On loopback
CPU time of this process is compared, as both wait for the same server; over a line of 40 ms and
5 MB/s the fetch is timed by the clock, since what counts there is that commands are pipelined.

    python bench/library.py [MAILS [PAIRS]]
"""

import sys
import time
from collections.abc import Callable

from imapclient import IMAPClient
from line import slow_line
from measure import paired
from postoffice import PASSWORD, post_office

from daemon.mailbox import fetch
from daemon.mailbox.cursor import batches
from daemon.mailbox.imap import Account, Mailbox
from daemon.message.fields import WANTED

FACTS = ["INTERNALDATE", "RFC822.SIZE", f"BODY.PEEK[HEADER.FIELDS ({' '.join(WANTED)})]"]
STRUCTURE = [*FACTS, "BODYSTRUCTURE"]
TIMES = 20  # of what takes less than a millisecond

Job = tuple[Callable[[Mailbox], int], Callable[[IMAPClient], int]]


def fetch_ours(mailbox: Mailbox) -> int:
    mailbox.examine("INBOX")
    return sum(1 for _ in mailbox.fetch(mailbox.uids()))


def fetch_theirs(client: IMAPClient) -> int:
    """Facts and structure, then the first text part of each, by part number."""
    client.select_folder("INBOX", readonly=True)
    count, parts = 0, dict[str, list[int]]()
    for some in batches(client.search(), fetch.BATCH):
        for uid, items in client.fetch(list(some), STRUCTURE).items():
            count += 1
            parts.setdefault(first_text(items[b"BODYSTRUCTURE"]), []).append(uid)
    for section, uids in parts.items():
        for some in batches(uids, fetch.BATCH):
            client.fetch(list(some), [f"BODY.PEEK[{section}]<0.32768>"])
    client.unselect_folder()
    return count


def first_text(structure: object, section: str = "") -> str:
    """The number of the first text part."""
    parts = structure[0] if isinstance(structure, tuple) else None
    if not isinstance(parts, list):
        return section or "1"
    inner = f"{section}.1" if section else "1"
    return first_text(parts[0], inner)


def search_ours(mailbox: Mailbox) -> int:
    mailbox.examine("INBOX")
    return sum(len(mailbox.uids()) for _ in range(TIMES))


def search_theirs(client: IMAPClient) -> int:
    client.select_folder("INBOX", readonly=True)
    found = sum(len(client.search()) for _ in range(TIMES))
    client.unselect_folder()
    return found


def poll_ours(mailbox: Mailbox) -> int:
    return sum(len(mailbox.status(["INBOX", "Sent"])) for _ in range(TIMES))


def poll_theirs(client: IMAPClient) -> int:
    names = ("INBOX", "Sent")
    items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
    return sum(bool(client.folder_status(n, items)) for _ in range(TIMES) for n in names)


def list_ours(mailbox: Mailbox) -> int:
    return sum(bool(mailbox.folders()) for _ in range(TIMES))


def list_theirs(client: IMAPClient) -> int:
    return sum(bool(client.list_folders()) for _ in range(TIMES))


JOBS: dict[str, Job] = {
    "fetch": (fetch_ours, fetch_theirs),
    "search": (search_ours, search_theirs),
    "poll": (poll_ours, poll_theirs),
    "list": (list_ours, list_theirs),
}


def seconds(call: Callable[[], int], clock: Callable[[], float]) -> tuple[float, int]:
    start = clock()
    count = call()
    return clock() - start, count


def compare(
    port: int, name: str, pairs: int, clock: Callable[[], float] = time.process_time
) -> tuple[list[float], list[float]]:
    """Seconds of theirs and of ours, in turn."""
    ours, theirs = JOBS[name]
    account = Account("bench", "127.0.0.1", "one", lambda: PASSWORD, port=port, tls="none")
    client = IMAPClient("127.0.0.1", port=port, ssl=False)
    client._imap.debug = 0  # noqa: SLF001 - see above
    client.normalise_times = False
    client.login("one", PASSWORD)
    found: tuple[list[float], list[float]] = ([], [])
    with Mailbox.connect(account, bulk=True) as mailbox:
        for number in range(pairs + 1):
            one = seconds(lambda: ours(mailbox), clock)
            two = seconds(lambda: theirs(client), clock)
            if one[1] != two[1]:
                raise SystemExit(f"{name}: {one[1]} by ours, {two[1]} by imapclient")
            if number:  # the first warms up
                found[0].append(two[0])
                found[1].append(one[0])
    client.logout()
    return found


def main(arguments: list[str]) -> None:
    mails = int(arguments[0]) if arguments else 5_000
    pairs = int(arguments[1]) if arguments[1:] else 5
    with post_office() as office:
        office.mailbox("one", mails)
        for name in JOBS:
            # LIST isn't read by us for speed, see docs/design.md, but may not cost more.
            least = 0.8 if name == "list" else 1.5
            theirs, ours = compare(office.server.port, name, pairs)
            paired(f"library: {name}, imapclient's CPU / ours", theirs, ours, at_least=least)
        with slow_line(office.server.port) as line:
            theirs, ours = compare(line.port, "fetch", pairs, time.perf_counter)
        slow = "library: fetch over a slow line, imapclient's time / ours"
        paired(slow, theirs, ours, at_least=1.5)


if __name__ == "__main__":
    main(sys.argv[1:])
