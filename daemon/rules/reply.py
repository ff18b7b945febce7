"""Which messages answer one of the other side's, and what proves it.

Promises: what counts as an answer to us can't be made up by a stranger. Whom we wrote to is told by
Sent alone; each proof of a received message rests on that and on one of these:

- it names a mail of ours, by a Message-ID or by Outlook's Thread-Index. From an address that we
  never wrote to this is proof only together with the domain or the conversation that we wrote to;
  or, if our own server authenticated it, with our words quoted, or with the subject of our mail
  and the recipient's name. Colleagues and private addresses answer like this; a stranger who got
  hold of an id can't;
- it quotes our words, from an address that we wrote them to (relays rename our mails on the way);
- it answers the subject of a mail that we sent to this address in the last weeks, and our own
  server authenticated it: a subject can be guessed.

Nothing here judges whether a message is a person's.
"""

import json
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from daemon.message.author import SUBMITTED
from daemon.message.own_server import authenticated
from daemon.message.subject import base_subject
from daemon.message.traces import split
from daemon.message.verdict import Us
from daemon.rules.correspondence import Correspondence
from daemon.rules.organization import PublicProviders, organization_key

CONVERSATION = "thread-index:"  # before a Thread-Index root where it stands among Message-IDs
_ENOUGH = (
    2  # fingerprints that prove a quotation, where a text has so many: one may be a set phrase
)
_MAILS_WITH_ONE = 50  # mails of ours that one fingerprint is looked for in, the newest
SUBJECT_HOLDS = timedelta(days=60)  # an answer by its subject alone comes within
_TOKEN = re.compile(r"[^\W\d_]{4,}")
# Words in names and addresses that say nothing about who somebody is.
_COMMON = frozenset(
    (
        *("info", "mail", "email", "office", "kontakt", "contact", "sales", "service", "support"),
        *("team", "post", "gmbh", "group", "holding", "company", "gruppe", "kontor", "kontoret"),
        *("einkauf", "inkoop", "purchasing", "buchhaltung", "accounting", "admin", "hello"),
    )
)


@dataclass(frozen=True, slots=True)
class OurMail:
    """A mail of ours in Sent that a message names."""

    key: str
    sent_at: datetime
    subject: str
    facts: str  # `messages.facts`
    answers: tuple[str, ...] = ()
    circle: frozenset[str] = frozenset()  # sender keys in the mails that it answers


class Proof(NamedTuple):
    """That a message is an answer: how we know, and to which of our mails."""

    way: Literal["id", "domain", "conversation", "words", "name", "subject"]
    answered: str  # message key of our mail
    sent_at: datetime  # when we sent it


def is_written_to_them(message: Correspondence) -> bool:
    """Whether a message is a mail of ours that a person may answer, however many it went to."""
    return message.direction == "sent" and (
        message.verdict.kind == "contact" or message.verdict.reason == "too-many-recipients"
    )


def named(message: Correspondence) -> tuple[str, ...]:
    """The names of mails that a message answers: Message-IDs, then its Outlook conversation."""
    if message.conversation:
        return (*message.answers, CONVERSATION + message.conversation)
    return message.answers


@dataclass(slots=True)
class _Evidence:
    """What we know of one sender when its messages are looked at."""

    address: str
    us: Us
    public: PublicProviders
    ours: Mapping[str, OurMail]
    sent: Sequence[Correspondence]
    _subjects: dict[str, list[Correspondence]] | None = None
    _words: dict[str, list[Correspondence]] | None = None
    _said: dict[str, int] | None = None

    def of_subject(self, text: str, at: datetime) -> Correspondence | None:
        """The newest of our mails to the sender that had this base subject at that time."""
        if self._subjects is None:
            self._subjects = {}
            for mail in self.sent:
                self._subjects.setdefault(base_subject(mail.subject).text, []).append(mail)
        mails = self._subjects.get(text, [])
        place = bisect_right(mails, at, key=lambda mail: mail.sent_at)
        return mails[place - 1] if place else None

    def quoted(self, words: frozenset[str], at: datetime) -> Correspondence | None:
        """Which of our mails to the sender these quoted words are from: that with most of them."""
        if self._words is None or self._said is None:
            self._words, self._said = {}, {}
            for mail in reversed(self.sent):
                said = words_of(mail.facts)[0]
                self._said[mail.key] = len(said)
                for one in said:
                    mails = self._words.setdefault(one, [])
                    if len(mails) < _MAILS_WITH_ONE:  # a signature is in all of them
                        mails.append(mail)
        found = Counter(mail.key for one in words for mail in self._words.get(one, ()))
        enough = {
            mail.key: mail
            for one in words
            for mail in self._words.get(one, ())
            if found[mail.key] >= min(_ENOUGH, self._said[mail.key])
        }
        return max(
            enough.values(),
            key=lambda mail: (found[mail.key], mail.sent_at <= at, mail.sent_at, mail.key),
            default=None,
        )


def proofs(
    address: str,
    messages: Sequence[Correspondence],
    ours: Mapping[str, OurMail],
    us: Us,
    public: PublicProviders,
) -> dict[str, Proof]:
    """The received messages that answer us, by key; those that only a person may count included.

    `ours`: mails of ours by the names under which these messages answer them (`named`).
    """
    ours_to_them = [m for m in messages if m.direction == "sent" and is_written_to_them(m)]
    sent = sorted(ours_to_them, key=lambda m: (m.sent_at, m.key))
    if not sent and not ours:
        return {}
    known = _Evidence(address, us, public, ours, sent)
    found: dict[str, Proof] = {}
    for message in messages:
        # Anybody can submit a form in another's name, whatever it says that it answers.
        if message.direction == "received" and message.way not in SUBMITTED:
            proof = (
                _by_name(message, known, written_to=bool(sent))
                or _by_words(message, known)
                or _by_subject(message, known)
            )
            if proof:
                found[message.key] = proof
    return found


def named_by(message: Correspondence, ours: Mapping[str, OurMail]) -> Iterator[OurMail]:
    """The mails of ours that a message names; the first is the one closest to it."""
    for name in named(message):
        mail = ours.get(name)
        if mail and not (name.startswith(CONVERSATION) and message.sent_at < mail.sent_at):
            yield mail


def proof_beside_name(message: Correspondence, us: Us) -> bool:
    """Whether a message that names no mail of ours may prove otherwise that it answers one."""
    return quotes(message) or (
        base_subject(message.subject).is_answer and is_authenticated(message.facts, us)
    )


def quotes(message: Correspondence) -> bool:
    """Whether a message quotes words that may be ours."""
    return bool(words_of(message.facts)[1])


def proof_by_name(
    address: str,
    message: Correspondence,
    ours: Mapping[str, OurMail],
    us: Us,
    public: PublicProviders,
    *,
    written_to: bool,
) -> Proof | None:
    """Proof by a mail of ours that one message names, whether or not we wrote to its sender."""
    return _by_name(message, _Evidence(address, us, public, ours, []), written_to=written_to)


def _by_name(message: Correspondence, known: _Evidence, *, written_to: bool) -> Proof | None:
    """Proof by a mail of ours that the message names."""
    for mail in named_by(message, known.ours) if known.ours else ():
        if written_to:
            return Proof("id", mail.key, mail.sent_at)
        if way := _one_thing_more(message, mail, known):
            return Proof(way, mail.key, mail.sent_at)
    return None


def _one_thing_more(
    message: Correspondence, mail: OurMail, known: _Evidence
) -> Literal["domain", "conversation", "words", "name"] | None:
    """What a named mail of ours needs besides, to be a proof for somebody we never wrote to."""
    facts = _facts(mail.facts)
    recipients = [(str(name), str(address)) for name, address in facts.get("to", ())]
    theirs = organization_key(known.address.rpartition("@")[2], known.public)
    if theirs and any(
        organization_key(address.rpartition("@")[2], known.public) == theirs
        for _, address in recipients
    ):
        return "domain"
    if known.address in mail.circle:
        return "conversation"
    if not is_authenticated(message.facts, known.us):
        return None
    if has_words(words_of(message.facts)[1], words_of(mail.facts)[0]):
        return "words"
    same = base_subject(message.subject)
    if (
        same.is_answer
        and same.text == base_subject(mail.subject).text
        and any(_is_of(message.name, known.address, *recipient) for recipient in recipients)
    ):
        return "name"
    return None


def _by_words(message: Correspondence, known: _Evidence) -> Proof | None:
    """Proof by words of ours that the message quotes."""
    quoted = words_of(message.facts)[1] if known.sent else None
    mail = known.quoted(quoted, message.sent_at) if quoted else None
    return Proof("words", mail.key, mail.sent_at) if mail else None


def _by_subject(message: Correspondence, known: _Evidence) -> Proof | None:
    """Proof by the subject of a mail that we sent to this very address not long ago."""
    if not known.sent:
        return None
    subject = base_subject(message.subject)
    if not subject.is_answer or not subject.text:
        return None
    mail = known.of_subject(subject.text, message.sent_at)
    if mail is None or message.sent_at > mail.sent_at + SUBJECT_HOLDS:
        return None
    is_ours = is_authenticated(message.facts, known.us)
    return Proof("subject", mail.key, mail.sent_at) if is_ours else None


def is_authenticated(facts: str, us: Us) -> bool:
    """Whether our own server said dmarc=pass of a message."""
    if not (us.authserv_ids or us.learned_servers) or "dmarc-pass:" not in facts:
        return False
    signals = _facts(facts).get("marks", ())
    return authenticated(signals, us.authserv_ids, us.learned_servers) == "pass"


def _is_of(name: str, address: str, their_name: str, their_address: str) -> bool:
    """Whether somebody's name is in the name or address of a recipient of ours: one of them."""
    local, _, domain = their_address.partition("@")
    labels = "".join(_TOKEN.findall(_plain(domain.partition(".")[0].replace("-", ""))))
    recipient = [*_tokens(their_name), *_tokens(local), labels]
    return any(
        token == other or (len(token) > 4 and token in labels)  # noqa: PLR2004 letters of a name
        for token in (*_tokens(name), *_tokens(address.partition("@")[0]))
        for other in recipient
    )


def _tokens(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(_plain(text)) if token not in _COMMON]


def _plain(text: str) -> str:
    """Lower case without accents, so that a name is like the address made of it."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def has_words(quoted: frozenset[str], said: frozenset[str]) -> bool:
    """Whether enough of what was said is quoted."""
    return bool(said) and len(quoted & said) >= min(_ENOUGH, len(said))


def words_of(facts: str) -> tuple[frozenset[str], frozenset[str]]:
    """The fingerprints of a message's own words, and of those that it quotes."""
    if '"words"' not in facts:
        return frozenset(), frozenset()
    said, quoted = _facts(facts).get("words", ("", ""))
    return split(said), split(quoted)


def _facts(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found
