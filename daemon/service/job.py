"""The state of one recurring job: alive or hung, failing since when, due again when.

Pure: what happened and when (monotonic seconds) are arguments, so that backing off and being alive
can be tested without a thread. The service holds one JobState a mailbox and one for the sync.
"""

from dataclasses import dataclass

from daemon.errors import AuthProblem, ConfigProblem, LedgerProblem, RetryLater
from daemon.rules import backoff


@dataclass(slots=True)
class JobState:
    """The state of one job; `heard` is its last sign of life in monotonic seconds."""

    name: str
    heard: float
    running: bool = False
    wanted: bool = False
    failures: int = 0
    reason: str = ""
    not_before: float = 0.0
    without_ledger: bool = False
    forgiven: bool = False

    def begin(self, now: float) -> None:
        """A pass starts."""
        self.running = True
        self.forgiven = False
        if not self.without_ledger:
            self.heard = now

    def beat(self, now: float) -> None:
        """A running pass made progress, or an idle job was found to be waiting for its time.

        Waiting doesn't count while the ledger can't be used, so that systemd notices.
        """
        if self.running or not self.without_ledger:
            self.heard = now

    def succeed(self, now: float) -> int:
        """A pass succeeded; return how many had failed before it."""
        failures, self.failures = self.failures, 0
        self.reason, self.not_before, self.without_ledger = "", 0.0, False
        self.running = False
        self.heard = now
        return failures

    def fail(self, error: Exception, reason: str, now: float, jitter: float) -> bool:
        """A pass ended with this error; return whether the reason is a new one.

        `jitter` between 0 and 1 sets jobs apart that failed together.
        """
        news = reason != self.reason
        self.failures += 1
        self.reason = reason
        self.not_before = now if self.forgiven else now + pause(error, self.failures, jitter)
        self.running = False
        self.without_ledger = isinstance(error, LedgerProblem)
        if not self.without_ledger:
            self.heard = now
        return news

    def forgive(self) -> None:
        """The configuration changed: try again at once, or once the running pass has ended."""
        self.not_before = 0.0
        self.forgiven = self.running

    def is_silent(self, now: float, patience: float, rest: float) -> bool:
        """Say whether a pass, or a job that rests for `rest` seconds between passes, has hung."""
        return now - self.heard > patience + (0.0 if self.running else rest)

    def silence(self, now: float) -> str:
        """What is wrong with a silent job, for a person."""
        what = self.reason if self.without_ledger else "hangs" if self.running else "doesn't start"
        return f"{self.name}: {what}, for {now - self.heard:.0f} s"


def pause(error: Exception, failures: int, jitter: float) -> float:
    """Seconds to leave a job alone after its `failures`-th failure in a row.

    A wait that the other side asked for wins. Without the ledger there is none: no other side
    needs to be spared, and mail waits.
    """
    if isinstance(error, LedgerProblem):
        return 0.0
    if isinstance(error, RetryLater) and error.after is not None:
        return backoff.pause(backoff.AWAY, failures, asked=error.after)  # spread by who asked
    needs_a_person = isinstance(error, AuthProblem | ConfigProblem)
    steps = backoff.PERSON if needs_a_person else backoff.AWAY
    return backoff.pause(steps, failures, jitter=jitter)
