"""How often and how long the shards of each index were searched, for the `search` section of `_stats`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


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

    def section(self) -> dict[str, Any]:
        """With the groups, as far as there are any."""
        groups = {name: group.to_json() for name, group in self.groups.items()}
        return {**self.to_json(), **({"groups": groups} if groups else {})}


class SearchCounts:
    """Counts by index name and shard number since the process started. Used from the event loop's thread."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], SearchCount] = {}

    def add(
        self,
        shards: Iterable[tuple[str, int]],
        millis: float,
        groups: Sequence[str] = (),
        *,
        queried: bool = True,
        fetched: bool = True,
    ) -> None:
        """One search of these shards, or one phase of it; `groups` as the request's `stats` names them."""
        for key in shards:
            count = self._counts.get(key)
            if count is None:
                count = self._counts[key] = SearchCount()
            for one in (count, *(count.groups.setdefault(name, SearchCount()) for name in groups)):
                one.queries += queried
                one.fetches += fetched
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
