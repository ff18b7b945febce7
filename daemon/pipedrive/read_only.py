"""The API for those who only look: checks and rehearsals."""

from daemon.errors import Rejected
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.outcomes import Answer


class ReadOnlyClient(Client):
    """A client for which every write is refused before it reaches a socket."""

    def send(self, call: Call) -> Answer:
        """Send a read; raises Rejected for anything that would change the CRM."""
        if call.writes:
            raise Rejected("a rehearsal never writes to Pipedrive", what=call.kind)
        return super().send(call)
