"""What keeps a change from being made now: what it names isn't there, or isn't settled."""

from daemon.errors import RetryLater
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.directory import Absence
from daemon.pipedrive.outcomes import Unknown
from daemon.pipedrive.write_request import WriteRequest
from daemon.rules.crm_objects import ListedDeal


class Missing(RetryLater):
    """Refused because something that it names isn't there: `kind` and `id` say what.

    Kinds are those of records, `stage`, `owner`, `field` and `label`. The change itself was
    certainly not made.
    """

    def __init__(self, kind: str, identifier: str, absence: Absence) -> None:
        """Keep what is missing, and how sure it is that it is gone."""
        super().__init__(f"the {kind} is {absence}", what=f"{kind} {identifier}")
        self.kind = kind
        self.id = identifier
        self.absence = absence


class NotSeen(Unknown):
    """An earlier request may have made it, and no look has shown it yet."""


class Outdated(RetryLater):
    """Not sent, as people have closed or opened the deal that it was planned for.

    `deal` is what a look has just shown.
    """

    def __init__(self, deal: ListedDeal) -> None:
        """Keep what the deal is like now."""
        status = "archived" if deal.archived else deal.status
        super().__init__(f"the deal is {status} by now", what=f"deal {deal.id}")
        self.deal = deal


def require_same_deal(client: Client, request: WriteRequest, mail_key: str | None) -> None:
    """Read the deal of a change (1 token) if it may have changed; raises Outdated, Missing.

    Between two listings only this shows that a deal was won, lost, archived or reopened.
    """
    known = request.deal
    if known is None:
        return
    there = directory.look(client, "deal", known.id, mail_key)
    if isinstance(there, Absence):
        raise Missing("deal", known.id, there)
    if isinstance(there, ListedDeal) and (there.status, there.archived) != (
        known.status,
        known.archived,
    ):
        raise Outdated(there)


def require_settled(client: Client, request: WriteRequest) -> None:
    """Raise NotSeen, `after` until then, as long as an earlier request may still show up."""
    if request.settles_at is None:
        return
    left = (request.settles_at - client.server_now()).total_seconds()
    if left > 0:
        raise NotSeen(
            "may have been made, isn't to be seen yet",
            what=f"{request.kind} {request.key}",
            after=left,
        )
