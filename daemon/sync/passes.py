"""One pass of the sync, from what is due to what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.pipedrive.objects import Place
from daemon.sync.planning import plan_due
from daemon.sync.prepare import prepare
from daemon.sync.push import Pushed, Pusher
from daemon.sync.refresh import everything_due, refresh
from daemon.sync.session import Session

_KEEP_DONE = timedelta(days=30)
_LOOK_AHEAD = 1000  # due senders that decide what is listed first


@dataclass(slots=True)
class Sync:
    """One company kept in agreement with one ledger."""

    session: Session
    _recovered: bool = False

    def sync(self) -> Pushed:
        """Do what is due; what can't be done yet stands in the journal with its time.

        Raises AuthProblem, ConfigProblem, Rejected (unknown stage or owner) and RetryLater.
        """
        try:
            return self._pass()
        finally:
            self.session.keep_usage()

    def has_work(self) -> bool:
        """Whether anything waits to be planned or sent, or the CRM to be listed again."""
        ledger, now = self.session.ledger, self.session.now()
        listing = everything_due(self.session)
        return bool(
            ledger.senders.due(1)
            or ledger.journal.ready(now, 1)
            or (listing is not None and listing <= now)
        )

    def next_due(self) -> datetime | None:
        """When there is something to do without new mail."""
        due = [self.session.ledger.journal.next_due(), everything_due(self.session)]
        return min((moment for moment in due if moment is not None), default=None)

    def _pass(self) -> Pushed:
        ledger = self.session.ledger
        if not self._recovered:
            with ledger.transaction("recover"):
                ledger.journal.recover()
                ledger.journal.prune(self.session.now() - _KEEP_DONE)
            self._recovered = True
        if not self.has_work():
            return Pushed()
        place = prepare(self.session, self._push)
        refresh(self.session, place, ledger.senders.due(_LOOK_AHEAD))
        plan_due(self.session)
        pushed = self._push(place)
        if pushed.touched:
            with ledger.transaction("touch"):
                ledger.senders.touch(pushed.touched)
        return pushed

    def _push(self, place: Place) -> Pushed:
        return Pusher(self.session).push(place)
