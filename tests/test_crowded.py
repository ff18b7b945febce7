"""A host that takes fewer connections than there are mailboxes: learned, and everybody has a turn."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from polling_kit import desk
from scripted_imap import HANGUP, ScriptedImap

from daemon.mailbox import connections
from daemon.service.poll import CROWDED

MAILBOXES = 12


class Narrow(ScriptedImap):
    """A server with room for `room` connections; how it treats one more is `full`'s."""

    def __init__(self, room: int, full: Callable[["Narrow", socket.socket], None]) -> None:
        super().__init__(
            {
                "STATUS": self.status,
                "EXAMINE": b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7]\r\nTAG OK\r\n",
                "IDLE": b"+ idling\r\n",
                "LOGIN": self.log_in,
            },
            capabilities="IMAP4rev1 IDLE",
        )
        self.room = room
        self.full = full
        self.inside = 0
        self.most = 0
        self.logins: list[bytes] = []
        self.lock = threading.Lock()

    def log_in(self, command: bytes) -> bytes:
        self.logins.append(command)
        return b"TAG OK logged in\r\n"

    def status(self, command: bytes) -> bytes:
        name = command.split(b" ")[1]
        return b"* STATUS %s (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)\r\nTAG OK\r\n" % name

    def serve(self, line: socket.socket) -> None:
        with self.lock:
            self.inside += 1
            fits = self.inside <= self.room
            self.most = max(self.most, self.inside)
        try:
            if fits:
                super().serve(line)
            else:
                self.full(self, line)
        finally:
            with self.lock:
                self.inside -= 1


def after_login(_server: Narrow, line: socket.socket) -> None:
    """It logs in, and closes without a word."""
    line.sendall(b"* OK ready\r\n")
    with line.makefile("rb") as commands:
        for command in commands:
            tag, _, rest = command.partition(b" ")
            if rest.startswith(b"CAPABILITY"):
                line.sendall(b"* CAPABILITY IMAP4rev1 IDLE\r\n" + tag + b" OK done\r\n")
            elif rest.startswith(b"LOGIN"):
                line.sendall(tag + b" OK done\r\n")
            else:
                return


def at_greeting(_: Narrow, line: socket.socket) -> None:
    """It closes at once."""
    line.close()


def at_login(_server: Narrow, line: socket.socket) -> None:
    """It closes instead of answering LOGIN."""
    line.sendall(b"* OK ready\r\n")
    with line.makefile("rb") as commands:
        for command in commands:
            tag, _, rest = command.partition(b" ")
            if rest.startswith(b"LOGIN"):
                return
            line.sendall(b"* CAPABILITY IMAP4rev1 IDLE\r\n" + tag + b" OK done\r\n")


def with_a_word(_: Narrow, line: socket.socket) -> None:
    line.sendall(b"* BYE Too many connections from your address\r\n")


@pytest.mark.parametrize("full", [after_login, at_greeting, at_login, with_a_word])
@pytest.mark.parametrize("idle", [False, True])
def test_all_mailboxes_have_their_turn(
    full: Callable[[Narrow, socket.socket], None],
    idle: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_LONGEST_WAIT", 0.5)
    with Narrow(4, full) as server:
        box = {"port": server.port, "password": "secret"}
        with desk(tmp_path, box, count=MAILBOXES, idle=idle) as work:
            polled: set[str] = set()
            for _ in range(3):
                for name in work.names:
                    before = work.polling.tallies.polls
                    work.poll(name)
                    if work.polling.tallies.polls > before:
                        polled.add(name)
            assert polled == set(work.names)
            assert work.polling.tallies.failures == 0
            assert all(work.ledger.troubles.of(name) is None for name in work.names)
            told = work.ledger.setting(CROWDED)
            assert 1 <= told["127.0.0.1"] <= 4
            # What was closed for want of room is no extension's fault.
            known = work.ledger.setting(f"server:sales@example.com@127.0.0.1:{server.port}")
            assert (known or {"broken": {}})["broken"] == {}


def test_a_server_that_is_away_has_taught_nothing(tmp_path: Path) -> None:
    with Narrow(4, after_login) as server:
        box = {"port": server.port, "password": "secret"}
        with desk(tmp_path, box, count=2) as work:
            work.poll()
            # It restarts: those that are open are closed, and new ones as well.
            server.room = 0
            server.answers["NOOP"] = server.answers["STATUS"] = HANGUP
            for name in work.names:
                assert "lost" in str(work.fails(name)) or "connected" in str(work.fails(name))
            assert work.polling._connections.learned() == {}
