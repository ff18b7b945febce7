"""Participants of a deal (API v1): who takes part in it beside its contact person."""

from daemon.failpoints import failpoint
from daemon.pipedrive import directory
from daemon.pipedrive.client import Client
from daemon.pipedrive.costs import Call
from daemon.pipedrive.missing import Missing, require_same_deal, require_settled
from daemon.pipedrive.objects import number
from daemon.pipedrive.outcomes import Capped, Gone, Refused
from daemon.pipedrive.write_request import Outcome, WriteRequest


def add(client: Client, request: WriteRequest, mail_key: str | None) -> Outcome:
    """Make a person a participant; who is one already counts as found.

    Raises Missing where the deal or the person isn't there, Outdated where the deal was closed,
    else what Client.send raises. `mail_key` is the code of that field of deals.
    """
    deal, person = str(request.fields["deal"]), request.links.person or 0
    if request.unknown:
        if (found := listed(client, deal).get(person)) is not None:
            return Outcome(found, found=True)
        require_settled(client, request)
    require_same_deal(client, request, mail_key)
    call = Call.to("participants.create", deal, body={"person_id": person})
    try:
        answer = client.send(call)
    except Refused as refusal:
        if isinstance(refusal, Capped):
            raise
        for kind, identifier in (("deal", deal), ("person", str(person))):
            absence = directory.absence(client, kind, identifier)
            if absence is not None:
                raise Missing(kind, identifier, absence) from refusal
        if (found := listed(client, deal).get(person)) is None:
            raise
        return Outcome(found, found=True)
    failpoint(f"request {call.kind}")
    return Outcome(answer.identifier())


def listed(client: Client, deal: str) -> dict[int, str]:
    """Everybody in a deal, its contact person too: the id of the part, by the person's id."""
    found: dict[int, str] = {}
    for page in client.pages(Call.to("participants.list", deal)):
        for row in page:
            there = row.get("person_id")
            person = there.get("value") if isinstance(there, dict) else there
            if isinstance(person, int):
                found[person] = str(number(row, "id"))
    return found


def remove(client: Client, deal: str, participant: str) -> None:
    """Take somebody out of a deal; who is gone from it already is no error."""
    call = Call.to("participants.delete", deal, participant)
    try:
        client.send(call)
    except Gone:
        return
    failpoint(f"request {call.kind}")
