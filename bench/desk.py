"""A service without its threads: it polls and syncs when it is told to, at a time that is set.

What it calls is what the service calls, on a real mailbox and a sandbox without a socket. Waiting
for the sandbox moves the clock, and costs nothing. CPU time is told without the sandbox's own.
"""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import requests

from daemon.config import load
from daemon.ledger.store import Ledger
from daemon.pipedrive.client import Client
from daemon.sandbox.crm import Sandbox, SandboxAdapter, Settings
from daemon.sandbox.crm.settings import DEFAULT_TOKEN
from daemon.service.poll import Polling
from daemon.sync import Sync
from daemon.wiring import Wiring

URL = "https://sandbox.pipedrive.com"


class Answering(SandboxAdapter):
    """The sandbox, whose own CPU time isn't ours."""

    def __init__(self, sandbox: Sandbox, sleep: Callable[[float], None]) -> None:
        super().__init__(sandbox, sleep=sleep)
        self.seconds = 0.0

    def send(self, *args: Any, **more: Any) -> requests.Response:
        """Answer, and note how long that took."""
        start = time.process_time()
        try:
            return super().send(*args, **more)
        finally:
            self.seconds += time.process_time() - start


class Desk:
    """One configuration at work; its clock is the real one and what was waited for."""

    def __init__(self, config: Path) -> None:
        """As the service starts with this configuration."""
        self._ahead = timedelta()
        self.wiring = Wiring(load(config), now=self.now)
        self.ledger = Ledger.open(self.wiring.config.ledger)
        self.polling = Polling(
            self.wiring, soon=lambda _: None, carry_on=lambda: True, ledger=lambda: self.ledger
        )
        self.polling.begin(self.ledger, None)
        company = Settings(burst=False, plan="ultimate", seats=100)
        self.sandbox = Sandbox(":memory:", settings=company, clock=self._seconds)
        self._answering = Answering(self.sandbox, self._sleep)
        self._sync = self._synced()

    @classmethod
    @contextmanager
    def open(cls, config: Path) -> Iterator[Self]:
        """A desk that is closed by the end of the block."""
        desk = cls(config)
        try:
            yield desk
        finally:
            desk.polling.close(desk.ledger)
            desk.ledger.close()

    def _synced(self) -> Sync:
        http = requests.Session()
        http.trust_env = False
        http.mount(URL, self._answering)
        client = Client(
            URL,
            lambda: DEFAULT_TOKEN,
            plan="ultimate",
            seats=100,
            session=http,
            clock=self._seconds,
            sleep=self._sleep,
            wall=self.now,
            on_usage=self.wiring.usage.add,
        )
        return Sync(self.wiring.session(self.ledger, None, client=client, workers=1))

    def now(self) -> datetime:
        """Our clock."""
        return datetime.now(UTC) + self._ahead

    def later(self, **time: float) -> None:
        """Let time pass, as `timedelta(**time)`."""
        self._ahead += timedelta(**time)

    def poll(self) -> int:
        """Poll every mailbox; how many messages were new."""
        names = [box.name for box in self.wiring.config.mailboxes]
        return sum(self.polling.poll(name, self.ledger) for name in names)

    def reconnect(self) -> None:
        """Give up every connection, as after a reload."""
        self.polling.exchange(self.wiring, self.ledger)

    def sync(self) -> int:
        """Passes of the sync until nothing is due within an hour; how many requests wrote."""
        writes = 0
        while True:
            pushed = self._sync.sync()
            writes += pushed.writes
            if pushed.problem is not None:
                raise pushed.problem
            due = pushed.resume_at or self._sync.next_due()
            if due is None or due - self.now() > timedelta(hours=1):
                return writes
            self._ahead += max(due - self.now(), timedelta())

    def tokens(self) -> int:
        """API tokens that were spent."""
        return sum(one.tokens for one in self.sandbox.requests)

    def cpu(self, work: Callable[[], object]) -> float:
        """CPU seconds that it takes, the sandbox's left out and those of ended processes in."""
        before = _cpu() - self._answering.seconds
        work()
        return _cpu() - self._answering.seconds - before

    def _sleep(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=max(seconds, 0.001))

    def _seconds(self) -> float:
        return self.now().timestamp()


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
