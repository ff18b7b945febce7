"""Which open deal a mail belongs to: a purchase has one deal, a person may have several. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Per = Literal["person", "conversation", "organization"]
AfterClose = Literal["never", "won", "always"]
InCopy = Literal["contacts", "all"]
PARTICIPANT: Final = "participant"  # the kind of the record that says that a sender is in a deal


def participant_key(deal: str, sender: str) -> str:
    """The key of the record that a sender takes part in a deal."""
    return f"{deal} {sender}"


@dataclass(frozen=True, slots=True)
class DealRules:
    """What the configuration says in `deals`."""

    per: Per = "person"
    participants: bool = True  # whether those who join a deal become its participants
    mail_after_close: AfterClose = "never"  # which closed deals still get new mail

    def takes_mail(self, status: str, *, archived: bool) -> bool:
        """Whether new mail goes to a deal of this status."""
        if archived or status == "deleted":
            return False
        return status == "open" or self.mail_after_close in {"always", status}


@dataclass(frozen=True, slots=True)
class OpenDeal:
    """A deal to which mail of a sender may belong."""

    id: str | None  # None: it is on its way
    key: str | None = None  # the sender for whom we made it, or are making it
    made: bool = False  # for the sender in question, by us
    people: frozenset[str] = frozenset()  # sender keys of its contact person and participants
    touched_at: str = ""  # its last change, as Pipedrive lists it

    @property
    def name(self) -> str:
        """The deal in words."""
        who = f" of {self.key}" if self.key else ""
        return f"deal {self.id}{who}" if self.id else f"the new deal{who}"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation in which a sender takes part."""

    messages: frozenset[str]  # message keys
    people: frozenset[str] = frozenset()  # the other senders who have a mail in it
    deals: frozenset[str] = frozenset()  # ids of the deals to which its activities are linked


@dataclass(frozen=True, slots=True)
class DealChoice:
    """Where the mail of a sender goes: its deal, other deals of single mails, and why.

    `joins`: the deal is of somebody else, and this sender takes part in it.
    """

    deal: OpenDeal | None = None
    why: str = ""
    joins: bool = False
    others: Mapping[str, OpenDeal] = field(default_factory=dict)  # by message key
    joined_before: bool = False  # the sender takes, or took, part in a deal of somebody else
    participates_in: frozenset[str] = frozenset()  # ids of deals, as Pipedrive has it already

    def of(self, message: str) -> OpenDeal | None:
        """The deal of one mail."""
        return self.others.get(message, self.deal)

    def deals(self) -> list[OpenDeal]:
        """All that are named, the sender's first."""
        found = [one for one in (self.deal, *self.others.values()) if one is not None]
        return list({(one.id, one.key): one for one in found}.values())


def choose(
    deals: Sequence[OpenDeal], conversation: Conversation | None
) -> tuple[OpenDeal, str] | None:
    """The deal whose conversation it is, with the reason; None without any deal.

    By its activities, by who takes part, by what we made, else the one that was changed last.
    """
    if not deals:
        return None
    if len(deals) == 1:
        return deals[0], "the only one that is open"
    if conversation is not None:
        linked = [one for one in deals if one.id in conversation.deals]
        if linked:
            return _latest(linked), "its activities are of the same conversation"
        shared = [len(one.people & conversation.people) for one in deals]
        if max(shared) and shared.count(max(shared)) == 1:
            chosen = deals[shared.index(max(shared))]
            people = ", ".join(sorted(chosen.people & conversation.people))
            return chosen, f"{people} takes part in it and in the conversation"
    made = [one for one in deals if one.made]
    if made:
        return _latest(made), f"made for this sender, of {len(deals)} that are open"
    return _latest(deals), "changed last, of several that are open"


def _latest(deals: Iterable[OpenDeal]) -> OpenDeal:
    # Ids grow, so of two that were changed in one second the younger counts.
    return max(deals, key=lambda one: (one.touched_at, int(one.id or 0)))


def choice(
    deals: Sequence[OpenDeal],
    conversations: Sequence[Conversation],
    *,
    joins: bool,
    in_conversation: bool = False,
) -> DealChoice:
    """Where a sender's mail goes, given the open deals that may be meant.

    `conversations`: the sender's, the latest first. `joins`: the deals are of others.
    `in_conversation`: only deals of a conversation count, those to which its activities are linked
    or in which one of its people takes part.
    """
    main: tuple[OpenDeal, str] | None = None
    others: dict[str, OpenDeal] = {}
    for conversation in conversations if deals else ():
        near = [one for one in deals if not in_conversation or _is_near(one, conversation)]
        found = choose(near, conversation)
        if found is None:
            continue
        main = main or found
        if found[0] != main[0]:
            others |= dict.fromkeys(conversation.messages, found[0])
    if main is None and not in_conversation:
        main = choose(deals, None)
    return DealChoice() if main is None else DealChoice(main[0], main[1], joins, others)


def _is_near(deal: OpenDeal, conversation: Conversation) -> bool:
    return deal.id in conversation.deals or not deal.people.isdisjoint(conversation.people)
