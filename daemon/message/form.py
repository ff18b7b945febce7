r"""The labelled fields of a mail that a web form, a portal or a booking tool sent.

Three layouts cover what such programs write: `Label: value` on one line (or with dots, a tab or
wide spaces between the two), a label alone with its value on the next line, and the cells of a
table, which are lines here too. The labels are data, in more than thirty languages.

Costs one pass over a bounded text; every expression is linear.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files

from daemon.message.address import Address, mailbox
from daemon.message.text import one_line

# ruff: noqa: RUF001  letters and punctuation of other languages

LINES = 200  # of a mail that are looked at
_LABEL_CHARS = 60
_NAME_CHARS = 100
_VALUE_CHARS = 200
_NAME_WORDS = 7
_LABEL_WORDS = 3  # of a label that only a space parts from its value
_ASKING_WORDS = 8
_REACH = 3  # lines from a label to its value: one may be empty, one a hint

# What stands between a label and its value on one line.
_PAIR = re.compile(
    r"\s*+[*•·▪►>|\-–—■□◆◇●○◎・※★☆▼▶【]{0,3}\s*+"
    r"(?P<label>[^\s:：|=\t.][^:：|=>→\t\n]{0,59}?)"
    r"(?:\s*+\.{2,60}\s*+[:：]?|\s*+[*】]{0,3}\s*+[:：]|】"
    r"|\s*+(?:[|=]|[-=]?>|→)|\t|[ \u00a0]{2,40}|(?<=\])\s)"
    r"\s*(?P<value>\S.*)?$"
)
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_DECORATION = re.compile(
    r"[*_:：?？!.,;\-–—()\[\]<>\"“”'’`#|•·►▪✱■□◆◇●○◎・※★☆▼▶【】]+|^\d{1,2}[.)]\s"
)
_SPACE = re.compile(r"\s+")
_UPPER = "A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-ЯЁЄІЇҐ"
_NAME = re.compile(
    rf"(?<![\w@.])[{_UPPER}][^\W\d_]{{0,30}}[.'’-]?[^\W\d_]{{0,30}}"
    rf"(?:[ ](?:(?:van|von|de|der|den|del|di|da|dos|la|le|el|al|bin|ten|ter|zu)[ ]){{0,2}}"
    rf"[{_UPPER}][^\W\d_]{{0,30}}[.'’-]?[^\W\d_]{{0,30}}){{1,3}}(?![\w@])"
)
_NAME_LINES = 25
_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "o", "æ": "ae", "ł": "l", "đ": "d"})


@dataclass(slots=True)
class Form:
    """What a form says about who filled it in; "" for what it doesn't say."""

    addresses: list[Address] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    name: str = ""
    first: str = ""
    last: str = ""
    phone: str = ""
    company: str = ""
    title: str = ""

    @property
    def full_name(self) -> str:
        """The name as people write it, from whatever fields the form has for it."""
        if self.first and self.last:
            return f"{self.first} {self.last}"
        if self.name and self.last and self.last not in self.name:
            return f"{self.name} {self.last}"
        if self.name and self.first and self.first not in self.name:
            return f"{self.first} {self.name}"
        return self.name or self.first or self.last

    @property
    def is_one(self) -> bool:
        """Whether this is a form: an address, and beside it a name, a number or a message."""
        return bool(self.addresses) and not self.labels.isdisjoint(
            {"name", "first", "last", "message", "sender", "phone"}
        )


def read_form(lines: Sequence[str]) -> Form:
    """The fields in the first lines of a mail; a form without an address is an empty one."""
    form = Form()
    lines = lines[:LINES]
    for label, value in _fields(lines):
        kind = kind_of(label)
        if kind:
            _take(form, kind, value)
    if form.labels and not form.addresses:
        _take_address(form, lines)
    return form


def _take_address(form: Form, lines: Sequence[str]) -> None:
    """The one address behind a label that isn't in the lists."""
    alone: set[str] = set()
    for line in lines:
        pair = _PAIR.match(line[: _LABEL_CHARS + 2 * _VALUE_CHARS].strip())
        value = (pair and pair["value"]) or ""
        if address := _ADDRESS.fullmatch(value[:_VALUE_CHARS].strip(" *_")):
            alone.add(address[0])
    if len(alone) == 1:
        _take(form, "email", alone.pop())


def _fields(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every label with its value, "" where it has none."""
    if any(kind_of(label) == "email" for label, _ in map(_by_space, lines)):
        yield from map(_by_space, lines)
    for at, whole in enumerate(lines):
        line = whole[: _LABEL_CHARS + 2 * _VALUE_CHARS].strip()
        if not line:
            continue
        found = _PAIR.match(line)
        if found and found["value"] and kind_of(found["label"]):
            yield found["label"], found["value"]
        elif len(line) <= _LABEL_CHARS and (kind := kind_of(line)):
            yield line, _below(lines, at, kind)


def _by_space(line: str) -> tuple[str, str]:
    """Label and value with nothing but a space between: Email ada@lovelace.example."""
    words = line[: _LABEL_CHARS + _VALUE_CHARS].split(maxsplit=_LABEL_WORDS)
    for count in range(min(_LABEL_WORDS, len(words) - 1), 0, -1):
        label, value = " ".join(words[:count]), " ".join(words[count:])
        kind = _labels()[0].get(label.casefold().replace("e-mail", "email"), "")
        if kind and (kind != "email" or _ADDRESS.fullmatch(value)):
            return label, value
    return "", ""


def _below(lines: Sequence[str], at: int, kind: str) -> str:
    """The value under a label that stands alone, "" if another label comes first."""
    for line in lines[at + 1 : at + 1 + _REACH]:
        text = line.strip()
        if not text:
            continue
        if kind in {"email", "sender"} and "@" not in text:
            return ""
        pair = _PAIR.match(text[:_VALUE_CHARS])
        if kind_of(text) or (pair and pair["value"] and kind_of(pair["label"])):
            return ""
        return text
    return ""


def _take(form: Form, kind: str, value: str) -> None:
    """Keep a field; the first of each kind counts, except that every address is kept."""
    if kind in {"email", "sender"}:
        address = _address(value)
        if address is None:
            if kind == "sender":
                _take(form, "name", value)
            return
        if kind == "sender":
            form.name = form.name or address.name
        form.addresses.append(address)
    elif kind != "message":
        text = one_line(value.strip(" *_|\"'"), _VALUE_CHARS)
        if not text or "@" in text or (kind in {"name", "first", "last"} and not _is_name(text)):
            return
        if not getattr(form, kind):
            setattr(form, kind, text)
    form.labels.add(kind)


def _is_name(text: str) -> bool:
    return (
        len(text) <= _NAME_CHARS
        and len(text.split()) <= _NAME_WORDS
        and any(char.isalpha() for char in text)
        and "://" not in text
    )


def _address(value: str) -> Address | None:
    """The first address in a value, with the name before it."""
    found = _ADDRESS.search(value[: 2 * _VALUE_CHARS])
    if found is None:
        return None
    before = value[: found.start()].removesuffix("mailto:").rstrip(" <([:\"'")
    name = before.strip(" \"'") if any(char.isalpha() for char in before) else ""
    return mailbox(name, found[0].strip(".'*_"))


def addresses_in(lines: Sequence[str], limit: int) -> list[Address]:
    """The addresses in a text with the names beside them, each once, at most `limit`."""
    found: dict[str, Address] = {}
    for line in lines:
        for match in _ADDRESS.finditer(line):
            address = _address(line[: match.end()][-2 * _VALUE_CHARS :]) if "@" in line else None
            if address is None:
                continue
            name = address.name if _NAME.fullmatch(address.name) else ""
            named = Address(name or name_in(lines, address.address), address.address)
            found.setdefault(named.key, named)
            if len(found) == limit:
                return list(found.values())
    return list(found.values())


def name_in(lines: Sequence[str], address: str) -> str:
    """The first name in a text that agrees with an address: Ada Lovelace, ada@lovelace.example."""
    there = plain_letters(address)
    for line in lines[:_NAME_LINES]:
        for match in _NAME.finditer(line[:_NAME_CHARS]):
            words = [plain_letters(word) for word in match[0].split()]
            if any(len(word) > 2 and word in there for word in words):  # noqa: PLR2004 "de", "van"
                return match[0]
    return ""


def plain_letters(text: str) -> str:
    """Letters and digits in lower case, umlauts as addresses have them."""
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_FOLDED))
    return "".join(char for char in folded if char.isalnum())


@lru_cache(maxsize=4096)  # forms ask the same questions again and again
def kind_of(label: str) -> str:
    """What a label asks for ("email", "name", "first", …), "" for any other text."""
    if len(label) > 2 * _LABEL_CHARS:
        return ""
    is_question = label.rstrip(" *:：").endswith(("?", "？"))
    plain = _plain(label)
    if not plain:
        return ""
    known, filler, asks = _labels()
    if found := known.get(plain):
        return found
    words = plain.split()
    # "El" is an article, and Lithuanian for "e-": so only the first word is left out at first
    later = words[words[0] in filler :]
    bare = (word for word in words if word not in filler)
    if found := known.get(" ".join(later)) or known.get(" ".join(bare)):
        return found
    if len(words) <= _ASKING_WORDS and (is_question or len(words) <= 3):  # noqa: PLR2004 "client e-mail 1"
        return next((asks[word] for word in reversed(words) if word in asks), "")
    return "message" if is_question and len(words) > 1 else ""


def _plain(label: str) -> str:
    """A label in lower case, without punctuation and with single spaces."""
    text = label.casefold().replace("e-mail", "email").replace("_", " ").replace("/", " / ")
    return _SPACE.sub(" ", _DECORATION.sub(" ", text)).strip()


@cache
def _labels() -> tuple[dict[str, str], frozenset[str], dict[str, str]]:
    """Kind by label, the words that say nothing, and kind by a word that a question has."""
    text = files("daemon.message.data").joinpath("form_labels.toml").read_text("utf-8")
    data = tomllib.loads(text)
    known: dict[str, str] = {}
    asks: dict[str, str] = {}
    for kind, table in data.items():
        if kind == "filler":
            continue
        for label in table["labels"].replace("\n", "|").split("|"):
            if plain := _plain(label):
                known.setdefault(plain, kind)
        asks |= {_plain(word): kind for word in table.get("asks", "").split()}
    return known, frozenset(map(_plain, data["filler"].split())), asks
