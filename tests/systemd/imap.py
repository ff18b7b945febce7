"""Inside the container: the IMAP server of the service under test.

Writes the IMAP server's port and process group to /run/imap; each SIGUSR1 delivers one mail from a new sender.
"""

import signal
import threading
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from pathlib import Path

from daemon.sandbox.imap_server import start_imap

USERS = {"sales@example.com": "secret-of-sales", "support@example.com": "secret-of-support"}
MAIL = """\
From: Sender {number} <sender{number}@company{number}.example>
To: sales@example.com
Subject: Offer {number}
Date: {date}
Message-ID: <{number}@company{number}.example>

How much are {number} of them?
"""


def main() -> None:
    numbers = count(1)
    with start_imap("auto", users=USERS) as imap:

        def deliver(*_: object) -> None:
            text = MAIL.format(number=next(numbers), date=format_datetime(datetime.now(UTC)))
            imap.deliver("sales@example.com", "INBOX", text.encode())

        signal.signal(signal.SIGUSR1, deliver)
        Path("/run/imap").write_text(f"{imap.port} {imap.process.pid}\n")
        threading.Event().wait()


main()
