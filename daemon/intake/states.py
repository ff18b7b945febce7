"""Sender states out of the ledger: from the messages of a sender, and of ours that they answer.

A state is computed from all of a sender's messages, so it doesn't depend on the order in which
they came in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from daemon.intake import own_servers
from daemon.ledger.histories import History
from daemon.ledger.states import Computed
from daemon.ledger.store import Ledger
from daemon.message.verdict import Us
from daemon.rules.classify import Rules, classify_sender
from daemon.rules.correspondence import Correspondence
from daemon.rules.growth import grown, grown_by_ours
from daemon.rules.meeting import Statement
from daemon.rules.organization import PublicProviders
from daemon.rules.reply import OurMail, is_written_to_them, named
from daemon.rules.sender import Counting, SenderState, sender_state

LEARNED = "learned_addresses"
_AT_ONCE = 4000  # messages whose senders are computed in one go


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """How messages are read and counted; the same for every mailbox."""

    us: Us
    rules: Rules
    public: PublicProviders
    count: Literal["received", "exchanged"] = "received"
    snippet_chars: int = 500
    facts: bool = True  # whether phone, title and company are kept
    batch: int = 1000  # messages in one transaction: larger ones compute a sender less often
    classify: tuple[str, ...] = ()  # a command that is asked of first mails, see `first_mails`


def known_us(ledger: Ledger, us: Us) -> Us:
    """Who we are: the configuration, addresses learned from Sent, servers from received mail."""
    return with_learned(us, ledger.settings_now(LEARNED, own_servers.SETTING))


def with_learned(us: Us, settings: Mapping[str, Any]) -> Us:
    """Who we are, with what these settings of the ledger say was learned."""
    return replace(
        us,
        addresses=us.addresses | set(settings.get(LEARNED, ())),
        learned_servers=own_servers.learned(settings.get(own_servers.SETTING, {})),
    )


def counting_by(settings: ScoringSettings, us: Us) -> Counting:
    """How messages are counted for the ledger, by who we are with what was learned."""
    return Counting(us=us, count=settings.count, facts=settings.facts, waiting=False)


def recompute(
    ledger: Ledger,
    settings: ScoringSettings,
    addresses: Iterable[str],
    us: Us | None = None,
    one_more: Mapping[str, int] | None = None,
) -> int:
    """Compute sender states from the ledger's messages; how many of them changed.

    `us` is who we are where the caller knows it, with what was learned; `one_more` has those who
    have one message more and are the same otherwise, with its id.
    """
    counting = counting_by(settings, us or known_us(ledger, settings.us))
    changed = 0
    for portion, long in ledger.histories.portions(addresses, _AT_ONCE):
        more = {one: one_more[one] for one in long if one in one_more} if one_more else {}
        grew = _grow(ledger, settings, counting, more) if more else set()
        changed += len(grew)
        if whole := [one for one in portion if one not in grew]:
            histories = ledger.histories.of(whole)
            states = computed(ledger, settings, histories, counting)
            ledger.states.remove(one for one, history in histories.items() if not history.messages)
            changed += ledger.states.write(states)
    return changed


def computed(
    ledger: Ledger,
    settings: ScoringSettings,
    histories: Mapping[str, History],
    counting: Counting,
) -> list[Computed]:
    """The states of senders from all their messages, of those who have any."""
    known = {address: one for address, one in histories.items() if one.messages}
    messages = [one.messages for one in known.values()]
    context = _context(ledger, messages, copies=counting.us.copies)
    states: list[Computed] = []
    for address, one in known.items():
        state = _state(address, one.messages, context, counting, settings.public)
        before, deal = one.standing
        class_ = classify_sender(state, settings.rules, known_before=before, has_deal=deal)
        states.append(Computed.of(state, class_, one))
    return states


def _grow(
    ledger: Ledger, settings: ScoringSettings, counting: Counting, one_more: Mapping[str, int]
) -> set[str]:
    """Count one message more for senders with long histories; for whom that could be done."""
    done = set[str]()
    for address, state in ledger.states.long_known(one_more).items():
        message = one_more[address]
        letter = ledger.histories.letter(address, message)
        after: SenderState | None = None
        if letter.direction == "received":
            circles = state.carried is None or not state.carried.written_to
            around = ledger.conversations.around(address, message, letter, circles=circles)
            after = grown(state, letter, around, counting, settings.public)
        elif answering := ledger.conversations.answering(
            address, message, letter, copies=counting.us.copies
        ):
            after = grown_by_ours(state, letter, answering, counting)
        if after is not None:
            before, deal = ledger.histories.standing(address)
            class_ = classify_sender(after, settings.rules, known_before=before, has_deal=deal)
            ledger.states.grow(after, class_, message)
            done.add(address)
    return done


def state_of(
    ledger: Ledger, settings: ScoringSettings, addresses: Sequence[str], us: Us | None = None
) -> SenderState | None:
    """The state of a sender, or of one person with several addresses; None without messages."""
    messages = ledger.histories.correspondence(addresses)
    if not messages:
        return None
    counting = replace(counting_by(settings, us or known_us(ledger, settings.us)), waiting=True)
    context = _context(ledger, [messages], copies=counting.us.copies)
    return _state(addresses[0], messages, context, counting, settings.public)


class _Context(NamedTuple):
    """What of our own mails the states of some senders depend on."""

    ours: dict[str, OurMail]  # by the names under which their messages answer them
    statements: list[Statement]  # what our calendars said of the meetings that they are about
    counted: frozenset[str] = frozenset()  # Message-IDs of mails that count and that we answered


def _context(
    ledger: Ledger, histories: Sequence[Sequence[Correspondence]], *, copies: bool
) -> _Context:
    names = set[str]()
    for messages in histories:
        for m in messages:
            if m.answers or m.conversation:
                names.update(named(m))
    ours = ledger.conversations.ours(names) if names else {}
    asked = ours and {
        name
        for messages in histories
        if not any(is_written_to_them(m) for m in messages)
        for m in messages
        for name in named(m)
        if name in ours
    }
    if asked:
        ours = ledger.conversations.with_circles(ours, asked)
    uids = {
        invite.uid
        for messages in histories
        for m in messages
        if m.invites and m.direction == "received"
        for invite in m.invites
    }
    sent = (m for messages in histories for m in messages if m.direction == "sent")
    answered = {one for m in sent for one in m.answers} if copies else set[str]()
    counted = ledger.conversations.counted(answered) if answered else frozenset[str]()
    return _Context(ours, ledger.conversations.our_statements(uids) if uids else [], counted)


def _state(
    address: str,
    messages: Sequence[Correspondence],
    context: _Context,
    counting: Counting,
    public: PublicProviders,
) -> SenderState:
    ours = context.ours
    answered = {n: ours[n] for m in messages for n in named(m) if n in ours} if ours else {}
    return sender_state(
        address, messages, answered, counting, public, context.statements, context.counted
    )
