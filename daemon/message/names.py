"""A person's name as people write it, from the display name of a mail. Pure.

Display names are kept as they came and cleaned when a sender's state is computed, so that a better
rule improves what is there already.
"""

import re
from functools import lru_cache
from itertools import takewhile

from daemon.message.data import word_lists
from daemon.message.localparts import is_given_name, names_a_firm, names_a_person
from daemon.message.relay import is_machine_like, via

# ruff: noqa: RUF001  letters and punctuation of other languages

_BRACKETS = re.compile(r"(?:(?<!\s)\s+)?[(\[{（【][^()\[\]{}（）【】]{0,100}[)\]}）】]\s*")
_BEHIND = re.compile(r"(?<!\s)\s+[|/–—•·-]\s+.*$|(?:(?<!\s)\s+)?(?:@\s*\S|<).*$")
# Pictures, and joiners where no script needs them (those of Asia do): Ada 🌿.
_PICTURES = re.compile(
    "[\u2190-\u21ff\u2300-\u2bff\ufe0f\U0001f000-\U0001faff]+|(?<![\u0590-\u1fff])[\u200c\u200d]+"
)
_WORD_BREAKS = re.compile(r"[._\-]+")
_SHOUTED = 3  # letters of a family name in capitals: fewer are initials or a firm's
_WORDS = word_lists("names")
_TITLES, _SMALL = _WORDS["title"], _WORDS["particle"]
# Before a name in capitals these belong to it: DE SMET, VAN DIJK.
_PARTICLES = frozenset({"O'", "MC", "ST", "TE", *(word.upper() for word in _SMALL)})
_MC = re.compile(r"\bM[cC](?=[A-Z])")
# How one is addressed, before the name: Frau Maja Lind.
_SALUTATION = re.compile(
    r"(?:herr|herrn|frau|fru|hr|mr|mrs|ms|mme|mlle|monsieur|madame|mevrouw|dhr|mevr|señor|señora"
    r"|signor|signora|signore)\.? (?=\S+ \S)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


@lru_cache(maxsize=8192)  # the same people write again and again
def clean_name(name: str, address: str = "") -> str:
    """A display name without quotes, departments, services and addresses; first name first.

    `address`: whose name it is; a role's (info@) is a firm's, and stays in its order.
    """
    if not name.isascii():
        name = _PICTURES.sub("", name) or name
    name = _SPACE.sub(" ", name).strip(" '\"`´‘’“”„<>")
    if parts := via(name):
        name = parts[0]
    bare = _BRACKETS.sub(" ", name).strip()
    name = bare or name.strip("()[]{} ")
    name = name[match.end() :] if (match := _SALUTATION.match(name)) else name
    name = _turned(_BEHIND.sub("", name).strip() or name)
    local = address.partition("@")[0].partition("+")[0].lower()
    if not is_machine_like(local):
        name = _family_name_last(name)
        is_persons = names_a_person(local, name) or any(map(is_given_name, name.split()))
        if is_persons and not names_a_firm(name):
            name = _capitalized(name)
    return name.strip(" '\",;")


def _turned(name: str) -> str:
    """First name first: of "Lovelace, Ada" it is "Ada Lovelace"."""
    last, comma, first = (part.strip() for part in name.partition(","))
    if not comma or not last or not first or "," in first:
        return name
    words = first.casefold().split()
    titled = len(words) > 1 and words[0].strip(".") in _TITLES
    if len(words) > 3 or (not titled and {words[0].strip("."), words[0]} & _WORDS["suffix"]):  # noqa: PLR2004
        return name
    if len(last.split()) > 4:  # noqa: PLR2004 a firm's name rather than a family's
        return name
    family = last.split()
    titles = list(takewhile(lambda word: word.strip(".").casefold() in _TITLES, family))
    return " ".join([*titles, first, *family[len(titles) :]])


def _family_name_last(name: str) -> str:
    """First name first where the family name stands before it in capitals: LOVELACE Ada."""
    *family, first = name.split() or [""]
    shouted = [
        word
        for word in (_MC.sub("MC", one) for one in family)
        if word.isupper() and (len(word) >= _SHOUTED or word in _PARTICLES)
    ]
    own = [word for word in family if word not in _PARTICLES]
    if not family or len(shouted) < len(family) or len(own) > 2:  # noqa: PLR2004 - as SOUSA REIS
        return name
    if not first.istitle() or first.casefold() in _WORDS["suffix"] or not first.isalpha():
        return name
    return f"{first} {' '.join(map(_titled, family))}"


def _capitalized(name: str) -> str:
    """A person's name of several words, each of them with one capital letter at its beginning."""
    words = name.split()
    if len(words) == 1 or not any(word.islower() or _is_shouted(word) for word in words):
        return name
    if name.islower() or name.isupper():
        return " ".join(map(_titled, words))
    return " ".join(_titled(word) if _is_shouted(word) else word for word in words)


def _is_shouted(word: str) -> bool:
    return _MC.sub("MC", word).isupper() and len(word) > _SHOUTED


def _titled(word: str) -> str:
    """A word of a name as people write it: O'Neill, McDonald, and van in the middle of one."""
    if word.casefold() in _SMALL:
        return word.casefold()
    titled = word.title()
    return f"Mc{titled[2:].title()}" if _MC.match(word) and word[2:].isupper() else titled


def made_up_name(address: str) -> str:
    """A name from the local part: `ada.lovelace@...` is Ada Lovelace; else the address itself."""
    words = [word for word in _WORD_BREAKS.split(address.rpartition("@")[0]) if word]
    middle = [word if word in _SMALL else word[0].upper() + word[1:] for word in words[1:-1]]
    ends = [word[0].upper() + word[1:] for word in (words[0], words[-1])] if words else []
    return " ".join([*ends[:1], *middle, *(ends[1:] if len(words) > 1 else [])]) or address
