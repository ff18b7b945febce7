"""No expression that reads a mail takes more than its share of time, whatever a stranger writes.

All of them are found by what is compiled, so a new one is tried by itself. Each reads texts that
begin as it asks for and then go on with what it may repeat, without ever fitting. Read texts grow;
the CPU time may grow as they do, not as their square.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

HERE = Path(__file__).parent
_LENGTHS = (16, 20, 24, 32, 64, 128, 250, 500, 1_000, 2_000, 4_000)
_GROWTH = 9.0  # times, from a quarter of a text to all of it; a square takes sixteen times
_NOTHING = 0.006  # seconds of CPU time that say nothing yet
_REPEATED = 20  # times or more: what is repeated less costs no time
_BRANCHES = 12  # of an alternative that are tried


def found() -> list[tuple[str, re.Pattern[Any], str]]:
    """All expressions, with the file that has them and how it uses them."""
    command = [sys.executable, str(HERE / "expressions.py")]
    out = subprocess.run(command, capture_output=True, check=True, cwd=HERE.parent, text=True)
    return [
        (file, re.compile(text.encode("latin-1") if is_bytes else text, flags), use)
        for file, text, flags, is_bytes, use in json.loads(out.stdout)
    ]


def sample(tree: Iterable[Any]) -> str:
    """A short text that fits, but for what the expression demands of its surroundings."""
    return "".join(_of(code, value) for code, value in tree)


def _of(code: Any, value: Any) -> str:
    text = ""
    match code:
        case codes.LITERAL:
            text = chr(value)
        case codes.ANY | codes.NOT_LITERAL:
            text = "a"
        case codes.IN:
            text = next(letters(value), "a")
        case codes.BRANCH:
            text = sample(value[1][0])
        case codes.SUBPATTERN:
            text = sample(value[3])
        case codes.ATOMIC_GROUP:
            text = sample(value)
        case codes.MAX_REPEAT | codes.MIN_REPEAT | codes.POSSESSIVE_REPEAT:
            text = sample(value[2]) * min(value[0], _REPEATED)
    return text


def letters(tree: Iterable[Any]) -> Iterator[str]:
    """One character of each kind that a class of them has."""
    for code, value in tree:
        match code:
            case codes.LITERAL:
                yield chr(value)
            case codes.RANGE:
                yield chr(value[0])
            case codes.NEGATE:
                yield from (one for one in " a\n\t.-" if not _is_in(one, tree))
                return
            case codes.CATEGORY:
                yield {codes.CATEGORY_DIGIT: "0", codes.CATEGORY_SPACE: " "}.get(value, "a")


def _is_in(one: str, tree: Iterable[Any]) -> bool:
    kinds = {
        codes.CATEGORY_DIGIT: one.isdigit(),
        codes.CATEGORY_SPACE: one.isspace(),
        codes.CATEGORY_WORD: one.isalnum(),
        codes.CATEGORY_NOT_SPACE: not one.isspace(),
        codes.CATEGORY_NOT_WORD: not one.isalnum(),
        codes.CATEGORY_NOT_DIGIT: not one.isdigit(),
    }
    return any(
        (code is codes.LITERAL and chr(value) == one)
        or (code is codes.RANGE and value[0] <= ord(one) <= value[1])
        or (code is codes.CATEGORY and kinds[value])
        for code, value in tree
    )


def pumped(tree: Iterable[Any], before: str = "") -> Iterator[tuple[str, str]]:
    """What stands before each thing that may be repeated, and what it may be repeated with."""
    for code, value in tree:
        match code:
            case codes.MAX_REPEAT | codes.MIN_REPEAT | codes.POSSESSIVE_REPEAT:
                if value[1] >= _REPEATED:
                    inner = list(value[2])
                    units = {sample(inner): None}
                    for inner_code, inner_value in inner:
                        if inner_code is codes.IN and len(inner) == 1:
                            units |= dict.fromkeys(letters(inner_value))
                    few = [one for one in units if one][:6]
                    yield from ((before, one) for one in few)
                    yield from ((before, "".join(two)) for two in pairwise(few))
                yield from pumped(value[2], before)
            case codes.SUBPATTERN:
                yield from pumped(value[3], before)
            case codes.ATOMIC_GROUP:
                yield from pumped(value, before)
            case codes.BRANCH:
                for one in value[1][:_BRANCHES]:
                    yield from pumped(one, before)
        before += _of(code, value)


def attacks(pattern: re.Pattern[Any]) -> dict[tuple[str, str], None]:
    """Beginnings of texts, each with what is repeated after it."""
    text = pattern.pattern
    shown = text.decode("latin-1") if isinstance(text, bytes) else text
    tree = list(parser.parse(shown, pattern.flags & ~re.UNICODE & ~re.LOCALE))
    whole = sample(tree)
    found = dict.fromkeys([("", " "), ("", "\n"), ("", "a"), ("", whole or "a"), (whole, " ")])
    return found | dict.fromkeys(pumped(tree))


def took(pattern: re.Pattern[Any], use: str, text: str, times: int) -> float:
    """CPU time of reading a text, the best of so many times."""
    read: Any = text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text
    best = float("inf")
    for _ in range(times):
        start = time.thread_time()
        if use == "match":
            pattern.match(read)
            pattern.fullmatch(read)
        else:
            for _ in pattern.finditer(read):
                pass
        best = min(best, time.thread_time() - start)
    return best


def grows_too_fast(pattern: re.Pattern[Any], use: str, before: str, unit: str) -> str | None:
    """Where the time for a text is more than it may be, by that for a quarter of it."""
    for length in _LENGTHS:
        text, quarter = (
            before + (unit * (n // len(unit) + 1))[:n] + "\0" for n in (length, length // 4)
        )
        if took(pattern, use, text, 1) < _NOTHING:
            continue
        few, many = took(pattern, use, quarter, 5), took(pattern, use, text, 3)
        if many > _NOTHING and many > _GROWTH * few:
            return f"{before!r} + {unit!r} * {length}: {few:.4f} s for a quarter, {many:.4f} s"
    return None


@pytest.mark.parametrize(
    ("expression", "use"),
    [(r"(?:a+)+b", "match"), (r"\s+$", "search"), (r"x\s*:?\s*y", "search")],
)
def test_what_grows_too_fast_is_found(expression: str, use: str) -> None:
    pattern = re.compile(expression)
    tries = [attack for _ in range(5) for attack in attacks(pattern)]  # a busy machine blurs one
    assert any(grows_too_fast(pattern, use, *attack) for attack in tries)


def test_reading_takes_as_much_more_as_there_is_more_to_read() -> None:
    slow: dict[str, str] = {}
    for file, pattern, use in found():
        for before, unit in attacks(pattern):
            if said := grows_too_fast(pattern, use, before, unit):
                slow[f"{file} {use} {str(pattern.pattern)[:80]!r}"] = said
                break
    assert slow == {}
