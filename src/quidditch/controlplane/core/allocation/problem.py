"""What an allocation is solved over: the nodes, how full they are, and the copies that need a place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from quidditch.model.objects import Copy, Index, Node, ShardRouting
from quidditch.model.state import ClusterState


class ShardCopy(msgspec.Struct, frozen=True):
    """One copy in its surroundings: `position` within the shard's copies (0: the primary)."""

    index: Index
    number: int
    position: int
    shard: ShardRouting

    @property
    def copy(self) -> Copy:
        return self.shard.copies[self.position]


class Problem:
    """Built once per decision; what it counts changes with what is placed. `loads`: copies on each node."""

    def __init__(self, state: ClusterState) -> None:
        self.state = state
        self.nodes: Mapping[str, Node] = {key: node for key, node in state.nodes.items() if node.holds_data}
        self.loads: Counter[str] = Counter(state.node_loads)
        self._index_loads: dict[str, Counter[str]] = {}

    def index_load(self, index: str, node: str) -> int:
        """The copies of one index on a node."""
        counts = self._index_loads.get(index)
        if counts is None:
            routing = self.state.routing.get(index)
            copies = [copy for shard in (routing.spec.shards if routing else ()) for copy in shard.copies]
            counts = self._index_loads[index] = Counter(copy.node for copy in copies if copy.node)
        return counts[node]

    def count(self, index: str, node: str) -> None:
        """A copy was placed."""
        self.index_load(index, node)
        self.loads[node] += 1
        self._index_loads[index][node] += 1

    def setting(self, key: str, default: Any) -> Any:
        """A cluster setting."""
        value = self.state.settings.get(key)
        return default if value is None else value

    def unassigned(self, names: Iterable[str] | None = None) -> Sequence[ShardCopy]:
        """The copies without a node: primaries first, then by the index's priority, its age and name, as OpenSearch
        recovers them.
        """
        found = []
        for name in self.state.routing if names is None else names:
            index, routing = self.state.indices.get(name), self.state.routing.get(name)
            if index is None or routing is None or index.deleting:
                continue
            for number, shard in enumerate(routing.spec.shards):
                for position, copy in enumerate(shard.copies):
                    if copy.node is None:
                        found.append(ShardCopy(index, number, position, shard))
        found.sort(key=_order)
        return found


def _order(each: ShardCopy) -> tuple[bool, int, int, str, int, int]:
    settings = each.index.spec.settings
    priority = int(settings.get("index.priority", "1"))
    created = int(settings.get("index.creation_date", "0"))
    return not each.copy.primary, -priority, -created, each.index.name, each.number, each.position
