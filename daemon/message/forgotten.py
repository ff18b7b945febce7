"""What is left of a mail whose sender or recipient asked to be forgotten. Pure."""

from collections.abc import Set as AbstractSet

from daemon.message.parse import Message
from daemon.message.traces import NO_TRACES
from daemon.message.us import Us
from daemon.message.verdict import Judgement, Verdict

MARK = "forgotten"
FORGOTTEN = Judgement(None, (), Verdict("ignored", MARK))


def without(message: Message, forgotten: AbstractSet[str], *, in_sent: bool, us: Us) -> Message:
    """The message without those who are forgotten: nothing but its key, if it was theirs alone."""
    if not authors(message).isdisjoint(forgotten):
        return blank(message)
    gone = people(message) & forgotten
    if not gone:
        return message
    rest = [address for address in message.to if address.key not in gone]
    named = in_sent and len(rest) < len(message.to)
    if named and all(us.is_us(address) for address in rest):
        return blank(message)
    return strip(message, gone, words=not named)


def people(message: Message) -> set[str]:
    """Everybody whom a mail names, as sender keys."""
    named = {one.address.key for one in message.candidates} | {to.key for to in message.to}
    named |= {one.address for one in message.bounced}
    named |= {key for invite in message.invites for key, _ in invite.attendees}
    return named | authors(message)


def authors(message: Message) -> set[str]:
    """Whom a mail may be of: its From, and whom it says that it hands on."""
    # An address in the text is only mentioned, as long as nothing says that it is the author's.
    handed = {one.address.key for one in message.candidates if one.way != "text"}
    return handed | ({message.from_.key} if message.from_ else set())


def strip(message: Message, gone: AbstractSet[str], *, words: bool) -> Message:
    """The message without these recipients, with its words only if they are somebody else's."""
    return message._replace(
        to=tuple(address for address in message.to if address.key not in gone),
        subject=message.subject if words else "",
        snippet=message.snippet if words else "",
        candidates=tuple(one for one in message.candidates if one.address.key not in gone),
        bounced=tuple(one for one in message.bounced if one.address not in gone),
        traces=message.traces if words else NO_TRACES,
        text_hash=message.text_hash if words else "",
        invites=tuple(
            i._replace(attendees=tuple(pair for pair in i.attendees if pair[0] not in gone))
            for i in message.invites
        ),
    )


def blank(message: Message) -> Message:
    """A message of which only the key and the size are left."""
    return Message(
        key=message.key,
        message_id=None,
        answers=(),
        from_=None,
        to=(),
        subject="",
        date=None,
        snippet="",
        signals=(MARK,),
        invites=(),
        opaque=False,
        thread=None,
        size=message.size,
        recipients_count=0,
    )
