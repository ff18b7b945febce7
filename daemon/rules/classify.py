"""What a sender is, by thresholds: ignore, lead or person_with_deal, with the reason people read.

Promises: the same state and rules always give the same class. It doesn't say which records that
means in Pipedrive; that is `plan`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from daemon.rules.quantities import counted
from daemon.rules.sender import SenderState


@dataclass(frozen=True, slots=True)
class Rules:
    """The thresholds of the configuration's `engagement`, each at least 1; None: never."""

    deal_at_messages: int | None = 5
    deal_at_replies: int | None = 1
    deal_at_meetings: int | None = 1
    # For a Person that was in Pipedrive before us, without any deal.
    promote_at_messages: int | None = 10
    promote_at_replies: int | None = 1
    promote_at_meetings: int | None = 1
    reopen: bool = False  # may a sender whose deals are all closed get a new one? Read by `plan`

    def __post_init__(self) -> None:
        """Raise ValueError for a threshold below 1, which would make a deal of everybody."""
        for name in _THRESHOLDS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")

    def deal_at(self, *, promoted: bool) -> tuple[int | None, int | None, int | None]:
        """Messages, replies and meetings from which on a sender gets a deal.

        `promoted`: for a Person that was in Pipedrive before us, without any deal.
        """
        if promoted:
            return self.promote_at_messages, self.promote_at_replies, self.promote_at_meetings
        return self.deal_at_messages, self.deal_at_replies, self.deal_at_meetings


_THRESHOLDS = (
    *("deal_at_messages", "deal_at_replies", "deal_at_meetings"),
    *("promote_at_messages", "promote_at_replies", "promote_at_meetings"),
)


class Class(NamedTuple):
    """What a sender is and why."""

    name: Literal["ignore", "lead", "person_with_deal"]
    reason: str  # "5 messages", "1 reply, 2 meetings", "in Pipedrive before us, 9 of 10 messages"


def classify_sender(
    state: SenderState, rules: Rules, *, known_before: bool = False, has_deal: bool = False
) -> Class:
    """Classify a sender: a deal for engagement, a lead for any message, else nothing.

    `known_before`: its Person was in Pipedrive before we came. `has_deal`: that Person has, or had,
    a deal. Known before and without a deal, the `promote_at` thresholds count; until one is
    crossed, this sender has its Person and no lead.
    """
    promoted = known_before and not has_deal
    crossed = _crossed(state, rules.deal_at(promoted=promoted))
    if not crossed and state.msg_count < 1 and not (promoted and _engaged(state, rules)):
        why = (
            f"in copy of {counted(state.copied, 'message')}"
            if state.copied
            else "no message that counts"
        )
        return Class("ignore", why)
    before = "in Pipedrive before us, " if promoted else ""
    if crossed:
        return Class("person_with_deal", before + ", ".join(crossed))
    count = counted(state.msg_count, "message")
    if promoted and rules.promote_at_messages is not None:
        count = f"{state.msg_count} of {counted(rules.promote_at_messages, 'message')}"
    return Class("lead", before + count)


def _engaged(state: SenderState, rules: Rules) -> bool:
    """Whether a sender that we didn't know before would get a deal for this."""
    return bool(_crossed(state, rules.deal_at(promoted=False)))


def _crossed(state: SenderState, needs: tuple[int | None, int | None, int | None]) -> list[str]:
    """The thresholds for a deal that this sender has reached, as people read them."""
    counts = (state.msg_count, state.replies, state.meetings)
    # What a form or a portal submitted for somebody is no engagement of theirs.
    engaged = (state.msg_count - state.submitted, state.replies, state.meetings)
    return [
        counted(count, what)
        for count, enough, need, what in zip(
            counts, engaged, needs, ("message", "reply", "meeting"), strict=True
        )
        if need is not None and enough >= need
    ]
