"""`docs/design.md` names every room and every module; `make layout` writes the names anew."""

import ast
import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent
DESIGN = ROOT / "docs" / "design.md"
ROOM = re.compile(r"^  ([a-z]+)/ .*$")
MODULES = " " * 6
WIDTH = 96


def modules(room: str) -> list[str]:
    """The modules of a room, and with a slash the packages within it."""
    inside = (ROOT / "daemon" / room).iterdir()
    names = (
        path.stem if path.suffix == ".py" else path.name + "/" * path.is_dir() for path in inside
    )
    return sorted(name for name in names if not name.startswith("__"))


def layout(text: str) -> str:
    """The tree in `text` with the names of the modules as they are now."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(MODULES):
            continue
        lines.append(line)
        if room := ROOM.match(line):
            names = " ".join(modules(room[1]))
            lines += textwrap.wrap(
                names,
                WIDTH,
                initial_indent=MODULES,
                subsequent_indent=MODULES,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def tree() -> str:
    """The tree as section 2 shows it."""
    found = re.search(r"^daemon/\n.*?(?=\n```)", DESIGN.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


def test_every_room_is_described_and_every_module_named() -> None:
    rooms = {path.parent.name for path in ROOT.glob("daemon/*/__init__.py")}
    assert {room[1] for line in tree().splitlines() if (room := ROOM.match(line))} == rooms
    assert tree() == layout(tree()), "run `make layout`"


def test_the_top_is_small_enough_to_take_in_at_one_look() -> None:
    entries = [path for path in (ROOT / "daemon").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 20
    top = re.findall(r"[a-z_]+\.py", tree())
    assert {path.name for path in entries if path.suffix == ".py"} - {"__init__.py"} == set(top)


def _lines(node: ast.FunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_a_file_has_350_lines_at_most_and_a_function_60() -> None:
    sources = {path: path.read_text() for path in sorted((ROOT / "daemon").rglob("*.py"))}
    assert [str(p) for p, source in sources.items() if len(source.splitlines()) > 350] == []
    assert [
        f"{path}: {node.name}"
        for path, source in sources.items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and _lines(node) > 60
    ] == []


def test_ten_sentences_of_the_readme_have_a_room_each() -> None:
    says = " ".join((ROOT / "README.md").read_text().split())
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (.+) \| `([a-z]+)/` \|$", contributing, re.MULTILINE)
    assert len(rows) == 10
    assert [sentence for sentence, _ in rows if sentence not in says] == []
    assert {room for _, room in rows} <= {path.name for path in (ROOT / "daemon").iterdir()}
    assert len({room for _, room in rows}) == 10


if __name__ == "__main__":
    DESIGN.write_text(DESIGN.read_text().replace(tree(), layout(tree())))
