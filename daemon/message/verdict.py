"""What one message may do: count as contact, be kept as evidence, or be ignored, and why.

    author: who really wrote → nature: a person or a machine → weight: the verdict

Decides from one message alone. That an answer to a mail of ours counts although its sender looks
like a machine is `sender`'s decision, which sees all messages of a sender.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from daemon.message.address import Address
from daemon.message.author import Author, author
from daemon.message.nature import Weighed, lift, nature, reasons
from daemon.message.own_server import authenticated, is_forged
from daemon.message.parse import Message
from daemon.message.us import Us, within

__all__ = ["Judgement", "SeenIn", "Us", "Verdict", "is_in_sent", "judge"]

# Roles of the folders where a mail was ever seen.
SeenIn = Literal["inbox", "sent", "both"]

# Evidence that `sender` may lift to contact: the message answers ours, or there was a reply.
SOFT_REASONS = frozenset(reason for reason in reasons() if lift(reason) != "never")

_ITIP_ANSWERS = {
    "REPLY": "itip-reply",
    "COUNTER": "itip-counter",
    "DECLINECOUNTER": "itip-counter",
    "CANCEL": "itip-cancel",
}
_TENANTS = ".onmicrosoft.com"  # under which a group has its List-Id, whatever its address
_ROLES = {"after_reply": "role-address", "never": "role-never"}
_OUR_MACHINE_SIGNALS = frozenset({"auto-submitted", "auto-reply", "report", "precedence-bulk"})


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
    signals: tuple[Weighed, ...] = ()  # what decided a person or a machine; see `nature`
    copied: tuple[Address, ...] = ()  # outside people in To and Cc beside the author


def is_in_sent(message: Message, seen_in: SeenIn, us: Us) -> bool:
    """Whether a mail is judged as one in Sent: what reached us and is filed there is still theirs.

    So of a mail that was seen in both, From decides.
    """
    if seen_in == "both":
        return message.from_ is not None and us.is_us(message.from_)
    return seen_in == "sent"


def judge(message: Message, *, in_sent: bool, us: Us) -> Judgement:
    """Judge one message; `in_sent` as `is_in_sent` says."""
    if message.from_ is None:
        return Judgement(None, (), Verdict("ignored", "no-from"))
    if in_sent:
        return _judge_sent(message, message.from_, us)
    wrote = author(message, message.from_, us)
    if failed := _failed(message, us):
        return _undelivered(message, wrote, failed, us)
    if wrote.address is None:
        if _is_our_answer(message, message.from_, us):
            return _judge_sent(message, message.from_, us)
        return Judgement(None, (), Verdict("ignored", wrote.reason), wrote.way, wrote.reason)
    verdict, signals = _received(message, wrote, wrote.address, us)
    copied = _copied(message, wrote.address, us) if verdict.kind == "contact" else ()
    return Judgement(
        "received", (wrote.address,), verdict, wrote.way, wrote.reason, signals, copied
    )


def _copied(message: Message, sender: Address, us: Us) -> tuple[Address, ...]:
    """Outside people in To and Cc; nobody of a mail to too many, no machine and no role address."""
    own = {sender.key} | ({message.from_.key} if message.from_ else set())
    outside = [to for to in message.to if to.key not in own and not us.is_us(to)]
    if not us.copies or len(outside) > us.max_recipients:
        return ()
    return tuple(to for to in outside if us.ignores(to) is None and _is_a_person(to))


def _is_a_person(address: Address) -> bool:
    found = nature((), address, "from")
    return found.reason is None and not found.is_desk


def _undelivered(message: Message, wrote: Author, failed: tuple[Address, ...], us: Us) -> Judgement:
    """That a mail couldn't be delivered, told by a server of theirs or of ours."""
    verdict = Verdict("evidence", "bounce")
    if wrote.address is None:
        return Judgement("received", failed, verdict, wrote.way, wrote.reason)
    found, signals = _received(message, wrote, wrote.address, us)
    parties = failed if found.kind == "ignored" else (wrote.address, *failed)
    return Judgement("received", parties, verdict, wrote.way, wrote.reason, signals)


def _is_our_answer(message: Message, sender: Address, us: Us) -> bool:
    """Whether a mail in an inbox is one of us answering somebody outside, beyond doubt.

    A mail program filed it there (what was ever delivered has a Received of our server), or our
    server found DMARC to pass (RFC 7489). Only answers: acknowledgements and receipts of our own
    programs come From us with a copy to us, too.
    """
    if not us.is_us(sender) or not message.answers or all(map(us.is_us, message.to)):
        return False
    found = authenticated(message.signals, us.authserv_ids, us.learned_servers)
    proven = "filed" in message.signals or found == "pass"
    return proven and nature(message.signals, sender, "from").reason is None


def _failed(message: Message, us: Us) -> tuple[Address, ...]:
    """To whom it couldn't be delivered: they are whom the message is about, whoever reports it."""
    found = (Address("", one.address) for one in message.bounced)
    return tuple(one for one in found if not us.is_us(one) and us.ignores(one) is None)


def _received(
    message: Message, wrote: Author, sender: Address, us: Us
) -> tuple[Verdict, tuple[Weighed, ...]]:
    """The verdict on a message from outside, and the signals that decided it."""
    if ignored := us.ignores(sender):
        return Verdict("ignored", ignored), ()
    if is_forged(message.signals, us.authserv_ids):
        return Verdict("evidence", "dmarc-fail"), ()
    method = _method(message)
    if method in _ITIP_ANSWERS:
        # Before its nature: calendars send these with Auto-Submitted.
        return Verdict("evidence", _ITIP_ANSWERS[method]), ()
    way = "invitation" if method == "REQUEST" and _organizes(message, sender) else wrote.way
    if way == "from" and _is_our_list(message, us):
        way = "group"
    found = nature(message.signals, sender, way)
    if found.reason is not None:
        return Verdict("evidence", found.reason), found.signals
    if us.roles != "person" and found.is_desk:
        return Verdict("evidence", _ROLES[us.roles]), found.signals
    return Verdict("contact", "human"), found.signals


def _organizes(message: Message, sender: Address) -> bool:
    """Whether the invitation is the sender's: theirs, an alias', or a shared calendar's."""
    return any(
        invite.organizer is None or invite.organizer.rpartition("@")[2] == sender.domain
        for invite in message.invites
    )


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
    elif not _OUR_MACHINE_SIGNALS.isdisjoint(message.signals):
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


def _is_our_list(message: Message, us: Us) -> bool:
    """Whether the List-Id is under a domain of ours: a group of ours such as sales@."""
    return any(
        one.startswith("list-of:") and _is_ours(one.removeprefix("list-of:"), message, us)
        for one in message.signals
    )


def _is_ours(list_: str, message: Message, us: Us) -> bool:
    """Whether a List-Id names a list of ours: by its domain, or a Microsoft 365 group by its To."""
    if within(list_, us.domains):
        return True
    return list_.endswith(_TENANTS) and bool(message.to) and all(map(us.is_us, message.to))
