# ruff: noqa: T201 - it prints what it counts
"""How much there is to read: the lines of each room of daemon/, and what kind of lines they are.

    python tests/lines.py

Of Python: lines of code, lines that only explain (docstrings and comments), and blank ones. A line
with code and a comment is code. Beside them the lines of data: phrases, names, SQL, templates.
"""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1] / "daemon"
KINDS = ("code", "explaining", "blank", "data")
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def kinds(source: str) -> Iterator[str]:
    """What each line of a Python file is: "code", "explaining" or "blank"."""
    explaining = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip()
    }
    explaining |= {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    for number, line in enumerate(source.splitlines(), 1):
        if number in explaining:
            yield "explaining"
        else:
            yield "code" if line.strip() else "blank"


def count(room: Path) -> Counter[str]:
    """The lines in a folder, or in the files at the top, by what they are."""
    counted: Counter[str] = Counter()
    for file in sorted(room.glob("*.py") if room == ROOT else room.rglob("*")):
        if file.suffix == ".py":
            counted.update(kinds(file.read_text(encoding="utf-8")))
        elif file.is_file() and "__pycache__" not in file.parts:
            counted["data"] += len(file.read_text(encoding="utf-8").splitlines())
    return counted


def table() -> Iterator[str]:
    """A line for each room, one for all of them, and one for the sandbox, which isn't in the sum."""
    rooms = sorted(one for one in ROOT.iterdir() if one.is_dir() and one.name != "__pycache__")
    yield f"{'':12}{'Python':>8}" + "".join(f"{kind:>12}" for kind in KINDS)
    total: Counter[str] = Counter()
    for room in (ROOT, *(one for one in rooms if one.name != "sandbox")):
        counted = count(room)
        total += counted
        yield _row("(top)" if room == ROOT else f"{room.name}/", counted)
    yield _row("daemon/", total)
    yield _row("sandbox/", count(ROOT / "sandbox"))


def _row(name: str, counted: Counter[str]) -> str:
    python = counted.total() - counted["data"]
    return f"{name:12}{python:>8,}" + "".join(f"{counted[kind]:>12,}" for kind in KINDS)


if __name__ == "__main__":
    print("\n".join(table()))
