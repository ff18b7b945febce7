"""The readable first text of a mail, short and safe to show.

It keeps what the sender wrote: no quoted mail, no signature, no HTML, no control characters. It
looks only at the beginning of a text, so it costs the same for a mail of any length.
"""

from daemon.message.quote import own_words
from daemon.message.text import folded_lines

_LOOK_AHEAD = 8_192  # characters beyond the limit that are looked at: a quote above the answer


def snippet(plain: str | None, html: str | None, limit: int) -> str:
    r"""At most `limit` characters of the first text that has any of its own; "" with limit 0.

    The only control character in it is `\n`; where text was cut off it ends with an ellipsis.
    """
    if limit <= 0:
        return ""
    reach = 4 * limit + _LOOK_AHEAD
    text = ""
    if plain:
        text = own_words(folded_lines(plain[:reach]), 2 * limit)
    if not text and html:
        from daemon.message.markup import html_to_text  # noqa: PLC0415 - lxml is 10 MB

        text = own_words(folded_lines(html_to_text(html, 2 * limit + 500)[:reach]), 2 * limit)
    return _cut(text, limit)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = max(text.rfind(" ", limit * 3 // 4, limit), text.rfind("\n", limit * 3 // 4, limit))
    return text[: end if end > 0 else limit - 1].rstrip() + "…"
