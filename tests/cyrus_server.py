"""A real Cyrus IMAP server, from Debian's packages, unpacked by `tests/servers/fetch`.

It is started by its own `master`, as an administrator starts it, with a configuration of ours; its
users are in a SASL database. Mail comes in by APPEND. Its files tell nothing about flags, so what is
there before and after is asked by IMAP, with commands that change nothing.
"""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from imapclient import IMAPClient
from loopback import Loopback
from other_servers import SERVERS, environment, hand_on

from daemon.sandbox.process_group import kill, start

_SECONDS = 30.0  # that a busy machine may need until the server greets


class Cyrus(Loopback):
    """A server with one user, `sales`, whose password is `secret`; `commands` has what it was sent.

    Lines lead through a port of ours, which notes the commands, to the server's own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.host = "127.0.0.1"
        self.commands: list[bytes] = []
        # Short, since paths of sockets are (unix(7)); open to the user that the server becomes.
        self.home = Path(tempfile.mkdtemp(prefix="cyrus"))
        self._folders = {"INBOX"}
        with socket.create_server((self.host, 0)) as free:
            self._port = free.getsockname()[1]
        self._configure()

    def __enter__(self) -> Self:
        program = SERVERS / "usr/lib/cyrus/bin/master"
        command = [str(program), "-D", "-C", str(self.home / "imapd.conf")]
        command += ["-M", str(self.home / "cyrus.conf"), "-p", str(self.home / "master.pid")]
        self._process = start(["env", *_assignments(), *command], self.home, None)
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                socket.create_connection((self.host, self._port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline, (self.home / "output").read_text()
                time.sleep(0.05)
        with self._client("cyrus") as admin:
            admin.create_folder("user/sales")
        self._delivery = self._client("sales")
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._delivery.shutdown()
        super().__exit__(kind, error, trace)
        kill(self._process)
        shutil.rmtree(self.home)

    def deliver(self, folder: str, raw: bytes, arrived: datetime) -> None:
        """Put a mail into a folder, which is made if it isn't there."""
        if folder not in self._folders:
            self._delivery.create_folder(folder)
            self._folders.add(folder)
        self._delivery.append(folder, raw, msg_time=arrived)

    deliver_unseen = deliver

    def state(self) -> dict[str, Any]:
        """All folders with counts, flags and MODSEQ, which moves with each change of a flag."""
        asked = ["MESSAGES", "RECENT", "UNSEEN", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ"]
        found: dict[str, Any] = {}
        with self._client("sales") as client:
            for _, _, name in client.list_folders():
                found[name] = client.folder_status(name, asked)
                client.select_folder(name, readonly=True)
                found[f"{name}: flags"] = client.fetch(client.search() or [1], ["FLAGS"])
        return found

    def open_as_a_mail_program_does(self) -> None:
        """Nothing to do: this server keeps UIDs and UIDVALIDITY from the beginning."""

    def serve(self, line: socket.socket) -> None:
        with socket.create_connection((self.host, self._port)) as server:
            answering = threading.Thread(target=hand_on, args=(server, line, lambda _: None))
            answering.start()
            hand_on(line, server, self.commands.append)
            answering.join()

    def _client(self, user: str) -> IMAPClient:
        client = IMAPClient(self.host, port=self._port, ssl=False)
        client.login(user, "secret")
        return client

    def _configure(self) -> None:
        home, is_root = self.home, os.geteuid() == 0
        user = "nobody" if is_root else getpass.getuser()
        for name in ("conf", "spool"):
            (home / name).mkdir()
        # Without munge8bit: no it stores raw UTF-8 in a header as X.
        (home / "imapd.conf").write_text(
            f"configdirectory: {home}/conf\ndefaultpartition: default\n"
            f"partition-default: {home}/spool\ncyrus_user: {user}\nadmins: cyrus\n"
            "servername: localhost\nunixhierarchysep: yes\naltnamespace: yes\nallowplaintext: yes\n"
            "munge8bit: no\n"
            "sasl_pwcheck_method: auxprop\nsasl_auxprop_plugin: sasldb\nsasl_mech_list: PLAIN\n"
            f"sasl_sasldb_path: {home}/sasldb2\n"
        )
        programs, conf = SERVERS / "usr/lib/cyrus/bin", f"-C {home}/imapd.conf"
        (home / "cyrus.conf").write_text(
            f'START {{\n  recover cmd="{programs}/ctl_cyrusdb {conf} -r"\n}}\n'
            f'SERVICES {{\n  imap cmd="{programs}/imapd {conf}"'
            f' listen="{self.host}:{self._port}" prefork=0\n}}\n'
        )
        for name in ("cyrus", "sales"):
            add: list[str | Path] = [
                SERVERS / "usr/sbin/saslpasswd2",
                "-p",
                "-c",
                "-f",
                home / "sasldb2",
            ]
            subprocess.run(
                [*add, "-u", "localhost", name], input=b"secret\n", env=environment(), check=True
            )
        if is_root:
            for path in (home, *home.iterdir()):
                shutil.chown(path, user)


def _assignments() -> list[str]:
    return [f"{name}={value}" for name, value in environment().items()]
