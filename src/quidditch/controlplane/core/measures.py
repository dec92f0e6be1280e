"""What nodes say of their disks and shards, gathered on the leader, and what of it allocation is told when.

Beats come several times a second; allocation is told anew every `cluster.info.update.interval`, and at once when a disk
passes a watermark or a node is heard for the first time.
"""

from __future__ import annotations

from collections.abc import Mapping

from quidditch.controlplane.core.allocation.info import UNKNOWN, ClusterInfo, Disk, NodeLoad, ShardKey, ShardLoad
from quidditch.controlplane.core.allocation.rules import ClusterRules, Stage, cluster_rules, disk_stage
from quidditch.mapping.settings.units import parse_time
from quidditch.model.objects import Settings
from quidditch.model.state import ClusterState

_INTERVAL = "cluster.info.update.interval"


def interval_seconds(settings: Settings) -> float:
    """How often measurements are taken."""
    return parse_time(str(settings.get(_INTERVAL) or "30s"), _INTERVAL) / 1000


class Measures:
    """`info` is what allocation knows. Sizes and loads of a shard are those of its greatest copy."""

    def __init__(self) -> None:
        self.info: ClusterInfo = UNKNOWN
        self._disks: dict[str, Disk] = {}
        self._shards: dict[str, Mapping[ShardKey, ShardLoad]] = {}
        self._stages: dict[str, Stage] = {}
        self._told = float("-inf")
        self._settings: Settings | None = None
        self._rules: ClusterRules
        self._interval = 30.0

    def take(self, node: str, load: NodeLoad) -> None:
        """What a node says of itself."""
        if load.disk is not None:
            self._disks[node] = load.disk
        if load.shards is not None:
            self._shards[node] = {(each.uuid, each.number): each for each in load.shards}

    @property
    def stages(self) -> Mapping[str, Stage]:
        """By node, as of the last look; a node that was not heard is missing."""
        return self._stages

    def look(self, state: ClusterState, now: float) -> bool:
        """Brings `info` up to date if that is due; `now` in seconds of any clock. Answers whether a disk has passed a
        watermark since, in whichever direction, so that allocation has to look at everything again.
        """
        rules = self._read(state.settings)
        for node in [node for node in (*self._disks, *self._shards) if node not in state.nodes]:
            self._disks.pop(node, None)
            self._shards.pop(node, None)
        disks = {node: disk for node, disk in self._disks.items() if state.nodes[node].holds_data}
        stages = {node: disk_stage(rules, disk) for node, disk in self._disks.items()}
        moved = any(stages[node] != self._stages.get(node) for node in disks)
        self._stages = stages
        if moved or now - self._told >= self._interval:
            self._told = now
            self._tell(disks)
        return moved

    def _read(self, settings: Settings) -> ClusterRules:
        if settings is not self._settings:
            self._settings = settings
            self._rules = cluster_rules(settings)
            self._interval = interval_seconds(settings)
        return self._rules

    def _tell(self, disks: Mapping[str, Disk]) -> None:
        """What has not changed stays the same object: then nothing is counted anew for it."""
        sizes: dict[ShardKey, int] = {}
        loads: dict[ShardKey, int] = {}
        for shards in self._shards.values():
            for key, each in shards.items():
                sizes[key] = max(each.size, sizes.get(key, 0))
                loads[key] = max(each.writes, loads.get(key, 0))
        old = self.info
        told = ClusterInfo(
            disks, old.sizes if old.sizes == sizes else sizes, old.loads if old.loads == loads else loads
        )
        if told != old:
            self.info = told
