"""The state of a sender with a long history after one message more, without that history.

Promises: either the same as `sender_state` of all its messages, or None. None is for what the new
message may change in older ones, or what can't be known without them: then the whole is computed.
That is seldom so for what comes every day: a mail, or an answer, newer than all the rest, of either
side.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from daemon.message.author import SUBMITTED
from daemon.message.nature import lift
from daemon.message.subject import base_subject
from daemon.message.us import Us
from daemon.message.verdict import Verdict
from daemon.rules.carried import Carried, added, names_none, quotes_beside_name, seconds
from daemon.rules.correspondence import IN_COPY, Correspondence
from daemon.rules.final_verdicts import ROLE_AFTER_REPLY
from daemon.rules.organization import PublicProviders, organization_key
from daemon.rules.reply import OurMail, Proof, proof_beside_name, proof_by_name, quotes
from daemon.rules.sender import Counting, SenderState, display_name, facts_of


class Answering(NamedTuple):
    """What the ledger knows of the mails of a sender that one mail of ours answers."""

    latest: datetime | None  # when the latest of those that count was sent
    is_first: bool  # no earlier mail of ours answers that
    threads: int | None  # as in `Around`


class Around(NamedTuple):
    """What the ledger knows of the messages that one message is related to."""

    ours: Mapping[str, OurMail]  # mails of ours that it names, by those names, with their circles
    is_answered: bool  # a mail of ours answers it
    is_claimed: bool  # a mail of theirs has a Message-ID of ours that it names
    threads: int | None  # of the sender's threads, how many it belongs to; None if that is unknown


def grown(
    state: SenderState,
    message: Correspondence,
    around: Around,
    counting: Counting,
    public: PublicProviders,
) -> SenderState | None:
    """The state with one message more, whose verdicts and reply keys are those of it alone."""
    before = state.carried
    if before is None or not _stands_alone(message, around, before):
        return None
    proof = _proof(state, message, around, counting.us, public)
    if proof is None and before.written_to and proof_beside_name(message, counting.us):
        return None
    verdict = _verdict(message, proof, before)
    if verdict is None:
        return None
    after = before._replace(
        newest=seconds(message.sent_at),
        verdicts=added(before.verdicts, message.key, *verdict),
        quotes=before.quotes or quotes_beside_name(message, proof),
    )
    state = replace(state, verdicts=((message.key, verdict),), reply_keys=(), carried=after)
    if verdict.kind != "contact":
        return state
    return _counted(state, message, proof, around, counting, public)


def grown_by_ours(
    state: SenderState, message: Correspondence, answering: Answering, counting: Counting
) -> SenderState | None:
    """The state with one mail of ours more, which no message of the sender names."""
    before = state.carried
    if before is None or answering.threads is None or not _changes_only_itself(message, state):
        return None
    after = before._replace(
        newest=seconds(message.sent_at),
        verdicts=added(before.verdicts, message.key, *message.verdict),
        unnamed_at=seconds(message.sent_at) if names_none(message) else before.unnamed_at,
    )
    if answering.latest is not None:
        if seconds(answering.latest) <= before.unnamed_at:
            return None  # which may have answered that already
        after = after._replace(replies=added(after.replies, message.key))
        if answering.is_first:
            wait = max(0, seconds(message.sent_at) - seconds(answering.latest))
            waits, waited = after.our_waits + wait, after.our_waited + 1
            hours = round(waits / (waited * 3600), 2)
            after = after._replace(our_waits=waits, our_waited=waited, our_response_hours=hours)
    return replace(
        state,
        verdicts=((message.key, message.verdict),),
        reply_keys=(message.key,) if answering.latest else (),
        msg_count=state.msg_count + (counting.count != "received"),
        sent_count=state.sent_count + 1,
        replies=state.replies + (answering.latest is not None),
        thread_count=state.thread_count + 1 - answering.threads,
        last_contact=max(message.sent_at, state.last_contact or message.sent_at),
        first_contact=state.first_contact or message.sent_at,
        our_response_hours=after.our_response_hours,
        carried=after,
    )


def _changes_only_itself(message: Correspondence, state: SenderState) -> bool:
    """Whether no message of the sender can count otherwise because of this mail of ours."""
    before = state.carried
    return (
        before is not None
        and before.our_waited >= 0
        and message.verdict.kind == "contact"
        and not message.invites
        and not (names_none(message) and _may_answer(message))
        and seconds(message.sent_at) > before.newest
        and before.written_to
        and state.sent_count > 0
        and before.named
        and not before.quotes
        and before.role != "waiting"
    )


def _may_answer(message: Correspondence) -> bool:
    """Whether a mail of ours may answer one that it doesn't name."""
    return base_subject(message.subject).is_answer or quotes(message)


def _stands_alone(message: Correspondence, around: Around, before: Carried) -> bool:
    """Whether no older message can count otherwise because of this one."""
    return (
        message.direction == "received"
        and message.way not in {*SUBMITTED, IN_COPY, "relay"}
        and not message.invites
        and '"bounced"' not in message.facts
        and seconds(message.sent_at) > before.newest
        and not around.is_answered
        and not around.is_claimed
    )


def _proof(
    state: SenderState,
    message: Correspondence,
    around: Around,
    us: Us,
    public: PublicProviders,
) -> Proof | None:
    """Proof by a mail of ours that the message names."""
    if not around.ours:
        return None
    written_to = state.carried is not None and state.carried.written_to
    return proof_by_name(state.address, message, around.ours, us, public, written_to=written_to)


def _verdict(message: Correspondence, proof: Proof | None, before: Carried) -> Verdict | None:
    """The final verdict, None where older messages decide it, or are decided by it."""
    verdict = message.verdict
    if verdict == ("evidence", "role-address"):
        if before.role == "lifted":
            return ROLE_AFTER_REPLY
        return verdict if before.role == "waiting" and proof is None else None
    if proof is None:
        return verdict
    may_be_lifted = verdict.kind == "evidence" and lift(verdict.reason) != "never"
    return None if may_be_lifted or before.role == "waiting" else verdict


def _counted(
    state: SenderState,
    message: Correspondence,
    proof: Proof | None,
    around: Around,
    counting: Counting,
    public: PublicProviders,
) -> SenderState | None:
    """The numbers with one contact more."""
    before = state.carried
    if before is None or around.threads is None:
        return None
    after = before
    if proof is not None:
        asked = seconds(proof.sent_at)
        after = after._replace(replies=added(after.replies, message.key))
        if proof.answered != before.answered:
            if before.answered and asked <= before.answered_at:
                return None  # an older mail of ours, which may have an answer already
            after = after._replace(
                waits=after.waits + max(0, seconds(message.sent_at) - asked),
                waited=after.waited + 1,
                answered=proof.answered,
                answered_at=asked,
            )
    name = display_name(state.address, [message])
    after = after._replace(named=before.named or bool(name))
    facts = {fact.kind: fact for fact in state.facts}
    told = facts_of([message]) if counting.facts else ()
    facts |= {one.kind: one for one in told if one.kind not in before.from_forms.split()}
    return replace(
        state,
        name=name or state.name,
        organization=organization_key(state.domain, public),
        msg_count=state.msg_count + 1,
        replies=state.replies + (proof is not None),
        thread_count=state.thread_count + 1 - around.threads,
        last_contact=max(message.sent_at, state.last_contact or message.sent_at),
        first_contact=state.first_contact or message.sent_at,
        avg_response_hours=(
            round(after.waits / (after.waited * 3600), 2) if after.waited else None
        ),
        facts=tuple(fact for _, fact in sorted(facts.items())),
        reply_keys=(message.key,) if proof else (),
        proofs=((message.key, proof),) if proof else (),
        carried=after,
    )
