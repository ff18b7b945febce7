"""Our mark on an activity, by which a write whose answer was lost is found again. Pure.

`m2d:` and the last 12 hexadecimal digits of the record key stand at the end of the note, if it says
anything else, and in the public description, which Pipedrive shows only in the activity's own
window: a note that people rewrite hides nothing. 12 digits are 48 bits. A lost write is looked for
among one person's activities of some minutes; that another of 100 has the same mark happens once in
10^12 times. Where a whole ledger was lost, all marks of the company are compared with all messages:
of n activities two share a mark with a chance of n² / 2^49, which is 2 in 10^5 for 100,000 and
0.2 % for a million;
then one mail of all isn't logged. Earlier versions wrote `[mail2deal:KEY]`, which stays known.
"""

import html
import re
from collections.abc import Mapping
from typing import Any

_NOTE_BYTES = 90_000  # Pipedrive's cap is 100 KB (2025-09-21)
_DIGITS = 12
_MARK = re.compile(r"\[mail2deal:([0-9a-z-]+)\]|(?<![0-9a-z])m2d:([0-9a-f]{12})(?![0-9a-z])")


def short(key: str) -> str:
    """What a mark says of a record key: a message's, or that of a meeting or a follow-up."""
    return key[-_DIGITS:]


def mark(key: str) -> str:
    """The mark of a record key, as text that no sanitiser takes away."""
    return f"m2d:{short(key)}"


def marked(text: str, key: str) -> dict[str, str]:
    """The fields of an activity that show a text, escaped and bounded in bytes, and our mark."""
    text = _MARK.sub(lambda found: found[0].replace(":", " "), text)  # only the last line is ours
    escaped = html.escape(text, quote=False).replace("\n", "<br>")
    while len(escaped.encode()) > _NOTE_BYTES:
        text = text[: len(text) * 3 // 4]
        escaped = html.escape(text, quote=False).replace("\n", "<br>")
    note = {"note": f"{escaped}<br><br>{mark(key)}"} if escaped else {}
    return {"public_description": mark(key), **note}


def mark_of(activity: Mapping[str, Any]) -> str | None:
    """What the last mark in an activity says, None without one: 12 digits, or a whole key."""
    for name in ("note", "public_description"):
        text = activity.get(name)
        found = _MARK.findall(text) if isinstance(text, str) else []
        if found:
            whole, digits = found[-1]
            return str(whole or digits)
    return None


def is_mark(text: object) -> bool:
    """Whether a text is a mark of ours and nothing else."""
    return isinstance(text, str) and _MARK.fullmatch(text.strip()) is not None


def is_of(said: str | None, key: str) -> bool:
    """Whether that is the mark of a record key."""
    return said is not None and said in {key, short(key)}
