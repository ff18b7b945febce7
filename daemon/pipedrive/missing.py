"""What keeps a change from being made now: what it names isn't there, or isn't settled."""

from daemon.errors import RetryLater
from daemon.pipedrive.client import Client
from daemon.pipedrive.directory import Absence
from daemon.pipedrive.outcomes import Unknown
from daemon.pipedrive.write_request import WriteRequest

NOT_SEEN = "may have been made, isn't to be seen yet"


class Missing(RetryLater):
    """Refused because something that it names isn't there: `kind` and `id` say what.

    Kinds are those of records, `stage` and `owner`. The change itself was certainly not made.
    """

    def __init__(self, kind: str, identifier: str, absence: Absence) -> None:
        """Keep what is missing, and how sure it is that it is gone."""
        super().__init__(f"the {kind} is {absence}", what=f"{kind} {identifier}")
        self.kind = kind
        self.id = identifier
        self.absence = absence


def require_settled(client: Client, order: WriteRequest) -> None:
    """Raise Unknown while what was sent before may still come to light."""
    if order.settles_at is not None and client.server_now() < order.settles_at:
        raise Unknown(NOT_SEEN, what=f"{order.kind} {order.key}")
