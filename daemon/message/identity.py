"""Which mails are copies of one: told by what the author wrote, not by what was added on the way.

A gateway tags the subject, a group puts itself into From, a relay gives a mail without a Message-ID
one, a server files a second rendering of what we sent under an id of its own. Pure: it compares two
mails; where to look for the second is the caller's business.
"""

import hashlib
import re
from datetime import timedelta
from functools import lru_cache

from daemon.message.parse import Message

# Two copies of what we sent may be dated by the client and by the server.
SENT_APART = timedelta(minutes=10)
_NOT_WRITTEN = re.compile(r"[\W_]+")


@lru_cache(maxsize=4096)  # asked several times of each mail of a batch
def trace(author: str, subject: str, text_hash: str) -> str:
    """The same 16 hexadecimal digits for the same author and words (of the subject without any)."""
    text = f"{author}\0{text_hash or _letters(subject)}"
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def is_copy(one: Message, other: Message, *, sent: bool) -> bool:
    """Whether two mails are one; `sent`: both lie in folders of what we sent."""
    same_author = not _authors(one).isdisjoint(_authors(other))
    same_words = bool(one.text_hash) and one.text_hash == other.text_hash
    same_date = one.date is not None and one.date == other.date
    if one.message_id is not None and one.message_id == other.message_id:
        if same_author:
            return same_date or same_words or (one.date is None and _is_tagged(one, other))
        return same_words and (same_date or _is_tagged(one, other))
    if not same_author or not (same_words or (one.text_hash == other.text_hash == "")):
        return False
    if one.message_id is None or other.message_id is None:
        return one.date == other.date and _is_tagged(one, other)
    if not (sent and same_words and one.date is not None and other.date is not None):
        return False
    near = abs(one.date - other.date) <= SENT_APART
    return near and _is_tagged(one, other) and _recipients(one) == _recipients(other)


def preferred(one: Message, other: Message) -> Message:
    """Which of two copies is kept: the one that was changed least; the same in any order."""
    return min(one, other, key=_done_to)


def _done_to(message: Message) -> tuple[object, ...]:
    by_group = any(candidate.way == "group" for candidate in message.candidates)
    names = (message.message_id or "", message.from_.name if message.from_ else "")
    said = (len(message.subject), message.subject, message.text_hash, message.snippet)
    return message.message_id is None, by_group, *said, *names, len(message.to)


def _authors(message: Message) -> set[str]:
    """Whoever may have written it: From, and whom a group or list names in its place."""
    found = {one.address.key for one in message.candidates if one.way in {"group", "reply-to"}}
    return found | ({message.from_.key} if message.from_ else set())


def _recipients(message: Message) -> set[str]:
    return {address.key for address in message.to}


def _is_tagged(one: Message, other: Message) -> bool:
    """Whether the subjects are the same but for what a gateway or a group put before one."""
    first, second = _letters(one.subject), _letters(other.subject)
    return first.endswith(second) or second.endswith(first)


def _letters(text: str) -> str:
    return _NOT_WRITTEN.sub("", text).casefold()
