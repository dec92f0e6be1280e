"""How often and how long the shards of each index were searched, for the `search` section of `_stats`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KINDS = ("scroll", "point_in_time")
"""What readers are kept for, besides a search under way."""
Shards = Iterable[tuple[str, int]]
"""By name of index and number."""


@dataclass(slots=True)
class Kept:
    """Readers that are kept for one purpose, those that were, and for how long those were."""

    current: int = 0
    total: int = 0
    millis: float = 0.0


@dataclass(slots=True)
class SearchCount:
    """Searches of one shard; `millis` in all of them together, but for fetches that were calls of their own."""

    queries: int = 0
    running: int = 0
    failures: int = 0
    fetches: int = 0
    millis: float = 0.0
    fetch_millis: float = 0.0
    contexts: int = 0
    kept: dict[str, Kept] = field(default_factory=dict)
    groups: dict[str, SearchCount] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "query_total": self.queries,
            "query_time_in_millis": int(self.millis),
            "query_current": self.running,
            "query_failed": self.failures,
            "fetch_total": self.fetches,
            "fetch_time_in_millis": int(self.fetch_millis),
            "fetch_current": 0,
        }

    def section(self) -> dict[str, Any]:
        """With the readers that are kept, and the groups, as far as there are any."""
        kept: dict[str, Any] = {"open_contexts": self.contexts}
        for kind, numbers in self.kept.items():
            kept[f"{kind}_total"] = numbers.total
            kept[f"{kind}_time_in_millis"] = int(numbers.millis)
            kept[f"{kind}_current"] = numbers.current
        groups = {name: group.to_json() for name, group in self.groups.items()}
        return {**self.to_json(), **kept, **({"groups": groups} if groups else {})}


class SearchCounts:
    """Counts by index name and shard number since the process started. Used from the event loop's thread."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], SearchCount] = {}

    def add(
        self,
        shards: Shards,
        millis: float,
        groups: Sequence[str] = (),
        *,
        queried: bool = True,
        fetched: bool = True,
    ) -> None:
        """One search of these shards, or one phase of it; `groups` as the request's `stats` names them."""
        for key in shards:
            count = self._of(key)
            for one in (count, *(count.groups.setdefault(name, SearchCount()) for name in groups)):
                one.queries += queried
                one.fetches += fetched
                if queried:
                    one.millis += millis
                else:
                    one.fetch_millis += millis

    def failed(self, shards: Shards) -> None:
        """Searches that these shards could not answer."""
        for key in shards:
            self._of(key).failures += 1

    @contextmanager
    def running(self, shards: Shards) -> Iterator[None]:
        """Searches of these shards are under way."""
        counts = [self._of(key) for key in shards]
        for count in counts:
            count.running += 1
        try:
            yield
        finally:
            for count in counts:
                count.running -= 1

    def keep(self, kind: str, shards: Shards) -> Callable[[float], None]:
        """Readers of these shards are kept from now on; what is answered is called once, with the time in milliseconds, when they are
        no longer. `kind` is one of :data:`KINDS`, or empty for what a search needs between its phases.
        """
        counts = [self._of(key) for key in shards]
        for count in counts:
            count.contexts += 1
            if kind:
                count.kept.setdefault(kind, Kept()).current += 1

        def end(millis: float) -> None:
            for count in counts:
                count.contexts -= 1
                if kind:
                    kept = count.kept[kind]
                    kept.current -= 1
                    kept.total += 1
                    kept.millis += millis

        return end

    def of(self, index: str, shard: int) -> SearchCount:
        return self._counts.get((index, shard)) or SearchCount()

    def indices(self) -> set[str]:
        return {index for index, _ in self._counts}

    def forget(self, indices: Iterable[str]) -> None:
        """Drops what is known of these indices: they are gone, or new under an old name."""
        gone = set(indices)
        for key in [key for key in self._counts if key[0] in gone]:
            del self._counts[key]

    def _of(self, key: tuple[str, int]) -> SearchCount:
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = SearchCount()
        return found
