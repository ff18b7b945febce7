"""Whether a text says one of some thousand phrases, in the time that it takes to read it once.

Each phrase is filed under its rarest word. Of a text only the words are looked up, so what a text
doesn't say costs nothing; scripts without spaces between words are searched phrase by phrase.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from daemon.message.data import read
from daemon.message.text import word_finder

TEXT_LIMIT = 4_000  # characters of a text that are looked at
_GAP = 60  # characters that a "*" may stand for

_words = word_finder(r"\w")
# Thai, kana, Han, Hangul: no spaces between words, or endings joined to them
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_QUOTES = {"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"'}
_ACCENTED = (*range(0xC0, 0x250), *range(0x386, 0x3CF), *range(0x1E00, 0x2000))  # Latin, Greek


def _without_accents() -> dict[int, str]:
    """What each letter is compared as: people leave accents out, and programs lose them."""
    bare = {ord(sign): plain for sign, plain in _QUOTES.items()}
    for code in _ACCENTED:
        parts = unicodedata.normalize("NFD", chr(code).casefold())
        letters = "".join(part for part in parts if not unicodedata.combining(part))
        if letters != chr(code):
            bare[code] = letters
    return bare


_BARE = _without_accents()


class _Phrase(NamedTuple):
    signal: str
    parts: tuple[str, ...]  # in this order, with a gap between them


class _Index(NamedTuple):
    by_word: Mapping[str, tuple[_Phrase, ...]]
    unspaced: tuple[_Phrase, ...]


def said(text: str, kind: str) -> dict[str, int]:
    """The signals of this kind ("says" or "subject") in a text, with how many phrases say each."""
    text = normal(text)
    found: dict[str, int] = {}
    index = _index(kind)
    for word in index.by_word.keys() & _words(text):
        for phrase in index.by_word[word]:
            if phrase.parts[0] in text and _contains(text, phrase.parts, whole=True):
                found[phrase.signal] = found.get(phrase.signal, 0) + 1
    if not text.isascii() and _UNSPACED.search(text):
        for phrase in index.unspaced:
            if _contains(text, phrase.parts, whole=False):
                found[phrase.signal] = found.get(phrase.signal, 0) + 1
    return found


def normal(text: str) -> str:
    """A text as phrases are compared: lower case, no accents, one space between words."""
    text = text[:TEXT_LIMIT]
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_BARE)
    return " ".join(text.casefold().split())


def _contains(text: str, parts: tuple[str, ...], *, whole: bool) -> bool:
    start, end = 0, len(text)
    for part in parts:
        at = _find(text, part, start, end, whole=whole)
        if at < 0:
            return False
        start = at + len(part)
        end = min(len(text), start + _GAP + 80)
    return True


def _find(text: str, part: str, start: int, end: int, *, whole: bool) -> int:
    """Where a part stands, as whole words where there are words."""
    at = text.find(part, start, end)
    while at >= 0 and whole:
        after = at + len(part)
        if not (at and text[at - 1].isalnum() and part[0].isalnum()) and not (
            text[after : after + 1].isalnum() and part[-1].isalnum()
        ):
            break
        at = text.find(part, at + 1, end)
    return at


@lru_cache(maxsize=2)
def _index(kind: str) -> _Index:
    phrases = list(_read(kind))
    common = Counter(word for p in phrases for word in set(_words(p.parts[0])))
    by_word: defaultdict[str, list[_Phrase]] = defaultdict(list)
    unspaced: list[_Phrase] = []
    for phrase in phrases:
        if any(_UNSPACED.search(part) for part in phrase.parts):
            unspaced.append(phrase)
            continue
        rarest = min(_words(phrase.parts[0]), key=lambda word: (common[word], -len(word)))
        by_word[rarest].append(phrase)
    return _Index({word: tuple(some) for word, some in by_word.items()}, tuple(unspaced))


def _read(kind: str) -> Iterable[_Phrase]:
    signal = ""
    for line in read("phrases.txt"):
        if line.startswith("["):
            signal = line.strip("[]")
        elif signal.startswith(f"{kind}-"):
            for phrase in line.partition(": ")[2].split(" | "):
                parts = tuple(normal(part) for part in phrase.split("*"))
                yield _Phrase(signal, tuple(part for part in parts if part))
