"""Clients that only read, for checks and rehearsals."""

from daemon.errors import Rejected
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import Answer


class ReadOnlyClient(Client):
    """A client for which every write is refused before it reaches a socket."""

    def send(self, call: Call) -> Answer:
        """Send a read; raises Rejected for anything that would change the CRM."""
        self.refuse_writes(call)
        return super().send(call)

    @staticmethod
    def refuse_writes(call: Call) -> None:
        """Raise Rejected for anything that would change the CRM."""
        if call.writes:
            raise Rejected("a rehearsal never writes to Pipedrive", what=call.kind)


class ImpatientClient(ReadOnlyClient):
    """The same for a person who waits for the answer: each call is tried once."""

    def send(self, call: Call) -> Answer:
        """Send a read once; raises Rejected for anything that would change the CRM."""
        self.refuse_writes(call)
        return self._once(call)
