"""Verdicts on the messages of one sender once all of them are known. Pure.

What one mail is judged to be (`message.verdict`) may turn out otherwise in a correspondence: weak
evidence is lifted when a person answers, and an invitation that only moves an earlier one is no
second message.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from daemon.message.nature import lift
from daemon.message.verdict import Verdict
from daemon.rules.answered import answered_by_us, our_answers
from daemon.rules.correspondence import Correspondence
from daemon.rules.reply import OurMail, Proof

ROLE_AFTER_REPLY = Verdict("contact", "role-after-reply")
_ANSWERS_US = Verdict("contact", "answers-us")
_ANSWERED_BY_US = Verdict("contact", "answered-by-us")
_UPDATE = Verdict("evidence", "itip-update")


def final_verdicts(
    messages: Sequence[Correspondence],
    proven: Mapping[str, Proof],
    ours: Mapping[str, OurMail],
) -> dict[str, Verdict]:
    """Verdicts by key, with the evidence lifted that turns out to come from a person.

    ValueError if two messages have one key.
    """
    verdicts = {m.key: m.verdict for m in messages}
    if len(verdicts) != len(messages):
        raise ValueError("a message key is given twice")
    soft = [m for m in messages if m.verdict[0] == "evidence" and m.direction == "received"]
    sent = [m for m in messages if m.direction == "sent" and m.verdict.kind == "contact"]
    verdicts.update(_lifted(soft, sent, proven, ours))
    role = [m for m in soft if m.verdict.reason == "role-address"]
    if role and _is_a_conversation(messages, verdicts, proven, ours):
        verdicts.update((m.key, ROLE_AFTER_REPLY) for m in role)
    verdicts.update((key, _UPDATE) for key in _updates(messages, verdicts, proven))
    return verdicts


def _lifted(
    soft: Sequence[Correspondence],
    sent: Sequence[Correspondence],
    proven: Mapping[str, Proof],
    ours: Mapping[str, OurMail],
) -> Iterator[tuple[str, Verdict]]:
    """Evidence that a correspondence turns into contacts, as far as its reason allows.

    Strong traces of a machine take an answer to a mail that we sent to this very address: somebody
    is there, whatever the address is called. Weak ones only show that a relay carried the mail, so
    an answer to what we sent to a colleague does, and an answer of ours.
    """
    to_them = {m.key for m in sent}
    we_answered = answered_by_us(soft, sent, ours)
    for m in soft:
        lifted_by = lift(m.verdict.reason)
        if lifted_by == "never" or m.verdict.reason == "role-address":
            continue
        if m.key in proven and (lifted_by != "theirs" or proven[m.key].answered in to_them):
            yield m.key, _ANSWERS_US
        elif lifted_by == "either" and m.key in we_answered:
            yield m.key, _ANSWERED_BY_US


def _is_a_conversation(
    messages: Sequence[Correspondence],
    verdicts: Mapping[str, Verdict],
    proven: Mapping[str, Proof],
    ours: Mapping[str, OurMail],
) -> bool:
    """Whether a role address and we have answered each other."""
    theirs = [
        m
        for m in messages
        if m.direction == "received"
        and (verdicts[m.key].kind == "contact" or m.verdict.reason == "role-address")
    ]
    if any(m.key in proven for m in theirs):
        return True
    sent = [m for m in messages if m.direction == "sent" and m.verdict.kind == "contact"]
    return bool(our_answers(theirs, sent, ours).keys)


def _updates(
    messages: Sequence[Correspondence],
    verdicts: Mapping[str, Verdict],
    proven: Mapping[str, Proof],
) -> list[str]:
    """The keys of invitations that only repeat or move an earlier one: one meeting, one message."""
    first: dict[str, tuple[tuple[int, datetime, str], str]] = {}
    repeated = []
    for m in messages:
        if (
            not m.invites
            or m.direction != "received"
            or verdicts[m.key].kind != "contact"
            or m.key in proven
            or any(invite.method != "REQUEST" for invite in m.invites)
        ):
            continue
        invite = m.invites[0]
        mine = (invite.sequence, m.sent_at, m.key), m.key
        other = first.get(invite.uid)
        first[invite.uid] = mine if other is None else min(mine, other)
        if other is not None:
            repeated.append(max(mine, other)[1])
    return repeated
