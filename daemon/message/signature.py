"""Phone, title and company from the end of somebody's own words. Pure.

A signature is short, stands at the end and is the author's: looked at are the last lines before any
quotation. A number counts if it can be dialled (libphonenumber); a title only beside the author's
name, or with a word for what people are; a company only by its legal form. Better none than wrong.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files

from daemon.message.candidates import VALUE_LIMIT, Fact
from daemon.message.forward import begins_quotation
from daemon.message.text import one_line, word_finder

# ruff: noqa: RUF001  punctuation of other languages

_TAIL = 14  # lines of a signature, at most
_LINE_CHARS = 120
_TITLE_WORDS = 8
# No number begins with a digit inside a word. The expression says so only behind its first
# character: one that begins with a set of characters skips all others quickly.
_NUMBER = re.compile(r"[+(0-9](?<!\w[0-9])\d[\d ()/.\-–\u00a0]{5,24}\d")
_split = word_finder(r"[^\s,;:|/()&·•–—]")
_IN_BRACKETS = re.compile(r"[^\W\d_]\s?\(([^()@]{3,100})\)")
# Whether a line has one of the separators below; three spaces are looked for apart.
_HAS_SEPARATOR = re.compile(r"[|·•\t–—-](?:(?<=[|·•\t])|(?<=\s[–—-])(?=\s))")
_SEPARATORS = re.compile(r"(?:(?<!\s)\s+)?[|·•]\s*|(?<!\s)\s+[-–—]\s+|\t| {3,}")
# Legal forms that no space parts from the name before or after them.
_UNSPACED_FORM = re.compile(
    r"\w(?:株式会社|有限会社|合同会社|有限公司|주식회사)|(?:株式会社|有限会社|合同会社|주식회사|㈜)\w"
)
# Ends of what people are, in languages that write it as one word.
_COMPOUNDS = (
    *("leiter", "leiterin", "chef", "meister", "ingenieur", "techniker", "manager", "berater"),
    *(
        "leder",
        "sjef",
        "ledare",
        "ingenjör",
        "konsulent",
        "johtaja",
        "päällikkö",
        "vezető",
        "leider",
    ),
)
# Every line that can introduce a quotation has a colon or a character of a ruled line twice, which
# is a quick way to pass over most lines. Like `_NUMBER`, the expression begins with a set.
_MAY_INTRODUCE = re.compile(r"[:：*=_–—-](?:(?<=[:：])|[*=_–—-])")
_NO_TITLE = re.compile(r"[\d¹²³@:]")
_DIGITS = 7  # that a phone number has at least


def signature_facts(lines: Sequence[str], name: str, domain: str, way: str) -> list[Fact]:
    """What the end of these lines says about `name`, who writes from `domain`."""
    tail = _tail(lines)
    text = "\n".join(tail)
    folded = text.casefold()
    # Most letters end without a signature: the lines are only gone through for what can be there.
    found = {
        "phone": _phone(text, domain),
        "title": _title(tail, folded, name),
        "company": _company(tail) if _has_form(folded) else "",
    }
    return [
        Fact(kind, value[:VALUE_LIMIT], way)  # type: ignore[arg-type]  # the three kinds above
        for kind, value in found.items()
        if value
    ]


def company_in_brackets(line: str) -> str:
    """The firm that stands in brackets behind a name: Ada Lovelace (Lovelace Ltd, London)."""
    for match in _IN_BRACKETS.finditer(line[:500]):
        name = match[1].partition(",")[0].strip()
        if _is_company(name):
            return name[:VALUE_LIMIT]
    return ""


def _tail(lines: Sequence[str]) -> list[str]:
    """The pieces of the last lines before a quotation; a line of several columns is several."""
    own: list[str] = []
    for at, line in enumerate(lines):
        if not line or line.isspace():
            continue
        if line[0] == ">" or (_MAY_INTRODUCE.search(line) and begins_quotation(lines, at)):
            break
        own.append(line)
    if own[-1:] == ["--"]:
        own.pop()
    pieces = [line[:500] for line in own[-_TAIL:]]
    joined = "\n".join(pieces)
    if "   " in joined or _HAS_SEPARATOR.search(joined):
        pieces = [piece for line in pieces for piece in _SEPARATORS.split(line)]
    return [one for piece in pieces if (one := one_line(piece, _LINE_CHARS))]


def _phone(text: str, domain: str) -> str:
    """The first number that reaches a person: one with a label for it, else one alone in a line."""
    alone = ""
    for match in _NUMBER.finditer(text):
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        number = match[0].strip(" .-–")
        label = _last_word(before)
        if label in _words("other_numbers") or _in_words(before, "other_numbers"):
            continue
        if (label in _words("phones") or number.startswith("+")) and is_phone(number, domain):
            return number
        if not before.strip() and not alone and is_phone(number, domain):
            alone = number
    return alone


def is_phone(number: str, domain: str) -> bool:
    """Whether a number can be dialled, from the country that a domain is of if it names none."""
    return _is_phone(number, domain.rpartition(".")[2].upper())


@lru_cache(maxsize=4096)  # the same people sign again and again
def _is_phone(number: str, country: str) -> bool:
    digits = sum(char.isdigit() for char in number)
    if digits < _DIGITS or digits > 15:  # noqa: PLR2004 E.164 section 6.1
        return False
    import phonenumbers  # noqa: PLC0415 - 3 MB that only a mail with a number in it needs

    country = {"UK": "GB"}.get(country, country)
    region = country if country in phonenumbers.SUPPORTED_REGIONS else None
    try:
        parsed = phonenumbers.parse(number.replace("(0)", ""), region)
    except phonenumbers.NumberParseException:
        return region is None and number.startswith(("0", "("))
    return bool(phonenumbers.is_possible_number(parsed))


def _title(tail: Sequence[str], folded: str, name: str) -> str:
    """The line under the author's name, or behind it, that says what he or she does."""
    words = _words_of_name(name)
    at = _name_at(tail, folded, words) if all(word in folded for word in words) else None
    if at is None:
        return ""
    rest = tail[at].partition(",")[2].strip()
    above = () if name.isascii() else tail[max(at - 1, 0) : at]  # where the name comes last
    for line in (rest, *tail[at + 1 : at + 3], *above):
        if line and _is_title(line):
            return line.strip(" ,;-")
    return ""


def _name_at(tail: Sequence[str], folded: str, words: frozenset[str]) -> int | None:
    """The last line that is the author's name, of these words, or begins with it."""
    longest = max(words, key=len, default="")
    if not longest:
        return None
    compared = folded.split("\n")
    for at in range(len(tail) - 1, -1, -1):
        if longest not in compared[at]:
            continue
        line = _plain_words(tail[at].partition(",")[0])
        if len(line) <= len(words) + 2 and words.issubset(line):
            return at
    return None


@lru_cache(maxsize=1024)  # the same people sign again and again
def _is_title(line: str) -> bool:
    if len(line.split()) > _TITLE_WORDS or _NO_TITLE.search(line) or _is_company(line):
        return False
    titles = _words("titles")
    return any(word in titles or word.endswith(_COMPOUNDS) for word in _plain_words(line))


def _company(tail: Sequence[str]) -> str:
    """The first line with a legal form in it, as far as it goes."""
    for line in tail:
        if (
            "@" not in line
            and "://" not in line
            and _is_company(line)
            and len(line.split()) <= _TITLE_WORDS
        ):
            return _with_form(line).strip(" ,;-")
    return ""


def _with_form(line: str) -> str:
    """A line up to its first comma, or up to the second where only a legal form stands between."""
    name, _, rest = line.partition(",")
    form = rest.partition(",")[0]
    words = set(_form_words(form.casefold()))
    return f"{name},{form}" if words and words <= _words("forms") else name


def _is_company(line: str) -> bool:
    if len(_split(line)) < 2 and line.isascii():  # noqa: PLR2004 a name and a form
        return False
    # "as" and "co" are words, too; a legal form has a capital letter or dots.
    written = " ".join(w for w in line.split() if not w.strip(",;").isalpha() or not w.islower())
    return _has_form(written.casefold())


def _has_form(folded: str) -> bool:
    """Whether a legal form is a word of a text, or stands at its name without a space."""
    if not _words("forms").isdisjoint(_form_words(folded)):
        return True
    return not folded.isascii() and _UNSPACED_FORM.search(folded) is not None


def _form_words(folded: str) -> list[str]:
    return _split(folded.replace("a/s", "as"))


def _last_word(text: str) -> str:
    words = text.casefold().replace(":", " ").replace("：", " ").split()
    return words[-1].strip("().") if words else ""


def _in_words(text: str, kind: str) -> bool:
    return not _words(kind).isdisjoint(_split(text.casefold()))


@lru_cache(maxsize=1024)  # the same people write again and again
def _words_of_name(name: str) -> frozenset[str]:
    return frozenset(_plain_words(name))


def _plain_words(text: str) -> list[str]:
    return [word.strip(".") for word in _split(text.casefold())]


@cache
def _words(kind: str) -> frozenset[str]:
    text = files("daemon.message.data").joinpath("signature_words.toml").read_text("utf-8")
    return frozenset(word.casefold().strip(".") for word in tomllib.loads(text)[kind].split()) | (
        frozenset(tomllib.loads(text)[kind].casefold().split())
    )
