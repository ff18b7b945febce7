"""Invented names for those in some mails: the same one wherever a name, address or number recurs.

What tells a program's or a service's mail from a person's stays: words and domains that our data
names, roles such as info@, the shape of an address. Pure; `disguise` applies it to whole mails.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files

from daemon.message.address import Address, ascii_domain
from daemon.message.localparts import is_given_name
from daemon.message.own_server import organization
from daemon.message.relay import is_machine_like
from daemon.message.us import within
from daemon.message.vendors import kind_of

_LABEL = r"[\w](?:[\w-]{0,61}[\w])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,8}}\.[^\W\d_]{{2,24}}"
_ADDRESS = rf"[\w.+=~&'/!#$%*?^`{{|}}-]{{1,64}}@{_HOST}"
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
_PHONE = r"(?<![\w+])(?:\+|00?|\()\d[\d ()/.\u2013\u00a0-]{6,24}\d(?!\w)"
_OPAQUE = r"(?<=[/=?&])(?=[\w-]*\d)[\w-]{12,400}"  # a token in a link
_WORD = r"[^\W\d_]{2,60}"
_IN_TEXT = re.compile(
    "|".join(
        f"(?P<{kind}>{pattern})"
        for kind, pattern in (
            *(("address", _ADDRESS), ("ip", _IPV4), ("host", _HOST), ("phone", _PHONE)),
            *(("opaque", _OPAQUE), ("word", _WORD)),
        )
    )
)
_LETTERS = re.compile(r"[^\W\d_]+")
_DOMAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,24}")
_PRIVATE = re.compile(r"(?:0|10|127|255|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.")
_SHORTEST = 3  # letters of a word that is replaced wherever it stands
_KEPT_DIGITS = 6  # of a phone number: its country and area, so that it still can be one
_GIVEN_NAMES = "given_names.txt"
_ONSETS, _RHYMES = "bdfglmnprstvz", ("ador", "elin", "imar", "oven", "ural", "aske", "ilo", "unda")


class Pseudonyms:
    """See the module. First everything is learned, then replaced."""

    def __init__(self, salt: str) -> None:
        """`salt`: what keeps digits and tokens from being found again by trying."""
        self._salt = salt
        self._words: dict[str, str] = {}  # case-folded
        self._domains: set[str] = set()  # what belongs to one company or person
        self._ips: dict[str, str] = {}

    def learn(self, who: Address) -> None:
        """Replace this address, its domain and the name of whoever it belongs to."""
        local = who.local
        if not is_machine_like(local):
            for word in _LETTERS.findall(local):
                self._learn_word(word)
        self.learn_domain(who.domain)
        self.learn_name(who.name, of=local)

    def learn_name(self, name: str, of: str = "") -> None:
        """Replace the words of a person's or firm's name but for those that say what it is.

        `of`: a local part, whose words are a name's in any case.
        """
        for word in _LETTERS.findall(name):
            self._learn_word(word, certain=word.casefold() in of.casefold())

    def learn_domain(self, domain: str) -> None:
        """Replace a domain wherever it stands, unless it is one that our data names."""
        domain = ascii_domain(domain.lower()) or ""
        if "." not in domain or self._owner(domain) is None:
            return
        self._domains.add(organization(domain))
        for word in _LETTERS.findall(self._owner(domain) or ""):
            self._learn_word(word)

    def in_text(self, text: str) -> str:
        """A text with everything replaced that was learned, and what is a phone number."""
        return _IN_TEXT.sub(self._replaced, text)

    def address(self, spec: str) -> str:
        """An addr-spec under its invented name."""
        local, _, domain = spec.rpartition("@")
        bare = local.partition("+")[0]
        if not is_machine_like(bare.lower()):
            local = _LETTERS.sub(lambda word: self._of_address(word[0]), local)
            local = re.sub(r"\d+", lambda digits: self._scrambled(digits[0]), local)
        return f"{local}@{self.domain(domain)}"

    def domain(self, domain: str) -> str:
        """A domain under its invented name, as A-labels; itself, if it wasn't learned."""
        plain = ascii_domain(domain.lower()) or domain
        owner = self._owner(plain)
        if owner is None or organization(plain) not in self._domains:
            return domain
        before, _, after = plain.partition(f"{owner}.")
        if not within(plain, _named_domains()):
            after = "example"
        label = _LETTERS.sub(lambda word: self._word(word[0]), owner)
        return f"{before}{label if label != owner else self._scrambled(owner)}.{after}"

    def _owner(self, domain: str) -> str | None:
        """The label that names a company in its domain, None for one that our data names."""
        labels = domain.split(".")
        for at in range(len(labels)):
            parent = ".".join(labels[at:])
            if parent in _tenants():
                return labels[at - 1] if at else None
            if parent in _named_domains():
                return None
        if kind_of(domain) is not None:
            return None
        return organization(domain).partition(".")[0] or None

    def _replaced(self, found: re.Match[str]) -> str:
        text, kind = found[0], found.lastgroup
        if kind == "address":
            return self.address(text)
        if kind == "host":
            if organization(ascii_domain(text.lower()) or text) in self._domains:
                return self.domain(text)
            return _LETTERS.sub(lambda word: self._word(word[0]), text)
        if kind == "ip":
            return self._ip(text)
        if kind == "phone":
            return self._phone(text)
        return self._scrambled(text) if kind == "opaque" else self._word(text)

    def _word(self, word: str) -> str:
        other = self._words.get(word.casefold())
        if other is None:
            return word
        if word.isupper():
            return other.upper()
        return other.title() if word[0].isupper() else other

    def _of_address(self, word: str) -> str:
        """A word of a local part: one that says nothing by itself is scrambled."""
        other = self._word(word)
        return (
            other if other != word or word.casefold() in _named_words() else self._scrambled(word)
        )

    def _learn_word(self, word: str, *, certain: bool = False) -> None:
        folded = word.casefold()
        if len(folded) < _SHORTEST or folded in self._words:
            return
        if not certain and folded in _named_words():
            return
        if is_given_name(folded):
            self._words[folded] = self._another_given_name(folded)
        else:
            self._words[folded] = next(
                one for one in _invented(len(self._words)) if one not in self._words
            )

    def _another_given_name(self, name: str) -> str:
        """Somebody else's: signatures are told by given names."""
        digest = hashlib.sha256(f"{self._salt}{name}".encode()).digest()
        others = [other for other in _given_names() if other not in {name, *self._words}]
        return others[int.from_bytes(digest[:4], "big") % len(others)]

    def _scrambled(self, token: str) -> str:
        """Other letters and digits of the same kinds: hexadecimal stays hexadecimal."""
        digest = hashlib.sha256(f"{self._salt}{token.lower()}".encode()).digest()
        return "".join(_other(char, digest[at % len(digest)]) for at, char in enumerate(token))

    def _phone(self, number: str) -> str:
        digits = [char for char in number if char.isdigit()]
        others = iter(digits[:_KEPT_DIGITS] + list(self._scrambled("".join(digits[_KEPT_DIGITS:]))))
        return "".join(next(others) if char.isdigit() else char for char in number)

    def _ip(self, ip: str) -> str:
        if _PRIVATE.match(ip):
            return ip
        # One of the three networks for documentation, RFC 5737.
        return self._ips.setdefault(ip, f"198.51.100.{len(self._ips) % 254 + 1}")


def _other(char: str, number: int) -> str:
    if char in "0123456789":
        return str(number % 10)
    for letters in ("abcdef", "ABCDEF"):
        if char in letters:
            return letters[number % 6]
    if char.isalpha():
        other = "ghijklmnopqrstuvwxyz"[number % 20]
        return other.upper() if char.isupper() else other
    return char


def _invented(number: int) -> Iterator[str]:
    """Names that nobody has, from the one with this number on."""
    while True:
        rest, rhyme = divmod(number, len(_RHYMES))
        name = _RHYMES[rhyme]
        while True:
            rest, onset = divmod(rest, len(_ONSETS))
            name = _ONSETS[onset] + name
            if not rest:
                break
            rest -= 1
            name = "aeiou"[rest % 5] + name
        if name not in _named_words():
            yield name
        number += 1


@lru_cache(maxsize=1)
def _named_words() -> frozenset[str]:
    """Every word that a rule of ours knows: replacing it would change what is concluded."""
    return frozenset(_LETTERS.findall(" ".join(_data()).casefold()))


@cache
def _given_names() -> tuple[str, ...]:
    return tuple(name for line in _lines(_GIVEN_NAMES) for name in line.split())


@lru_cache(maxsize=1)
def _named_domains() -> frozenset[str]:
    """Domains of services and public providers, which name no person and no customer."""
    return frozenset(_DOMAIN.findall("\n".join(_data()).lower())) | _PLATFORMS


# Whose servers stand in the header of everybody's mail.
_PLATFORMS = frozenset(
    {"google.com", "googlemail.com", "outlook.com", "office365.com", "microsoft.com", "apple.com"}
    | {"exchangelabs.com", "amazonaws.com", "amazonses.com", "sendgrid.net", "yahoo.com"}
)


@cache
def _tenants() -> frozenset[str]:
    return frozenset(_lines("tenants.txt"))


@cache
def _data() -> tuple[str, ...]:
    """What all files of data but the given names say, without their comments and sources."""
    found: list[str] = []
    for path in sorted(files("daemon.message.data").iterdir(), key=lambda one: one.name):
        if path.name.endswith(".toml"):
            found += _values(tomllib.loads(path.read_text("utf-8")))
        elif path.name.endswith(".txt") and path.name != _GIVEN_NAMES:
            found += _lines(path.name)
    return tuple(found)


def _values(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for value in document.values():
            yield from _values(value)
    elif isinstance(document, list):
        for value in document:
            yield from _values(value)
    else:
        yield str(document)


def _lines(name: str) -> list[str]:
    text = files("daemon.message.data").joinpath(name).read_text("utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]
