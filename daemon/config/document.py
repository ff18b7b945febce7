"""A YAML file as plain data, with everything that YAML itself can get wrong told by its line.

Knows nothing about which keys mail2deal has. A key that stands twice in one mapping is a problem
here, where YAML would silently take the second.
"""

from pathlib import Path
from typing import Any

import yaml

from daemon.config.regular_file import read_regular_file
from daemon.errors import ConfigProblem

_LONGEST = 1_000_000  # bytes; 10,000 mailboxes or so


def read_document(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Read the file; return its data and the problems that still let the rest be checked.

    Raises ConfigProblem, naming the file (and the line where there is one), if nothing can be
    read from it.
    """
    try:
        text = read_regular_file(path, _LONGEST).decode()
    except OSError as error:
        hint = "copy the commented config.yaml there, or pass --config"
        if isinstance(error, PermissionError):
            hint = "run it with sudo, or as the user whose file it is"
        elif path.exists():
            hint = "name the configuration file with --config"
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigProblem(reason, what=str(path), hint=hint) from error
    except UnicodeDecodeError as error:
        raise ConfigProblem("isn't UTF-8 text", what=str(path)) from error
    try:
        loader = _Loader(text)
        data = loader.get_single_data()
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigProblem(f"isn't YAML: {_reason(error, text)}", what=str(path)) from error
    return data, tuple(loader.repeated)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that it notices a key that stands twice in one mapping."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Tell by its line a value that YAML reads and can't build, such as the date 2026-13-41.

        PyYAML raises whatever its code meets there: `!!bool perhaps` is a KeyError.
        """
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            reason = str(error).partition(":")[0]
            if not isinstance(error, ValueError):
                reason = f"no {node.tag.rpartition(':')[2]}"
            problem = f"{reason} (put it in quotes if it is meant as text)"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Note repeated keys as they are written, before merges (`<<`) name keys again."""
        node = super().compose_mapping_node(anchor)
        first_lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in first_lines:
                first = first_lines[key.value]
                self.repeated.append(
                    f"line {line}: {key.value} stands twice, first in line {first}"
                )
            else:
                first_lines[key.value] = line
        return node


def _reason(error: yaml.YAMLError | RecursionError, text: str) -> str:
    """What is wrong, and where."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"line {line}: YAML doesn't allow the character U+{error.character:04X}"
    if not isinstance(error, yaml.MarkedYAMLError):
        return "it is nested too deeply"
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "unknown"
    return f"line {mark.line + 1}, column {mark.column + 1}: {what}" if mark else what
