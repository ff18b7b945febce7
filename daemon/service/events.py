"""Tells receivers what happened: a command, or an HTTP address, at least once and in order.

A receiver that is away is tried again, more and more seldom, for three days; what it refuses for
good is parked. Each receiver has a thread, so one that is slow delays only its own events. No
transaction is open while a receiver is talked to, and nothing else waits for one.
"""

import logging
import os
import subprocess
import threading
import time
import traceback
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
            wait = float(after) if after.isdecimal() else None
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
    """Tells receivers what happens: a thread for each, with a ledger connection of its own."""

    def __init__(self, open_ledger: Callable[[], Ledger], now: Callable[[], datetime]) -> None:
        self._open, self._now = open_ledger, now
        self._lines: dict[str, _Line] = {}

    def follow(self, receivers: tuple[Receiver, ...], ledger: Ledger) -> None:
        """Use these receivers from now on."""
        names = [one.name for one in receivers]
        with ledger.transaction("receivers"):
            ledger.events.know(names, self._now())
            ledger.conditions.keep_only(EVENTS, names)
        for name in self._lines.keys() - set(names):
            self._lines.pop(name).leave()  # after the event that it is being told
        for receiver in receivers:
            line = self._lines.get(receiver.name)
            if line is None:
                line = self._lines[receiver.name] = _Line(receiver, self._open, self._now)
            line.receiver = receiver
        self.stir()

    def stir(self) -> None:
        """Wake the threads: there may be something to tell."""
        for line in tuple(self._lines.values()):
            line.stir()

    def close(self) -> None:
        """Finish the events that are being told, and end."""
        lines = tuple(self._lines.values())
        for line in lines:
            line.leave()
        end = time.monotonic() + _LEAVE
        for line in lines:
            line.join(max(0.0, end - time.monotonic()))


class _Line:
    """One receiver's thread; `receiver` may be exchanged while it runs."""

    def __init__(
        self, receiver: Receiver, open_ledger: Callable[[], Ledger], now: Callable[[], datetime]
    ) -> None:
        self.receiver = receiver
        self._open, self._now = open_ledger, now
        self._stir, self._left = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def stir(self) -> None:
        self._stir.set()

    def leave(self) -> None:
        self._left.set()
        self._stir.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        with ExitStack() as stack:
            ledger: Ledger | None = None
            while not self._left.is_set():
                try:
                    ledger = ledger or stack.enter_context(self._open())
                    again = deliver(ledger, (self.receiver,), self._now, self._left.is_set)
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
        self._stir.clear()  # before the next look at what there is to do, so that none is missed


def deliver(
    ledger: Ledger,
    receivers: tuple[Receiver, ...],
    now: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
) -> datetime | None:
    """Tell every receiver what it doesn't know yet; when one that is away is tried again."""
    _note_what_needs_a_person(ledger, receivers, now())
    due = [_tell_all(ledger, receiver, now, stopping) for receiver in receivers]
    return min(filter(None, due), default=None)


def _tell_all(
    ledger: Ledger,
    receiver: Receiver,
    now: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> datetime | None:
    """Tell one receiver what it doesn't know yet; when to try again, None if it knows all."""
    known = next((one for one in ledger.conditions.of(EVENTS) if one.name == receiver.name), None)
    if known is not None and known.next_try is not None and known.next_try > now():
        return known.next_try
    failures = known.failures if known is not None else 0
    while waiting := ledger.events.waiting(receiver.name):
        for number, news in waiting:
            if stopping():
                return None
            again = _tell(ledger, receiver, number, news, failures, now())
            if again is not None:
                return again
            failures = 0
    return None


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
    except Exception as error:  # noqa: BLE001 - the boundary: a fault of ours mustn't end the thread
        told = "".join(traceback.format_exception(error))
        event("events.fault", logging.ERROR, receiver=receiver.name, traceback=told)
        fault = RetryLater(f"{type(error).__name__}: {error}", what=receiver.name)
        return _later(ledger, receiver, number, news, failures, fault, now)
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
        if not ledger.events.knows(receiver.name):
            return None  # removed from the configuration while it was being told
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
