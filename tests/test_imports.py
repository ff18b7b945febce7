"""Which part may know which: the arrows of the design, as one table that the code is held to."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "daemon"

# Steps that take all they need as arguments, the time too, and answer with data.
PURE = {"message", "rules"}

# A part is a module, or a folder with all that is in it; the longest name that fits counts. A part
# may always import itself. A new module at the top needs a row here, a new file in a folder none.
ALLOWED: dict[str, set[str]] = {
    # What anything may use
    "errors": set(),
    "log": {"errors"},
    "failpoints": set(),  # where the crash tests kill the process
    # Pure steps: only one another
    "message": {"errors"},
    "rules": {"errors", "message"},
    # Edges: pure steps, never one another
    "mailbox": PURE | {"errors", "failpoints", "log"},
    "ledger": PURE | {"errors", "failpoints", "log"},
    "oauth": {"errors", "log"},
    "pipedrive": PURE | {"", "errors", "failpoints", "log"},  # "": the version, for the User-Agent
    # Flows: more than one edge, the ledger as the hinge between them
    "intake.garbage": set(),
    # A process of its own, which should stay small
    "intake.parsing": {"errors", "log", "message", "intake.garbage"},
    "intake": PURE
    | {"errors", "failpoints", "ledger", "log", "mailbox", "intake.garbage", "intake.parsing"},
    "sync": PURE | {"errors", "failpoints", "intake", "ledger", "log", "pipedrive"},
    "rehearsal": PURE | {"errors", "intake", "ledger", "log", "pipedrive", "sandbox", "sync"}
    | {"config", "maintenance", "wiring"},
    "maintenance": PURE
    | {"config", "errors", "intake", "intake.garbage", "ledger", "log", "mailbox", "pipedrive"}
    | {"sync", "wiring"},
    # The one place that reads the configuration and builds the edges
    "wiring": PURE
    | {"config", "errors", "intake", "ledger", "mailbox", "oauth", "pipedrive", "sync"},
    # The process
    "service": PURE
    | {"config", "errors", "intake", "intake.parsing", "ledger", "log", "mailbox", "pipedrive"}
    | {"sync", "wiring"},
    # The other side: a peer, not our client
    "sandbox": {"errors", "log"},
    "config": {"errors"},
    "cli": {"*"},
    "__main__": {"cli"},
    "": set(),
}  # fmt: skip

# Modules that reach outside the process, and the only parts that may.
OUTSIDE = {
    "apscheduler": {"service"},
    "click": {"cli"},
    "dns": {"config"},
    "imapclient": {"mailbox", "sandbox"},
    "imaplib": {"mailbox"},
    "pydantic": {"config"},
    "requests": {"oauth", "pipedrive", "rehearsal", "sandbox", "service", "cli"},
    "rich": {"cli"},
    "signal": {"cli", "failpoints", "intake", "sandbox", "service"},
    "socket": {"mailbox", "oauth", "service", "sandbox"},
    "sqlite3": {"ledger", "sandbox"},
    "sqlite_utils": {"ledger"},
    "ssl": {"mailbox", "pipedrive", "sandbox"},
    "subprocess": {"cli", "config", "intake", "sandbox", "service"},
    "yaml": {"config", "maintenance", "rehearsal"},
}

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    .removesuffix("__init__")
    .rstrip("."): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


@cache
def tree_of(module: str) -> ast.Module:
    """Its source, parsed once; not while tests are collected, as every worker collects all."""
    return ast.parse(MODULES[module].read_text())


def part(module: str) -> str:
    """The row that a module falls under."""
    names = module.split(".")
    for length in range(len(names), 0, -1):
        if ".".join(names[:length]) in ALLOWED:
            return ".".join(names[:length])
    pytest.fail(f"daemon/{module.replace('.', '/')}.py is in no row of ALLOWED: what may it know?")


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, by its full name; `from daemon import x` names x."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            for alias in node.names:
                full = f"{module}.{alias.name}"
                yield full if full.removeprefix("daemon.") in MODULES else module


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_only_where_the_design_says(module: str) -> None:
    own = part(module)
    allowed = ALLOWED[own] | {own}
    ours = (name for name in imported(tree_of(module)) if name.split(".")[0] == "daemon")
    wrong = {name for name in ours if part(name.removeprefix("daemon").lstrip(".")) not in allowed}
    assert "*" in allowed or not wrong


def test_no_import_leads_back_to_where_it_began() -> None:
    """Nor one that is only made when a function needs it."""
    known = {}
    for module in MODULES:
        names = {name.removeprefix("daemon").lstrip(".") for name in imported(tree_of(module))}
        known[module] = names & MODULES.keys() - {module}
    TopologicalSorter(known).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_only_the_edges_reach_outside(module: str) -> None:
    own = part(module).split(".")[0]
    roots = {name.split(".")[0] for name in imported(tree_of(module))}
    wrong = {root for root in roots & OUTSIDE.keys() if own not in OUTSIDE[root]}
    assert not wrong
    assert part(module) not in PURE or not roots & OUTSIDE.keys()


def test_a_public_class_has_a_name_of_its_own() -> None:
    found: dict[str, list[str]] = {}
    for module in MODULES:
        for node in tree_of(module).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


SQL = re.compile(
    r"\s*(SELECT\s|INSERT (OR \w+ )?INTO|REPLACE INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA \w|VACUUM"
    r"|(CREATE|DROP|ALTER) (TEMP |UNIQUE )?(TABLE|INDEX|VIEW|TRIGGER)|WITH \w+ (\(\w+\) )?AS)"
)


@pytest.mark.parametrize(
    "module", [name for name in MODULES if part(name) not in {"ledger", "sandbox"}]
)
def test_only_the_ledger_speaks_sql(module: str) -> None:
    said = [n.value for n in ast.walk(tree_of(module)) if isinstance(n, ast.Constant)]
    assert not [text for text in said if isinstance(text, str) and SQL.match(text)]
    asked = {n.attr for n in ast.walk(tree_of(module)) if isinstance(n, ast.Attribute)}
    assert not asked & {"rows", "execute", "executemany", "executescript"}


# Words of others, who offer nothing else to go by: a header of Exchange, the armor of OpenPGP, and
# advice of Pipedrive that is left out of a message.
FOREIGN_WORDS = {
    "rules agent",
    "-----BEGIN PGP SIGNATURE-----",
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "Please check developers",
}
PROSE = re.compile("[A-Za-z]{2,} [A-Za-z]{2,}")
PROSE_IN_SQL = re.compile("(=|<>|LIKE|GLOB) ?'[^']*[A-Za-z]{2,} [A-Za-z]{2,}")
SEARCHES = {"startswith", "endswith", "find", "index", "partition", "count"}
CLAUSE = re.compile("(WHERE|AND|OR|WHEN) ")


def asked_of_texts(tree: ast.AST) -> Iterator[str]:
    """The words with which anything is compared, in Python or in SQL."""
    for node in ast.walk(tree):
        compared: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            compared = [node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in SEARCHES:
            compared = [*node.args]
        for one in (part for expression in compared for part in ast.walk(expression)):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                yield one.value
        sql = node.value if isinstance(node, ast.Constant) else None
        if isinstance(sql, str) and CLAUSE.search(sql) and PROSE_IN_SQL.search(sql):
            yield sql


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) != "sandbox"])
def test_nothing_is_decided_by_the_wording_of_a_message(module: str) -> None:
    """What a person reads may be worded anew at any time: what decides is a type or a code."""
    asked = {text for text in asked_of_texts(tree_of(module)) if PROSE.search(text)}
    assert not asked - FOREIGN_WORDS


@pytest.mark.parametrize(
    "code",
    [
        'problem.message.endswith("in Pipedrive")',
        'if str(error) == "no such folder": pass',
        'if "is spent" in str(error): pass',
        "query = \"SELECT 1 FROM journal WHERE last_error LIKE 'its person%'\"",
    ],
)
def test_a_decision_by_wording_would_be_seen(code: str) -> None:
    assert any(map(PROSE.search, asked_of_texts(ast.parse(code))))


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) in PURE])
def test_a_pure_step_reads_no_clock_and_rolls_no_dice(module: str) -> None:
    calls = {
        node.func.attr
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & {"now", "utcnow", "today", "monotonic", "perf_counter"}
    assert not {"random", "secrets", "time", "os"} & set(imported(tree_of(module)))


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) != "cli"])
def test_only_the_command_line_prints(module: str) -> None:
    called = {
        node.func.id
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "print" not in called


def test_the_table_has_no_row_without_a_module() -> None:
    assert {name for name in ALLOWED if name not in MODULES} == set()
    assert {name for names in ALLOWED.values() for name in names} - ALLOWED.keys() == {"*"}
    assert ALLOWED.keys() >= PURE


def test_pure_steps_import_only_pure_steps() -> None:
    for name in PURE:
        assert ALLOWED[name] <= PURE | {"errors"}


def test_no_edge_knows_another() -> None:
    for name in ("mailbox", "ledger", "oauth", "pipedrive"):
        assert ALLOWED[name] <= PURE | {"errors", "failpoints", "log", ""}
