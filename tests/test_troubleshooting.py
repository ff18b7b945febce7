"""docs/troubleshooting.md explains every message that asks something of a person, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "troubleshooting.md"
# What a person reads and has to do something about; other errors heal, or name one mail or record.
FOR_A_PERSON = {"AuthProblem", "ConfigProblem", "LedgerProblem"}


def template(node: ast.expr) -> str | None:
    """A message as it is written, with … for what is put into it; None if it is computed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return None


def messages() -> Iterator[str]:
    for path in (ROOT / "daemon").rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                text = template(node.args[0]) if node.func.id in FOR_A_PERSON else None
                if text is not None and re.search(r"[a-z]{3}", text):
                    yield text


def test_every_message_for_a_person_is_explained_and_every_explained_one_exists() -> None:
    explained = re.findall(r"^\| `([^`]+(?:`[^`|]+`[^`|]*)*)` \|", PAGE.read_text(), re.MULTILINE)

    assert sorted(set(explained)) == sorted(explained)
    assert sorted(explained) == sorted({text.replace("`", "'") for text in messages()})
