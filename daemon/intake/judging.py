"""Step of the flow: judge messages, write them with whom they belong to, and judge them again.

Tells whose state may be another by that; computing it is `states`' work.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

from daemon.ledger.message_row import Grounds, Judgeable, Judged, MessageRow
from daemon.ledger.store import Ledger
from daemon.message.forgotten import FORGOTTEN, MARK
from daemon.message.parse import Message
from daemon.message.verdict import Judgement, SeenIn, Us, Verdict, is_in_sent, judge
from daemon.rules.correspondence import IN_COPY

_KEPT = 4096  # judgements; people write to the same people in the same way


def judged(message: Message, seen_in: SeenIn, us: Us) -> tuple[bool, Judgement]:
    """Whether a message is one in Sent, and its judgement; of whom was forgotten, nothing."""
    in_sent = is_in_sent(message, seen_in, us)
    if MARK in message.signals:
        return in_sent, FORGOTTEN
    return in_sent, judge(message, in_sent=in_sent, us=us)


class Written(NamedTuple):
    """What writing messages has done."""

    ids: dict[str, int]  # of messages, by their keys
    touched: set[str]  # senders whose state may have changed
    one_more: dict[str, int]  # those of them who only have this one message more, by its id


def write(
    ledger: Ledger, entries: Sequence[MessageRow], there: Mapping[str, int], us: Us
) -> Written:
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
    return Written(ids, touched | came.keys(), one_more)


class Conclusion(NamedTuple):
    """What comes of a message in the ledger: direction and verdict, and its parties."""

    direction: str | None
    verdict: Verdict
    parties: frozenset[tuple[str, str, str]]  # sender key, name and way

    def is_of(self, stands: tuple[str | None, str, str], parties: AbstractSet[object]) -> bool:
        """Whether it is what stands in the ledger."""
        return (self.direction, *self.verdict) == stands and self.parties == parties


def conclusions(us: Us) -> Callable[[Judgeable], Conclusion]:
    """What judges messages by their grounds; people write alike, so it keeps the latest."""

    @lru_cache(maxsize=_KEPT)
    def conclude(one: Judgeable) -> Conclusion:
        grounds = Grounds(*one)
        _, judgement = judged(grounds.message(), grounds.seen_in, us)
        parties = {p.key: (p.key, p.name, IN_COPY) for p in reversed(judgement.copied)}
        if judgement.verdict.kind != "ignored":
            parties |= {p.key: (p.key, p.name, judgement.way) for p in reversed(judgement.parties)}
        return Conclusion(judgement.direction, judgement.verdict, frozenset(parties.values()))

    return conclude


def rejudge(
    ledger: Ledger, us: Us, conclude: Callable[[Judgeable], Conclusion], messages: Sequence[Judged]
) -> set[str]:
    """Judge messages again by what we know now; the senders whose state that may change.

    Only those of which something else comes out are written.
    """
    before = ledger.messages.parties_of([m.id for m in messages])
    touched = {sender for parties in before.values() for sender, _, _ in parties}
    changed = [
        one.id
        for one in messages
        if not conclude(one.grounds).is_of(one.stands, before.get(one.id, frozenset()))
    ]
    if not changed:
        return touched
    whole = ledger.messages.of_ids(changed)
    rows = [
        MessageRow(m.message, m.arrived_at, m.seen_in, *judged(m.message, m.seen_in, us))
        for m in whole
    ]
    written = write(ledger, rows, {m.message.key: m.id for m in whole}, us)
    return touched | written.touched
