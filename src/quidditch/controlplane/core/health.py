"""Cluster health, computed from the state alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from quidditch.model.objects import Index, Routing, ShardRouting
from quidditch.model.state import ClusterState

_ORDER = ("green", "yellow", "red")


class Counts(msgspec.Struct):
    """Copies by state. A relocating copy is active, and its target counts as relocating no second time."""

    active_primary: int = 0
    active: int = 0
    relocating: int = 0
    initializing: int = 0
    unassigned: int = 0
    delayed: int = 0

    def add(self, other: Counts) -> None:
        for field in self.__struct_fields__:
            setattr(self, field, getattr(self, field) + getattr(other, field))


class ShardHealth(msgspec.Struct):
    number: int
    status: str
    primary_active: bool
    counts: Counts


class IndexHealth(msgspec.Struct):
    index: Index
    status: str
    counts: Counts
    shards: Sequence[ShardHealth]


class ClusterHealth(msgspec.Struct):
    """`percent`: active copies of all copies of the whole cluster, or 100 if what was asked for is green."""

    status: str
    nodes: int
    data_nodes: int
    counts: Counts
    indices: Sequence[IndexHealth]
    percent: float


def cluster_health(
    state: ClusterState, indices: Iterable[Index] | None = None, *, missing: bool = False
) -> ClusterHealth:
    """The health of the named indices (None: of all). `missing`: a name was asked for that is not there; that is red."""
    chosen = sorted(state.indices.values() if indices is None else indices, key=lambda index: index.name)
    found = [index_health(index, state.routing.get(index.name)) for index in chosen]
    counts = Counts()
    for each in found:
        counts.add(each.counts)
    status = worst(each.status for each in found)
    return ClusterHealth(
        status="red" if missing else status,
        nodes=len(state.nodes),
        data_nodes=state.data_nodes,
        counts=counts,
        indices=found,
        percent=100.0 if status == "green" else active_percent(state),
    )


def worst(statuses: Iterable[str]) -> str:
    return max(statuses, key=_ORDER.index, default="green")


def at_least(status: str, wanted: str) -> bool:
    """Whether `status` is as good as `wanted` or better."""
    return _ORDER.index(status) <= _ORDER.index(wanted)


def active_percent(state: ClusterState) -> float:
    active = total = 0
    for routing in state.routing.values():
        for shard in routing.spec.shards:
            total += len(shard.copies)
            active += sum(copy.active for copy in shard.copies)
    return 100.0 * active / total if total else 100.0


def index_health(index: Index, routing: Routing | None) -> IndexHealth:
    """An index whose routing is not there yet is red."""
    counts = Counts()
    shards = []
    for number, shard in enumerate(routing.spec.shards if routing else ()):
        health = shard_health(number, shard)
        shards.append(health)
        counts.add(health.counts)
    status = worst(health.status for health in shards) if shards else "red"
    return IndexHealth(index, status, counts, shards)


def shard_health(number: int, shard: ShardRouting) -> ShardHealth:
    counts = Counts()
    for copy in shard.copies:
        counts.active += copy.active
        counts.active_primary += copy.active and copy.primary
        counts.relocating += copy.state == "RELOCATING"
        counts.initializing += copy.state == "INITIALIZING"
        counts.unassigned += copy.state == "UNASSIGNED"
        counts.delayed += bool(copy.unassigned and copy.unassigned.delayed and copy.state == "UNASSIGNED")
    return ShardHealth(number, _status(shard, counts.active), shard.primary.active, counts)


def _status(shard: ShardRouting, active: int) -> str:
    if active == len(shard.copies):
        return "green"
    return "yellow" if shard.primary.active or _only_new(shard) else "red"


def _only_new(shard: ShardRouting) -> bool:
    """A primary that has never held data and has not failed is on its way, not lost."""
    info = shard.primary.unassigned
    failed = info is not None and (info.failed_attempts > 0 or info.last_allocation_status == "deciders_no")
    return not shard.in_sync and not failed
