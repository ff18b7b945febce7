"""The subject of a conversation, without what mail programs put around it when they answer.

RFC 5256 section 2.1 (base subject), with the beginnings that programs write in other languages.
It doesn't decide whether a mail is an answer: anybody can write "Re:".
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from daemon.message.data import word_lists

_TAG = re.compile(r"\s*\[[^\[\]]{1,40}\]\s*")
_BEGINNING = re.compile(
    r"\s*([^\W\d_][^\s:\[\](]{0,14}(?: [^\s:\[\](]{1,10})?)\s?(?:[\[(*^]?\d{1,3}[\])]?)?\s?:"
)
_ENDING = re.compile(r"(?:(?<!\s)\s+)?\((?:fwd|fw|wg)\)\s*$", re.IGNORECASE)
_BEGINNINGS = 12  # of one subject that are taken off
_LIMIT = 400  # characters that are compared
_SPACE = re.compile(r"\s+")


class BaseSubject(NamedTuple):
    """A subject as two mails of one conversation share it, and what stood before it."""

    text: str  # case-folded, without the beginnings, tags in brackets and double spaces
    is_answer: bool
    is_forward: bool


@lru_cache(maxsize=1024)  # a conversation has one subject
def base_subject(subject: str) -> BaseSubject:
    """Take off what mail programs and filters put before and behind a subject."""
    text = unicodedata.normalize("NFKC", subject[:_LIMIT]).strip()
    is_answer = is_forward = False
    for _ in range(_BEGINNINGS):
        if tag := _TAG.match(text):
            if tag.end() == len(text):
                break  # nothing else
            text = text[tag.end() :]
            continue
        kind = _kind(found[1]) if (found := _BEGINNING.match(text)) else ""
        if not found or not kind:
            break
        is_answer = is_answer or kind == "answer"
        is_forward = is_forward or kind == "forward"
        text = text[found.end() :].lstrip()
    text = _ENDING.sub("", text)
    return BaseSubject(_SPACE.sub(" ", text).strip().casefold(), is_answer, is_forward)


def _kind(word: str) -> str:
    """Whether a beginning is an answer's or a forward's, "" for any other word."""
    word = word.strip().rstrip(".").casefold()
    lists = word_lists("quotes")
    return next((kind for kind in ("answer", "forward") if word in lists[kind]), "")
