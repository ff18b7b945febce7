"""Builds what our calendar and Ada's said about one meeting, a line each; `we`, `they`."""

from itertools import permutations
from typing import Any

from letters import ADA, US, WE, at, invite

from daemon.message.invite import Invite
from daemon.rules.meeting import Meeting, Statement, meetings


def is_colleague(address: str) -> bool:
    return address.endswith("@acme.example")


def we_said(number: int, said: Invite, to: str = ADA) -> Statement:
    return Statement(
        said, ours=True, sent_at=at(number), key=f"k{number}", recipients=frozenset({to})
    )


def they_said(number: int, said: Invite, *, authenticated: bool = True) -> Statement:
    return Statement(
        said, ours=False, sent_at=at(number), key=f"k{number}", authenticated=authenticated
    )


def we_invite(number: int = 1, **fields: Any) -> Statement:
    return we_said(number, invite("REQUEST", **fields))


def we_cancel(number: int = 8, **fields: Any) -> Statement:
    return we_said(number, invite("CANCEL", **fields))


def they_answer(
    partstat: str, number: int = 2, *, authenticated: bool = True, **fields: Any
) -> Statement:
    said = invite("REPLY", **{"attendees": ((ADA, partstat),), **fields})
    return they_said(number, said, authenticated=authenticated)


def they_invite(number: int = 1, **fields: Any) -> Statement:
    return they_said(number, invite("REQUEST", **{"organizer": ADA, **fields}))


def they_cancel(number: int = 8, **fields: Any) -> Statement:
    return they_said(number, invite("CANCEL", **{"organizer": ADA, **fields}))


def we_answer(partstat: str, number: int = 2, **fields: Any) -> Statement:
    given = {"organizer": ADA, "attendees": ((WE, partstat),), **fields}
    return we_said(number, invite("REPLY", **given))


def one(*statements: Statement, written_to: bool = False) -> Meeting | None:
    """The one meeting that these make, in every order (or in many, when there are too many)."""
    results = {
        meetings(ADA, order, US, written_to=written_to, is_colleague=is_colleague)
        for order in list(permutations(statements))[:200]
    }
    assert len(results) == 1
    (found,) = results
    assert len(found) <= 1
    return found[0] if found else None


def stands(*statements: Statement, written_to: bool = False) -> tuple[str, bool] | None:
    meeting = one(*statements, written_to=written_to)
    return (meeting.status, meeting.counts) if meeting else None
