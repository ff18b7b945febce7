"""One poll of one mailbox as the service does it: connection, intake, IDLE, and what failed.

    left alone? ─▶ connection (kept, new, or no room) ─▶ intake ─▶ a spare connection for IDLE
        └─ the ledger's `troubles` say so, also after a restart

Knows nothing of threads and turns: `poll` may be called from any, with that thread's own ledger.
"""

import random
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Self

from daemon.config import MailboxSection
from daemon.errors import LedgerProblem, Problem, RetryLater
from daemon.intake import consent
from daemon.intake.poll import Pass, Tally, poll
from daemon.intake.server_memory import remembered
from daemon.intake.states import ScoringSettings
from daemon.ledger.rereading import AT_ONCE
from daemon.ledger.store import Ledger
from daemon.log import event
from daemon.mailbox.account import Account
from daemon.mailbox.connections import Connections, Left, NoRoom
from daemon.mailbox.imap import Mailbox
from daemon.mailbox.imap_errors import TurnedAway
from daemon.mailbox.trust import INBOX
from daemon.mailbox.watch import Watcher
from daemon.rules import backoff
from daemon.service.slowness import Slowness
from daemon.wiring import Wiring
from daemon.wiring.settings import scoring_settings

_LONGEST = backoff.LONGEST_ASKED * 1.5  # seconds that a mailbox is ever left alone
CROWDED = "crowded_hosts"  # name in the ledger's settings
_LOOK = 3600.0  # seconds between two looks whether a person has released a mailbox
_CRASH_LOOP = timedelta(minutes=10)  # between two starts
_AGAIN = 200  # mails of a mailbox that one poll reads again, of those an earlier version has read
_LOOK_AGAIN = timedelta(hours=1)  # for more of them, where there were none
_FLUSH_EVERY = 5.0  # seconds of quiet polls that are written in one transaction


@dataclass(slots=True)
class Quiet:
    """Folders that were polled and had nothing new, until they are written, many at once."""

    folders: dict[int, datetime] = field(default_factory=dict)
    since: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, folders: Sequence[int], now: datetime) -> None:
        """Note these folders as polled."""
        with self.lock:
            self.since = self.since or now
            self.folders.update(dict.fromkeys(folders, now))

    def write(self, ledger: Ledger, now: datetime, *, at_once: bool = False) -> None:
        """Write what there is, if it is time."""
        with self.lock:
            waits = (now - self.since).total_seconds() if self.since else 0.0
            # Below zero: the clock was set back.
            if not self.folders or not (at_once or waits >= _FLUSH_EVERY or waits < 0):
                return
            folders, self.folders, self.since = self.folders, {}, None
        with ledger.transaction("polled", repeatable=True):
            ledger.folders.seen_nothing_new(folders)


@dataclass(frozen=True, slots=True)
class _Plan:
    """One configuration, and what would be costly to work out at each of a thousand polls."""

    wiring: Wiring
    boxes: dict[str, MailboxSection]
    scoring: ScoringSettings

    @classmethod
    def of(cls, wiring: Wiring) -> Self:
        boxes = {box.name: box for box in wiring.config.mailboxes}
        return cls(wiring, boxes, scoring_settings(wiring.config))


@dataclass(slots=True)
class Tallies:
    """Counts since the start, for metrics; good enough without a lock."""

    polls: int = 0
    failures: int = 0
    left_alone: int = 0


class Polling:
    """Everything that polls share; the configuration may be exchanged between two of them."""

    def __init__(
        self,
        wiring: Wiring,
        *,
        soon: Callable[[str], object],
        carry_on: Callable[[], bool],
        ledger: Callable[[], Ledger],
    ) -> None:
        """`soon(mailbox)` asks for a poll; `carry_on` is called between items.

        `ledger` gives the ledger of the thread that calls it.
        """
        self._plan = _Plan.of(wiring)
        self.tallies = Tallies()
        self.watcher = Watcher(soon)
        self._soon = soon
        self._carry_on = carry_on
        self._slowness = Slowness(ledger, wiring.now)
        self._connections = self._connect(wiring)
        self._started: dict[str, datetime] = {}
        self._quiet = Quiet()
        self._crowded: dict[str, int] = {}
        self._read_again: dict[str, datetime] = {}  # when a mailbox had nothing left to read again
        self._read_further: set[str] = set()  # accounts that are read further since an edit
        self._sent_folders: dict[str, str] = {}  # what the second IDLE of a mailbox listens to

    def _connect(self, wiring: Wiring) -> Connections:
        def connect(account: Account) -> Mailbox:
            return Mailbox.connect(account, alive=partial(self._waits, account.name))

        return Connections(wiring.config.poll.connections_per_host, connect)

    def begin(self, ledger: Ledger, last_start: datetime | None) -> None:
        """Start watching; a parked mailbox gets one try, as a person may have mended it.

        Not in a crash loop, though, which would hammer its login: `last_start` tells.
        """
        now = self.wiring.now()
        with ledger.transaction("mailboxes"):
            ledger.troubles.keep_only(tuple(self._plan.boxes))
            ledger.set(CROWDED, {})
            self._slowness.forget(ledger)
            if last_start is None or now - last_start > _CRASH_LOOP:
                ledger.troubles.try_parked(now)
            self._read_back(ledger)
        self.watcher.start()

    def _read_back(self, ledger: Ledger) -> None:
        """Have folders begin at a `since` that is earlier than where they began.

        What that makes of old mail waits for consent, as what an added folder makes.
        """
        for box in self._plan.boxes.values():
            since = self.wiring.floor(box)
            if since is not None and ledger.folders.lower_floor(box.name, since):
                event("intake.reads_back", mailbox=box.name, since=since.date())
        reading = {
            account.identity: [list(account.inbox), list(account.sent or ()), str(box.since or "")]
            for box in self._plan.boxes.values()
            for account in (self.wiring.account(box),)
        }
        consent.read_further(ledger, reading, self.wiring.now())
        self._read_further = set(ledger.setting(consent.OLD_BEFORE) or ())

    def poll(self, name: str, ledger: Ledger) -> int:
        """Take in what is new in a mailbox; how many messages.

        Raises RetryLater with the wait until the next try, LedgerProblem, or a fault of ours.
        """
        plan = self._plan
        box = plan.boxes.get(name)
        if box is None:
            return 0  # it left the configuration a moment ago
        troubled = self._in_trouble(name, ledger)
        self._slowness.begins(name)
        try:
            new = self._poll(plan, box, ledger)
        except LedgerProblem:
            raise
        except NoRoom:
            self._soon(name)  # behind those that wait already
            return 0
        except Problem as problem:
            self.tallies.failures += 1
            raise self._failed(name, problem, ledger) from problem
        except Exception as error:  # a fault of ours: raised as it is, but status tells it too
            self.tallies.failures += 1
            self._failed(name, RetryLater(f"{type(error).__name__}: {error}"), ledger)
            raise
        finally:
            self._slowness.ends(name, ledger)
        self.tallies.polls += 1
        if troubled:
            with ledger.transaction("mailbox works"):
                ledger.troubles.ended(name)
        self._quiet.write(ledger, plan.wiring.now())
        self._tell_crowded(ledger)
        self._watch(plan.wiring, box, ledger)
        return new

    @property
    def wiring(self) -> Wiring:
        """The configuration that is in use."""
        return self._plan.wiring

    def exchange(self, wiring: Wiring, ledger: Ledger) -> None:
        """Go on with another configuration; everything that failed gets a new chance."""
        with ledger.transaction("mailboxes released"):
            ledger.troubles.release()
            self._slowness.forget(ledger)
            self._plan = _Plan.of(wiring)
            self._read_back(ledger)
        self._connections.close()  # another host, user or password may be meant now
        self._connections = self._connect(wiring)
        self.watcher.forget()

    def close(self, ledger: Ledger) -> None:
        """Write what isn't written and close every connection."""
        self.watcher.stop()
        self._connections.close()
        self._quiet.write(ledger, self.wiring.now(), at_once=True)

    def _in_trouble(self, name: str, ledger: Ledger) -> bool:
        """Whether the mailbox has been failing; raises RetryLater until its next try."""
        known = ledger.troubles.of(name)
        if known is None:
            return False
        wait = _LOOK
        if known.next_due is not None:
            wait = (known.next_due - self.wiring.now()).total_seconds()
        if 0 < wait <= _LONGEST:  # what lies farther ahead was said by a clock that was wrong
            self.tallies.left_alone += 1
            raise RetryLater(known.reason, after=min(wait, _LOOK))
        return True

    def _poll(self, plan: _Plan, box: MailboxSection, ledger: Ledger) -> int:
        wiring = plan.wiring
        # What a new folder's floor is, where `since` doesn't say: the moment we first came.
        floor = wiring.floor(box) or self._started.setdefault(box.name, wiring.now())
        run = Pass(
            scoring=plan.scoring,
            name=box.name,
            floor=floor,
            now=wiring.now,
            stopping=lambda: not self._carry_on(),
            progress=self._alive,
            quiet=self._quiet.add,
            account=wiring.account(box).identity,
            configured=frozenset(plan.boxes),
            again=self._again(box.name, ledger),
        )
        account = wiring.account(box)
        try:
            tally = self._take_in(account, ledger, run)
        except Left:
            tally = self._take_in(account, ledger, run)
        if tally.again:
            event("intake.read_again", mailbox=box.name, messages=tally.again)
        if account.identity in self._read_further and not ledger.folders.unread_back([box.name]):
            with ledger.transaction("read through"):
                consent.read_through(ledger, account.identity)
            self._read_further.discard(account.identity)
        if not tally.again and run.again and not run.stopping():
            self._read_again[box.name] = wiring.now()
            if run.again > _AGAIN:
                with ledger.transaction("read again"):
                    waiting = ledger.setting(AT_ONCE) or []
                    ledger.set(AT_ONCE, [name for name in waiting if name != box.name])
        return tally.new + tally.again

    def _again(self, name: str, ledger: Ledger) -> int:
        """How many mails this poll may read again that an earlier version has read."""
        last = self._read_again.get(name)
        if last is not None and abs(self.wiring.now() - last) < _LOOK_AGAIN:
            return 0
        return sys.maxsize if name in (ledger.setting(AT_ONCE) or ()) else _AGAIN

    def _take_in(self, account: Account, ledger: Ledger, run: Pass) -> Tally:
        with remembered(account, ledger), self._connections.lent(account) as mailbox:
            # A folder that failed is left alone by itself; `intake` has logged it.
            return poll(mailbox, ledger, run)

    def _alive(self, *_: object) -> None:
        self._carry_on()

    def _waits(self, name: str, seconds: float, size: int) -> None:
        self._carry_on()
        self._slowness.waits(name, seconds, size)

    def _failed(self, name: str, problem: Problem, ledger: Ledger) -> RetryLater:
        """Keep the failure with its next try in the ledger; as an error that names the wait."""
        now = self.wiring.now()
        known = ledger.troubles.of(name)
        failures = known.failures + 1 if known else 1
        wait = backoff.of_mailbox(problem, failures, random.random())  # noqa: S311 - spreads retries
        reason = str(problem)
        if wait is None:
            reason = f"{reason}: parked after {failures} tries, reload or `mail2deal retry`"
            event("mailbox.parked", mailbox=name, reason=str(problem))
        with ledger.transaction("mailbox failed"):
            ledger.troubles.failed(name, reason, backoff.due(now, wait), now)
        return RetryLater(reason, after=_LOOK if wait is None else wait)

    def _tell_crowded(self, ledger: Ledger) -> None:
        """Keep in the ledger which hosts take fewer connections than configured."""
        learned = self._connections.learned()
        if learned != self._crowded:
            with ledger.transaction("hosts"):
                ledger.set(CROWDED, learned)
            self._crowded = learned

    def _watch(self, wiring: Wiring, box: MailboxSection, ledger: Ledger) -> None:
        """Hand the watcher connections of its own, where IDLE is wanted and there is room.

        The first hears of all folders where the server has NOTIFY. Elsewhere a second one listens
        to Sent: an answer of ours makes a deal.
        """
        if not wiring.config.poll.idle:
            return
        if self.watcher.wants(box.name):
            rows = ledger.folders.of(box.name)
            self._hand_over(wiring, box, INBOX, [row.name for row in rows if not row.failures])
        elif box.name not in self._sent_folders or self.watcher.wants(
            box.name, self._sent_folders[box.name]
        ):
            rows = [row for row in ledger.folders.of(box.name) if row.role == "sent"]
            self._sent_folders[box.name] = rows[0].name if rows else INBOX
            if rows and self.watcher.wants(box.name, rows[0].name):
                self._hand_over(wiring, box, rows[0].name, ())

    def _hand_over(
        self, wiring: Wiring, box: MailboxSection, folder: str, folders: Sequence[str]
    ) -> None:
        account = wiring.account(box)
        try:
            mailbox = self._connections.spare(account)
            if mailbox is not None and self.wiring is not wiring:
                mailbox.close()  # the configuration was exchanged meanwhile
            elif mailbox is not None:
                self.watcher.watch(box.name, mailbox, folder, folders)
        except Problem as problem:
            if isinstance(problem, TurnedAway):
                self._connections.turned_away(account)
            # The poll went well, so this is about one connection more: polling continues alone.
            self.watcher.distrust(box.name, folder)
            event("watch.failed", mailbox=box.name, reason=problem)
