"""The sandbox that plays the real CRM, and the client that works on it without any limit."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import requests

from daemon.pipedrive.client import Client
from daemon.pipedrive.pacing import Subscription
from daemon.rehearsal.remote import ListedCompany
from daemon.sandbox.crm import Sandbox, SandboxAdapter, Settings, seed_from

_URL = "https://rehearsal.pipedrive.com"  # answered in this process, by the adapter
_TOKEN = "rehearsal"  # noqa: S105 - known to the sandbox only
_UNLIMITED = Subscription("unlimited", burst=1_000_000, multiplier=1_000_000)


@dataclass(slots=True)
class StageClock:
    """A time that passes only by waiting, so that nobody waits; aware UTC."""

    moment: datetime

    def __call__(self) -> datetime:
        """Now, aware UTC."""
        return self.moment

    def seconds(self) -> float:
        """Now, in seconds since 1970."""
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        """Let this much time have passed."""
        self.moment += timedelta(seconds=seconds)


@contextmanager
def stage(
    company: ListedCompany,
    activities: Iterable[dict[str, Any]],
    home: Path,
    clock: StageClock,
    *,
    plan: Literal["lite", "growth", "premium", "ultimate"],
    seats: int,
) -> Iterator[Sandbox]:
    """A sandbox that holds what the company holds, under the same ids, with its plan's caps."""
    settings = Settings(
        company=company.domain,
        plan=plan,
        seats=seats,
        tokens={_TOKEN: company.owner_of_token},
        default_world=False,
        contact_sync=company.job_titles,
        burst=False,
        daily_tokens=10**12,
        search_lag=0.0,
    )
    store = home / "crm.db"
    with closing(Sandbox(store, settings=settings, clock=clock.seconds)) as sandbox:
        sandbox.store.be_quick()  # thrown away in any case
        seed_from(sandbox, {**company.listing, "activities": activities})
        yield sandbox


def client(sandbox: Sandbox, clock: StageClock, on_usage: Callable[[str, int], None]) -> Client:
    """A client of this sandbox; no socket is opened, whatever it sends."""
    session = requests.Session()
    session.trust_env = False
    session.mount(_URL, SandboxAdapter(sandbox, sleep=clock.sleep))
    return Client(
        _URL,
        lambda: _TOKEN,
        plan=_UNLIMITED,
        session=session,
        clock=clock.seconds,
        sleep=clock.sleep,
        wall=clock,
        on_usage=on_usage,
    )
