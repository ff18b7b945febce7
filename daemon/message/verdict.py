"""What one message may do: count as contact, be kept as evidence, or be ignored, and why.

Decides from one message alone. That an answer to a mail of ours counts although its sender looks
like a machine is `sender`'s decision, which sees all messages of a sender.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from daemon.message.address import Address
from daemon.message.author import RELAYED, Author, author
from daemon.message.localparts import is_no_reply, is_role
from daemon.message.parse import Message
from daemon.message.us import Us, within

__all__ = ["Judgement", "Us", "Verdict", "judge"]

# Evidence that `sender` may lift to contact: the message answers ours, or there was a reply.
SOFT_REASONS = frozenset(
    {"no-reply-address", "list-unsubscribe", "list-id", "verp", "role-address"}
)

# What a list of our own puts on every mail that it hands on, whoever wrote it.
_GROUP_MARKS = frozenset({"list-id", "list-unsubscribe", "precedence-bulk", "verp"})
_ITIP_ANSWERS = {
    "REPLY": "itip-reply",
    "COUNTER": "itip-counter",
    "DECLINECOUNTER": "itip-counter",
    "CANCEL": "itip-cancel",
}
# Marks that make a received message evidence, in the order in which they are given as the reason.
_MACHINE_MARKS = (
    ("report", "bounce"),
    ("bounce", "bounce"),
    ("empty-return-path", "empty-return-path"),
    ("auto-reply", "auto-reply"),
    ("auto-submitted", "auto-submitted"),
    ("precedence-bulk", "precedence-bulk"),
    ("verp", "verp"),
    ("list-id", "list-id"),
    ("list-unsubscribe", "list-unsubscribe"),
)
_OUR_MACHINE_MARKS = frozenset({"auto-submitted", "auto-reply", "report", "precedence-bulk"})


class Verdict(NamedTuple):
    """What a message may do, with its reason as a slug."""

    kind: Literal["contact", "evidence", "ignored"]
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Which way a message went, the outside addresses it belongs to, and its verdict."""

    direction: Literal["received", "sent"] | None
    parties: tuple[Address, ...]
    verdict: Verdict
    way: str = "from"  # how we know the author; see `author`
    why: str = ""  # the reason of that step


def judge(message: Message, *, in_sent: bool, us: Us) -> Judgement:
    """Judge one message; `in_sent` says that it was seen in a folder with the role sent."""
    if message.from_ is None:
        return Judgement(None, (), Verdict("ignored", "no-from"))
    if in_sent:
        return _judge_sent(message, message.from_, us)
    wrote = author(message, message.from_, us)
    if wrote.address is None:
        return Judgement(None, (), Verdict("ignored", wrote.reason), wrote.way, wrote.reason)
    marks = frozenset(message.marks)
    if wrote.way in RELAYED or wrote.way == "relay":
        marks = frozenset(mark for mark in marks if mark.startswith("dmarc-fail:"))
    elif wrote.way == "group" or _is_our_list(marks, us):
        marks -= _GROUP_MARKS
    verdict = _received(message, wrote, marks, us)
    return Judgement("received", (wrote.address,), verdict, wrote.way, wrote.reason)


def _received(message: Message, wrote: Author, marks: frozenset[str], us: Us) -> Verdict:
    """The verdict on a message from outside; the first reason that fits is the one."""
    sender = wrote.address
    assert sender is not None  # noqa: S101 - nobody's mail was ignored before
    if ignored := us.ignores(sender):
        return Verdict("ignored", ignored)
    if us.authserv_id and f"dmarc-fail:{us.authserv_id.lower()}" in marks:
        return Verdict("evidence", "dmarc-fail")
    method = _method(message)
    if method in _ITIP_ANSWERS:
        # Before the machine marks: calendars send these with Auto-Submitted.
        return Verdict("evidence", _ITIP_ANSWERS[method])
    if method == "REQUEST" and any(invite.organizer == sender.key for invite in message.invites):
        marks -= {"auto-submitted"}  # Google Calendar says so of what a person set up
    reason = next((why for mark, why in _MACHINE_MARKS if mark in marks), None) if marks else None
    if reason is None and is_no_reply(sender.local):
        reason = "no-reply-address"
    elif reason is None and is_role(sender.local) and wrote.way not in RELAYED:
        reason = "role-address"
    return Verdict("evidence", reason) if reason else Verdict("contact", "human")


def _judge_sent(message: Message, sender: Address, us: Us) -> Judgement:
    """The judgement on a message from a Sent folder: ours only if its From is."""
    if not us.is_us(sender):
        return Judgement(None, (), Verdict("ignored", "not-ours-in-sent"))
    outside = tuple(to for to in message.to if not us.is_us(to) and us.ignores(to) is None)
    method = _method(message)
    if not outside:
        verdict = Verdict("ignored", "internal")
    elif len(outside) > us.max_recipients:
        verdict = Verdict("evidence", "too-many-recipients")
    elif not _OUR_MACHINE_MARKS.isdisjoint(message.marks):
        verdict = Verdict("evidence", "our-auto-reply")
    elif method in _ITIP_ANSWERS:
        verdict = Verdict("evidence", _ITIP_ANSWERS[method])
    else:
        verdict = Verdict("contact", "sent")
    return Judgement("sent", outside, verdict)


def _method(message: Message) -> str:
    """The iTIP method of a message, "" if it is none; a REQUEST among others decides."""
    methods = {invite.method for invite in message.invites}
    if "REQUEST" in methods:
        return "REQUEST"
    return next((invite.method for invite in message.invites if invite.method), "")


def _is_our_list(marks: frozenset[str], us: Us) -> bool:
    """Whether the List-Id is under a domain of ours: a group of ours such as sales@."""
    return any(
        mark.startswith("list-of:") and within(mark.removeprefix("list-of:"), us.domains)
        for mark in marks
    )
