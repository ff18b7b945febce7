"""What is carried of a long history, so that one mail more can be counted without reading it again.

A sender's state is a function of all its messages. Of a history of `LONG` messages or more the
ledger keeps, beside the state, what `growth.grown` must know of the rest. All of it is a sum, a
maximum or a yes: the same in whatever order the messages were read.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Literal, NamedTuple

from daemon.message.author import SUBMITTED
from daemon.message.candidates import Fact
from daemon.message.verdict import Verdict
from daemon.rules.correspondence import Correspondence
from daemon.rules.meeting import Meeting
from daemon.rules.reply import Proof, is_written_to_them, quotes

LONG = 100
_MODULUS = 1 << 63  # an integer of SQLite, and of JSON in most programs


class Carried(NamedTuple):
    """What one received message more needs to know of those before it. Times are in seconds."""

    newest: int  # when the newest message of either side was sent
    written_to: bool  # we have written to this very address
    submitted: int  # see `SenderState.submitted`
    from_forms: str  # kinds of the facts that a form told, by spaces
    role: Literal["", "waiting", "lifted"]  # mail from a role address: none, evidence, contacts
    waits: int  # sum of the times to their first answer to each mail of ours that has one
    waited: int  # how many such mails of ours there are
    answered: str  # key of the newest of them, "" without one
    answered_at: int  # when we sent that
    verdicts: int  # sum of the hashes of all verdicts
    replies: int  # sum of the hashes of the keys of replies
    meetings: str  # hash of the meetings
    our_response_hours: float | None  # which no mail of theirs changes until we answer it
    # Unknown where an earlier version has written it: then a mail of ours is counted with the rest.
    our_waits: int = 0  # sum of the times to our first answer to each mail of theirs that has one
    our_waited: int = -1  # how many such mails of theirs there are
    named: bool = False  # a mail of theirs gives their name
    quotes: bool = True  # a mail of theirs quotes words, and names no mail of ours
    unnamed_at: int = 0  # when we sent the newest mail that names no other


def carry(
    messages: Sequence[Correspondence],
    verdicts: Mapping[str, Verdict],
    proven: Mapping[str, Proof],
    reply_keys: Iterable[str],
    met: tuple[Meeting, ...],
    facts: Iterable[Fact],
    our_waits: Sequence[timedelta],
    named: bool,
) -> Carried:
    """What is carried of these messages; `proven`: proofs of those that answer us, by key."""
    received = [m for m in messages if m.direction == "received"]
    contacts = [m for m in received if verdicts[m.key].kind == "contact"]
    first: dict[Proof, datetime] = {}
    for m in contacts:
        if proof := proven.get(m.key):
            mail = proof._replace(way="id")
            first[mail] = min(m.sent_at, first.get(mail, m.sent_at))
    newest = max(first, key=lambda mail: (mail.sent_at, mail.answered), default=None)
    return Carried(
        newest=max(seconds(m.sent_at) for m in messages),
        written_to=any(map(is_written_to_them, messages)),
        submitted=sum(m.way in SUBMITTED for m in contacts),
        from_forms=" ".join(fact.kind for fact in facts if fact.way == "form"),
        role=_role(messages, verdicts),
        waits=sum(max(0, seconds(at) - seconds(mail.sent_at)) for mail, at in first.items()),
        waited=len(first),
        answered=newest.answered if newest else "",
        answered_at=seconds(newest.sent_at) if newest else 0,
        verdicts=sum(hash_of(key, *verdict) for key, verdict in verdicts.items()) % _MODULUS,
        replies=sum(map(hash_of, reply_keys)) % _MODULUS,
        meetings=f"{hash_of(repr(met)):016x}" if met else "",
        our_response_hours=mean_hours(our_waits),
        our_waits=sum(int(one.total_seconds()) for one in our_waits),
        our_waited=len(our_waits),
        named=named,
        quotes=any(quotes_beside_name(m, proven.get(m.key)) for m in received),
        unnamed_at=max((seconds(m.sent_at) for m in messages if names_none(m)), default=0),
    )


def mean_hours(waits: Sequence[timedelta]) -> float | None:
    """The mean of some times in hours, None of none."""
    if not waits:
        return None
    return round(sum(waits, timedelta()) / (len(waits) * timedelta(hours=1)), 2)


def names_none(message: Correspondence) -> bool:
    """Whether a message is a mail of ours that doesn't name what it may answer."""
    return message.direction == "sent" and not message.answers and not message.conversation


def quotes_beside_name(message: Correspondence, proof: Proof | None) -> bool:
    """Whether a mail of ours that is yet to come may be what a received message quotes."""
    is_named = proof is not None and proof.way == "id"
    return not is_named and message.way not in SUBMITTED and quotes(message)


def seconds(moment: datetime) -> int:
    """Seconds since 1970."""
    return int(moment.timestamp())


def hash_of(*words: str) -> int:
    """A number that stands for these words; numbers of several may be added up."""
    return int.from_bytes(blake2b("\0".join(words).encode(), digest_size=7).digest(), "big")


def added(total: int, *words: str) -> int:
    """A sum of hashes with one more."""
    return (total + hash_of(*words)) % _MODULUS


def _role(
    messages: Iterable[Correspondence], verdicts: Mapping[str, Verdict]
) -> Literal["", "waiting", "lifted"]:
    final: Collection[str] = {
        verdicts[m.key].reason
        for m in messages
        if m.direction == "received" and m.verdict == ("evidence", "role-address")
    }
    if not final:
        return ""
    return "waiting" if final == {"role-address"} else "lifted"
