"""Which program wrote a mail, by what it left in the header: one people type in, or a library.

A mail program that people use nearly always leaves something: its name, a field of its own, or the
form of its Message-IDs. If nothing of the kind is there, that is a sign, too, if a weak one. What
programs leave is data: fields in data/headers.txt, Message-IDs in data/message_ids.txt.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from daemon.message.data import read
from daemon.message.fields import Fields, first, without_comments

_TRACE_LIMIT = 100  # characters of a program's name
_ID_LIMIT = 300  # characters of a Message-ID
_NEGATIVE = frozenset({"no", "none", "false", "0"})
# Fields of programs for mailings that data/headers.txt doesn't list often say so by their names.
_FOR_MAILINGS = re.compile(r"x-.{0,60}(?:campaign|newsletter|subscriber|mailing-?id|listmember)")


def program_signals(fields: Fields) -> Iterator[str]:
    """What programs left in a header, by data/headers.txt and data/message_ids.txt.

    `typed` is a program in which people type and which sends no automatic answers; it is a
    `client`, too. `no-client` says that no trace of either was found.
    """
    found = set(_of_fields(fields))
    made = _maker_of(first(fields, "message-id", _ID_LIMIT).strip(" <>\t\r\n"))
    if made and not (made == "program" and found & {"client", "typed"}):
        found.add(made)
    if "typed" in found:
        found.add("client")
    yield from found
    if "client" not in found:
        yield "no-client"
        if any(map(_is_for_mailings, fields)):
            yield "campaign"


def _of_fields(fields: Fields) -> Iterator[str]:
    for name in _trace_table().keys() & fields.keys():
        if signal := _trace(name, fields[name][0][:_TRACE_LIMIT].lower()):
            yield signal


def is_yes(value: str) -> bool:
    """Whether a field's value is any word but no, none, false and 0."""
    return bool(value) and keyword(value) not in _NEGATIVE


def keyword(value: str) -> str:
    """The first word of a structured value, lower case, without comments and parameters."""
    words = without_comments(value).partition(";")[0].partition(",")[0].split()
    return words[0].strip("\"'").lower() if words else ""


@lru_cache(maxsize=1024)  # of a few programs, over and over
def _trace(name: str, value: str) -> str | None:
    patterns = _trace_table()[name]
    return next((signal for pattern, signal in patterns if _fits(value, pattern)), None)


def _fits(value: str, pattern: str) -> bool:
    if pattern == "*":
        return bool(value)
    if pattern == "yes":
        return is_yes(value)
    if pattern.startswith("~"):
        return pattern[1:] in value
    return value.startswith(pattern)


@lru_cache(maxsize=1024)  # the same fields in nearly every mail
def _is_for_mailings(name: str) -> bool:
    return bool(_FOR_MAILINGS.match(name))


def _maker_of(message_id: str) -> str | None:
    """The signal of the first form of Message-IDs that fits."""
    found = _forms().fullmatch(message_id)
    return found.lastgroup.rstrip("_0123456789") if found and found.lastgroup else None


@lru_cache(maxsize=1)
def _forms() -> re.Pattern[str]:
    """data/message_ids.txt as one expression, in its order, with a named group for each line."""
    lines = [line.split(" | ")[:2] for line in read("message_ids.txt")]
    return re.compile("|".join(f"(?P<{name}_{n}>{form})" for n, (name, form) in enumerate(lines)))


@lru_cache(maxsize=1)
def _trace_table() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """data/headers.txt by field: how its value begins, and the signal; the first that fits."""
    table: dict[str, tuple[tuple[str, str], ...]] = {}
    for line in read("headers.txt"):
        field, values, signal, _ = (part.strip() for part in line.split(" | "))
        name = field.lower()
        table[name] = table.get(name, ()) + tuple((v.strip(), signal) for v in values.split(","))
    return table
