"""The state of one outside sender, as a pure function of the messages that belong to it.

Promises: the same messages in any order give the same state, so a re-scan, a second mailbox or a
repeated batch can't move a count; what counts can't be forged from outside: "ours" is only what was
found in Sent, and a reply names one of those by Message-ID. Costs one pass over the messages.
It doesn't fetch, store or classify anything, and never reads a clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from daemon.message.author import SUBMITTED
from daemon.message.candidates import Fact
from daemon.message.invite import Invite
from daemon.message.names import clean_name, made_up_name
from daemon.message.verdict import SOFT_REASONS, Us, Verdict
from daemon.rules.meeting import Meeting, Statement, meetings
from daemon.rules.organization import PublicProviders, organization_key

__all__ = ["Correspondence", "Counting", "Meeting", "SenderState", "sender_state"]

# Evidence that becomes a contact when the message answers a mail that we sent to this very address:
# somebody is there, whatever the address is called and however the mail was sent.
_IF_IT_ANSWERS_US = SOFT_REASONS - {"role-address"}
_ANSWERS_US = Verdict("contact", "answers-us")
_ROLE_AFTER_REPLY = Verdict("contact", "role-after-reply")


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


@dataclass(frozen=True, slots=True)
class Counting:
    """What counts as a message, and who we are."""

    us: Us
    count: Literal["received", "exchanged"] = "received"


@dataclass(frozen=True, slots=True)
class SenderState:
    """All that classification and Pipedrive want to know about one sender."""

    address: str
    name: str
    domain: str
    organization: str | None  # registrable domain; None for public e-mail providers
    msg_count: int  # contact messages received, or exchanged if so configured
    sent_count: int  # contact messages of ours
    replies: int
    meetings: int
    thread_count: int
    first_contact: datetime | None
    last_contact: datetime | None
    avg_response_hours: float | None
    verdicts: tuple[tuple[str, Verdict], ...]  # final verdict by message key, in order of the keys
    meeting_list: tuple[Meeting, ...]  # by start, those that don't count included
    reply_keys: tuple[str, ...] = ()  # the messages that are replies, in order of the keys
    submitted: int = 0  # of msg_count, what anybody could submit in this name: forms
    facts: tuple[Fact, ...] = ()  # phone, title, company: the newest of each kind


def sender_state(
    address: str,
    messages: Sequence[Correspondence],
    ours: Mapping[str, datetime],
    counting: Counting,
    public: PublicProviders,
) -> SenderState:
    """Compute the state of the sender with the key `address` from all of its messages.

    `ours`: Message-ID to date of the mails of ours in Sent, contact by verdict, to whomever, as far
    as `answers` of these messages name them. ValueError if two messages have one key.
    """
    verdicts = _final_verdicts(messages, ours)
    contacts = [m for m in messages if verdicts[m.key][0] == "contact"]
    received = [m for m in contacts if m.direction == "received"]
    sent = [m for m in contacts if m.direction == "sent"]
    dates = [m.sent_at for m in contacts]
    reply_keys = _reply_keys(received, sent, ours)
    statements = _statements(messages)
    met = meetings(address, statements, counting.us, written_to=bool(sent)) if statements else ()
    domain = address.rpartition("@")[2]
    return SenderState(
        address=address,
        name=_display_name(address, received)
        or _display_name(address, sent)
        or made_up_name(address),
        domain=domain,
        organization=organization_key(domain, public),
        msg_count=len(received) if counting.count == "received" else len(contacts),
        sent_count=len(sent),
        replies=len(reply_keys),
        meetings=sum(meeting.counts for meeting in met),
        thread_count=_thread_count(contacts),
        first_contact=min(dates, default=None),
        last_contact=max(dates, default=None),
        avg_response_hours=_avg_response_hours(received, ours),
        verdicts=tuple(sorted(verdicts.items())),
        meeting_list=met,
        reply_keys=reply_keys,
        submitted=sum(m.way in SUBMITTED for m in received),
        facts=_facts(received),
    )


def _final_verdicts(
    messages: Sequence[Correspondence], ours: Mapping[str, datetime]
) -> dict[str, Verdict]:
    """Verdicts by key, with the evidence lifted that turns out to come from a person."""
    verdicts = {m.key: m.verdict for m in messages}
    if len(verdicts) != len(messages):
        raise ValueError("a message key is given twice")
    soft = [m for m in messages if m.verdict[0] == "evidence" and m.direction == "received"]
    if not soft:
        return verdicts
    sent = [m for m in messages if m.direction == "sent" and m.verdict[0] == "contact"]
    to_them = {m.message_id for m in sent}
    for m in soft:
        if m.verdict.reason in _IF_IT_ANSWERS_US and not to_them.isdisjoint(m.answers):
            verdicts[m.key] = _ANSWERS_US
    role = [m for m in soft if m.verdict.reason == "role-address"]
    if role:
        theirs = [
            m for m in messages if verdicts[m.key][0] == "contact" if m.direction == "received"
        ]
        if _reply_keys(theirs + role, sent, ours):
            verdicts.update((m.key, _ROLE_AFTER_REPLY) for m in role)
    return verdicts


def _reply_keys(
    received: Iterable[Correspondence],
    sent: Iterable[Correspondence],
    ours: Mapping[str, datetime],
) -> tuple[str, ...]:
    """The messages that are replies: theirs that answer one of ours, ours that answer theirs.

    A Message-ID that a mail of ours has is ours, whoever else claims it: our own follow-up to our
    own mail is no reply.
    """
    received = list(received)
    their_ids = {m.message_id for m in received if m.message_id not in ours}
    their_ids.discard(None)
    keys = [m.key for m in received if m.way not in SUBMITTED and _first_of_ours(m, ours)]
    keys += [m.key for m in sent if not their_ids.isdisjoint(m.answers)]
    return tuple(sorted(keys))


def _first_of_ours(message: Correspondence, ours: Mapping[str, datetime]) -> str | None:
    """The mail of ours that a message answers; the first named is the one closest to it."""
    for answered in message.answers:
        if answered in ours:
            return answered
    return None


def _thread_count(contacts: Iterable[Correspondence]) -> int:
    """The number of threads: messages joined by what they are, name, or have in common.

    The server's thread id joins too. A disjoint-set forest, so a long thread costs no more.
    """
    forest: list[int] = []
    owner: dict[str, int] = {}
    joined = 0
    for m in contacts:
        root = len(forest)
        forest.append(root)
        names = list(m.answers)
        if m.message_id:
            names.append(m.message_id)
        if m.thread:
            names.append(f"\0{m.thread}")  # never a Message-ID
        for name in names:
            other = owner.setdefault(name, root)
            while forest[other] != other:
                forest[other] = other = forest[forest[other]]
            if other != root:
                forest[root] = other
                root = other
                joined += 1
    return len(forest) - joined


def _avg_response_hours(
    received: Iterable[Correspondence], ours: Mapping[str, datetime]
) -> float | None:
    """The mean of the times to the earliest answer to each of our mails that has one, in hours."""
    earliest: dict[str, datetime] = {}
    for m in received:
        answered = _first_of_ours(m, ours)
        if answered and (answered not in earliest or m.sent_at < earliest[answered]):
            earliest[answered] = m.sent_at
    if not earliest:
        return None
    zero = timedelta()  # a clock that is wrong answers before it was asked
    waits = (max(zero, at - ours[answered]) for answered, at in earliest.items())
    return round(sum(waits, zero) / (len(earliest) * timedelta(hours=1)), 2)


def _statements(messages: Iterable[Correspondence]) -> list[Statement]:
    """What calendars said, evidence included, but not in mail that a server proved to be forged."""
    return [
        Statement(invite, m.direction == "sent", m.sent_at, m.key)
        for m in messages
        if m.invites and m.verdict[0] != "ignored" and m.verdict[1] != "dmarc-fail"
        for invite in m.invites
    ]


def _facts(received: Iterable[Correspondence]) -> tuple[Fact, ...]:
    """What the sender's mails say of each kind, the newest; what a form was told before the rest.

    A fact counts only if it stands where the author of its mail stands: the signature of a
    colleague who forwards says nothing about the one who wrote.
    """
    best: dict[str, tuple[tuple[bool, datetime, str], Fact]] = {}
    for m in received:
        for fact in m.said:
            if fact.kind != "name" and _is_about_author(fact.way, m.way):
                rank = (fact.way == "form", m.sent_at, m.key)
                if fact.kind not in best or rank > best[fact.kind][0]:
                    best[fact.kind] = rank, fact
    return tuple(fact for _, (_, fact) in sorted(best.items()))


def _is_about_author(stands: str, way: str) -> bool:
    """Whether what stands there is about whom this way leads to."""
    if stands == "form":
        return way in SUBMITTED
    return stands == ("from" if way in {"from", "group", "envelope", "relay"} else way)


def _display_name(address: str, messages: Iterable[Correspondence]) -> str:
    """The newest display name that is a name of a person or a firm, and not the address again."""
    name, newest = "", None
    for m in messages:
        if m.name and (newest is None or (m.sent_at, m.key) > newest):
            cleaned = clean_name(m.name)
            if cleaned and "@" not in cleaned and cleaned.lower() != address.partition("@")[0]:
                name, newest = cleaned, (m.sent_at, m.key)
    return name
