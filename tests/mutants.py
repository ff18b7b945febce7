# ruff: noqa: T201 - it prints what it finds
"""Do the tests notice when the code that decides is changed? Small changes, one at a time.

    python tests/mutants.py [--count 200] [--seed 1] [--jobs 2] [--list] [--near] [PATH ...]

Each mutant is one change of one file of `PATHS`: a comparison turned, a condition negated, `and`
for `or`, a number off by one, an item left out of a list, a call left out, a word of SQL. The tests
that cover the file run on a copy of the repository; a mutant that passes them all survives and is
printed. Random, but the same for the same seed and code. Log lines, texts and annotations are left
alone: nothing decides by them.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PATHS = (
    *("daemon/rules", "daemon/sync", "daemon/ledger/journal.py", "daemon/ledger/backlog.py"),
    *("daemon/ledger/deals.py", "daemon/ledger/states.py", "daemon/intake/poll.py"),
)
# What covers a file, in two runs: the near tests catch nearly all, the others try what is left.
NEAR = {
    "rules": "sender sender_evidence classify meeting meeting_series plan activities organization"
    " backoff explain reply routes deal_rules deals follow_ups bounces growth",
    "sync": "sync_rules sync_errors sync_adoption sync_tombstones sync_activities lost_records"
    " deals follow_ups bounces",
    "ledger": "ledger_journal sync_errors sync_adoption deals follow_ups growth",
    "intake": "folder_backoff polling isolation",
}
FAR = {
    "rules": "oracle story sync_rules sync_activities sync_tombstones sync_adoption",
    "sync": "bad_days company_moves health routes ledger_journal sync_fields sync_economy sync_walk"
    " safety_limit story audit undo restored_ledger two_ledgers deal_looks joins people_in_copy"
    " people_and_shared_deals",
    "ledger": "sync_rules sync_tombstones sync_activities sync_fields story audit undo",
    "intake": "sent mailbox_years fetching crowded",
}
# A run that takes longer than so many times the same tests without a change hangs: its mutant is
# caught. So much more, since a machine may be busier than it was then.
PATIENCE, AT_LEAST = 5.0, 300.0

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip
_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|SET)\b")
_WORDS = (
    (r" AND ", " OR "),
    (r" OR ", " AND "),
    (r" IS NOT NULL", " IS NULL"),
    (r" IS NULL", " IS NOT NULL"),
    (r" NOT IN ", " IN "),
    (r"'\w+', (?=')", ""),
    (r" DESC\b", ""),
    (r"\biif\(([^,()]*), ([^,()]*), ([^,()]*)\)", r"iif(\1, \3, \2)"),
    (r" <> ", " = "),
    (r" <= ", " < "),
)
_UNTOUCHED = ("annotation", "returns", "decorator_list", "type_params", "bases")
_UNDECIDED = ("event", "TypeVar", "NewType", "cast")


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the `which`-th of the `number`-th node that may be changed."""

    path: Path
    line: int
    number: int
    which: int

    def made(self) -> tuple[str, str]:
        """The whole changed file, and what was changed in it."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        node = list(_deciding(tree))[self.number]
        before = ast.unparse(node)
        new = list(_changes(node))[self.which]()
        if new is not None:
            _replace(tree, node, new)
        says = _difference(before, ast.unparse(node if new is None else new))
        where = f"{self.path.relative_to(ROOT)}:{self.line}"
        return ast.unparse(ast.fix_missing_locations(tree)), f"{where}: {says}"


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for number, node in enumerate(_deciding(tree)):
        for which, _ in enumerate(_changes(node)):
            yield Mutant(path, node.lineno, number, which)


def _difference(before: str, after: str) -> str:
    """What the change changes, with a little on both sides."""
    before, after = " ".join(before.split()), " ".join(after.split())
    same = _alike(before, after)
    rest = _alike(before[same:][::-1], after[same:][::-1])
    start, end = max(0, same - 40), max(0, rest - 30)
    old, new = (text[start : len(text) - end] for text in (before, after))
    return f"{old}  ->  {new}"


def _alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def _deciding(tree: ast.AST) -> Iterator[Any]:
    """The nodes that may be changed, in order."""
    for field, value in ast.iter_fields(tree):
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and field not in _UNTOUCHED and not _is_dull(node):
                if hasattr(node, "lineno"):
                    yield node
                yield from _deciding(node)


def _is_dull(node: ast.AST) -> bool:
    """Docstrings, log lines, imports, errors, what a module exports: nothing decides by them."""
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign):
        return any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets)
    if not isinstance(node, ast.Expr):
        return False
    return isinstance(node.value, ast.Constant) or _called(node.value) in _UNDECIDED


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def _changes(node: Any) -> Iterator[Any]:  # noqa: C901, PLR0912 - one branch a kind of node
    """What can be done to one node: each a function that changes it, or gives what replaces it."""
    if isinstance(node, ast.Compare):
        for index, op in enumerate(node.ops):
            if type(op) in _TURNED:
                yield lambda i=index, o=op: node.ops.__setitem__(i, _TURNED[type(o)]())
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield lambda: setattr(node, "op", other)
        for index in range(len(node.values)):
            yield lambda i=index: _without(node, "values", i)
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield lambda: setattr(node, "op", _ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda: node.operand
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Set | ast.Tuple | ast.List) and len(node.elts) > 1:
        if isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            for index in range(len(node.elts)):
                yield lambda i=index: _without(node, "elts", i)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield ast.Pass


def _constants(node: ast.Constant) -> Iterator[Any]:
    value = node.value
    if isinstance(value, bool):
        yield lambda: setattr(node, "value", not value)
    elif isinstance(value, int | float):
        yield lambda: setattr(node, "value", value + 1)
    elif isinstance(value, str) and (_SQL.search(value) or value.startswith((" AND ", " OR "))):
        for pattern, instead in _WORDS:
            for found in re.finditer(pattern, value):
                new = value[: found.start()] + found.expand(instead) + value[found.end() :]
                yield lambda new=new: setattr(node, "value", new)


def _without(node: Any, field: str, index: int) -> Any:
    kept = [item for i, item in enumerate(getattr(node, field)) if i != index]
    if field == "values" and len(kept) == 1:
        return kept[0]
    setattr(node, field, kept)
    return None


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(item is old for item in value):
                value[[item is old for item in value].index(True)] = new


def survives(mutant: Mutant, source: str, home: Path, limits: Mapping[str, float]) -> bool:
    """Run the tests on a copy of the repository with this change, and put the copy right again.

    `limits`: the seconds that a run may take, by the names of its tests.
    """
    file = home / mutant.path.relative_to(ROOT)
    right = file.read_bytes()
    file.write_text(source, encoding="utf-8")
    for stale in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
        stale.unlink()
    try:
        names = (table[mutant.path.parent.name] for table in (NEAR, FAR))
        return all(_pass(home, some, limits[some]) for some in names if some in limits)
    finally:
        file.write_bytes(right)


def _pass(home: Path, names: str, seconds: float | None = None) -> bool:
    """Whether all of these test files pass; a run that takes longer doesn't."""
    files = [f"tests/test_{name}.py" for name in names.split()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            [*command, *(file for file in files if (home / file).exists())],
            cwd=home,
            env=environment,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return run.returncode == 0


def main() -> int:
    """Try a sample, print the survivors and the score; 1 if any survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", default=PATHS)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true", help="print them and try none")
    parser.add_argument("--near", action="store_true", help="run the near tests only: less time")
    asked = parser.parse_args()
    files = [
        file
        for path in asked.paths
        for file in (
            sorted((ROOT / path).rglob("*.py")) if (ROOT / path).is_dir() else [ROOT / path]
        )
    ]
    every = [mutant for file in files for mutant in mutants(file)]
    chosen = random.Random(asked.seed).sample(every, min(asked.count, len(every)))
    if asked.list:
        print("\n".join(mutant.made()[1] for mutant in chosen))
        return 0
    print(f"{len(chosen)} of {len(every)} mutants of {len(files)} files", flush=True)
    homes: SimpleQueue[Path] = SimpleQueue()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(asked.jobs):
            home = Path(folder) / str(number)
            skipped = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "dist")
            shutil.copytree(ROOT, home, ignore=skipped)
            homes.put(home)

        def attempt(mutant: Mutant) -> bool:
            source, says = mutant.made()
            home = homes.get()
            try:
                survived = survives(mutant, source, home, limits)
            finally:
                homes.put(home)
            print(f"{'SURVIVED' if survived else 'caught  '}  {says}", flush=True)
            return survived

        rooms = sorted({mutant.path.parent.name for mutant in chosen})
        limits: dict[str, float] = {}
        tables = (NEAR,) if asked.near else (NEAR, FAR)
        for names in (table[room] for room in rooms for table in tables):
            began = time.monotonic()
            if not _pass(home, names):
                print(f"of these some fail without any change, mend them first: {names}")
                return 1
            limits[names] = AT_LEAST + PATIENCE * (time.monotonic() - began)
        with ThreadPoolExecutor(asked.jobs) as pool:
            survivors = sum(pool.map(attempt, chosen))
    caught = len(chosen) - survivors
    minutes = (time.monotonic() - started) / 60
    print(f"{caught} of {len(chosen)} caught ({caught / len(chosen):.1%}) in {minutes:.0f} min")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
