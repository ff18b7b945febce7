"""A person's name as people write it, from the display name of a mail. Pure.

Display names are kept as they came and cleaned when a sender's state is computed, so that a better
rule improves what is there already.
"""

import re

from daemon.message.relay import is_machine_like, via

# ruff: noqa: RUF001  letters and punctuation of other languages

_BRACKETS = re.compile(r"\s*[(\[{（【][^()\[\]{}（）【】]{0,100}[)\]}）】]\s*")
_BEHIND = re.compile(r"\s+[|/–—•·]\s+.*$|\s+-\s+.*$|\s*@\s*\S.*$")
_WORD_BREAKS = re.compile(r"[._\-]+")
_SHOUTED = 3  # letters of a family name in capitals: fewer are initials or a firm's
# Before a name in capitals these belong to it: DE SMET, VAN DIJK.
_PARTICLES = frozenset(["DE", "DI", "DA", "DU", "LE", "LA", "EL", "AL", "O'", "MC", "ST", "TE"])
# How one is addressed, before the name: Frau Maja Lind.
_SALUTATION = re.compile(
    r"(?:herr|herrn|frau|fru|hr|mr|mrs|ms|mme|mlle|monsieur|madame|mevrouw|dhr|mevr|señor|señora"
    r"|signor|signora|signore)\.? (?=\S+ \S)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
# What follows a comma without being a first name: titles and company forms.
_NOT_FIRST = frozenset(
    [
        "jr",
        "sr",
        "ii",
        "iii",
        "iv",
        "phd",
        "ph.d.",
        "md",
        "m.d.",
        "mba",
        "msc",
        "bsc",
        "ba",
        "ma",
        "llm",
        "esq",
        "cpa",
        "cfa",
        "pe",
        "dr",
        "prof",
        "dipl",
        "ing",
        "mag",
        "inc",
        "llc",
        "ltd",
        "limited",
        "gmbh",
        "ag",
        "kg",
        "ug",
        "se",
        "sa",
        "sas",
        "sarl",
        "srl",
        "spa",
        "bv",
        "nv",
        "ab",
        "as",
        "oy",
        "oyj",
        "aps",
        "a/s",
        "kft",
        "zrt",
        "doo",
        "d.o.o.",
        "spol",
        "s.r.o.",
        "a.s.",
        "plc",
        "corp",
        "co",
        "pty",
        "lda",
        "sl",
        "s.l.",
        "s.a.",
        "s.p.a.",
        "s.r.l.",
        "&",
        "e.k.",
        "ek",
        "ohg",
        "gbr",
        "ev",
        "e.v.",
        "bcom",
        "bed",
        "rn",
        "dds",
    ]
)


def clean_name(name: str, address: str = "") -> str:
    """A display name without quotes, departments, services and addresses; first name first.

    `address`: whose name it is; a role's (info@) is a firm's, and stays in its order.
    """
    name = _SPACE.sub(" ", name).strip(" '\"`´‘’“”„<>")
    if parts := via(name):
        name = parts[0]
    bare = _BRACKETS.sub(" ", name).strip()
    name = bare or name.strip("()[]{} ")
    name = name[match.end() :] if (match := _SALUTATION.match(name)) else name
    name = _turned(_BEHIND.sub("", name).strip() or name)
    if not is_machine_like(address.partition("@")[0].partition("+")[0]):
        name = _family_name_last(name)
    return name.strip(" '\",;")


def _turned(name: str) -> str:
    """First name first: of "Lovelace, Ada" it is "Ada Lovelace"."""
    last, comma, first = (part.strip() for part in name.partition(","))
    if not comma or not last or not first or "," in first:
        return name
    words = first.casefold().split()
    if words[0].strip(".") in _NOT_FIRST or words[0] in _NOT_FIRST or len(words) > 3:  # noqa: PLR2004
        return name
    if len(last.split()) > 4:  # noqa: PLR2004 a firm's name rather than a family's
        return name
    return f"{first} {last}"


def _family_name_last(name: str) -> str:
    """First name first where the family name stands before it in capitals: LOVELACE Ada."""
    *family, first = name.split() or [""]
    shouted = [
        word for word in family if word.isupper() and (len(word) >= _SHOUTED or word in _PARTICLES)
    ]
    if not family or len(shouted) < len(family) or len(family) > 2:  # noqa: PLR2004 DE SOUSA
        return name
    if not first.istitle() or first.casefold() in _NOT_FIRST or not first.isalpha():
        return name
    return f"{first} {' '.join(word.title() for word in family)}"


def made_up_name(address: str) -> str:
    """A name from the local part: `ada.lovelace@...` is Ada Lovelace; else the address itself."""
    words = _WORD_BREAKS.split(address.rpartition("@")[0])
    return " ".join(word[0].upper() + word[1:] for word in words if word) or address
