"""A message as it belongs to one sender: what the rules about senders are given."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from daemon.message.candidates import Fact
from daemon.message.invite import Invite
from daemon.message.verdict import Verdict

IN_COPY = "cc"  # the way of a mail that is another's, and names this sender in To or Cc
COPIED = Verdict("evidence", "copied")
BY_CALENDAR = ("itip-reply", "itip-counter")  # an answer of ours that isn't a contact


class Correspondence(NamedTuple):
    """One message as it belongs to one sender; a tuple, because histories are long."""

    key: str
    message_id: str | None
    direction: Literal["received", "sent"]
    verdict: Verdict  # as `judge` gave it
    sent_at: datetime  # bounded by the message's arrival
    name: str  # the sender's display name in this mail; of one that we sent, our name for them
    answers: tuple[str, ...]
    thread: str | None
    invites: tuple[Invite, ...]
    way: str = "from"  # how we know that it is the sender's; see `message.author`
    said: tuple[Fact, ...] = ()  # what the mail says about its author
    subject: str = ""
    conversation: str | None = None  # root of Outlook's Thread-Index
    facts: str = "{}"  # JSON, as in `messages.facts`; read only where a proof needs it


class Undelivered(NamedTuple):
    """That a mail of ours couldn't be delivered, with the status (RFC 3463)."""

    at: datetime
    status: str
    last_received: datetime | None = None  # their latest mail before


class Unanswered(NamedTuple):
    """A mail that waits for our answer."""

    sent_at: datetime
    key: str
    subject: str


def unanswered(
    received: Sequence[Correspondence], messages: Sequence[Correspondence]
) -> tuple[Unanswered, ...]:
    """The received mails that count, in order, that came after all that we wrote to the sender.

    A calendar's answer of ours is one, too; an automatic reply isn't.
    """
    last = max((m.sent_at for m in messages if _is_answer(m)), default=None)
    waiting = (
        Unanswered(m.sent_at, m.key, m.subject)
        for m in received
        if last is None or m.sent_at > last
    )
    return tuple(sorted(waiting))


def _is_answer(message: Correspondence) -> bool:
    kind, reason = message.verdict
    return message.direction == "sent" and (kind == "contact" or reason in BY_CALENDAR)
