"""Bytes of writes that a node works on, as OpenSearch's indexing pressure counts them: beyond the limit new ones are refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quidditch.model.errors import rejected

_KINDS = ("coordinating", "primary", "replica")


class IndexingPressure:
    """Used from the event loop's thread. What this node passes on to itself counts once, as `coordinating`; copies of others' writes
    count, but are never refused: their primaries have taken them.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.current = dict.fromkeys(_KINDS, 0)
        self.total = dict.fromkeys(_KINDS, 0)
        self.rejections = dict.fromkeys(_KINDS, 0)

    @property
    def everything(self) -> int:
        return sum(self.current.values())

    def take(self, kind: str, count: int) -> None:
        """Raises rejected_execution_exception."""
        replica, everything = self.current["replica"], self.everything
        if kind != "replica" and everything + count > self.limit:
            self.rejections[kind] += 1
            raise rejected(
                f"rejected execution of {kind} operation [coordinating_and_primary_bytes={everything - replica}, "
                f"replica_bytes={replica}, all_bytes={everything}, {kind}_operation_bytes={count}, "
                f"max_coordinating_and_primary_bytes={self.limit}]"
            )
        self.current[kind] += count
        self.total[kind] += count

    def give(self, kind: str, count: int) -> None:
        self.current[kind] -= count

    @contextmanager
    def held(self, kind: str, count: int) -> Iterator[None]:
        """Counts while the block runs. Raises as :meth:`take`."""
        self.take(kind, count)
        try:
            yield
        finally:
            self.give(kind, count)

    def section(self) -> dict[str, Any]:
        """`indexing_pressure` of `_nodes/stats`."""
        rejections = {f"{kind}_rejections": count for kind, count in self.rejections.items()}
        current, total = _shown(self.current), _shown(self.total)
        return {"memory": {"current": current, "total": {**total, **rejections}, "limit_in_bytes": self.limit}}


def _shown(counts: dict[str, int]) -> dict[str, int]:
    return {
        "combined_coordinating_and_primary_in_bytes": counts["coordinating"] + counts["primary"],
        **{f"{kind}_in_bytes": count for kind, count in counts.items()},
        "all_in_bytes": sum(counts.values()),
    }
