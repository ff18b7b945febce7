"""Text that is safe to store, log and show: no control, bidi or escape characters.

It doesn't decode anything; it takes text as decoders left it, surrogates included.
"""

import re
import unicodedata
from collections.abc import Callable

# ANSI escape sequences (ECMA-48 CSI and OSC), before their ESC is lost and "[31m" would stay.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,256}(?:\x07|\x1b\\|\x9c)"
)
# Zero-width, bidi, tag and other invisible marks (UAX 9, UTR 36); joiners stay, scripts need them.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f]")
_BROKEN = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def word_finder(characters: str) -> Callable[[str], list[str]]:
    """What finds all words of a text, if words are runs of these characters.

    `characters`: a set as regular expressions write it, without white space. ASCII text, which is
    most of all, takes less than half the time of the expression.
    """
    word = re.compile(f"{characters}+")
    ascii_words = "".join(char if word.match(char) else " " for char in map(chr, range(128)))

    def found(text: str) -> list[str]:
        return text.translate(ascii_words).split() if text.isascii() else word.findall(text)

    return found


def one_line(text: str, limit: int) -> str:
    """The text as one line of at most `limit` characters, white space folded to single spaces."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = text[: 4 * limit]
    if not (text.isascii() and text.isprintable()):
        text = visible(text)
    return " ".join(text.split())[:limit].rstrip()


def folded_lines(text: str) -> list[str]:
    """The lines of a text, each without control characters and with its white space folded."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [
        line if line.isascii() and line.isprintable() else " ".join(visible(line).split())
        for line in lines
    ]


def without_escapes(text: str) -> str:
    """The text without terminal escape sequences; a bare escape character stays."""
    if "\x1b" in text or "\x9b" in text or "\x9d" in text:
        return _ESCAPES.sub("", text)
    return text


def visible(text: str) -> str:
    """The text without what can't be seen or could drive a terminal; composed (NFC)."""
    text = _CONTROL.sub(" ", without_escapes(text))
    if not text.isascii():
        text = _BROKEN.sub("\ufffd", _INVISIBLE.sub("", text))
        text = unicodedata.normalize("NFC", text)
    return text
