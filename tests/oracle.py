"""What must be true of a generated correspondence, computed from its facts alone.

Nothing here reads a mail or imports a step of ours: the rules are written down a second time, from
the design, as plainly as they can be. Where the two disagree, one of them is wrong.

`expect(scenario)` gives, for the state after everything was read: the judgement of each distinct
mail (by the id of its facts), the state and class of each sender (by address key), and the records
that the CRM should hold. Judgements of ignored mails have no direction and no parties.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from oracle_meetings import Attended, meetings

from daemon.sandbox.company import Facts, InviteFacts, Mail, Office, Scenario

NO_REPLY = {"noreply", "no-reply", "donotreply", "do-not-reply"}
LIFTED_BY_ANSWER = {"no-reply-address", "list-unsubscribe", "list-id"}
MOST_RECIPIENTS = 10
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Judged:
    direction: str | None
    parties: tuple[str, ...]
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sender:
    address: str
    name: str
    domain: str
    organization: str | None
    msg_count: int
    sent_count: int
    replies: int
    meetings: int
    thread_count: int
    first_contact: datetime | None
    last_contact: datetime | None
    avg_response_hours: float | None
    classified: str
    verdicts: tuple[tuple[int, str, str], ...]
    attended: tuple[Attended, ...]


@dataclass(frozen=True, slots=True)
class Activity:
    direction: str
    primary: str
    participants: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    learned: frozenset[str]
    messages: Mapping[int, Judged]
    sent_at: Mapping[int, datetime]
    senders: Mapping[str, Sender]
    organizations: frozenset[str]
    persons: frozenset[str]
    leads: frozenset[str]
    deals: frozenset[str]
    activities: Mapping[int, Activity]
    meetings: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Us:
    addresses: frozenset[str]
    office: Office

    def are(self, key: str) -> bool:
        return key in self.addresses or _below(key, self.office.domains)

    def ignore(self, key: str) -> str | None:
        if key in self.office.ignored_addresses:
            return "ignored-address"
        return "ignored-domain" if _below(key, self.office.ignored_domains) else None


@dataclass(frozen=True, slots=True)
class OurMail:
    """A mail of ours that somebody may answer."""

    facts: Facts
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """One distinct mail as it belongs to one sender."""

    facts: Facts
    judged: Judged
    sent_at: datetime

    @property
    def theirs(self) -> bool:
        return self.judged.direction == "received"


def expect(scenario: Scenario) -> Expected:
    roles = dict(scenario.roles)
    by_id = {f.id: f for f in scenario.distinct()}
    in_sent = {m.facts.id for m in scenario.mails if roles[m.folder] == "sent"}
    learned = learn(scenario.office, scenario.mails, in_sent)
    us = Us(frozenset(scenario.office.addresses) | learned, scenario.office)
    messages = {i: judge(f, us, in_sent=i in in_sent) for i, f in by_id.items()}
    sent_at = _dates(scenario.mails)

    ours = {
        f.message_id: OurMail(f, sent_at[i])
        for i, f in by_id.items()
        if f.message_id and messages[i].reason in {"sent", "too-many-recipients"}
    }
    invited = [
        (f.invite, frozenset(r.key for r in f.recipients))
        for i, f in by_id.items()
        if f.invite and messages[i].direction == "sent"
    ]
    letters: dict[str, list[Letter]] = {}
    for i, judged in messages.items():
        for party in judged.parties:
            letters.setdefault(party, []).append(Letter(by_id[i], judged, sent_at[i]))
    senders = {key: sender(key, mails, ours, invited, us) for key, mails in letters.items()}
    return _records(learned, messages, sent_at, senders)


def learn(office: Office, mails: Iterable[Mail], in_sent: set[int]) -> frozenset[str]:
    """Addresses that wrote three or more mails in Sent and none that came in."""
    us = Us(frozenset(office.addresses), office)
    distinct = {m.facts.id: m.facts for m in mails}
    wrote = Counter(f.author.key for i, f in distinct.items() if f.author and i in in_sent)
    came_in = {f.author.key for i, f in distinct.items() if f.author and i not in in_sent}
    return frozenset(
        key for key, n in wrote.items() if n >= 3 and not us.are(key) and key not in came_in
    )


def judge(facts: Facts, us: Us, *, in_sent: bool) -> Judged:
    if facts.author is None:
        return _ignored("no-from")
    if in_sent:
        return _judge_sent(facts, us)
    party, signals = facts.author, set(facts.signals)
    if us.are(party.key):
        group = facts.group_sender
        if group is None or us.are(group.key):
            outside = any(not us.are(r.key) for r in facts.recipients)
            return _ignored("from-us-not-in-sent" if outside else "internal")
        party = group
    if facts.own_list:
        signals -= {"list-id", "list-unsubscribe", "precedence-bulk"}
    if reason := us.ignore(party.key):
        return _ignored(reason)
    reason = _machine_reason(signals, facts, party.key.partition("@")[0])
    return Judged("received", (party.key,), "evidence" if reason else "contact", reason or "human")


def _judge_sent(facts: Facts, us: Us) -> Judged:
    if facts.author is None or not us.are(facts.author.key):
        return _ignored("not-ours-in-sent")
    parties: list[str] = []
    for recipient in facts.recipients:
        key = recipient.key
        if not us.are(key) and not us.ignore(key) and key not in parties:
            parties.append(key)
    if not parties:
        return _ignored("internal")
    reason = None
    if len(parties) > MOST_RECIPIENTS:
        reason = "too-many-recipients"
    elif facts.signals & {"auto-submitted", "auto-reply", "report", "precedence-bulk"}:
        reason = "our-auto-reply"
    elif facts.invite and facts.invite.method != "REQUEST":
        reason = f"itip-{facts.invite.method.lower()}"
    return Judged("sent", tuple(parties), "evidence" if reason else "contact", reason or "sent")


def _machine_reason(signals: set[str], facts: Facts, local: str) -> str | None:
    local = local.partition("+")[0]
    answer = facts.invite is not None and facts.invite.method in {"REPLY", "COUNTER", "CANCEL"}
    rules = (
        ("dmarc-fail", "dmarc-fail" in signals),
        (f"itip-{facts.invite.method.lower()}" if facts.invite else "", answer),
        ("bounce", bool(signals & {"report", "bounce"})),
        ("empty-return-path", "empty-return-path" in signals),
        ("auto-reply", "auto-reply" in signals),
        ("auto-submitted", "auto-submitted" in signals),
        ("precedence-bulk", "precedence-bulk" in signals),
        ("list-id", "list-id" in signals),
        ("list-unsubscribe", "list-unsubscribe" in signals),
        ("no-reply-address", local in NO_REPLY),
    )
    return next((reason for reason, holds in rules if holds), None)


def sender(
    key: str,
    mails: list[Letter],
    ours: Mapping[str, OurMail],
    invited: list[tuple[InviteFacts, frozenset[str]]],
    us: Us,
) -> Sender:
    mails = sorted(mails, key=lambda m: (m.sent_at, m.facts.id))
    answered = {m.facts.id: found for m in mails if (found := answers(key, m, mails, ours))}
    verdicts = _final(mails, answered)
    counted = [m for m in mails if verdicts[m.facts.id][0] == "contact"]
    received = [m for m in counted if m.theirs]
    sent = [m for m in counted if not m.theirs]
    replies = sum(m.facts.id in answered for m in received) + len(_our_answers(received, sent))
    attended = meetings(
        [
            (m.facts.invite, m.theirs)
            for m in mails
            if m.facts.invite and "dmarc" not in m.judged.reason
        ],
        key,
        invited,
        is_us=us.are,
        written_to=bool(sent),
    )
    met = sum(a.counts for a in attended)
    classified = "lead" if received else "ignore"
    if len(received) >= 5 or replies or met:
        classified = "person_with_deal"
    return Sender(
        address=key,
        name=_name(key, received, sent),
        domain=key.partition("@")[2],
        organization=_organization(key, mails),
        msg_count=len(received),
        sent_count=len(sent),
        replies=replies,
        meetings=met,
        thread_count=_threads(counted),
        first_contact=counted[0].sent_at if counted else None,
        last_contact=counted[-1].sent_at if counted else None,
        avg_response_hours=_response_hours(received, answered),
        classified=classified,
        verdicts=tuple((i, kind, reason) for i, (kind, reason) in sorted(verdicts.items())),
        attended=attended,
    )


def answers(
    key: str, m: Letter, mails: list[Letter], ours: Mapping[str, OurMail]
) -> OurMail | None:
    """The mail of ours that a received one answers: named by somebody whom we wrote to, or by a
    colleague of whom we wrote to; or not named, but of its subject and to this very address."""
    if not m.theirs:
        return None
    to_them = [
        o for o in mails if not o.theirs and o.judged.reason in {"sent", "too-many-recipients"}
    ]
    company = _organization(key, mails)
    for name in m.facts.answers:
        if name in ours and (
            to_them
            or (company and company in {r.organization for r in ours[name].facts.recipients})
        ):
            return ours[name]
    of_subject = [
        OurMail(o.facts, o.sent_at)
        for o in to_them
        if re.match(r"re: ", m.facts.subject, re.IGNORECASE)
        and _base(o.facts.subject) == _base(m.facts.subject) != ""
        and o.sent_at <= m.sent_at <= o.sent_at + timedelta(days=60)
    ]
    return max(of_subject, key=lambda o: o.sent_at, default=None)


def _base(subject: str) -> str:
    return re.sub(r"^(?:re: *)+", "", subject.strip(), flags=re.IGNORECASE).casefold()


def _our_answers(received: list[Letter], sent: list[Letter]) -> list[int]:
    """Mails of ours that name one of theirs."""
    their_ids = {m.facts.message_id for m in received} - {None}
    return [m.facts.id for m in sent if any(a in their_ids for a in m.facts.answers)]


def _final(mails: list[Letter], answered: Mapping[int, OurMail]) -> dict[int, tuple[str, str]]:
    """The verdicts of one sender's mails after its own history has lifted some of them."""
    verdicts = {m.facts.id: (m.judged.kind, m.judged.reason) for m in mails}
    to_them = {m.facts.id for m in mails if not m.theirs and m.judged.kind == "contact"}
    for m in mails:
        lifts = m.theirs and m.judged.reason in LIFTED_BY_ANSWER and m.facts.id in answered
        if lifts and (
            m.judged.reason in {"verp", "list-unsubscribe"}
            or answered[m.facts.id].facts.id in to_them
        ):
            verdicts[m.facts.id] = ("contact", "answers-us")
    human = [m for m in mails if m.theirs and verdicts[m.facts.id][0] == "contact"]
    seen: set[str] = set()
    asked = [(m.facts.invite, m) for m in human if m.facts.invite]
    requests = [(invite, m) for invite, m in asked if invite.method == "REQUEST"]
    requests.sort(key=lambda one: (one[0].sequence, one[1].sent_at, one[1].facts.id))
    for invite, m in requests:
        contact = verdicts[m.facts.id][0] == "contact" and m.facts.id not in answered
        if contact and invite.uid in seen:
            verdicts[m.facts.id] = ("evidence", "itip-update")
        elif contact:
            seen.add(invite.uid)
    return verdicts


def _threads(mails: list[Letter]) -> int:
    """Groups of mails that share a Message-ID, their own or one that they answer."""
    groups: list[set[str]] = []
    for m in mails:
        names = {m.facts.message_id or f"#{m.facts.id}", *m.facts.answers}
        touching = [g for g in groups if g & names]
        groups = [g for g in groups if not g & names]
        groups.append(names.union(*touching))
    return len(groups)


def _response_hours(received: list[Letter], answered: Mapping[int, OurMail]) -> float | None:
    first: dict[int, tuple[datetime, datetime]] = {}
    for m in received:
        if asked := answered.get(m.facts.id):
            at = min(first.get(asked.facts.id, (m.sent_at,))[0], m.sent_at)
            first[asked.facts.id] = at, asked.sent_at
    if not first:
        return None
    waited = sum(max(0, int((at - sent).total_seconds())) for at, sent in first.values())
    return round(waited / (3600 * len(first)), 2)


def _name(key: str, received: list[Letter], sent: list[Letter]) -> str:
    """What they call themselves, else what we call them, the newest first."""
    names = [_own_name(m.facts) for m in reversed(received)]
    names += [to.name for m in reversed(sent) for to in m.facts.recipients if to.key == key]
    for name in names:
        if name and "@" not in name:
            last, comma, first = name.partition(", ")
            return f"{first} {last}" if comma else name
    return " ".join(w.capitalize() for w in re.split(r"[._-]+", key.partition("@")[0]) if w)


def _own_name(facts: Facts) -> str:
    """The name in From, also where a group of ours rewrote it: Ada via Sales."""
    if facts.group_sender and facts.group_sender.name:
        return facts.group_sender.name
    return facts.author.name.partition(" via ")[0] if facts.author else ""


def _organization(key: str, mails: list[Letter]) -> str | None:
    for m in mails:
        for party in (m.facts.group_sender, m.facts.author, *m.facts.recipients):
            if party is not None and party.key == key:
                return party.organization
    raise AssertionError(key)


def _records(
    learned: frozenset[str],
    messages: Mapping[int, Judged],
    sent_at: Mapping[int, datetime],
    senders: Mapping[str, Sender],
) -> Expected:
    leads = frozenset(k for k, s in senders.items() if s.classified == "lead")
    deals = frozenset(k for k, s in senders.items() if s.classified == "person_with_deal")
    persons = leads | deals
    final = {(k, i): kind for k, s in senders.items() for i, kind, _ in s.verdicts}
    activities: dict[int, Activity] = {}
    for i, judged in messages.items():
        known = tuple(p for p in judged.parties if p in persons and final[p, i] == "contact")
        if known and judged.direction:
            activities[i] = Activity(judged.direction, known[0], known[1:], sent_at[i])
    met: dict[str, tuple[str, ...]] = {}
    for key in sorted(senders):
        for attended in senders[key].attended:
            if attended.counts:
                met[attended.uid] = (*met.get(attended.uid, ()), key)
    organizations = frozenset(o for k in persons if (o := senders[k].organization))
    return Expected(
        learned, messages, sent_at, senders, organizations, persons, leads, deals, activities, met
    )


def _dates(mails: Iterable[Mail]) -> dict[int, datetime]:
    arrived: dict[int, datetime] = {}
    dated: dict[int, datetime | None] = {}
    for m in mails:
        arrived[m.facts.id] = min(arrived.get(m.facts.id, m.internal_date), m.internal_date)
        dated[m.facts.id] = m.facts.date
    return {
        i: d if (d := dated[i]) and OLDEST <= d <= at + timedelta(days=1) else at
        for i, at in arrived.items()
    }


def _below(key: str, domains: Iterable[str]) -> bool:
    domain = key.partition("@")[2]
    return any(domain == d or domain.endswith(f".{d}") for d in domains)


def _ignored(reason: str) -> Judged:
    return Judged(None, (), "ignored", reason)
