"""Real Courier and GNU imap4d, from Debian's packages, behind a login of ours.

They can't be installed beside Dovecot (they exclude one another), so `tests/servers/fetch` unpacks
them into a folder, which MAIL2DEAL_SERVERS names. Each is started for one connection, already
authenticated, as their own login programs do; those want a system's users and daemons.
"""

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from imapclient import IMAPClient
from imapclient.imap_utf7 import encode
from loopback import Loopback

SERVERS = Path(os.environ.get("MAIL2DEAL_SERVERS", "/nonexistent"))
_PROGRAMS = {
    "courier": "usr/bin/imapd",
    "cyrus": "usr/lib/cyrus/bin/master",
    "imap4d": "usr/sbin/imap4d",
}


def available(kind: str) -> bool:
    """Whether this server was unpacked."""
    return (SERVERS / _PROGRAMS[kind]).is_file()


class OtherServer(Loopback):
    """A server with one user's mail below `home`; any password will do."""

    def __init__(self, kind: str, home: Path) -> None:
        super().__init__()
        self.kind = kind
        self.host = "127.0.0.1"
        self.home = home
        self.commands: list[bytes] = []
        self._number = 0
        self.folder("INBOX")

    def folder(self, name: str) -> Path:
        """The Maildir of a folder, made if it isn't there."""
        if self.kind == "courier":
            root = self.home / "Maildir"
            on_disk = "." + encode(name).decode("ascii").replace("/", ".")
            path = root if name == "INBOX" else root / on_disk
        else:
            path = self.home / ("INBOX" if name == "INBOX" else encode(name).decode("ascii"))
        for part in ("cur", "new", "tmp"):
            (path / part).mkdir(parents=True, exist_ok=True)
        if self.kind == "courier" and name != "INBOX":
            (path / "maildirfolder").touch()
        return path

    def deliver(self, folder: str, raw: bytes, arrived: datetime, part: str = "cur") -> Path:
        """Put a mail into a folder, as one that a mail program has seen there."""
        self._number += 1
        stamp = int(arrived.timestamp())
        name = f"{1_700_000_000 + self._number}.M{self._number}P1.test"
        path = self.folder(folder) / part / (f"{name}:2," if part == "cur" else name)
        path.write_bytes(raw.replace(b"\r\n", b"\n"))
        os.utime(path, (stamp, stamp))
        return path

    def deliver_unseen(self, folder: str, raw: bytes, arrived: datetime) -> None:
        """Put a mail into a folder, as a delivery agent does."""
        self.deliver(folder, raw, arrived, "new")

    def serve(self, line: socket.socket) -> None:
        line.sendall(b"* OK ready\r\n")
        with line.makefile("rb", buffering=0) as commands:
            while True:
                tag, _, rest = commands.readline().rstrip(b"\r\n").partition(b" ")
                if rest.upper().startswith(b"LOGIN"):
                    break
                if not rest:
                    return
                line.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
        ours, theirs = socket.socketpair()
        with (
            ours,
            subprocess.Popen(
                self._command(),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                cwd=self.home,
                env=self._environment(),
            ) as process,
        ):
            theirs.close()
            said = b""
            while b"PREAUTH" not in said or not said.endswith(b"\n"):
                piece = ours.recv(1)
                if not piece:
                    return
                said += piece
            line.sendall(tag + b" OK logged in\r\n")
            answering = threading.Thread(target=hand_on, args=(ours, line, lambda _: None))
            answering.start()
            hand_on(line, ours, self.commands.append)
            answering.join()
            process.wait()

    def _command(self) -> list[str]:
        program = str(SERVERS / _PROGRAMS[self.kind])
        if self.kind == "courier":
            return [program, "Maildir"]
        options = ["--inetd", "--preauth", "--no-site-config"]
        return [program, *options, f"--config-file={self._configuration()}"]

    def _configuration(self) -> Path:
        path = self.home / "imap4d.conf"
        path.write_text(
            f'mailbox {{ mailbox-type maildir; mailbox-pattern "maildir:{self.home}/INBOX"; }}\n'
            f'namespace personal {{ prefix "" {{ directory "{self.home}"; mailbox-type maildir; }} }}\n'
            "preauth stdio;\n"
        )
        return path

    def _environment(self) -> dict[str, str]:
        return {
            **environment(),
            "HOME": str(self.home),
            "AUTHENTICATED": "sales",
            "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE",
        }

    def state(self) -> dict[str, bytes]:
        """Every mail by its file, whose name has its flags; what is new stands apart."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for part in ("cur", "new")
            for path in self.home.rglob(f"{part}/*")
            if path.is_file()
        }

    def open_as_a_mail_program_does(self) -> None:
        """Select each folder: only then these servers keep UIDVALIDITY and UIDs."""
        client = IMAPClient(self.host, port=self.port, ssl=False)
        client.login("sales", "secret")
        for _, _, name in client.list_folders():
            client.select_folder(name)
        client.logout()


def environment() -> dict[str, str]:
    """What programs need that run where they were unpacked."""
    libraries = {str(one.parent) for one in SERVERS.rglob("*.so*")}
    return {
        "PATH": os.environ["PATH"],
        "LD_LIBRARY_PATH": ":".join(sorted(libraries)),
        "SASL_PATH": str(SERVERS / "usr/lib/x86_64-linux-gnu/sasl2"),
    }


def hand_on(source: socket.socket, target: socket.socket, note: Callable[[bytes], object]) -> None:
    """Hand on all that comes, until the end of either side."""
    try:
        while data := source.recv(1 << 16):
            note(data)
            target.sendall(data)
    except OSError:
        pass
    finally:
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
