"""A message as it belongs to one sender: what the rules about senders are given."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from daemon.message.candidates import Fact
from daemon.message.invite import Invite
from daemon.message.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Correspondence:
    """One message as it belongs to one sender."""

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
