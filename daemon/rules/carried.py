"""What is carried of a long history, so that one mail more can be counted without reading it again.

A sender's state is a function of all its messages. Of a history of `LONG` messages or more the
ledger keeps, beside the state, what `growth.grown` must know of the rest. All of it is a sum, a
maximum or a yes: the same in whatever order the messages were read.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Literal, NamedTuple

from daemon.message.author import SUBMITTED
from daemon.message.candidates import Fact
from daemon.message.verdict import Verdict
from daemon.rules.correspondence import Correspondence
from daemon.rules.meeting import Meeting
from daemon.rules.reply import Proof, is_written_to_them

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


def carry(
    messages: Sequence[Correspondence],
    verdicts: Mapping[str, Verdict],
    answered: Mapping[str, Proof],
    reply_keys: Iterable[str],
    met: tuple[Meeting, ...],
    facts: Iterable[Fact],
    our_response_hours: float | None,
) -> Carried:
    """What is carried of these messages; `answered`: proofs of contacts that answer us, by key."""
    received = [m for m in messages if m.direction == "received"]
    contacts = [m for m in received if verdicts[m.key].kind == "contact"]
    first: dict[Proof, datetime] = {}
    for m in contacts:
        if proof := answered.get(m.key):
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
        our_response_hours=our_response_hours,
    )


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
