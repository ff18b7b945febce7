"""FLOW messages → ledger: what newly seen messages do to the senders, inside one transaction.

    write messages → learn which addresses are ours → judge again what that changes → sender state

Everything here is a function of what the ledger holds afterwards, never of the order in which it
came in: a message is judged by all the places where it was seen, and a sender's state is computed
from all of its messages.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from daemon.intake import consent, own_servers
from daemon.intake.copies import Known, read_anew, with_answer
from daemon.intake.parsing import collecting_seldom
from daemon.intake.states import LEARNED, ScoringSettings, known_us, recompute, with_learned
from daemon.ledger.folders import Sighting
from daemon.ledger.forgotten import FORGET_SALT
from daemon.ledger.message_row import Grounds, Judged, MessageRow, StoredMessage
from daemon.ledger.rereading import HELD
from daemon.ledger.store import Ledger
from daemon.message.forgotten import FORGOTTEN, MARK, people, without
from daemon.message.identity import preferred
from daemon.message.parse import Message
from daemon.message.verdict import Judgement, Us, judge
from daemon.rules.correspondence import IN_COPY
from daemon.rules.organization import organization_key

# An address is learned as ours when it is the From of this many mails in Sent to others …
_LEARN_FROM = 3
# … and, in a domain of ours, has arrived at most a third as often.
_LEARN_RATIO = 3
_LOOKED_AT = 100  # mails of one address, the latest
_PAGE = 1000
_KEPT = 4096  # judgements; people write to the same people in the same way


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message at one place: `arrived_at` is its INTERNALDATE there."""

    uid: int
    arrived_at: datetime
    message: Message


def add(
    ledger: Ledger,
    settings: ScoringSettings,
    folder: int,
    role: str,
    uidvalidity: int,
    seen: Sequence[IncomingMessage],
    *,
    hold: datetime | None = None,
) -> set[str]:
    """Write messages with their sightings and the states they change; the keys that are new.

    `hold` is the time where they are read again: what that would newly make in Pipedrive waits.
    """
    stored = ledger.settings(LEARNED, own_servers.SETTING, FORGET_SALT, HELD)
    us, in_sent = with_learned(settings.us, stored), role == "sent"
    if FORGET_SALT in stored:
        named = {key for item in seen for key in people(item.message)}
        gone = ledger.forgotten.among(stored[FORGET_SALT], named)
        seen = [
            replace(item, message=without(item.message, gone, in_sent=in_sent, us=us))
            for item in seen
        ]
    known = Known(ledger, [item.message for item in seen], in_sent=in_sent)
    if hold is not None:
        there = ledger.messages.at(folder, uidvalidity, (item.uid for item in seen))
        for item in seen:
            if item.uid in there:
                known.place(item.message, there[item.uid])
    entries = _entries(known, seen, in_sent=in_sent, us=us)
    written = _write(ledger, list(entries.values()), known.ids, us)
    ids = known.ids | written.ids
    ledger.messages.add_copies((copy, ids[key], own) for copy, key, own in known.copies())
    ledger.folders.see(
        folder,
        uidvalidity,
        [
            Sighting(item.uid, ids[known.key_of(m)], m.size, item.arrived_at)
            for item in seen
            for m in (item.message,)
        ],
    )
    again = _learn(ledger, settings, set(stored.get(LEARNED, ())), entries.values())
    new = [entry.message for key, entry in entries.items() if key not in known.ids]
    if not in_sent:
        again |= _learn_servers(ledger, stored.get(own_servers.SETTING, {}), new)
    touched = written.touched | again
    before = ledger.rereading.standing(touched) if hold is not None else {}
    if again:
        recompute(ledger, settings, touched)
    else:
        recompute(ledger, settings, touched, us, {} if before else written.one_more)
    if hold is not None:
        consent.hold(ledger, before, touched, hold)
    elif stored.get(HELD):
        came = max(item.arrived_at for item in seen)
        consent.let_go(ledger, (entries[key] for key in entries if key not in known.ids), came)
    return entries.keys() - known.ids.keys()


def _entries(
    known: Known, seen: Sequence[IncomingMessage], *, in_sent: bool, us: Us
) -> dict[str, MessageRow]:
    """What to write: new messages, and those whose copies or places now say something else."""
    entries: dict[str, MessageRow] = {}
    for item in seen:
        before = known.find(item.message)
        message, arrived_at, sent, other = item.message, item.arrived_at, in_sent, False
        if before is not None:
            kept = preferred(before.message, message)
            other = kept is message and message.key != before.message.key
            message = replace(kept, key=before.message.key)
            arrived_at = min(arrived_at, before.arrived_at)
            # What reached us and is filed into Sent is still theirs: From decides.
            ours = message.from_ is not None and us.is_us(message.from_)
            sent = (sent or before.in_sent) if ours else (sent and before.in_sent)
            if isinstance(before, StoredMessage) and before.stale:
                message, other = read_anew(before.message, item.message), True
            elif not other and (sent, arrived_at) == (before.in_sent, before.arrived_at):
                continue
            message = with_answer(message, before.message)
        judgement = _judge(message, in_sent=sent, us=us)
        entry = MessageRow(message, arrived_at, sent, judgement, other=other)
        entries[message.key] = entry
        known.keep(entry, item.message)
    return entries


def _judge(message: Message, *, in_sent: bool, us: Us) -> Judgement:
    return FORGOTTEN if MARK in message.signals else judge(message, in_sent=in_sent, us=us)


class _Written(NamedTuple):
    ids: dict[str, int]  # of messages, by their keys
    touched: set[str]  # senders whose state may have changed
    one_more: dict[str, int]  # those of them who only have this one message more, by its id


def _write(
    ledger: Ledger, entries: Sequence[MessageRow], there: Mapping[str, int], us: Us
) -> _Written:
    """Write messages; `there`: the ids of those that the ledger has already, by key."""
    # Senders who lose a message, because a new place changes its judgement, are touched too.
    touched = ledger.messages.parties(e.message.key for e in entries if e.message.key in there)
    ids = ledger.messages.write(entries, there)
    kept = [e for e in entries if e.judgement.verdict.kind != "ignored"]
    touched.update(party.key for e in kept for party in e.judgement.copied)
    if us.copies:  # whom we had in copy when we answered these
        counted = [e.message for e in entries if e.judgement.verdict == ("contact", "human")]
        touched |= ledger.conversations.answerers(counted) if counted else set()
    ours = [e.message for e in entries if e.in_sent]
    if ours:
        touched |= ledger.conversations.answerers(ours)
    # Others named in a mail that we answered may answer ours, if there are any.
    shared = [
        e.message.message_id
        for e in entries
        if not e.in_sent and e.message.message_id and not all(map(us.is_us, e.message.to))
    ]
    if shared:
        touched |= ledger.conversations.answerers_beyond(shared)
    came: dict[str, list[int]] = {}
    for entry in kept:
        for party in entry.judgement.parties:
            came.setdefault(party.key, []).append(ids[entry.message.key])
    one_more = {
        key: several[0] for key, several in came.items() if len(several) == 1 and key not in touched
    }
    return _Written(ids, touched | came.keys(), one_more)


def _learn(
    ledger: Ledger, settings: ScoringSettings, learned: set[str], entries: Iterable[MessageRow]
) -> set[str]:
    """Learn or unlearn which From addresses are ours; judge again what that changes."""
    suspects = {
        e.message.from_.key
        for e in entries
        if e.message.from_ is not None
        and (e.in_sent or e.message.from_.key in learned)
        and not settings.us.is_us(e.message.from_)
    }
    now_ours = {address for address in suspects if _is_ours(ledger, settings, address)}
    changed = {a for a in suspects if (a in now_ours) != (a in learned)}
    if not changed:
        return set()
    ledger.set(LEARNED, sorted((learned - changed) | (now_ours & changed)))
    us = known_us(ledger, settings.us)
    return rejudge(ledger, us, conclusions(us), ledger.messages.judged_of(changed))


def _learn_servers(
    ledger: Ledger, before: Mapping[str, list[list[int]]], new: Iterable[Message]
) -> set[str]:
    """Count what our servers brought; all senders, if that says something new of a server."""
    counts = own_servers.counted(before, new)
    if counts == before:
        return set()
    ledger.set(own_servers.SETTING, counts)
    changed = own_servers.learned(counts) != own_servers.learned(before)
    return ledger.states.addresses() if changed else set()


def _is_ours(ledger: Ledger, settings: ScoringSettings, address: str) -> bool:
    """Whether an address that is the From of mails in Sent is one of ours.

    Somebody's mails may have been filed there: who has written to us, or to us alone, isn't us. An
    alias in a domain of ours may have, as a colleague who writes to everybody.
    """
    sent = ledger.messages.sent_from(address, _LOOKED_AT)
    others = [[to.key for to in m.message.to if to.key != address] for m in sent]
    outward = sum(any(not settings.us.is_us(to) for to in keys) for keys in others)
    if outward < _LEARN_FROM or any(keys and all(map(settings.us.is_us, keys)) for keys in others):
        return False
    arrived = ledger.messages.arrived_from(address, _LOOKED_AT)
    domain = organization_key(address.rpartition("@")[2], settings.public)
    ours = {
        organization_key(one.rpartition("@")[2], settings.public) for one in settings.us.addresses
    }
    return not arrived or (domain in ours - {None} and arrived * _LEARN_RATIO <= outward)


class Conclusion(NamedTuple):
    """What comes of a message in the ledger: direction, verdict and reason, and its parties."""

    stands: tuple[str | None, str, str]
    parties: frozenset[tuple[str, str, str]]  # sender key, name and way


def conclusions(us: Us) -> Callable[[Grounds], Conclusion]:
    """What judges messages by their grounds; people write alike, so it keeps the latest."""

    @lru_cache(maxsize=_KEPT)
    def conclude(grounds: Grounds) -> Conclusion:
        judgement = _judge(grounds.message(), in_sent=grounds.in_sent, us=us)
        parties = {p.key: (p.key, p.name, IN_COPY) for p in reversed(judgement.copied)}
        if judgement.verdict.kind != "ignored":
            parties |= {p.key: (p.key, p.name, judgement.way) for p in reversed(judgement.parties)}
        stands = (judgement.direction, *judgement.verdict)
        return Conclusion(stands, frozenset(parties.values()))

    return conclude


def rejudge(
    ledger: Ledger, us: Us, conclude: Callable[[Grounds], Conclusion], messages: Sequence[Judged]
) -> set[str]:
    """Judge messages again by what we know now; the senders whose state that may change.

    Only those of which something else comes out are written.
    """
    before = ledger.messages.parties_of([m.id for m in messages])
    touched = {sender for parties in before.values() for sender, _, _ in parties}
    changed: list[int] = []
    for number, stands, grounds in messages:
        if conclude(grounds) != (stands, before.get(number, frozenset())):
            changed.append(number)
    if not changed:
        return touched
    whole = ledger.messages.of_ids(changed)
    rows = [
        MessageRow(m.message, m.arrived_at, m.in_sent, _judge(m.message, in_sent=m.in_sent, us=us))
        for m in whole
    ]
    written = _write(ledger, rows, {m.message.key: m.id for m in whole}, us)
    return touched | written.touched


@collecting_seldom()
def rebuild(
    ledger: Ledger,
    settings: ScoringSettings,
    carry_on: Callable[[int], bool] = lambda _: True,
    at_once: int = _PAGE,
    *,
    hold: datetime | None = None,
) -> int:
    """Judge every message and compute every sender anew; how many senders changed.

    `hold` is the time where the configuration was edited: what that would newly make waits.
    Called inside no transaction; runs in transactions of its own, of about `at_once` messages. It
    ends early when `carry_on`, which is told after each how many messages are judged, says so.
    """
    last, done, touched = 0, 0, set(ledger.states.addresses())
    us = known_us(ledger, settings.us)
    conclude = conclusions(us)
    while page := ledger.messages.page(last, at_once):
        last, done = page[-1].id, done + len(page)
        with ledger.transaction("rejudge"):
            if (now := known_us(ledger, settings.us)) != us:  # somebody was learned meanwhile
                us, conclude = now, conclusions(now)
            touched |= rejudge(ledger, us, conclude, page)
        if not carry_on(done):
            return 0
    changed = 0
    for portion, _ in ledger.histories.portions(touched, at_once):
        with ledger.transaction("rebuild"):
            before = ledger.rereading.standing(portion) if hold else {}
            changed += recompute(ledger, settings, portion)
            if hold:
                consent.hold_edited(ledger, before, portion, hold)
        if not carry_on(done):
            break
    return changed


def fingerprint(settings: ScoringSettings) -> str:
    """The same 16 hexadecimal digits as long as the configuration judges and counts alike."""
    counted = (settings.us, settings.rules, settings.count, settings.public)
    text = json.dumps([_plain(one) for one in counted], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, int | float | bool | None) else str(value)
