"""The readable first text of a mail, short and safe to show, and the words that it quotes.

It keeps what the sender wrote: no quoted mail, no signature, no HTML, no control characters. It
looks only at the beginning of a text, so it costs the same for a mail of any length.
"""

from daemon.message.quote import Words, has_own_words, split_words
from daemon.message.text import folded_lines

_LOOK_AHEAD = 8_192  # characters beyond the limit that are looked at: a quote above the answer


def snippet(plain: str | None, html: str | None, limit: int) -> str:
    r"""At most `limit` characters of the first text that has any of its own; "" with limit 0.

    The only control character in it is `\n`; where text was cut off it ends with an ellipsis.
    """
    return shortened(words(plain, html, limit).own, limit) if limit > 0 else ""


def says_nothing(plain: str) -> bool:
    """Whether a plain text has no words of its own, so that the HTML beside it is taken."""
    return not has_own_words(folded_lines(plain[:_LOOK_AHEAD]))


def words(plain: str | None, html: str | None, limit: int) -> Words:
    """The sender's words and the quoted ones of the first text that has any of its own.

    Of the own words at least `limit` characters are given, if there are so many.
    """
    reach = 4 * limit + _LOOK_AHEAD
    found = Words("", "")
    if plain:
        found = split_words(folded_lines(plain[:reach]), 2 * limit)
    if not found.own and html:
        from daemon.message.markup import html_to_text  # noqa: PLC0415 - lxml is 10 MB

        text, dropped = html_to_text(html, 2 * limit + 500)
        read = split_words(folded_lines(text[:reach]), 2 * limit)
        if read.own or not found.quoted:
            found = read if read.quoted else Words(read.own, dropped)
    return found


def shortened(text: str, limit: int) -> str:
    """The first `limit` characters of a text, cut at a word."""
    if len(text) <= limit:
        return text
    end = max(text.rfind(" ", limit * 3 // 4, limit), text.rfind("\n", limit * 3 // 4, limit))
    return text[: end if end > 0 else limit - 1].rstrip() + "…"
