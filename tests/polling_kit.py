"""A service without its threads: it polls when a test tells it to, at a time that the test sets."""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from dovecot import Post

from daemon.config import load
from daemon.errors import RetryLater
from daemon.ledger.store import Ledger
from daemon.service.poll import Polling
from daemon.wiring import Wiring

MAIL = b"From: a@x.org\r\nTo: sales@example.com\r\nSubject: hello\r\n\r\nhi\r\n"
PATIENCE = 30


@dataclass
class Desk:
    """A service without its threads: polls when it is told to, at a time that a test sets."""

    home: Path
    names: list[str]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    soon: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    polling: Polling = field(init=False)
    mine: threading.local = field(default_factory=threading.local)

    def wiring(self) -> Wiring:
        return Wiring(load(self.home / "config.yaml"), now=lambda: self.now)

    def start(self, last_start: datetime | None = None) -> Polling:
        """As after a start of the program: nothing is known but what the ledger says."""
        if hasattr(self, "polling"):
            self.polling.close(self.ledger)
        self.polling = Polling(
            self.wiring(), soon=self.soon.put, carry_on=lambda: True, ledger=lambda: self.ledger
        )
        self.polling.begin(self.ledger, last_start)
        return self.polling

    @property
    def ledger(self) -> Ledger:
        if not hasattr(self.mine, "ledger"):
            self.mine.ledger = Ledger.open(self.home / "ledger.db")
        ledger: Ledger = self.mine.ledger
        return ledger

    def poll(self, name: str = "sales") -> int:
        return self.polling.poll(name, self.ledger)

    def fails(self, name: str = "sales") -> RetryLater:
        with pytest.raises(RetryLater) as problem:
            self.poll(name)
        return problem.value

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def reload(self) -> None:
        self.polling.exchange(self.wiring(), self.ledger)

    def hurry(self, seconds: float) -> None:
        """Let the account's timeouts pass faster."""
        wiring = self.polling.wiring
        for box in wiring.config.mailboxes:
            wiring.accounts[box.name] = replace(
                wiring.account(box), connect_timeout=seconds, read_timeout=seconds
            )


@contextmanager
def desk(home: Path, box: dict[str, Any], count: int = 1, **poll: Any) -> Iterator[Desk]:
    names = ["sales", *(f"box{number}" for number in range(1, count))]
    usual = {"host": "127.0.0.1", "tls": "none", "username": "sales@example.com"}
    document = {
        "mailboxes": [usual | {"name": name} | box for name in names],
        "pipedrive": {"base_url": "http://127.0.0.1:9", "token": {"env": "NONE"}},
        "poll": {"idle": False} | poll,
        "ledger": str(home / "ledger.db"),
    }
    (home / "config.yaml").write_text(yaml.safe_dump(document))
    one = Desk(home, names)
    assert one.ledger  # made here, once, as the service does before it has any thread
    one.start()
    try:
        yield one
    finally:
        one.polling.close(one.ledger)
        one.ledger.close()


def at(server: Post, **more: Any) -> dict[str, Any]:
    return {"port": server.server.port, "username": server.user, "password": "secret"} | more


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def kill_sessions(post: Post) -> None:
    """End Dovecot's processes that serve a logged-in client."""
    ended = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            if name == "imap" and os.getpgid(int(process.name)) == post.server.process.pid:
                os.kill(int(process.name), signal.SIGKILL)
                ended += 1
        except (OSError, ValueError):
            continue  # it has ended by itself
    assert ended
