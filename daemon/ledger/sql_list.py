"""`IN` a list of any length, bound as one value, so that a statement is prepared once."""

import json
from collections.abc import Iterable

# Stands where `(?, ?, …)` would stand. https://sqlite.org/json1.html, 4.23
AMONG = "IN (SELECT value FROM json_each(?))"


def listed(values: Iterable[str | int]) -> str:
    """What to bind to `AMONG`. No text of the ledger holds a NUL, at which SQLite would cut it."""
    return json.dumps(list(values))
