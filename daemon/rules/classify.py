"""What a sender is, by thresholds: ignore, lead or person_with_deal, with the reason people read.

Promises: the same state and rules always give the same class. It doesn't say which records that
means in Pipedrive; that is `plan`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from daemon.rules.sender import SenderState


@dataclass(frozen=True, slots=True)
class Rules:
    """The thresholds of the configuration's `engagement`, each at least 1."""

    deal_at_messages: int = 5
    deal_at_replies: int = 1
    deal_at_meetings: int = 1
    promote_at_messages: int = 10  # for a Person that was in Pipedrive before us, without any deal
    reopen: bool = False  # may a sender whose deals are all closed get a new one? Read by `plan`

    def __post_init__(self) -> None:
        """A threshold below 1 would make a deal of everybody: that is a bug in who built this."""
        for name in _THRESHOLDS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


_THRESHOLDS = ("deal_at_messages", "deal_at_replies", "deal_at_meetings", "promote_at_messages")


class Class(NamedTuple):
    """What a sender is and why."""

    name: Literal["ignore", "lead", "person_with_deal"]
    reason: str  # "5 messages", "1 reply, 2 meetings", "in Pipedrive before us, 9 of 10 messages"


def classify_sender(
    state: SenderState, rules: Rules, *, known_before: bool = False, has_deal: bool = False
) -> Class:
    """Classify a sender: a deal for engagement, a lead for any message, else nothing.

    `known_before`: its Person was in Pipedrive before we came. `has_deal`: that Person has, or had,
    a deal. Known before and without a deal, only `promote_at_messages` counts: somebody chose to
    keep this Person without one, and one answer shouldn't overrule that.
    """
    crossed = _crossed(state, rules)
    if not crossed and state.msg_count < 1:
        return Class("ignore", "no message that counts")
    if known_before and not has_deal:
        need = rules.promote_at_messages
        if state.msg_count >= need:
            return Class("person_with_deal", f"in Pipedrive before us, {messages(state.msg_count)}")
        return Class("lead", f"in Pipedrive before us, {state.msg_count} of {messages(need)}")
    if crossed:
        return Class("person_with_deal", ", ".join(crossed))
    return Class("lead", messages(state.msg_count))


def _crossed(state: SenderState, rules: Rules) -> list[str]:
    """The thresholds for a deal that this sender has reached, as people read them."""
    crossed = []
    if state.msg_count - state.submitted >= rules.deal_at_messages:
        crossed.append(messages(state.msg_count))
    if state.replies >= rules.deal_at_replies:
        crossed.append(replies(state.replies))
    if state.meetings >= rules.deal_at_meetings:
        crossed.append(meetings(state.meetings))
    return crossed


def messages(count: int) -> str:
    """A number of messages in words: `1 message`, `5 messages`."""
    return f"{count} message" if count == 1 else f"{count} messages"


def replies(count: int) -> str:
    """A number of replies in words: `1 reply`, `2 replies`."""
    return f"{count} reply" if count == 1 else f"{count} replies"


def meetings(count: int) -> str:
    """A number of meetings in words: `1 meeting`, `2 meetings`."""
    return f"{count} meeting" if count == 1 else f"{count} meetings"
