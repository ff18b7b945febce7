"""A real IMAP server on loopback for as long as a `with` block: Dovecot, or pymap where it isn't.

Promises: no root, no system configuration, no port but loopback; mail is delivered by writing
Maildir files, as a delivery agent does, with the file time as INTERNALDATE. Its files live in a
short temporary folder of its own and are gone when it stops. Its ports are its own until then: who
connects to a server that has been stopped is refused, and never answered by somebody else.
It doesn't send mail, and it isn't hardened: never put it on a network.

Dovecot 2.3 settings: https://doc.dovecot.org/2.3/configuration_manual/ ; its configuration
language changed with 2.4, so only 2.3 is used. pymap: https://github.com/icgood/pymap
"""

import base64
import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from imapclient.imap_utf7 import encode as mutf7

from daemon.errors import ConfigProblem, RetryLater
from daemon.sandbox import dovecot, process_group
from daemon.sandbox.certificate import make_certificate
from daemon.sandbox.ports import HOST, kept_ports

KIND = Literal["dovecot", "pymap"]

_START_SECONDS = 15.0
_ATTEMPTS = 3


@dataclass(slots=True)
class ImapServer:
    """A running server and the mail in it; `tls_port` is None where it has no implicit TLS."""

    kind: KIND
    host: str
    port: int
    tls_port: int | None
    ca_file: Path | None
    home: Path
    users: dict[str, str]
    sent: str | None
    process: "subprocess.Popen[bytes]"
    owner: tuple[int, int] | None = None
    _serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add_user(self, name: str, password: str) -> None:
        """Give one more user a mailbox; `name` and `password` without colons or newlines."""
        self.users[name] = password
        _write_user(self.kind, self.home, name, password)
        self.create_folder(name, "INBOX")
        if self.sent is not None:
            self.create_folder(name, self.sent)

    def create_folder(self, user: str, folder: str) -> Path:
        """Make a folder if it isn't there; returns its Maildir."""
        path = self._maildir(user, folder)
        if not (path / "cur").is_dir():
            for name in ("cur", "new", "tmp"):
                (path / name).mkdir(parents=True, exist_ok=True)
            if folder != "INBOX":
                (path / "maildirfolder").touch()
            self._give_away(self._user_home(user))
        return path

    def deliver(
        self, user: str, folder: str, raw: bytes, internal_date: datetime | None = None
    ) -> None:
        """Put one mail, RFC 5322 bytes, into a folder, which is made if it isn't there."""
        self.deliver_many(user, folder, [(raw, internal_date or datetime.now(UTC))])

    def deliver_many(self, user: str, folder: str, mails: Iterable[tuple[bytes, datetime]]) -> None:
        """Put mails, each with its INTERNALDATE, into a folder; UIDs follow this order.

        Dovecot reads sizes from the name (S= bytes, W= bytes with CRLF line ends), so a folder of
        any size is listed without opening a file.
        """
        path = self.create_folder(user, folder)
        for raw, internal_date in mails:
            serial = next(self._serial)
            wire = len(raw) + raw.count(b"\n") - raw.count(b"\r\n")
            name = f"{serial:010d}.M{serial}P{os.getpid()}.sandbox,S={len(raw)},W={wire}"
            draft = path / "tmp" / name
            draft.write_bytes(raw)
            draft.chmod(0o644)
            stamp = int(internal_date.timestamp())
            os.utime(draft, (stamp, stamp))
            # The rename is the delivery: a server sees the mail whole or not at all.
            draft.rename(path / "cur" / f"{name}:2,")

    def stop(self) -> None:
        """End the server and all its processes at once."""
        # Dovecot takes a second to leave on SIGTERM, and there is nothing here worth saving.
        process_group.kill(self.process)

    def _user_home(self, user: str) -> Path:
        return self.home / "mail" / user

    def _maildir(self, user: str, folder: str) -> Path:
        inbox = self._user_home(user) / "Maildir"
        if folder.upper() == "INBOX":
            return inbox
        # Dovecot keeps folder names on disk as they are on the wire, pymap in plain UTF-8.
        name = str(mutf7(folder), "ascii") if self.kind == "dovecot" else folder
        return inbox / ("." + name.replace("/", "."))

    def _give_away(self, path: Path) -> None:
        if self.owner is not None:
            for folder in (path, *(p for p in path.rglob("*") if p.is_dir())):
                os.chown(folder, *self.owner)


@contextlib.contextmanager
def start_imap(
    kind: Literal["auto", "dovecot", "pymap"] = "auto",
    *,
    users: dict[str, str] | None = None,
    sent: str | None = "Sent",
    tls: bool = False,
    connections: int = 100,
    settings: Callable[[Path], str] | None = None,
) -> Iterator[ImapServer]:
    r"""Run a server until the block ends; `users` maps names to passwords.

    `sent` is the folder every user gets for sent mail, with SPECIAL-USE \Sent
    on Dovecot; None for none. `tls` adds a certificate of its own: STARTTLS, and implicit TLS on
    Dovecot. `connections` is Dovecot's limit per user and address; `settings` gives more lines of
    its configuration, and may put files that they name into the folder that it is handed.
    Raises ConfigProblem if no server is installed, RetryLater if it doesn't
    come up.
    """
    chosen = _choose(kind)
    owner = dovecot.mail_owner() if chosen == "dovecot" else None
    home = _make_home()
    try:
        certificate = make_certificate(home) if tls else None

        def command(port: int, tls_port: int) -> list[str]:
            if chosen == "pymap":
                return _pymap_command(home, port, certificate)
            text = dovecot.configuration(
                home,
                port=port,
                tls_port=tls_port if tls else 0,
                certificate=certificate,
                sent=sent,
                connections=connections,
                more=settings(home) if settings else "",
            )
            (home / "dovecot.conf").write_text(text)
            return [dovecot.binary() or "dovecot", "-F", "-c", str(home / "dovecot.conf")]

        with _running(chosen, home, owner, command) as server:
            server.sent, server.ca_file = sent, certificate
            server.tls_port = server.tls_port if tls and chosen == "dovecot" else None
            for user, password in (users or {"sales@example.com": "secret"}).items():
                server.add_user(user, password)
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _running(
    kind: KIND,
    home: Path,
    owner: tuple[int, int] | None,
    command: Callable[[int, int], list[str]],
) -> Iterator[ImapServer]:
    """A server that has greeted us, until the block ends.

    Where its ports can't be kept for it, somebody may be there before it, so it is tried thrice.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        with contextlib.ExitStack() as stack:
            port, tls_port = stack.enter_context(kept_ports(2))
            line = command(port, tls_port)
            if owner is not None:
                for path in (home, *home.rglob("*")):
                    os.chown(path, *owner)
            server = ImapServer(
                kind=kind,
                host=HOST,
                port=port,
                tls_port=tls_port,
                ca_file=None,
                home=home,
                users={},
                sent=None,
                process=process_group.start(line, home, owner),
                owner=owner,
            )
            stack.callback(server.stop)
            try:
                _wait_for_greeting(server)
            except RetryLater:
                if attempt == _ATTEMPTS:
                    raise
                continue
            yield server
            return


def installed() -> tuple[KIND, ...]:
    """The servers that can be started here, best first."""
    kinds: list[KIND] = []
    if dovecot.binary() is not None:
        kinds.append("dovecot")
    if _has_pymap():
        kinds.append("pymap")
    return tuple(kinds)


def _choose(kind: Literal["auto", "dovecot", "pymap"]) -> KIND:
    have = installed()
    if kind == "auto" and have:
        return have[0]
    if kind != "auto" and kind in have:
        return kind
    raise ConfigProblem(
        "no IMAP server to embed",
        what="sandbox" if kind == "auto" else kind,
        hint="install dovecot-imapd 2.3, or the `demo` extra for pymap",
    )


def _has_pymap() -> bool:
    try:
        import pymap.main  # noqa: F401, PLC0415 - an optional extra, asked for only here
    except ImportError:
        return False
    return True


def _make_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="m2d-imap-")).resolve()
    for name in ("run", "state", "mail", "users"):
        (home / name).mkdir()
    return home


def _write_user(kind: KIND, home: Path, name: str, password: str) -> None:
    if kind == "dovecot":
        # A file for each: Dovecot looks once a second whether one that it knows has changed.
        secret = base64.b64encode(password.encode()).decode()
        (home / "users" / name).write_text(f"{name}:{{PLAIN.b64}}{secret}::::::\n")
        return
    from pysasl.hashing import BuiltinHash  # noqa: PLC0415 - comes with pymap, an optional extra

    # pymap takes no clear text here; one round, as these passwords protect nothing.
    secret = BuiltinHash(rounds=1).hash(password)
    with (home / "pymap-etc-passwd").open("a") as passwd:
        passwd.write(f"{name}:x::::mail/{name}/Maildir:\n")
    with (home / "pymap-etc-shadow").open("a") as shadow:
        shadow.write(f"{name}:{secret}:::::::\n")
    (home / "pymap-etc-group").touch()


def _pymap_command(home: Path, port: int, certificate: Path | None) -> list[str]:
    # It greets with the full name of the machine, for which it would ask the DNS.
    run = f"import socket; socket.getfqdn = lambda *_: {home.name!r}\n"
    run += "from pymap.main import main; main()"
    command = [sys.executable, "-c", run, "--host", HOST, "--port", str(port)]
    command += ["--no-service", "sieve", "--no-service", "admin"]
    if certificate is not None:
        command += ["--cert", str(certificate), "--key", str(home / "key.pem")]
    else:
        command += ["--no-tls"]
    return [*command, "maildir", str(home)]


def _wait_for_greeting(server: ImapServer) -> None:
    """Until it says the name of its home, by which it is told from any other server there."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with (
                socket.create_connection((server.host, server.port), timeout=1) as line,
                line.makefile("rb") as said,
            ):
                greeting = said.readline(4096)
            if greeting.startswith(b"* OK") and server.home.name.encode() in greeting:
                return
        except OSError:
            pass  # not listening yet
        time.sleep(0.005)
    words = b""
    for name in ("output", "log"):
        with contextlib.suppress(OSError):
            words += (server.home / name).read_bytes()[-2000:]
    raise RetryLater(f"didn't start: {words.decode('utf-8', 'replace').strip()}", what=server.kind)
