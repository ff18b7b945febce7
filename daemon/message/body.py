"""The readable first text of a mail, short and safe to show: no quotes, no signature."""

import re

from daemon.message.text import paragraphs

INPUT_LIMIT = 65_536  # characters of a text that are looked at


def snippet(plain: str | None, html: str | None, limit: int) -> str:
    """At most `limit` characters of the first text that has any; "" with limit 0."""
    if limit <= 0:
        return ""
    text = paragraphs(plain[:INPUT_LIMIT]) if plain else ""
    if not text and html:
        text = paragraphs(re.sub("<[^<>]*>", " ", html[:INPUT_LIMIT]))
    return text[:limit].rstrip()
