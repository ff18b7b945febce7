"""Which mails of theirs a mail of ours answers, and how long they waited.

What is in Sent is ours, so nothing here can be forged. Most programs name the mail that they
answer; where ours left no name, the subject or the words of theirs that it quotes show it.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from daemon.message.subject import base_subject
from daemon.rules.correspondence import Correspondence
from daemon.rules.reply import SUBJECT_HOLDS, OurMail, has_words, words_of

_WORDS_SOUGHT = 50  # mails of theirs, the latest before ours, whose words are compared


class OurAnswers(NamedTuple):
    """The keys of our mails that answer one of theirs, and how long those of theirs waited."""

    keys: list[str]
    waits: list[timedelta]  # of each that we answered, to our first answer


def our_answers(
    received: Sequence[Correspondence], sent: Sequence[Correspondence], ours: Mapping[str, OurMail]
) -> OurAnswers:
    """What we answered. Of several that one mail answers, their latest is the one that waited.

    A Message-ID that a mail of ours has is ours, whoever else claims it: our own follow-up to our
    own mail is no answer.
    """
    theirs = _Theirs(received, ours) if sent else None
    keys: list[str] = []
    waits: dict[str, timedelta] = {}
    for m in sorted(sent, key=lambda one: one.sent_at):
        if theirs and (asked := theirs.answered_by(m)):
            keys.append(m.key)
            latest = max(asked, key=lambda one: one.sent_at)
            waits.setdefault(latest.key, max(timedelta(), m.sent_at - latest.sent_at))
    return OurAnswers(keys, list(waits.values()))


def answered_by_us(
    theirs: Sequence[Correspondence], sent: Sequence[Correspondence], ours: Mapping[str, OurMail]
) -> frozenset[str]:
    """The keys of their mails that a mail of ours answers."""
    found = _Theirs(theirs, ours) if sent and theirs else None
    return frozenset(one.key for m in sent if found for one in found.answered_by(m))


class _Theirs:
    """Mails of theirs, by what a mail of ours may share with those that it answers."""

    def __init__(self, received: Sequence[Correspondence], ours: Mapping[str, OurMail]) -> None:
        self._received = sorted(received, key=lambda m: m.sent_at)
        self._by_id: dict[str, Correspondence] = {}
        self._conversations: dict[str, list[Correspondence]] = {}
        for m in self._received:
            if m.message_id and m.message_id not in ours:
                self._by_id[m.message_id] = m
            if m.conversation:
                self._conversations.setdefault(m.conversation, []).append(m)
        self._subjects: dict[str, list[Correspondence]] | None = None

    def answered_by(self, mail: Correspondence) -> list[Correspondence]:
        """Those that a mail of ours answers, by the surest sign that it has."""
        named = [self._by_id[name] for name in mail.answers if name in self._by_id]
        if named:
            return named
        if mail.conversation:
            earlier = self._conversations.get(mail.conversation, ())
            if found := _latest(earlier, mail.sent_at):
                return [found]
        if mail.answers or mail.conversation:
            return []  # it names what it answers, and that isn't theirs
        return self._by_subject(mail) or self._by_words(mail)

    def _by_subject(self, mail: Correspondence) -> list[Correspondence]:
        """Their latest with the subject that ours answers, not long before.

        Theirs began it: where they answered, ours may as well follow up on our own mail.
        """
        subject = base_subject(mail.subject)
        if not subject.is_answer or not subject.text:
            return []
        if self._subjects is None:
            self._subjects = {}
            for m in self._received:
                if not (theirs := base_subject(m.subject)).is_answer:
                    self._subjects.setdefault(theirs.text, []).append(m)
        found = _latest(self._subjects.get(subject.text, ()), mail.sent_at)
        return [found] if found and mail.sent_at <= found.sent_at + SUBJECT_HOLDS else []

    def _by_words(self, mail: Correspondence) -> list[Correspondence]:
        """Their latest whose words ours quotes."""
        quoted = words_of(mail.facts)[1]
        if not quoted:
            return []
        end = bisect_right(self._received, mail.sent_at, key=lambda m: m.sent_at)
        for m in reversed(self._received[max(0, end - _WORDS_SOUGHT) : end]):
            if has_words(quoted, words_of(m.facts)[0]):
                return [m]
        return []


def _latest(mails: Sequence[Correspondence], at: datetime) -> Correspondence | None:
    """The last of these, in their order, that was sent until then."""
    place = bisect_right(mails, at, key=lambda m: m.sent_at)
    return mails[place - 1] if place else None
