"""What calendars and booking pages said in the mail of a sender, and its meetings by that. Pure."""

from collections.abc import Iterable, Sequence

from daemon.message.author import SUBMITTED
from daemon.message.booking import BOOKED, UNBOOKED
from daemon.message.verdict import Us
from daemon.rules.correspondence import Correspondence
from daemon.rules.meeting import Meeting, Statement, meetings
from daemon.rules.organization import PublicProviders, organization_key
from daemon.rules.reply import is_authenticated, is_written_to_them

_BOOKINGS = {BOOKED: "REQUEST", UNBOOKED: "CANCEL"}


def meetings_with(
    address: str,
    messages: Sequence[Correspondence],
    about: Iterable[Statement],
    us: Us,
    public: PublicProviders,
    *,
    written_to: bool,
) -> tuple[Meeting, ...]:
    """The meetings with this sender, by what calendars said in its mails and in ours."""
    if not any(m.invites for m in messages):
        return ()
    said = _statements(address, messages, us) + _bookings(messages, us)
    if not said:
        return ()
    keys = {m.key for m in messages}
    uids = {statement.invite.uid for statement in said}
    said += [s for s in about if s.key not in keys and s.invite.uid in uids]
    company = organization_key(address.rpartition("@")[2], public)

    def is_colleague(other: str) -> bool:
        return company is not None and company == organization_key(other.rpartition("@")[2], public)

    return meetings(address, said, us, written_to=written_to, is_colleague=is_colleague)


def _bookings(messages: Sequence[Correspondence], us: Us) -> list[Statement]:
    """What booking pages told: an invitation of the visitor's, if we have written to them.

    Anybody may write like a booking page: of one that our own server didn't authenticate, our mail
    must come after it.
    """
    told = [m for m in messages if m.invites and m.way in SUBMITTED and m.verdict[0] != "ignored"]
    if not told:
        return []
    last = max((m.sent_at for m in messages if is_written_to_them(m)), default=None)
    return [
        Statement(
            invite._replace(method=_BOOKINGS[invite.method]),
            ours=False,
            sent_at=m.sent_at,
            key=m.key,
        )
        for m in told
        if last is not None and (m.sent_at <= last or is_authenticated(m.facts, us))
        for invite in m.invites
        if invite.method in _BOOKINGS
    ]


def _statements(address: str, messages: Iterable[Correspondence], us: Us) -> list[Statement]:
    """What calendars said, evidence included, but not in mail that a server proved to be forged."""
    return [
        Statement(
            invite,
            ours=m.direction == "sent",
            sent_at=m.sent_at,
            key=m.key,
            recipients=frozenset({address} if m.direction == "sent" else ()),
            authenticated=invite.method == "REPLY" and is_authenticated(m.facts, us),
        )
        for m in messages
        if m.invites
        and m.way not in SUBMITTED
        and m.verdict[0] != "ignored"
        and m.verdict[1] != "dmarc-fail"
        for invite in m.invites
    ]
