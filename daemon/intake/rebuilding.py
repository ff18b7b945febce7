"""FLOW ledger → ledger: judge every message and compute every sender anew; write what differs.

    each sender: its messages, judged again → its state → only if either differs, a transaction

Reads outside transactions, so that whoever waits for the ledger needn't wait for the computing.
What was computed is written only if nobody has written meanwhile; else it is computed once more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from daemon.intake import consent
from daemon.intake.garbage import collecting_seldom
from daemon.intake.judging import Conclusion, conclusions, rejudge
from daemon.intake.states import ScoringSettings, computed, counting_by, known_us, recompute
from daemon.ledger.histories import History
from daemon.ledger.message_row import Judgeable
from daemon.ledger.states import Computed
from daemon.ledger.store import Ledger
from daemon.message.verdict import Us

_PAGE = 1000
# Messages that are written in one transaction: each costs much more than one that stays as it is,
# and others wait for the ledger.
_IN_ONE = 20
_TRIES = 3  # to compute a sender while nobody writes


class _Portion(NamedTuple):
    """Some messages and senders, as they were read at `mark`."""

    mark: tuple[int, int]
    read: int  # messages
    misjudged: list[int]  # ids of messages of which something else comes out
    states: list[Computed]  # of the senders none of whose messages is among them


@collecting_seldom()
def rebuild(
    ledger: Ledger,
    settings: ScoringSettings,
    carry_on: Callable[[int], bool] = lambda _: True,
    at_once: int = _PAGE,
    *,
    hold: datetime | None = None,
) -> int:
    """Judge every message and compute every sender anew; how many states were written.

    `hold` is the time where the configuration was edited: what that would newly make waits.
    Called inside no transaction; has transactions of its own, none of them long. Ends early when
    `carry_on`, which is told after each step how many messages were judged, says so.
    """
    done = changed = 0
    for portion in _portions(ledger, settings, at_once):
        done += portion.read
        written = _written(ledger, portion.mark, portion.states, hold)
        changed += written or 0
        touched = {one.state.address for one in portion.states} if written is None else set[str]()
        for senders in _judge_again(ledger, settings, portion.misjudged):
            touched |= senders
            if not carry_on(done):
                return changed
        for group, _ in ledger.histories.portions(touched, at_once):
            changed += _compute_again(ledger, settings, group, hold)
            if not carry_on(done):
                return changed
        if not touched and not carry_on(done):
            return changed
    return changed


@collecting_seldom()
def is_right(ledger: Ledger, settings: ScoringSettings) -> bool:
    """Whether every message is judged and every sender's numbers are as we would have them now."""
    return not any(
        portion.misjudged or ledger.states.unlike(portion.states)
        for portion in _portions(ledger, settings, _PAGE)
    )


def _portions(ledger: Ledger, settings: ScoringSettings, at_once: int) -> Iterator[_Portion]:
    """All messages that are nobody's, then all senders with theirs."""
    judging = _Judging(known_us(ledger, settings.us))
    for page in ledger.messages.of_nobody(at_once):
        mark, judging = ledger.mark(), judging.by(known_us(ledger, settings.us))
        misjudged = [
            one.id
            for one in page
            if not judging.conclude(one.grounds).is_of(one.stands, frozenset())
        ]
        yield _Portion(mark, len(page), misjudged, [])
    for addresses in ledger.histories.all(at_once):
        mark, judging = ledger.mark(), judging.by(known_us(ledger, settings.us))
        histories = ledger.histories.of(addresses, grounds=True)
        wrong, shared = set[int](), dict[int, Conclusion]()
        right: dict[str, History] = {}
        for address, history in histories.items():
            before = len(wrong)
            _compare(address, history, judging.conclude, wrong, shared)
            if len(wrong) == before:
                right[address] = history
        parties = ledger.messages.parties_of(list(shared)) if shared else {}
        wrong |= {
            number
            for number, one in shared.items()
            if parties.get(number, set()) != set(one.parties)
        }
        read = sum(len(one.messages) for one in histories.values())
        counting = counting_by(settings, judging.us)
        yield _Portion(mark, read, sorted(wrong), computed(ledger, settings, right, counting))


class _Judging:
    """Judges by who we are, as far as it was learned."""

    def __init__(self, us: Us) -> None:
        self.us, self.conclude = us, conclusions(us)

    def by(self, us: Us) -> "_Judging":
        """The same, unless somebody was learned meanwhile."""
        return self if us == self.us else _Judging(us)


def _compare(
    address: str,
    history: History,
    conclude: Callable[[Judgeable], Conclusion],
    wrong: set[int],
    shared: dict[int, Conclusion],
) -> None:
    """Judge a sender's messages; the ids of those in `wrong` of which something else comes out.

    Of those in `shared`, which belong to others too, it isn't known yet whether it is all of them.
    """
    for one, grounds in zip(history.messages, history.grounds, strict=True):
        found = conclude(grounds)
        direction, verdict, parties = found
        if (
            direction != one.direction
            or verdict != one.verdict
            or (address, one.name, one.way) not in parties
        ):
            wrong.add(history.written[one.key][0])
        elif len(parties) > 1:
            shared[history.written[one.key][0]] = found


def _judge_again(
    ledger: Ledger, settings: ScoringSettings, ids: Sequence[int]
) -> Iterator[set[str]]:
    """Judge these messages in short transactions; of each the senders whose state may change."""
    for start in range(0, len(ids), _IN_ONE):
        with ledger.transaction("rejudge", repeatable=True):
            us = known_us(ledger, settings.us)
            messages = ledger.messages.judged(ids[start : start + _IN_ONE])
            touched = rejudge(ledger, us, conclusions(us), messages)
        yield touched


def _compute_again(
    ledger: Ledger, settings: ScoringSettings, addresses: Sequence[str], hold: datetime | None
) -> int:
    """Compute these senders outside a transaction if nobody disturbs it; how many were written."""
    for _ in range(_TRIES):
        mark, us = ledger.mark(), known_us(ledger, settings.us)
        histories = ledger.histories.of(addresses)
        if not all(one.messages for one in histories.values()):
            break  # who has none any more is removed
        states = computed(ledger, settings, histories, counting_by(settings, us))
        written = _written(ledger, mark, states, hold)
        if written is not None:
            return written
    with _writing(ledger, addresses, hold):
        return recompute(ledger, settings, addresses)


def _written(
    ledger: Ledger, mark: tuple[int, int], states: Iterable[Computed], hold: datetime | None
) -> int | None:
    """Write what differs of states that were computed at `mark`; None if somebody wrote since."""
    changed = [one for one in states if not one.is_kept()]
    if not changed:
        return 0
    with _writing(ledger, [one.state.address for one in changed], hold):
        return ledger.states.write(changed) if ledger.mark() == mark else None


@contextmanager
def _writing(ledger: Ledger, addresses: Sequence[str], hold: datetime | None) -> Iterator[None]:
    """A transaction for these senders, who wait for consent to what they newly get, if `hold`."""
    with ledger.transaction("rebuild", repeatable=True):
        before = ledger.rereading.standing(addresses) if hold else {}
        yield
        if hold:
            consent.hold_edited(ledger, before, addresses, hold)
