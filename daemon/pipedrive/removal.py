"""Objects looked at and deleted one by one, for `undo` and `forget`: nothing here is automatic.

Deleting twice does no harm: what is gone already counts as deleted. Pipedrive keeps
deleted objects for 30 days, so people can still restore them.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from daemon.failpoints import failpoint
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import PLURALS, PRICES, Call, tokens
from daemon.pipedrive.objects import as_addresses, is_address
from daemon.pipedrive.outcomes import Gone, Unknown
from daemon.rules.marks import mark_of

_LINKS = {"organization": "org_id", "person": "person_id", "lead": "lead_id", "deal": "deal_id"}


def read(client: Client, kind: str, identifier: str) -> Mapping[str, Any] | None:
    """An object as it is now; None if it is gone."""
    try:
        data = directory.read(client, kind, identifier)
    except Gone:
        return None
    return None if data.get("is_deleted") or data.get("status") == "deleted" else data


def changed_at(data: Mapping[str, Any]) -> datetime:
    """When an object was last changed by anybody, by Pipedrive's clock; raises Unknown."""
    said = data.get("update_time") or data.get("add_time")
    try:
        return datetime.fromisoformat(str(said))
    except ValueError:
        raise Unknown("an object that doesn't say when it was changed", what=str(said)) from None


def price(kinds: Iterable[str]) -> int:
    """Tokens that it takes to look at objects of these kinds and delete them."""
    return sum(
        2 * tokens(kind, "read")
        + tokens(kind, "delete")
        + (0 if kind == "activity" else PRICES["activities.list"].tokens)
        for kind in kinds
    )


def foreign_activities(client: Client, kind: str, identifier: str, *, ours_too: bool) -> int:
    """How many activities hang on an object that aren't ours, or any at all with `ours_too`."""
    call = Call.to("activities.list", query={_LINKS[kind]: identifier})
    return sum(ours_too or mark_of(row) is None for page in client.pages(call) for row in page)


def take_out(client: Client, person: str, address: str) -> None:
    """Take a sender's address out of a person that has others; one that is gone is no error."""
    data = read(client, "person", person)
    if data is None:
        return
    there = as_addresses(data)
    left = [one for one in there if not is_address(one, address)]
    if left == there:
        return
    if left and not any(one.get("primary") for one in left):
        left[0]["primary"] = True
    client.send(Call.to("persons.update", person, body={"emails": left}))
    failpoint("request persons.update")


def delete(client: Client, kind: str, identifier: str) -> None:
    """Delete an object; one that is gone is no error."""
    try:
        client.send(Call.on(kind, "delete", identifier))
    except Gone:
        return
    failpoint(f"request {PLURALS[kind]}.delete")
