"""A folder with much to read by one connection and by two, on a line that gives each its own rate.

Some providers limit what one connection gets. Where all connections share one line, as in
`backfill`, a second one is of no use; here each has 40 ms and 2 MB/s.

    python bench/connections.py [MAILS [ROUNDS]]
"""

import sys
import time
from datetime import UTC, datetime

from line import slow_line
from measure import paired
from postoffice import PASSWORD, post_office

from daemon.intake.fetching import FetchRequest, Suspects, batches
from daemon.mailbox.imap import Account, Mailbox

RATE = 2_000_000.0  # bytes a second


def seconds(port: int, *, lines: int) -> float:
    """How long the fetch of the inbox takes, login and all."""
    account = Account("bench", "127.0.0.1", "one", lambda: PASSWORD, port=port, tls="none")

    def connect() -> Mailbox:
        return Mailbox.connect(account, bulk=True)

    start = time.monotonic()
    with connect() as mailbox:
        status = mailbox.examine("INBOX")
        wanted = mailbox.uids()[::-1]
        order = FetchRequest(
            folder="INBOX",
            uidvalidity=status.uidvalidity,
            wanted=wanted,
            floor=None,
            floor_uid=None,
            now=datetime.now(UTC),
            most=1000,
            ahead=True,
            another=connect if lines > 1 else None,
        )
        count = sum(len(batch.found) for batch in batches(mailbox, order, Suspects()))
    taken = time.monotonic() - start
    if count != len(wanted):
        raise SystemExit(f"{count} of {len(wanted)} messages came")
    print(f"{lines} connection{'s' if lines > 1 else ' '} {count} mails {taken:8.2f} s", flush=True)
    return taken


def main(arguments: list[str]) -> None:
    rounds = int(arguments[1]) if arguments[1:] else 5
    with post_office() as office:
        office.mailbox("one", int(arguments[0]) if arguments else 10_000)
        with slow_line(office.server.port, rate=RATE, each=True) as line:
            pairs = [[seconds(line.port, lines=lines) for lines in (1, 2)] for _ in range(rounds)]
    one, two = zip(*pairs, strict=True)
    paired("backfill, a rate for each connection: one's time / two's", one, two, at_least=1.5)


if __name__ == "__main__":
    main(sys.argv[1:])
