"""The state of one outside sender, as a pure function of the messages that belong to it.

Promises: the same messages in any order give the same state, so a re-scan, a second mailbox or a
repeated batch can't move a count; what counts can't be forged from outside: "ours" is only what was
found in Sent, and a reply is proved by what `reply` asks for. Costs one pass over the messages.
It doesn't fetch, store or classify anything, and never reads a clock.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from daemon.message.author import SUBMITTED
from daemon.message.candidates import Fact
from daemon.message.names import clean_name, made_up_name
from daemon.message.verdict import Us, Verdict
from daemon.rules.answered import our_answers
from daemon.rules.carried import LONG, Carried, carry, mean_hours
from daemon.rules.correspondence import (
    COPIED,
    IN_COPY,
    Correspondence,
    Unanswered,
    Undelivered,
    unanswered,
)
from daemon.rules.final_verdicts import final_verdicts
from daemon.rules.meeting import Meeting, Statement
from daemon.rules.organization import PublicProviders, organization_key
from daemon.rules.reply import (
    OurMail,
    Proof,
    proofs,
)
from daemon.rules.statements import meetings_with

# Ways on which the signature in a mail is its author's.
_BY_HAND = frozenset({"from", "group", "envelope", "claimed", "relay"})


@dataclass(frozen=True, slots=True)
class Counting:
    """What counts as a message, and who we are."""

    us: Us
    count: Literal["received", "exchanged"] = "received"
    facts: bool = True  # whether what forms and signatures say is kept
    waiting: bool = True  # whether it is told which mails wait for our answer


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
    proofs: tuple[tuple[str, Proof], ...] = ()  # of those that are theirs, in order of the keys
    submitted: int = 0  # of msg_count, what anybody could submit in this name: forms
    facts: tuple[Fact, ...] = ()  # phone, title, company: the newest of each kind
    unanswered: tuple[Unanswered, ...] = ()  # what came since we last wrote
    our_response_hours: float | None = None
    bounced: Undelivered | None = None  # our latest mail came back for good, and nothing came since
    copied: int = 0  # mails of others that count, or of ours that answer them, with it in To or Cc
    carried: Carried | None = None  # of a long history, see `growth`


def sender_state(
    address: str,
    messages: Sequence[Correspondence],
    ours: Mapping[str, OurMail],
    counting: Counting,
    public: PublicProviders,
    about: Iterable[Statement] = (),
    counted: AbstractSet[str] = frozenset(),
) -> SenderState:
    """The state of the sender `address` (a sender key).

    `messages`: all that belong to it, each once; `ours`: the mails of ours that these name, by the
    names under which they do (`reply.named`); `about`: what our calendars said, to whomever, of the
    meetings that these messages are about; `counted`: the Message-IDs of mails that count, of those
    that ours answer. ValueError if two messages have one key.
    """
    in_copy = [m for m in messages if m.way == IN_COPY]
    messages = [m for m in messages if m.way != IN_COPY] if in_copy else messages
    proven = proofs(address, messages, ours, counting.us, public)
    verdicts = final_verdicts(messages, proven, ours)
    contacts = [m for m in messages if verdicts[m.key][0] == "contact"]
    received = [m for m in contacts if m.direction == "received"]
    sent = [m for m in contacts if m.direction == "sent"]
    dates = [m.sent_at for m in contacts]
    answered = {m.key: proven[m.key] for m in received if m.key in proven}
    our_keys, waits = our_answers(received, sent, ours)
    reply_keys = tuple(sorted([*answered, *our_keys]))
    met = meetings_with(address, messages, about, counting.us, public, written_to=bool(sent))
    domain = address.rpartition("@")[2]
    name = display_name(address, received)
    others = display_name(address, sent) or display_name(address, in_copy)
    state = SenderState(
        address=address,
        name=name or others or made_up_name(address),
        domain=domain,
        organization=_organization(domain, received, public),
        msg_count=len(received) if counting.count == "received" else len(contacts),
        sent_count=len(sent),
        replies=len(reply_keys),
        meetings=sum(meeting.counts for meeting in met),
        thread_count=_thread_count(contacts),
        first_contact=min(dates, default=None),
        last_contact=max(dates, default=None),
        avg_response_hours=_avg_response_hours(received, answered),
        verdicts=tuple(sorted([*verdicts.items(), *((m.key, COPIED) for m in in_copy)])),
        meeting_list=met,
        reply_keys=reply_keys,
        proofs=tuple(sorted(answered.items())),
        copied=_copied(in_copy, received, sent, counted),
        submitted=sum([m.way in SUBMITTED for m in received]),
        facts=facts_of(received) if counting.facts else (),
        unanswered=unanswered(received, messages) if counting.waiting else (),
        bounced=_bounced(address, messages, max((m.sent_at for m in received), default=None), ours),
        our_response_hours=mean_hours(waits),
    )
    if len(messages) < LONG or in_copy or state.copied or state.bounced:
        return state
    rest = (reply_keys, met, state.facts, waits, bool(name))
    return replace(state, carried=carry(messages, verdicts, proven, *rest))


def _bounced(
    address: str,
    messages: Sequence[Correspondence],
    last_received: datetime | None,
    ours: Mapping[str, OurMail],
) -> Undelivered | None:
    """The latest notification that a mail of ours to this address came back for good.

    Believed only of a mail in Sent that went to them, by its Message-ID, which no stranger knows; a
    later mail of theirs shows that the address is alive.
    """
    to_them = {m.key for m in messages if m.direction == "sent"}
    if not to_them:
        return None
    found = [
        Undelivered(m.sent_at, status, last_received)
        for m in messages
        if m.direction == "received" and '"bounced"' in m.facts
        for who, status in json.loads(m.facts).get("bounced", ())
        if who == address and any(name in ours and ours[name].key in to_them for name in m.answers)
    ]
    latest = max(found, key=lambda one: (one.at, one.status), default=None)
    if latest is None or (last_received is not None and last_received > latest.at):
        return None
    return latest


def _copied(
    in_copy: Iterable[Correspondence],
    received: Iterable[Correspondence],
    sent: Iterable[Correspondence],
    counted: AbstractSet[str],
) -> int:
    """How many mails of a conversation of others name this sender in To or Cc."""
    theirs = counted - {m.message_id for m in received} if counted else counted
    ours = sum(not theirs.isdisjoint(m.answers) for m in sent) if theirs else 0
    return ours + sum(m.verdict.kind == "contact" for m in in_copy)


def _organization(
    domain: str, received: Sequence[Correspondence], public: PublicProviders
) -> str | None:
    """None also where every mail came from a portal's address for this one conversation."""
    if received and all(m.way == "relay" for m in received):
        return None
    return organization_key(domain, public)


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
        names = m.answers
        if m.message_id:
            names = (*names, m.message_id)
        if m.thread:
            names = (*names, f"\0{m.thread}")  # never a Message-ID
        for name in names:
            other = owner.setdefault(name, root)
            if other == root:
                continue
            while forest[other] != other:
                forest[other] = other = forest[forest[other]]
            if other != root:
                forest[root] = other
                root = other
                joined += 1
    return len(forest) - joined


def _avg_response_hours(
    received: Iterable[Correspondence], answered: Mapping[str, Proof]
) -> float | None:
    """The mean of the times to the earliest answer to each of our mails that has one, in hours."""
    earliest: dict[str, tuple[datetime, datetime]] = {}
    for m in received if answered else ():
        proof = answered.get(m.key)
        if proof:
            # One id may be that of two mails of ours: the later one counts, in whatever order.
            before = earliest.get(proof.answered, (m.sent_at, proof.sent_at))
            earliest[proof.answered] = min(m.sent_at, before[0]), max(proof.sent_at, before[1])
    # With a wrong clock an answer may seem older than its question.
    return mean_hours([max(timedelta(), at - asked) for at, asked in earliest.values()])


def facts_of(received: Iterable[Correspondence]) -> tuple[Fact, ...]:
    """The newest fact of each kind that the sender's mails give; what a form says goes first.

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
    """Whether a fact that stands there is about the author that was found in this way."""
    if stands == "form":
        return way in SUBMITTED
    return stands == ("from" if way in _BY_HAND else way)


def display_name(address: str, messages: Iterable[Correspondence]) -> str:
    """The newest display name that is a name of a person or a firm, and not the address again."""
    newest: dict[str, tuple[datetime, str]] = {}
    for m in messages:
        if m.name and (m.name not in newest or (m.sent_at, m.key) > newest[m.name]):
            newest[m.name] = m.sent_at, m.key
    for name in sorted(newest, key=newest.__getitem__, reverse=True):
        cleaned = clean_name(name, address)
        if cleaned and "@" not in cleaned and cleaned.lower() != address.partition("@")[0]:
            return cleaned
    return ""
