"""Tells receivers what happened: a command, or an HTTP address, at least once and in order.

A receiver that is away is tried again, more and more seldom, for three days; what it refuses for
good is parked. No transaction is open while a receiver is talked to, and nothing waits for one.
"""

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import requests

from daemon.config import Config
from daemon.errors import ConfigProblem, Problem, Rejected, RetryLater
from daemon.ledger.conditions import EVENTS
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.rules import backoff
from daemon.rules.events import News, Subscriber, body, event_id, signature

_TIMEOUT = (5.0, 10.0)  # seconds to connect, and between two pieces of the answer
_COMMAND_SECONDS = 30.0
_GIVE_UP = timedelta(days=3)
_STEPS = backoff.doubling(10.0, 3600.0)
_LOOK = 30.0  # seconds between two looks for what a person has to do
_SHORTEST = 0.5
_LEAVE = 5.0  # seconds that a receiver may take when the service ends
_PASSING = frozenset({408, 409, 423, 425, 429})


@dataclass(frozen=True, slots=True)
class Receiver:
    """A subscriber, and how it is told."""

    to: Subscriber
    url: str | None = None
    command: tuple[str, ...] = ()
    directory: Path = Path()
    secret: Callable[[], str] | None = None
    form: Literal["json", "slack"] = "json"

    @property
    def name(self) -> str:
        """The name of the subscriber."""
        return self.to.name

    def tell(self, news: News) -> None:
        """Tell one event.

        Raises RetryLater where the receiver is away, Rejected where it refuses this event.
        """
        content = body(news, self.form)
        if self.url is not None:
            self._post(self.url, news, content)
        else:
            self._run(news, content)

    def _post(self, url: str, news: News, content: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "mail2deal",
            "X-Mail2deal-Event": news.kind,
            "X-Mail2deal-Delivery": event_id(news.kind, news.key),
        }
        if self.secret is not None:
            # The real clock: the receiver compares it with its own.
            at = int(time.time())
            headers["X-Mail2deal-Signature"] = signature(self.secret(), content, at)
        try:
            with requests.post(
                url,
                data=content,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,  # the answer's body is of no use, whatever its size
            ) as answer:
                status, after = answer.status_code, answer.headers.get("Retry-After", "")
        except (requests.RequestException, OSError) as error:
            # `from None`: an address may hold a secret, as Slack's does.
            raise RetryLater(type(error).__name__, what=self.name) from None
        if status < requests.codes.multiple_choices:
            return
        if status >= requests.codes.server_error or status in _PASSING:
            wait = float(after) if after.isdigit() else None
            raise RetryLater(f"answers {status}", what=self.name, after=wait)
        raise Rejected(f"answers {status}", what=self.name)

    def _run(self, news: News, content: bytes) -> None:
        environment = {**os.environ, "MAIL2DEAL_EVENT": news.kind}
        try:
            done = subprocess.run(  # noqa: S603 - the command is the administrator's own choice
                self.command,
                input=content,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.directory,
                env=environment,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise RetryLater(f"{self.command[0]} can't be run: {reason}", what=self.name) from error
        except subprocess.TimeoutExpired:
            raise RetryLater(
                f"{self.command[0]} takes more than {_COMMAND_SECONDS:g} s", what=self.name
            ) from None
        if done.returncode == os.EX_DATAERR:
            raise Rejected(f"{self.command[0]} refuses it (exit status 65)", what=self.name)
        if done.returncode:
            raise RetryLater(
                f"{self.command[0]} ended with exit status {done.returncode}", what=self.name
            )


def receivers(config: Config) -> tuple[Receiver, ...]:
    """The receivers of the configuration."""
    return tuple(
        Receiver(
            Subscriber(one.name, frozenset(one.kinds), one.text),
            url=one.url,
            command=one.command.words if one.command else (),
            directory=one.command.directory if one.command else Path(),
            secret=one.secret.read if one.secret else None,
            form=one.format,
        )
        for one in config.events
    )


class Courier:
    """A thread that tells receivers what happens, in a ledger connection of its own."""

    def __init__(self, open_ledger: Callable[[], Ledger], now: Callable[[], datetime]) -> None:
        self._open, self._now = open_ledger, now
        self._receivers: tuple[Receiver, ...] = ()
        self._stir, self._left = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def follow(self, receivers: tuple[Receiver, ...], ledger: Ledger) -> None:
        """Use these receivers from now on."""
        with ledger.transaction("receivers"):
            names = [one.name for one in receivers]
            ledger.events.know(names, self._now())
            ledger.conditions.keep_only(EVENTS, names)
        self._receivers = receivers
        if receivers and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="events", daemon=True)
            self._thread.start()
        self.stir()

    def stir(self) -> None:
        """Wake the thread: there may be something to tell."""
        self._stir.set()

    def close(self) -> None:
        """Finish the event that is being told, and end."""
        self._left.set()
        self._stir.set()
        if self._thread is not None:
            self._thread.join(_LEAVE)

    def _run(self) -> None:
        with ExitStack() as stack:
            ledger: Ledger | None = None
            while not self._left.is_set():
                self._stir.clear()
                try:
                    ledger = ledger or stack.enter_context(self._open())
                    again = deliver(ledger, self._receivers, self._now, self._left.is_set)
                except Problem as problem:  # the ledger: what was told is told once more
                    event("events.failed", logging.WARNING, reason=problem)
                    stack.close()
                    ledger = again = None
                self._wait(again)

    def _wait(self, again: datetime | None) -> None:
        rest = _LOOK
        if again is not None:
            rest = min(rest, max((again - self._now()).total_seconds(), _SHORTEST))
        self._stir.wait(rest)


def deliver(
    ledger: Ledger,
    receivers: tuple[Receiver, ...],
    now: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
) -> datetime | None:
    """Tell every receiver what it doesn't know yet; when one that is away is tried again."""
    _note_what_needs_a_person(ledger, receivers, now())
    due: list[datetime] = []
    away = {one.name: one for one in ledger.conditions.of(EVENTS)}
    for receiver in receivers:
        known = away.get(receiver.name)
        if known is not None and known.next_try is not None and known.next_try > now():
            due.append(known.next_try)
            continue
        failures = known.failures if known is not None else 0
        for number, news in ledger.events.waiting(receiver.name):
            if stopping():
                return None
            again = _tell(ledger, receiver, number, news, failures, now())
            if again is not None:
                due.append(again)
                break
            failures = 0
    return min(due, default=None)


def _tell(
    ledger: Ledger, receiver: Receiver, number: int, news: News, failures: int, now: datetime
) -> datetime | None:
    """Tell one event; when to try again, None if there is nothing to try again."""
    try:
        receiver.tell(news)
    except Rejected as problem:
        with ledger.transaction("event refused"):
            ledger.events.park(number, str(problem))
        event("events.refused", receiver=receiver.name, kind=news.kind, reason=problem)
        return None
    except (RetryLater, ConfigProblem) as problem:
        return _later(ledger, receiver, number, news, failures, problem, now)
    with ledger.transaction("event told"):
        ledger.events.told(number, now)
        if failures:
            ledger.conditions.good(EVENTS, now, receiver.name)
    event("events.told", receiver=receiver.name, kind=news.kind, sender=news.sender or "")
    return None


def _later(
    ledger: Ledger,
    receiver: Receiver,
    number: int,
    news: News,
    failures: int,
    problem: Problem,
    now: datetime,
) -> datetime | None:
    if now - news.happened_at > _GIVE_UP:
        with ledger.transaction("event given up"):
            ledger.events.park(number, f"{problem}, for three days")
        event("events.given_up", receiver=receiver.name, kind=news.kind, reason=problem)
        return None
    asked = problem.after if isinstance(problem, RetryLater) else None
    again = backoff.due(now, backoff.pause(_STEPS, failures + 1, asked=asked))
    with ledger.transaction("receiver failed"):
        ledger.conditions.failed(EVENTS, str(problem), now, receiver.name, next_try=again)
    if failures == 0:
        event("events.put_off", receiver=receiver.name, reason=problem)
    return again


def _note_what_needs_a_person(
    ledger: Ledger, receivers: tuple[Receiver, ...], now: datetime
) -> None:
    names = [one.name for one in receivers if "needs_person" in one.to.kinds]
    failures = ledger.conditions.problems() if names else []
    # A refused event must not cause another event.
    failures = [one for one in failures if one.needs_person and one.part != EVENTS]
    if not failures:
        return
    with ledger.transaction("events"):
        for one in failures:
            what = " ".join(filter(None, (one.part, one.name)))
            key = f"{what}\0{one.since:%Y-%m-%dT%H:%M}" if one.since else what
            facts = {"what": what, "reason": one.reason}
            ledger.events.add(names, News("needs_person", key, now, None, facts))
