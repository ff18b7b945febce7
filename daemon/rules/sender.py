"""The state of one outside sender, as a pure function of the messages that belong to it.

Promises: the same messages in any order give the same state, so a re-scan, a second mailbox or a
repeated batch can't move a count; what counts can't be forged from outside: "ours" is only what was
found in Sent, and a reply is proved by what `reply` asks for. Costs one pass over the messages.
It doesn't fetch, store or classify anything, and never reads a clock.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from daemon.message.author import SUBMITTED
from daemon.message.booking import BOOKED, UNBOOKED
from daemon.message.candidates import Fact
from daemon.message.names import clean_name, made_up_name
from daemon.message.nature import lift
from daemon.message.verdict import Us, Verdict
from daemon.rules.carried import LONG, Carried, carry
from daemon.rules.correspondence import (
    COPIED,
    IN_COPY,
    Correspondence,
    Unanswered,
    Undelivered,
    unanswered,
)
from daemon.rules.meeting import Meeting, Statement, meetings
from daemon.rules.organization import PublicProviders, organization_key
from daemon.rules.reply import (
    OurMail,
    Proof,
    is_authenticated,
    is_written_to_them,
    our_answers,
    our_waits,
    proofs,
)

__all__ = ["Correspondence", "Counting", "Meeting", "SenderState", "sender_state"]

_ANSWERS_US = Verdict("contact", "answers-us")
_ANSWERED_BY_US = Verdict("contact", "answered-by-us")
ROLE_AFTER_REPLY = Verdict("contact", "role-after-reply")
_BOOKINGS = {BOOKED: "REQUEST", UNBOOKED: "CANCEL"}
_UPDATE = Verdict("evidence", "itip-update")


@dataclass(frozen=True, slots=True)
class Counting:
    """What counts as a message, and who we are."""

    us: Us
    count: Literal["received", "exchanged"] = "received"
    facts: bool = True  # whether what forms and signatures say is kept


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
    verdicts = _final_verdicts(messages, proven, ours)
    contacts = [m for m in messages if verdicts[m.key][0] == "contact"]
    received = [m for m in contacts if m.direction == "received"]
    sent = [m for m in contacts if m.direction == "sent"]
    dates = [m.sent_at for m in contacts]
    answered = {m.key: proven[m.key] for m in received if m.key in proven}
    reply_keys = tuple(sorted([*answered, *our_answers(received, sent, ours)]))
    met = _meetings(address, messages, about, counting.us, public, written_to=bool(sent))
    domain = address.rpartition("@")[2]
    state = SenderState(
        address=address,
        name=display_name(address, received)
        or display_name(address, sent)
        or display_name(address, in_copy)
        or made_up_name(address),
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
        verdicts=tuple(sorted((verdicts | {m.key: COPIED for m in in_copy}).items())),
        meeting_list=met,
        reply_keys=reply_keys,
        proofs=tuple(sorted(answered.items())),
        copied=_copied(in_copy, received, sent, counted),
        submitted=sum(m.way in SUBMITTED for m in received),
        facts=facts_of(received) if counting.facts else (),
        unanswered=unanswered(received, messages),
        bounced=_bounced(address, messages, max((m.sent_at for m in received), default=None), ours),
        our_response_hours=_mean_hours(our_waits(received, sent, ours)),
    )
    if len(messages) < LONG or in_copy or state.copied or state.bounced:
        return state
    rest = (reply_keys, met, state.facts, state.our_response_hours)
    return replace(state, carried=carry(messages, verdicts, answered, *rest))


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
    found = [
        Undelivered(m.sent_at, status)
        for m in messages
        if m.direction == "received" and '"bounced"' in m.facts
        for who, status in json.loads(m.facts).get("bounced", ())
        if who == address and any(name in ours and ours[name].key in to_them for name in m.answers)
    ]
    latest = max(found, default=None)
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


def _final_verdicts(
    messages: Sequence[Correspondence],
    proven: Mapping[str, Proof],
    ours: Mapping[str, OurMail],
) -> dict[str, Verdict]:
    """Verdicts by key, with the evidence lifted that turns out to come from a person."""
    verdicts = {m.key: m.verdict for m in messages}
    if len(verdicts) != len(messages):
        raise ValueError("a message key is given twice")
    soft = [m for m in messages if m.verdict[0] == "evidence" and m.direction == "received"]
    sent = [m for m in messages if m.direction == "sent" and m.verdict.kind == "contact"]
    verdicts.update(_lifted(soft, sent, proven))
    role = [m for m in soft if m.verdict.reason == "role-address"]
    if role and _is_a_conversation(messages, verdicts, proven, ours):
        verdicts.update((m.key, ROLE_AFTER_REPLY) for m in role)
    verdicts.update((key, _UPDATE) for key in _updates(messages, verdicts, proven))
    return verdicts


def _lifted(
    soft: Iterable[Correspondence],
    sent: Iterable[Correspondence],
    proven: Mapping[str, Proof],
) -> Iterator[tuple[str, Verdict]]:
    """Evidence that a correspondence turns into contacts, as far as its reason allows.

    Strong traces of a machine take an answer to a mail that we sent to this very address: somebody
    is there, whatever the address is called. Weak ones only show that a relay carried the mail, so
    an answer to what we sent to a colleague does, and an answer of ours.
    """
    to_them = {m.key for m in sent}
    we_answered = {answered for m in sent for answered in m.answers}
    for m in soft:
        lifted_by = lift(m.verdict.reason)
        if lifted_by == "never" or m.verdict.reason == "role-address":
            continue
        if m.key in proven and (lifted_by != "theirs" or proven[m.key].answered in to_them):
            yield m.key, _ANSWERS_US
        elif lifted_by == "either" and m.message_id in we_answered:
            yield m.key, _ANSWERED_BY_US


def _is_a_conversation(
    messages: Sequence[Correspondence],
    verdicts: Mapping[str, Verdict],
    proven: Mapping[str, Proof],
    ours: Mapping[str, OurMail],
) -> bool:
    """Whether a role address and we have answered each other."""
    theirs = [
        m
        for m in messages
        if m.direction == "received"
        and (verdicts[m.key].kind == "contact" or m.verdict.reason == "role-address")
    ]
    if any(m.key in proven for m in theirs):
        return True
    sent = [m for m in messages if m.direction == "sent" and m.verdict.kind == "contact"]
    return bool(our_answers(theirs, sent, ours))


def _updates(
    messages: Sequence[Correspondence],
    verdicts: Mapping[str, Verdict],
    proven: Mapping[str, Proof],
) -> list[str]:
    """The keys of invitations that only repeat or move an earlier one: one meeting, one message."""
    first: dict[str, tuple[tuple[int, datetime, str], str]] = {}
    repeated = []
    for m in messages:
        if (
            m.direction != "received"
            or verdicts[m.key].kind != "contact"
            or m.key in proven
            or not m.invites
            or any(invite.method != "REQUEST" for invite in m.invites)
        ):
            continue
        invite = m.invites[0]
        mine = (invite.sequence, m.sent_at, m.key), m.key
        other = first.get(invite.uid)
        first[invite.uid] = mine if other is None else min(mine, other)
        if other is not None:
            repeated.append(max(mine, other)[1])
    return repeated


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
    received: Iterable[Correspondence], answered: Mapping[str, Proof]
) -> float | None:
    """The mean of the times to the earliest answer to each of our mails that has one, in hours."""
    earliest: dict[str, tuple[datetime, datetime]] = {}
    for m in received:
        proof = answered.get(m.key)
        if proof:
            at = min(m.sent_at, earliest.get(proof.answered, (m.sent_at,))[0])
            earliest[proof.answered] = at, proof.sent_at
    # With a wrong clock an answer may seem older than its question.
    return _mean_hours([max(timedelta(), at - asked) for at, asked in earliest.values()])


def _mean_hours(waits: Sequence[timedelta]) -> float | None:
    if not waits:
        return None
    return round(sum(waits, timedelta()) / (len(waits) * timedelta(hours=1)), 2)


def _meetings(
    address: str,
    messages: Sequence[Correspondence],
    about: Iterable[Statement],
    us: Us,
    public: PublicProviders,
    *,
    written_to: bool,
) -> tuple[Meeting, ...]:
    """The meetings with this sender, by what calendars said in its mails and in ours."""
    said = _statements(address, messages, us) + _bookings(messages)
    if not said:
        return ()
    keys = {m.key for m in messages}
    uids = {statement.invite.uid for statement in said}
    said += [s for s in about if s.key not in keys and s.invite.uid in uids]
    company = organization_key(address.rpartition("@")[2], public)

    def is_colleague(other: str) -> bool:
        return company is not None and company == organization_key(other.rpartition("@")[2], public)

    return meetings(address, said, us, written_to=written_to, is_colleague=is_colleague)


def _bookings(messages: Sequence[Correspondence]) -> list[Statement]:
    """What booking pages told: an invitation of the visitor's, once we have written back.

    Anybody may book in another's name.
    """
    told = [m for m in messages if m.invites and m.way in SUBMITTED and m.verdict[0] != "ignored"]
    if not told:
        return []
    last = max((m.sent_at for m in messages if is_written_to_them(m)), default=None)
    return [
        Statement(
            replace(invite, method=_BOOKINGS[invite.method]),
            ours=False,
            sent_at=m.sent_at,
            key=m.key,
        )
        for m in told
        if last is not None and m.sent_at <= last
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


def facts_of(received: Iterable[Correspondence]) -> tuple[Fact, ...]:
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


def display_name(address: str, messages: Iterable[Correspondence]) -> str:
    """The newest display name that is a name of a person or a firm, and not the address again."""
    name, newest = "", None
    for m in messages:
        if m.name and (newest is None or (m.sent_at, m.key) > newest):
            cleaned = clean_name(m.name, address)
            if cleaned and "@" not in cleaned and cleaned.lower() != address.partition("@")[0]:
                name, newest = cleaned, (m.sent_at, m.key)
    return name
