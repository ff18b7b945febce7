"""Tokens spent on Pipedrive since the last time they were taken."""

from threading import Lock


class TokenUsage:
    """Calls and tokens by kind, counted by the workers and taken by the ledger's thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._spent: dict[str, tuple[int, int]] = {}
        self.total = 0

    def add(self, kind: str, tokens: int) -> None:
        """Count one processed request; called by any thread."""
        with self._lock:
            calls, total = self._spent.get(kind, (0, 0))
            self._spent[kind] = (calls + 1, total + tokens)
            self.total += tokens

    def take(self) -> dict[str, tuple[int, int]]:
        """What was counted since the last time, as (calls, tokens) by kind."""
        with self._lock:
            spent, self._spent = self._spent, {}
            return spent
