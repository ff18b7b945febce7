"""Every regular expression that reads a mail, found by watching what is compiled; run by itself.

Prints JSON: a list of [file, expression, flags, whether it is for bytes, how it is used]. An
expression that the files only ever apply with `match` or `fullmatch` is used so; any other one
looks through a text (`search`).
"""

import ast
import importlib
import json
import pkgutil
import re
import sys
from contextlib import suppress
from functools import _lru_cache_wrapper
from pathlib import Path
from types import ModuleType
from typing import Any

from daemon.errors import Unreadable

ROOMS = ("message", "rules")
HERE = Path(__file__).parent
_FROM_THE_START = {"match", "fullmatch"}


def watch() -> dict[tuple[str, re.Pattern[Any]], None]:
    """Note what any file of the rooms compiles from now on."""
    found: dict[tuple[str, re.Pattern[Any]], None] = {}
    compile_ = re._compile  # type: ignore[attr-defined]  # what all functions of `re` go through

    def noting(pattern: Any, flags: Any) -> Any:
        compiled = compile_(pattern, flags)
        file = Path(sys._getframe(2).f_code.co_filename)
        if file.parent.name in ROOMS and file.parent.parent.name == "daemon":
            found[f"{file.parent.name}/{file.name}", compiled] = None
        return compiled

    re._compile = noting  # type: ignore[attr-defined]
    return found


def from_the_start(module: ModuleType) -> set[re.Pattern[Any]]:
    """The expressions of a module that it never looks through a text with."""
    names: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(
                value=ast.Name(id=name) | ast.Call(func=ast.Name(id=name), args=[]), attr=method
            ):
                names.setdefault(name, set()).add(method)
    of_names = (getattr(module, name, None) for name in names if names[name] <= _FROM_THE_START)
    made = (one() if isinstance(one, _lru_cache_wrapper) else one for one in of_names)
    return {one for one in made if isinstance(one, re.Pattern)}


def read_all_mail() -> None:
    """Judge every mail of the tests: some expressions are compiled at first use."""
    parse, judge = (
        importlib.import_module("daemon.message.parse").parse,
        importlib.import_module("daemon.message.verdict").judge,
    )
    us = importlib.import_module("daemon.message.us").Us(domains=frozenset({"ours.example"}))
    for path in sorted((HERE / "messages").rglob("*.eml")):
        raw = path.read_bytes()
        with suppress(Unreadable):
            judge(parse(raw, size=len(raw)), in_sent=False, us=us)


def main() -> None:
    found = watch()
    starts: set[re.Pattern[Any]] = set()
    for room in ROOMS:
        package = importlib.import_module(f"daemon.{room}")
        for one in pkgutil.iter_modules(package.__path__):
            starts |= from_the_start(importlib.import_module(f"daemon.{room}.{one.name}"))
    read_all_mail()
    listed = []
    for file, pattern in found:
        is_bytes = isinstance(pattern.pattern, bytes)
        text = pattern.pattern.decode("latin-1") if is_bytes else pattern.pattern
        use = "match" if pattern in starts else "search"
        listed.append([file, text, pattern.flags, is_bytes, use])
    sys.stdout.write(json.dumps(listed))


if __name__ == "__main__":
    main()
