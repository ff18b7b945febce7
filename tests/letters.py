"""Builds the messages between us and one sender, ada@acme.example, a line each.

Message n has the key `k<n>` with leading zeros and the Message-ID `<n>@<domain>`; times are hours
after the first of March.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.message.invite import Invite
from daemon.message.verdict import Us, Verdict
from daemon.organization import public_providers
from daemon.sender import Correspondence, Counting, SenderState, sender_state

ADA = "ada@acme.example"
WE = "sales@ours.example"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
US = Us(
    addresses=frozenset({WE}),
    domains=frozenset({"ours.example"}),
    authserv_id=None,
    ignored_addresses=frozenset(),
    ignored_domains=frozenset(),
)
PUBLIC = public_providers()


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def theirs(
    number: int,
    *,
    answers: Iterable[int | str] = (),
    evidence: str = "",
    hours: float | None = None,
    **fields: Any,
) -> Correspondence:
    """Message `number`, received from Ada; `evidence` is the reason why it is only that."""
    verdict = Verdict("evidence", evidence) if evidence else Verdict("contact", "human")
    return _message("received", number, answers, hours, verdict, **fields)


def ours(
    number: int,
    *,
    answers: Iterable[int | str] = (),
    evidence: str = "",
    hours: float | None = None,
    **fields: Any,
) -> Correspondence:
    """Message `number`, found in Sent, to Ada."""
    verdict = Verdict("evidence", evidence) if evidence else Verdict("contact", "sent")
    return _message("sent", number, answers, hours, verdict, **fields)


def _message(
    direction: Any,
    number: int,
    answers: Iterable[int | str],
    hours: float | None,
    verdict: Verdict,
    **fields: Any,
) -> Correspondence:
    given: dict[str, Any] = {
        "key": f"k{number:03}",
        "message_id": f"{number}@mail.example",
        "direction": direction,
        "verdict": verdict,
        "sent_at": at(number if hours is None else hours),
        "name": "",
        "answers": tuple(a if isinstance(a, str) else f"{a}@mail.example" for a in answers),
        "thread": None,
        "invites": (),
    }
    return Correspondence(**{**given, **fields})


def invite(method: str, uid: str = "lunch@cal", **fields: Any) -> Invite:
    """What a calendar said: by default Ada's, organized by us, first version."""
    given: dict[str, Any] = {
        "method": method,
        "uid": uid,
        "sequence": 0,
        "dtstamp": None,
        "organizer": WE,
        "attendees": ((ADA, "NEEDS-ACTION"),),
        "starts_at": at(48),
        "ends_at": at(49),
        "summary": "Lunch",
        "recurrence_id": None,
    }
    return Invite(**{**given, **fields})


def state(
    *messages: Correspondence,
    also_ours: dict[int, float] | None = None,
    address: str = ADA,
    count: Any = "received",
) -> SenderState:
    """The state after these messages; `also_ours`: mails of ours to others, number to hours."""
    sent = {m.message_id: m.sent_at for m in messages if m.verdict == ("contact", "sent")}
    sent |= {f"{n}@mail.example": at(hours) for n, hours in (also_ours or {}).items()}
    named = {answered for m in messages for answered in m.answers}
    found = {mid: date for mid, date in sent.items() if mid in named}
    return sender_state(address, messages, found, Counting(us=US, count=count), PUBLIC)
