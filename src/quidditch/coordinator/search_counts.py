"""How often and how long the shards of each index were searched, for the `search` section of `_stats`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from quidditch.coordinator.search_contexts import LocalReader


@dataclass(slots=True)
class SearchCount:
    """Searches of one shard; `millis` in all of them together."""

    queries: int = 0
    fetches: int = 0
    millis: float = 0.0
    groups: dict[str, SearchCount] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "query_total": self.queries,
            "query_time_in_millis": int(self.millis),
            "query_current": 0,
            "fetch_total": self.fetches,
            "fetch_time_in_millis": 0,
            "fetch_current": 0,
        }


class SearchCounts:
    """Counts by index name and shard number since the process started. Used from the event loop's thread."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], SearchCount] = {}

    def add(self, readers: Iterable[LocalReader], millis: float, groups: Sequence[str] = ()) -> None:
        """One search over these readers; `groups` as the request's `stats` names them."""
        for index, shard, _node, _reader in readers:
            count = self._counts.get((index, shard))
            if count is None:
                count = self._counts[index, shard] = SearchCount()
            for one in (count, *(count.groups.setdefault(name, SearchCount()) for name in groups)):
                one.queries += 1
                one.fetches += 1
                one.millis += millis

    def of(self, index: str, shard: int) -> SearchCount:
        return self._counts.get((index, shard)) or SearchCount()

    def indices(self) -> set[str]:
        return {index for index, _ in self._counts}

    def forget(self, indices: Iterable[str]) -> None:
        """Drops what is known of these indices: they are gone, or new under an old name."""
        gone = set(indices)
        for key in [key for key in self._counts if key[0] in gone]:
            del self._counts[key]
