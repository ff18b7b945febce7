"""Builds the messages between us and one sender, ada@acme.example, a line each.

Message n has the key `k<n>` with leading zeros and the Message-ID `<n>@<domain>`; times are hours
after the first of March.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from daemon.message.invite import Invite
from daemon.message.traces import QUOTED, SAID, fingerprints
from daemon.message.verdict import Us, Verdict
from daemon.rules.correspondence import Correspondence
from daemon.rules.organization import public_providers
from daemon.rules.reply import OurMail, is_written_to_them, named
from daemon.rules.sender import Counting, SenderState, sender_state

ADA = "ada@acme.example"
WE = "sales@ours.example"
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
SERVER = "mx.ours.example"
US = Us(
    addresses=frozenset({WE}),
    domains=frozenset({"ours.example"}),
    authserv_ids=frozenset({SERVER}),
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


def facts(
    said: str = "", quoted: str = "", *, authenticated: bool = False, to: Iterable[str] = ()
) -> str:
    """The facts of a message as the ledger has them."""
    found: dict[str, Any] = {"words": [fingerprints(said, SAID), fingerprints(quoted, QUOTED)]}
    if authenticated:
        found["marks"] = [f"dmarc-pass:{SERVER}"]
    if to:
        found["to"] = [["", address] for address in to]
    return json.dumps(found)


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
    named_ours: dict[str, OurMail] | None = None,
    address: str = ADA,
    count: Any = "received",
) -> SenderState:
    """The state after these messages; `also_ours`: mails of ours to others, number to hours."""
    sent = {
        m.message_id: OurMail(m.key, m.sent_at, m.subject, m.facts)
        for m in messages
        if is_written_to_them(m) and m.message_id
    }
    sent |= {f"{n}@mail.example": other(n, hours=hours) for n, hours in (also_ours or {}).items()}
    sent |= named_ours or {}
    names = {name for m in messages for name in named(m)}
    found = {name: mail for name, mail in sent.items() if name in names}
    return sender_state(address, messages, found, Counting(us=US, count=count), PUBLIC)


def other(
    number: int,
    *,
    hours: float | None = None,
    to: str = "bo@acme.example",
    subject: str = "",
    **more: Any,
) -> OurMail:
    """Mail `number` of ours, to somebody else: by default to a colleague of Ada's."""
    given = {"facts": json.dumps({"to": [["", to]]}), **more}
    at_hours = number if hours is None else hours
    return OurMail(f"k{number:03}", at(at_hours), subject, **given)


# Any conversation at all, for what must hold for each


REASONS = [
    "",
    "",
    "",
    "role-address",
    "list-id",
    "no-reply-address",
    "auto-reply",
    "itip-reply",
    "dmarc-fail",
]
PARTSTATS = ["ACCEPTED", "TENTATIVE", "DECLINED", "NEEDS-ACTION"]


INVITATIONS = st.builds(
    invite,
    st.sampled_from(["REQUEST", "REPLY", "CANCEL", "COUNTER"]),
    uid=st.sampled_from(["one", "two"]),
    sequence=st.integers(0, 2),
    dtstamp=st.none() | st.integers(0, 3).map(at),
    organizer=st.sampled_from([ADA, WE, "x@else.example", None]),
    attendees=st.lists(
        st.tuples(st.sampled_from([ADA, WE, "bob@ours.example"]), st.sampled_from(PARTSTATS)),
        max_size=2,
    ).map(tuple),
    recurrence_id=st.sampled_from([None, None, "r1", "r2"]),
    starts_at=st.none() | st.integers(0, 2).map(at),
    summary=st.sampled_from(["Lunch", "Dinner"]),
)


FACTS = st.builds(
    facts,
    said=st.sampled_from(["", "Three pumps for your brewery in May"]),
    quoted=st.sampled_from(["", "> Three pumps for your brewery in May"]),
    authenticated=st.booleans(),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Correspondence]:
    return [
        draw(st.sampled_from([theirs, ours]))(
            number,
            answers=draw(st.lists(st.integers(0, 8), max_size=3)),
            evidence=draw(st.sampled_from(REASONS)),
            hours=draw(st.integers(0, 3)),  # many ties
            message_id=draw(st.none() | st.integers(0, 8).map(lambda n: f"{n}@mail.example")),
            thread=draw(st.sampled_from([None, None, "t1", "t2"])),
            name=draw(st.sampled_from(["", "Ada", "A. L.", ADA])),
            invites=tuple(draw(st.lists(INVITATIONS, max_size=2))),
            subject=draw(st.sampled_from(["", "Offer", "Re: Offer", "AW: offer"])),
            conversation=draw(st.sampled_from([None, None, "aa", "bb"])),
            facts=draw(FACTS),
        )
        for number in range(draw(st.integers(0, 7)))
    ]
