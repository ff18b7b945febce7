"""What ties a mail to a conversation beside Message-IDs: its Outlook thread, and quoted words.

Relays rename our mails on the way out, and some programs answer without naming them. So the words
of a mail are kept as fingerprints: hashes of a few words each, chosen by the words themselves, so
that they survive being wrapped, marked and cut. Bounded, and nothing can be read from them.
"""

import binascii
import hashlib
import re
from typing import NamedTuple
from zlib import crc32

from daemon.message.fields import Fields, first
from daemon.message.quote import Words
from daemon.message.text import word_finder

HASHED = 500  # characters of a mail's text that tell it from others
SAID = 16  # fingerprints of a mail's own words
QUOTED = 64  # of those that it quotes
_WORDS = 5  # that one fingerprint covers
_WORDS_READ = 600
_FEWEST = 3  # words of one at the end of a text
_LONG = 5  # letters of a word that begins one
_SAID_CHARS = 2_000
_QUOTED_CHARS = 6_000
_ROOT = 22  # bytes of a Thread-Index that a whole conversation shares, [MS-OXOMSG] 2.2.1.3
_tokens = word_finder(r"[^\W_]")
# Scripts without spaces between words; there a fingerprint covers characters.
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CHARACTERS = 8


class Traces(NamedTuple):
    """What besides Message-IDs ties a mail to others."""

    conversation: str | None = None  # root of the Thread-Index, hexadecimal
    original_id: str | None = None  # the Message-ID that it had before a relay gave it another
    said: str = ""  # fingerprints of its own words, 8 hexadecimal digits each
    quoted: str = ""  # fingerprints of the words that it quotes


NO_TRACES = Traces()


def traces(fields: Fields, original_id: str | None, words: Words) -> Traces:
    """The traces of a mail, from its header and its words."""
    return Traces(
        conversation=_conversation(fields),
        original_id=original_id,
        said=fingerprints(words.own, SAID) if words.own else "",
        quoted=fingerprints(words.quoted, QUOTED) if words.quoted else "",
    )


def _conversation(fields: Fields) -> str | None:
    """The root of Outlook's Thread-Index: the same for all mails of a conversation."""
    value = "".join(first(fields, "thread-index").split()).rstrip("=")
    try:
        octets = binascii.a2b_base64(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return None
    return octets[:_ROOT].hex() if len(octets) >= _ROOT else None


def fingerprints(text: str, most: int) -> str:
    """Hashes of a few words each, from the beginning of a text, joined."""
    text = text[: _SAID_CHARS if most == SAID else _QUOTED_CHARS].casefold()
    if not text.isascii() and len(_UNSPACED.findall(text[:200])) > 20:  # noqa: PLR2004  letters that make it such a text
        letters = "".join(_tokens(text))
        starts = [i for i in range(len(letters) - _CHARACTERS + 1) if ord(letters[i]) % 4 == 0]
        chosen = (letters[i : i + _CHARACTERS] for i in starts)
    else:
        words = _tokens(text)[:_WORDS_READ]
        starts = [i for i, one in enumerate(words[: 1 - _FEWEST]) if len(one) >= _LONG]
        # Where our words end, a quotation may go on with others.
        lengths = (_WORDS,) if most == SAID else (_WORDS, _FEWEST)
        chosen = (" ".join(words[i : i + n]) for i in starts for n in lengths)
    found: dict[int, None] = {}
    for one in chosen:
        found[crc32(one.encode("utf-8", "replace"))] = None
        if len(found) == most:
            break
    return ("%08x" * len(found)) % tuple(found)


def split(joined: str) -> frozenset[str]:
    """The fingerprints that `fingerprints` has joined."""
    return frozenset(joined[i : i + 8] for i in range(0, len(joined), 8))


def text_hash(text: str) -> str:
    """16 hexadecimal digits for the first letters and digits of a text, "" without any.

    Not for white space and signs: these differ between a mail's plain and its HTML text, and
    between renderings of one mail.
    """
    begins = text[:HASHED]
    letters = "".join(_tokens(begins)).casefold()[: HASHED // 2]
    return hashlib.sha256(letters.encode("utf-8", "replace")).hexdigest()[:16] if letters else ""
