"""Lists that ship with mail2deal, each with its own comments; read with importlib.resources."""

from functools import cache
from importlib.resources import files


@cache
def word_lists(name: str) -> dict[str, frozenset[str]]:
    """The words of `<name>.txt` by kind, case-folded: `[kind]` lines, words separated by bars."""
    found: dict[str, set[str]] = {}
    kind = ""
    for line in files(__name__).joinpath(f"{name}.txt").read_text("utf-8").splitlines():
        text = line.strip()
        if text.startswith("["):
            kind = text.strip("[]")
        elif text and not text.startswith("#"):
            words = (word.strip().casefold() for word in text.split("|"))
            found.setdefault(kind, set()).update(word for word in words if word)
    return {kind: frozenset(words) for kind, words in found.items()}
