"""Why a sender has its class, as data: messages, meetings, the rule, and what would change it.

Promises: every sentence follows from the sender's state, its messages and the rules alone, and says
what `sender` and `classify` did. It doesn't print, and knows nothing of records in Pipedrive.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from daemon.message.nature import Weighed, reasons
from daemon.message.verdict import SOFT_REASONS, Judgement, Verdict
from daemon.rules.classify import Class, Rules
from daemon.rules.correspondence import Correspondence
from daemon.rules.meeting import Meeting, Side, Status
from daemon.rules.quantities import counted
from daemon.rules.sender import SenderState


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message on the sender's timeline."""

    key: str
    sent_at: datetime
    direction: Literal["received", "sent"]
    subject: str
    verdict: Verdict  # the final one
    counts: bool  # as a message, a reply or both
    why: str
    author: str = ""  # how we know who wrote it, where that isn't its From
    signals: tuple[Weighed, ...] = ()  # what decided a person or a machine


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number that makes a deal of a sender."""

    what: Literal["messages", "replies", "meetings"]
    have: int
    need: int

    def __str__(self) -> str:
        return f"{counted(self.have, _ONE[self.what])} ({self.need} needed)"


_ONE = {"messages": "message", "replies": "reply", "meetings": "meeting"}


@dataclass(frozen=True, slots=True)
class Met:
    """One meeting, and why it counts or doesn't."""

    meeting: Meeting
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that `explain` says about one sender, apart from its records."""

    address: str
    name: str
    organization: str | None
    class_: Class
    rule: str  # the rule that fired, in words
    thresholds: tuple[Threshold, ...]  # those that apply to this sender
    changes: tuple[str, ...]  # what would change the class; empty for the highest one
    timeline: tuple[MessageLine, ...]  # oldest first
    meetings: tuple[Met, ...]


# The verdict reasons of `judge` and `sender`, as people say them; those of `nature` are data.
REASONS: Mapping[str, str] = {
    **reasons(),
    "human": "written by a person",
    "copy-of-a-form": "ignored: a form's copy for whoever filled it in, under our address",
    "no-author-in-relay": "ignored: a relay of ours or of others that names nobody",
    "answers-us": "it answers a mail that we sent to this address",
    "answered-by-us": "we answered it",
    "role-after-reply": "from a role address, but there was a reply between us",
    "sent": "sent by us",
    "dmarc-fail": "forged, by our server's DMARC check",
    "itip-reply": "an answer to an invitation, which counts for the meeting only",
    "itip-counter": "a proposal for another time, which counts for the meeting only",
    "itip-update": "it repeats or moves an invitation that counts already",
    "itip-cancel": "a cancelled invitation, which counts for the meeting only",
    "copied": "a mail of somebody else's that names this address in To or Cc",
    "role-address": "from a role address (like info@), and there was no reply between us yet",
    "role-never": "from a role address (like info@), which the configuration leaves out",
    "too-many-recipients": "sent by us to too many at once",
    "our-auto-reply": "sent by us automatically",
    "ignored-address": "ignored: the configuration lists the address",
    "ignored-domain": "ignored: the configuration lists the domain",
    "internal": "ignored: among ourselves",
    "no-from": "ignored: it has no From",
    "from-us-not-in-sent": "ignored: it says that it is from us, but isn't in Sent",
    "not-ours-in-sent": "ignored: it is in Sent, but isn't from us",
}

# How the author is known (`author`), as people say it.
_AUTHORS: Mapping[str, str] = {
    "configured": "by the configuration (`sources`)",
    "group-of-ours": "a group of ours handed it on",
    "group-of-theirs": "a group of the sender's company handed it on",
    "forwarded-by-us": "one of us forwarded it",
    "form-of-ours": "a form of ours handed it on",
    "form-of-others": "a form or portal of others handed it on",
    "certified-mail": "from inside certified mail",
    "unproven-certified-mail": "named by certified mail, which our server doesn't confirm",
    "relay-of-a-portal": "a portal gave the conversation this address",
}

# What proves that a message of theirs answers one of ours, beside that it names it.
_PROVED: Mapping[str, str] = {
    "domain": "it names our mail, from the domain that we wrote to",
    "conversation": "it names our mail, from somebody in the conversation that we answered",
    "name": "it names our mail, from somebody with the name of whom we wrote to",
    "words": "it quotes our words",
    "subject": "it has the subject of our mail to this address",
}

_MET: Mapping[tuple[Side, Status, bool], str] = {
    ("us", "accepted", True): "counts: they accepted our invitation",
    ("us", "tentative", True): "counts: they accepted our invitation tentatively",
    ("us", "invited", False): "doesn't count: they haven't accepted our invitation",
    ("us", "declined", False): "doesn't count: they declined our invitation",
    ("us", "cancelled", False): "doesn't count: we cancelled it",
    ("them", "accepted", True): "counts: we accepted their invitation",
    ("them", "tentative", True): "counts: we accepted their invitation tentatively",
    ("them", "invited", True): "counts: they invited us, and we have written to them",
    ("them", "invited", False): "doesn't count: we neither accepted it nor ever wrote to them",
    ("them", "declined", False): "doesn't count: we declined their invitation",
    ("them", "cancelled", False): "doesn't count: they cancelled it",
}


def explain(
    state: SenderState,
    letters: Iterable[Correspondence],
    subjects: Mapping[str, str],
    rules: Rules,
    class_: Class,
    *,
    known_before: bool = False,
    has_deal: bool = False,
    count: Literal["received", "exchanged"] = "received",
    judgements: Mapping[str, Judgement] | None = None,
) -> Explanation:
    """Explain the class that `classify_sender` gave to this state with these rules and facts.

    `letters`: the messages the state was computed from; `subjects`: their subjects by key (none for
    a message that isn't there); `judgements`: how each was judged, by key.
    """
    promoted = known_before and not has_deal
    thresholds = _thresholds(state, rules, promoted=promoted)
    return Explanation(
        address=state.address,
        name=state.name,
        organization=state.organization,
        class_=class_,
        rule=_rule(class_, thresholds, promoted=promoted),
        thresholds=thresholds,
        changes=_changes(state, class_, thresholds),
        timeline=_timeline(state, letters, subjects, count, judgements or {}),
        meetings=tuple(
            Met(met, _MET[met.organizer, met.status, met.counts]) for met in state.meeting_list
        ),
    )


def _thresholds(state: SenderState, rules: Rules, *, promoted: bool) -> tuple[Threshold, ...]:
    """The numbers that apply; for a Person without a deal from before us, they are others."""
    messages, replies, meetings = rules.deal_at(promoted=promoted)
    found: list[Threshold] = []
    if messages is not None:
        found.append(Threshold("messages", state.msg_count, messages))
    if replies is not None:
        found.append(Threshold("replies", state.replies, replies))
    if meetings is not None:
        found.append(Threshold("meetings", state.meetings, meetings))
    return tuple(found)


def _rule(class_: Class, thresholds: Iterable[Threshold], *, promoted: bool) -> str:
    numbers = ", or ".join(map(str, thresholds))
    if class_.name == "ignore":
        return "a lead takes 1 message that counts, and there is none"
    if promoted:
        takes = f"a deal takes {numbers}" if numbers else "gets none"
        return f"in Pipedrive before us, without a deal: {takes}"
    if class_.name == "lead":
        more = f"a deal takes more: {numbers}" if numbers else "the configuration makes no deals"
        return f"any message that counts makes a lead; {more}"
    return f"any one of these makes a deal: {numbers}"


def _changes(
    state: SenderState, class_: Class, thresholds: tuple[Threshold, ...]
) -> tuple[str, ...]:
    """What would change the class, the shortest way first."""
    if class_.name == "person_with_deal":
        return ()
    missing = ", or ".join(_missing(threshold) for threshold in thresholds)
    changes = [f"{missing}: person_with_deal"]
    if class_.name == "ignore":
        changes.insert(0, "1 message: lead")
    waiting = Counter(verdict.reason for _, verdict in state.verdicts if verdict.kind == "evidence")
    if role := waiting["role-address"]:
        changes.append(
            f"a reply between us: {counted(role, 'message')} from this role address would count"
        )
    if sum(waiting[reason] for reason in SOFT_REASONS) > role:
        changes.append("an answer of theirs to a mail that we sent to this address: it would count")
    if any(threshold.what == "meetings" for threshold in thresholds):
        open_ = {met.organizer for met in state.meeting_list if met.status == "invited"}
        if "us" in open_:
            changes.append("their acceptance of our invitation: 1 meeting")
        if "them" in open_:
            changes.append(
                "our acceptance of their invitation, or a mail of ours to them: 1 meeting"
            )
    return tuple(changes)


def _missing(threshold: Threshold) -> str:
    words = counted(threshold.need - threshold.have, _ONE[threshold.what])
    number, _, noun = words.partition(" ")
    return f"{number} more {noun}" if threshold.have else words


def _timeline(
    state: SenderState,
    letters: Iterable[Correspondence],
    subjects: Mapping[str, str],
    count: Literal["received", "exchanged"],
    judgements: Mapping[str, Judgement],
) -> tuple[MessageLine, ...]:
    verdicts = dict(state.verdicts)
    answers = frozenset(state.reply_keys)
    proofs = dict(state.proofs)
    lines = []
    for letter in sorted(letters, key=lambda letter: (letter.sent_at, letter.key)):
        verdict, judgement = verdicts[letter.key], judgements.get(letter.key)
        counts_as = []
        if verdict.kind == "contact" and (letter.direction == "received" or count == "exchanged"):
            counts_as.append("a message")
        if letter.key in answers:
            proof = proofs.get(letter.key)
            how = _PROVED.get(proof.way) if proof else None
            counts_as.append(f"a reply ({how})" if how else "a reply")
        lines.append(
            MessageLine(
                key=letter.key,
                sent_at=letter.sent_at,
                direction=letter.direction,
                subject=subjects.get(letter.key, ""),
                verdict=verdict,
                counts=bool(counts_as),
                why=_why(verdict, counts_as),
                author=_AUTHORS.get(judgement.why, "") if judgement else "",
                signals=judgement.signals if judgement else (),
            )
        )
    return tuple(lines)


def _why(verdict: Verdict, counts_as: list[str]) -> str:
    reason = REASONS.get(verdict.reason, verdict.reason)
    if not counts_as:
        return f"doesn't count: {reason}"
    return f"counts as {' and '.join(counts_as)}: {reason}"
