"""The text of a mail as the lines that a form, a forward or a signature is read from.

Unlike the snippet it keeps what is quoted, and the spaces that make columns. HTML becomes lines by
its blocks and table cells alone: fast, and never more than the bytes that it is given.
"""

import html
import re

from daemon.message.text import visible

LINES = 400
_LINE_CHARS = 2_000
_HTML_CHARS = 131_072

_DROPPED = re.compile(r"<(style|script|head|title)\b[^<>]{0,2000}>", re.IGNORECASE)
_BREAK = re.compile(
    r"<\s{0,4}/?\s{0,4}(?:br|p|div|tr|td|th|li|h[1-6]|table|ul|ol|blockquote|dt|dd|hr|section|header"
    r"|center)\b[^<>]{0,4000}>",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[!/?a-zA-Z][^<>]{0,8000}>")
_QUOTED = re.compile(r"^(?:[>|]\s?)+")
_CLEAN = re.compile(r"[\r\n -~]*")


def text_lines(plain: str) -> list[str]:
    """The lines of a plain text."""
    lines = plain.splitlines()[:LINES]
    if _CLEAN.fullmatch(plain):
        return [line[:_LINE_CHARS].rstrip() for line in lines]
    return [_clean(line[:_LINE_CHARS]) for line in lines]


def unquoted(lines: list[str]) -> list[str]:
    """The same lines without the marks of those that are quoted."""
    return [_QUOTED.sub("", line) if line[:1] in {">", "|"} else line for line in lines]


def html_lines(markup: str) -> list[str]:
    """The lines of an HTML text: a line for each block, each table cell and each line break."""
    markup = _without_dropped(markup[:_HTML_CHARS]).replace("\r", " ").replace("\n", " ")
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", markup)))
    lines = (" ".join(line[:_LINE_CHARS].split()) for line in text.splitlines())
    return [_clean(line) for line in lines if line][:LINES]


def _without_dropped(markup: str) -> str:
    """Without styles, scripts and the head; one that never ends takes the rest with it."""
    low = markup.lower()
    kept: list[str] = []
    at = 0
    while found := _DROPPED.search(markup, at):
        kept.append(markup[at : found.start()])
        end = low.find(f"</{found[1].lower()}", found.end())
        if end < 0:
            return "".join(kept)
        at = end
    return "".join([*kept, markup[at:]])


def _clean(line: str) -> str:
    line = line.rstrip()
    return line if line.isascii() and line.isprintable() else visible(line)
