"""How long to wait after a failure: twice as long as after the one before, up to a bound."""

from __future__ import annotations

from collections.abc import Hashable


class Backoff:
    """Seconds to wait, by key. A success forgets the failures of its key."""

    def __init__(self, first: float = 0.05, most: float = 30.0) -> None:
        self._first = first
        self._most = most
        self._failures: dict[Hashable, int] = {}

    def failed(self, key: Hashable) -> float:
        """Notes a failure; answers how long to wait."""
        count = self._failures[key] = self._failures.get(key, 0) + 1
        return min(self._most, self._first * 2.0 ** min(count - 1, 60))

    def succeeded(self, key: Hashable) -> None:
        self._failures.pop(key, None)

    def failures(self, key: Hashable) -> int:
        return self._failures.get(key, 0)
