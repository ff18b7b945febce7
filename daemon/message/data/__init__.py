"""Lists that ship with mail2deal, each with its own comments, and how they are read."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files


def read(name: str) -> Iterator[str]:
    """The lines of a list that say something: no comments, no empty ones."""
    for line in (files(__name__) / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


@cache
def word_lists(name: str) -> dict[str, frozenset[str]]:
    """The words of `<name>.txt` by kind, case-folded: `[kind]` lines, words separated by bars."""
    found: dict[str, set[str]] = {}
    kind = ""
    for line in read(f"{name}.txt"):
        text = line.strip()
        if text.startswith("["):
            kind = text.strip("[]")
        else:
            words = (word.strip().casefold() for word in text.split("|"))
            found.setdefault(kind, set()).update(word for word in words if word)
    return {kind: frozenset(words) for kind, words in found.items()}
