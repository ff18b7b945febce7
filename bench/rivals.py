"""The ways to read a mailbox that the backfill is compared with, each a process of its own.

    python bench/rivals.py loop PORT USER COUNT       fetch everything, one by one, and parse it
    python bench/rivals.py record PORT USER FILE FOLDER...   note the commands that ours sends
    python bench/rivals.py floor PORT USER FILE       send those at once, and read what comes

`loop` is what most scripts do: imapclient, BODY[] of one message after the other, mail-parser.
`floor` asks for just the bytes that ours asks for, but knows them all in advance, waits for no
answer and looks at none.
"""

import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from postoffice import PASSWORD

LAST = b"\r\nlast OK"


def mbsync_config(home: Path, port: int, user: str) -> Path:
    """A configuration of mbsync at its best: no fsync, no compression (the server offers none)."""
    path = home / "mbsyncrc"
    (home / "mail").mkdir(exist_ok=True)
    path.write_text(
        f"FSync no\n\nIMAPAccount far\nHost 127.0.0.1\nPort {port}\nUser {user}\n"
        f"Pass {PASSWORD}\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount far\n\n"
        f"MaildirStore near\nPath {home}/mail/\nInbox {home}/mail/INBOX\nSubFolders Verbatim\n\n"
        f"Channel all\nFar :far:\nNear :near:\nPatterns *\nSync Pull\nCreate Near\n"
        f"SyncState {home}/\n"
    )
    return path


def loop(port: int, user: str, count: int) -> None:
    import mailparser  # noqa: PLC0415 - only this rival needs it
    from imapclient import IMAPClient  # noqa: PLC0415

    client = IMAPClient("127.0.0.1", port=port, ssl=False)
    client.login(user, PASSWORD)
    client.select_folder("INBOX", readonly=True)
    for uid in client.search("ALL")[:count]:
        raw = client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"]
        mail = mailparser.parse_from_bytes(raw)
        _ = (mail.from_, mail.to, mail.subject, mail.date, mail.text_plain, mail.message_id)
    client.logout()


def record(port: int, user: str, file: Path, folders: list[str]) -> None:
    from daemon.mailbox.connection import Connection  # noqa: PLC0415
    from daemon.mailbox.imap import Account, Mailbox  # noqa: PLC0415 - only here

    lines: list[bytes] = []
    send: Callable[..., Any] = Connection.send

    def noting(self: Connection, line: bytes, *rest: Any) -> Any:
        if line.startswith((b"EXAMINE", b"UID FETCH")):
            lines.append(line)
        return send(self, line, *rest)

    Connection.send = noting  # type: ignore[method-assign] # to see its commands is what this is for
    account = Account("bench", "127.0.0.1", user, lambda: PASSWORD, port=port, tls="none")
    with Mailbox.connect(account) as mailbox:
        for folder in folders:
            mailbox.examine(folder)
            for _ in mailbox.fetch(mailbox.uids()[::-1]):
                pass
    file.write_bytes(b"\n".join(lines))


def floor(port: int, user: str, file: Path) -> None:
    lines = file.read_bytes().split(b"\n")
    line = socket.create_connection(("127.0.0.1", port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.recv(4096)
    line.sendall(b"in LOGIN %s %s\r\n" % (user.encode(), PASSWORD.encode()))
    while b"in OK" not in line.recv(4096):
        pass
    commands = b"".join(b"a%d %s\r\n" % (n, one) for n, one in enumerate(lines))
    sender = threading.Thread(target=line.sendall, args=(commands + b"last NOOP\r\n",))
    sender.start()
    buffer = bytearray(1 << 20)
    tail = b""
    while LAST not in tail:
        got = line.recv_into(buffer)
        if not got:
            raise SystemExit("closed by the server")
        tail = tail[-64:] + bytes(buffer[max(0, got - 64) : got])
    sender.join()


def main(arguments: list[str]) -> None:
    way, port, user, *rest = arguments
    if way == "loop":
        loop(int(port), user, int(rest[0]))
    elif way == "record":
        record(int(port), user, Path(rest[0]), rest[1:])
    else:
        floor(int(port), user, Path(rest[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
