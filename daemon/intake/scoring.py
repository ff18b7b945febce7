"""FLOW messages → ledger: what newly seen messages do to the senders, inside one transaction.

    write messages → learn which addresses are ours → judge again what that changes → sender state

Everything here is a function of what the ledger holds afterwards, never of the order in which it
came in: a message is judged by all the places where it was seen, and a sender's state is computed
from all of its messages.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any

from daemon.intake import consent, own_servers
from daemon.intake.copies import Known, read_anew, with_answer
from daemon.intake.judging import conclusions, judged, rejudge, write
from daemon.intake.states import LEARNED, ScoringSettings, known_us, recompute, with_learned
from daemon.ledger.forgotten import FORGET_SALT
from daemon.ledger.message_row import MessageRow, StoredMessage
from daemon.ledger.rereading import HELD
from daemon.ledger.sightings import Sighting
from daemon.ledger.store import Ledger
from daemon.ledger.timestamp import instant_or_none
from daemon.message.forgotten import people, without
from daemon.message.identity import preferred
from daemon.message.parse import Message
from daemon.message.verdict import SeenIn, Us
from daemon.rules.organization import organization_key

# An address is learned as ours when it is the From of this many mails in Sent to others …
_LEARN_FROM = 3
# … and, in a domain of ours, has arrived at most a third as often.
_LEARN_RATIO = 3
_LOOKED_AT = 100  # mails of one address, the latest


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
    account: str | None = None,
) -> set[str]:
    """Write messages with their sightings and the states they change; the keys that are new.

    `hold` is the time where they are read again: what that would newly make in Pipedrive waits.
    So does what lay in the `account` before an edit had us read it.
    """
    stored = ledger.settings(LEARNED, own_servers.SETTING, FORGET_SALT, HELD, consent.OLD_BEFORE)
    old_before = instant_or_none(stored.get(consent.OLD_BEFORE, {}).get(account))
    us, in_sent = with_learned(settings.us, stored), role == "sent"
    if FORGET_SALT in stored:
        seen = _without_forgotten(ledger, stored[FORGET_SALT], seen, in_sent=in_sent, us=us)
    known = Known(ledger, [item.message for item in seen], in_sent=in_sent)
    if hold is not None:
        there = ledger.messages.at(folder, uidvalidity, (item.uid for item in seen))
        for item in seen:
            if item.uid in there:
                known.place(item.message, there[item.uid])
    entries = _entries(known, seen, in_sent=in_sent, us=us)
    written = write(ledger, list(entries.values()), known.ids, us)
    ids = known.ids | written.ids
    ledger.messages.add_copies((copy, ids[key], own) for copy, key, own in known.copies())
    places = [
        Sighting(item.uid, ids[known.key_of(item.message)], item.message.size, item.arrived_at)
        for item in seen
    ]
    ledger.sightings.see(folder, uidvalidity, places)
    again = _learn(ledger, settings, set(stored.get(LEARNED, ())), entries.values())
    new = [entry.message for key, entry in entries.items() if key not in known.ids]
    if not in_sent:
        again |= _learn_servers(ledger, stored.get(own_servers.SETTING, {}), new)
    touched = written.touched | again
    before = ledger.rereading.standing(touched) if hold or old_before else {}
    if again:
        recompute(ledger, settings, touched)
    else:
        recompute(ledger, settings, touched, us, {} if before else written.one_more)
    if hold is not None:
        consent.hold(ledger, before, touched, hold)
        return entries.keys() - known.ids.keys()
    news = [entries[key] for key in entries if key not in known.ids]
    if old_before is not None:
        news = [entry for entry in news if entry.arrived_at >= old_before]
        in_touch = {party.key for entry in news for party in entry.judgement.parties}
        consent.hold_edited(ledger, before, touched - in_touch, old_before)
    if stored.get(HELD):
        consent.let_go(ledger, news, max(item.arrived_at for item in seen))
    return entries.keys() - known.ids.keys()


def _without_forgotten(
    ledger: Ledger, salt: str, seen: Sequence[IncomingMessage], *, in_sent: bool, us: Us
) -> list[IncomingMessage]:
    """The messages without what they say of people who were forgotten."""
    gone = ledger.forgotten.among(salt, {key for item in seen for key in people(item.message)})
    return [
        replace(item, message=without(item.message, gone, in_sent=in_sent, us=us)) for item in seen
    ]


def _entries(
    known: Known, seen: Sequence[IncomingMessage], *, in_sent: bool, us: Us
) -> dict[str, MessageRow]:
    """What to write: new messages, and those whose copies or places now say something else."""
    entries: dict[str, MessageRow] = {}
    for item in seen:
        before = known.find(item.message)
        message, arrived_at, other = item.message, item.arrived_at, False
        seen_in: SeenIn = "sent" if in_sent else "inbox"
        if before is not None:
            kept = preferred(before.message, message)
            other = kept is message and message.key != before.message.key
            message = kept._replace(key=before.message.key)
            arrived_at = min(arrived_at, before.arrived_at)
            seen_in = seen_in if seen_in == before.seen_in else "both"
            if isinstance(before, StoredMessage) and before.stale:
                message, other = read_anew(before.message, item.message), True
            elif not other and (seen_in, arrived_at) == (before.seen_in, before.arrived_at):
                continue
            message = with_answer(message, before.message)
        entry = MessageRow(message, arrived_at, seen_in, *judged(message, seen_in, us), other=other)
        entries[message.key] = entry
        known.keep(entry, item.message)
    return entries


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
