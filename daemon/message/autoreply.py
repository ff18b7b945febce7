"""How the subjects of automatic replies, bounces and receipts begin, by data/subjects.txt."""

from functools import cache
from typing import Literal

from daemon.message.data import word_lists
from daemon.message.phrases import normal


def begins_like(subject: str, kind: Literal["auto-reply", "bounce", "receipt"]) -> bool:
    """Whether a subject begins with one of this kind's beginnings, as whole words."""
    folded, beginnings = normal(subject), _beginnings(kind)
    if not folded.startswith(beginnings):
        return False
    return any(
        folded.startswith(beginning) and not folded[len(beginning) : len(beginning) + 1].isalnum()
        for beginning in beginnings
    )


@cache
def _beginnings(kind: str) -> tuple[str, ...]:
    return tuple(map(normal, sorted(word_lists("subjects")[kind])))
