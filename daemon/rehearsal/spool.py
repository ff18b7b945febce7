"""Rows that are too many for memory: written to a file without a name, read as often as wanted."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

Doc = dict[str, Any]


class Spool:
    """What some rows were, one reader at a time; on disk until nobody refers to it."""

    def __init__(self, rows: Iterable[Doc]) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 as long as self
        for row in rows:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def __iter__(self) -> Iterator[Doc]:
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)

    def __del__(self) -> None:
        self._file.close()
