"""Which route a sender takes, and whose turn it is there."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from daemon.ledger.senders import SenderRow
from daemon.ledger.store import Ledger
from daemon.message.parse import Address
from daemon.pipedrive.objects import Target
from daemon.rules.case import Policy
from daemon.rules.routing import SOURCES, Origin, Route, choose
from daemon.sync.session import Session


@dataclass(frozen=True, slots=True)
class Routed:
    """The route of one sender, and the owner of its records: the route's, else the mailbox's."""

    owner: str | None
    route: Route | None = None
    key: str = ""  # for whom the owner was chosen, if that isn't written down yet

    def policy(self, usual: Policy, place: Target) -> Policy:
        """The usual policy with what the route says."""
        if self.route is None:
            return replace(usual, owner=self.owner)
        stage = stage_name(self.route) if self.route.place else None
        return replace(
            usual,
            owner=self.owner,
            stage=stage,
            channel_id=self.route.channel_id,
            label_ids=place.label_ids(self.route.labels),
        )

    def keep(self, session: Session) -> None:
        """Remember whose turn it was, inside the transaction of the plan."""
        if self.route is not None and self.key and self.owner is not None:
            session.ledger.assignments.assign(self.route.name, self.key, self.owner)


def route(session: Session, row: SenderRow, place: Target) -> Routed:
    """The first route that fits the sender's first mail; owners who have left take no turn."""
    usual = Routed(session.owner_of(row.mailbox))
    if not session.settings.routes:
        return usual
    chosen = _chosen(session.ledger, session.settings.routes, row)
    if chosen is None:
        return usual
    owners = tuple(one for one in chosen.owners if one in place.owners)
    if not owners:
        return replace(usual, route=chosen)
    key = row.organization or row.address
    owner, is_written = session.ledger.assignments.owner(chosen.name, key, owners)
    return Routed(owner, chosen, "" if is_written else key)


def _chosen(ledger: Ledger, routes: Sequence[Route], row: SenderRow) -> Route | None:
    facts, way = ledger.senders.first_contact(row.address)
    recipients = (Address(*pair).key for pair in json.loads(facts).get("to", ()))
    domain = row.address.rpartition("@")[2]
    origin = Origin(row.mailbox, frozenset(recipients), domain, SOURCES.get(way, "direct"))
    return choose(routes, origin)


def taken(ledger: Ledger, routes: Sequence[Route], address: str) -> Route | None:
    """The route that a sender takes, None for none."""
    row = ledger.senders.get(address)
    return _chosen(ledger, routes, row) if row is not None else None


def routes_of(session: Session) -> Callable[[str], str]:
    """What says the name of a sender's route, by its address; "" for none."""

    def name(address: str) -> str:
        chosen = taken(session.ledger, session.settings.routes, address)
        return chosen.name if chosen is not None else ""

    return name


def stage_name(chosen: Route) -> str:
    """How `Target.stages` names the stage of a route."""
    return f"{chosen.pipeline or ''}\t{chosen.stage or ''}"
