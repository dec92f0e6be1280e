"""The rows and columns of an allocation: nodes and indices, each with what is counted of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from quidditch.controlplane.core.allocation.rules import FilterRules, IndexRules
from quidditch.model.objects import Copy, Index, Node, NodeShutdown, Routing

Key: TypeAlias = tuple[str, int]
"""(name of the index, number of the shard)."""
Entry: TypeAlias = tuple[float, str, int]
"""(weight of a node, its id, its ordinal)."""
Brake: TypeAlias = tuple[int, str]
"""(ordinal of a node, which of its limits: a name of `NodeSlot`); -1 stands for the cluster: `recoveries`, `relocating`."""


class NodeSlot:
    """A node by its ordinal. `gone`: not there, or holds no data. Bytes: `stored` lie here, `coming` are being copied
    here, `leaving` will be deleted; recoveries as the throttles count them, `_new` those of replicas that never had data.
    `weight`: how heavy the node will be whatever the index; `zone`: its values of the awareness attributes.
    """

    __slots__ = (
        "at", "coming", "gone", "id", "incoming", "incoming_new", "initial", "leaving", "node", "now", "outgoing",
        "outgoing_new", "primaries", "shutdown", "stored", "then", "then_bytes", "then_load", "weight", "zone",
    )  # fmt: skip

    def __init__(self, at: int, id: str) -> None:
        self.at = at
        self.id = id
        self.node: Node | None = None
        self.gone = True
        self.shutdown: NodeShutdown | None = None
        self.now = self.then = self.primaries = 0
        self.then_bytes = self.then_load = 0
        self.weight = 0.0
        self.zone: tuple[str | None, ...] = ()
        self.stored = self.coming = self.leaving = 0
        self.initial = self.incoming = self.incoming_new = self.outgoing = self.outgoing_new = 0


class Group:
    """The nodes that indices with the same filters and tiers may use. `heaps` holds them by zone (the values of the
    awareness attributes), the lightest first; entries of another than the node's present weight are void.
    """

    __slots__ = ("heaps", "key", "members")

    def __init__(self, key: tuple[FilterRules, tuple[str, ...]]) -> None:
        self.key = key
        self.members: set[int] = set()
        self.heaps: dict[tuple[str | None, ...], list[Entry]] | None = None


class Row:
    """One index: `now` and `then` are its copies by the ordinals of nodes."""

    __slots__ = ("group", "index", "loads", "name", "now", "order", "routing", "rules", "sizes", "then", "unassigned")

    def __init__(self, index: Index, routing: Routing, rules: IndexRules, group: Group) -> None:
        self.name = index.name
        self.index = index
        self.routing = routing
        self.rules = rules
        self.group = group
        self.now: dict[int, int] = {}
        self.then: dict[int, int] = {}
        self.unassigned = 0
        self.sizes: Sequence[int] = ()
        self.loads: Sequence[int] = ()
        self.order: tuple[int, int, str]
        self.sort()

    def size(self, number: int) -> int:
        return self.sizes[number] if self.sizes else 0

    def load(self, number: int) -> int:
        return self.loads[number] if self.loads else 0

    def sort(self) -> None:
        """Fixes in which `order` indices recover: by priority, then the newest."""
        created = int(self.index.spec.settings.get("index.creation_date", "0"))
        self.order = (-self.rules.priority, -created, self.name)


def is_new(copy: Copy) -> bool:
    """A replica that was never anywhere: a new index's."""
    return not copy.primary and copy.unassigned is not None and copy.unassigned.reason == "INDEX_CREATED"


def tally(counts: dict[int, int], nodes: Iterable[int], sign: int) -> None:
    """Counts the nodes up or down; those with none are left out."""
    for at in nodes:
        count = counts.get(at, 0) + sign
        if count:
            counts[at] = count
        else:
            counts.pop(at, None)
