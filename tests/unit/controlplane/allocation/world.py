"""Random clusters, and a world in which the steps of an allocation really happen: copies start, moves end."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from msgspec.structs import replace

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.allocation.info import ClusterInfo, Disk
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.solve import Plan, solve
from quidditch.controlplane.core.allocation.table import is_new
from quidditch.controlplane.core.draft import Draft, Env
from quidditch.controlplane.core.nodes import _take_copies
from quidditch.lib.ids import CountedIds
from quidditch.model.objects import (
    Copy,
    Index,
    IndexSpec,
    Node,
    NodeSpec,
    Object,
    Settings,
    SettingsSpec,
    ShardRouting,
    metadata_for,
)
from quidditch.model.state import ClusterState, Deleted

NOW = 1_700_000_000_000
GIB = 1 << 30
_TIERS = ("data_hot", "data_warm", "data_cold")


def node(number: int, zone: int, roles: tuple[str, ...] = ("data",), **attributes: str) -> Node:
    spec = NodeSpec(
        id=f"n{number:03d}",
        name=f"node-{number}",
        roles=roles,
        host=f"h{number // 2}",
        ip=f"10.0.{zone}.{number}",
        attributes={"zone": f"z{zone}", **attributes},
    )
    return Node(metadata=metadata_for(spec.id), spec=spec)


def index(name: str, shards: int, replicas: int, created: int = NOW, **settings: str) -> Index:
    flat = {
        "index.number_of_shards": str(shards),
        "index.number_of_replicas": str(replicas),
        "index.creation_date": str(created),
        "index.unassigned.node_left.delayed_timeout": "0s",
        **{f"index.{key.replace('__', '.')}": value for key, value in settings.items()},
    }
    return Index(metadata=metadata_for(name), spec=IndexSpec(name=name, uuid=f"u-{name}", settings=flat))


class World:
    """`state` is what is; `turn` decides once and lets that happen."""

    def __init__(self, objects: list[Object], info: ClusterInfo, seed: int) -> None:
        self.all, self.info = info, info
        self.ids = CountedIds()
        self.random = random.Random(seed)
        made = [routing.new_routing(each, NOW) for each in objects if isinstance(each, Index)]
        self.state = ClusterState().apply([*objects, *made], 1)
        self.problem = Problem()
        self.handed_over: set[str | None] = set()
        self.measure()

    def measure(self) -> None:
        """Disks as they are now: `all` tells them without these indices, and what each shard comes to."""
        held: Counter[str] = Counter()
        sizes: dict[tuple[str, int], int] = {}
        for known in self.state.routing.values():
            for number, shard in enumerate(known.spec.shards):
                size = self.all.sizes.get((known.spec.uuid, number), 0)
                if shard.in_sync:
                    sizes[known.spec.uuid, number] = size
                held.update({copy.node: size for copy in shard.copies if copy.active and copy.node})
        disks = {id: Disk(disk.total, max(0, disk.free - held[id])) for id, disk in self.all.disks.items()}
        changed = ClusterInfo(disks, sizes, self.all.loads)
        if changed != self.info or self.info is self.all:
            self.info = changed
        self.follow()

    def __repr__(self) -> str:
        """All that a failure must show."""
        nodes = [
            f"{each.id} {','.join(each.spec.roles)} {each.spec.attributes} {self.info.disks.get(each.id)}"
            for each in self.state.nodes.values()
        ]
        indices = [
            f"{each.name} {each.spec.settings} {[self.info.sizes.get((each.uuid, n)) for n in range(each.number_of_shards)]}"
            for each in self.state.indices.values()
        ]
        copies = [
            f"{name}[{number}] {[(copy.state, copy.node, copy.relocating_node) for copy in shard.copies]}"
            for name, known in self.state.routing.items()
            for number, shard in enumerate(known.spec.shards)
        ]
        parts = [
            str(self.state.settings.spec.persistent),
            *nodes,
            *indices,
            *copies,
            f"goals {self.problem.exported()}",
        ]
        return "\n".join(["World", *parts])

    def follow(self) -> None:
        self.problem.follow(self.state, self.info, copies=True, now_ms=NOW)

    def change(self, *objects: Object | Deleted) -> None:
        self.state = self.state.apply(objects, self.state.version + 1)
        self.follow()

    def solve(self) -> Plan:
        plan = solve(self.problem, self.ids)
        self.change(*plan.routing)
        return plan

    def start(self, share: float = 1.0) -> int:
        """So many of the copies that are being built start."""
        begun = 0
        for name, known in list(self.state.routing.items()):
            shards = list(known.spec.shards)
            for number, shard in enumerate(shards):
                for allocation_id in [copy.allocation_id for copy in shard.placed if copy.state == "INITIALIZING"]:
                    if self.random.random() < share:
                        self._hand_over(shards[number], allocation_id)
                        shards[number] = _started(shards[number], allocation_id or "")
                        begun += 1
            if tuple(shards) != known.spec.shards:
                self.state = self.state.apply([routing.with_shards(known, tuple(shards))], self.state.version + 1)
            assert name in self.state.routing
        self.measure()
        return begun

    def _hand_over(self, shard: ShardRouting, allocation_id: str | None) -> None:
        """A primary that arrives lets replicas be built on from where it is now; nobody decided that."""
        if shard.primary.relocation_id == allocation_id:
            self.handed_over |= {copy.allocation_id for copy in shard.placed if copy.state == "INITIALIZING"}

    def lose(self, id: str) -> None:
        env = Env(NOW, self.ids, copies=True)
        draft = Draft(self.state, env)
        draft.remove(self.state.nodes[id])
        _take_copies(draft, id, "NODE_LEFT")
        self.state = draft.state
        self.follow()

    def settle(self, limit: int = 400, share: float = 1.0) -> int:
        """Until nothing begins any more; the number of turns."""
        for turn in range(limit):
            plan = self.solve()
            check(self)
            if not self.start(share) and not plan.steps:
                return turn
        raise AssertionError(f"no end after {limit} turns: {self.problem.exported()}")


def _started(shard: ShardRouting, allocation_id: str) -> ShardRouting:
    position = routing.find(shard, allocation_id)
    if position is not None:
        return routing.started(shard, position)
    position = routing.find_target(shard, allocation_id)
    return shard if position is None else routing.relocated(shard, position)


# --- what must always hold, counted the slow way ------------------------------------------------------------------------


def check(world: World) -> None:
    """No two copies of a shard on a node; no throttle exceeded."""
    rules = world.problem.rules
    recoveries: Counter[tuple[str, str]] = Counter()
    for known in world.state.routing.values():
        for shard in known.spec.shards:
            nodes = [copy.node for copy in shard.placed]
            assert len(nodes) == len(set(nodes)), (known.key, shard)
            for copy in shard.placed:
                if copy.state == "INITIALIZING":
                    recoveries.update(_recoveries(shard, copy, copy.allocation_id in world.handed_over))
    limits = {
        "initial": rules.initial_primaries,
        "in": rules.incoming,
        "out": rules.outgoing,
        "in_new": rules.initial_replicas,
        "out_new": rules.initial_replicas,
    }
    building = sum(
        copy.state == "INITIALIZING"
        for known in world.state.routing.values()
        for shard in known.spec.shards
        for copy in shard.placed
    )
    assert rules.concurrent_recoveries == -1 or building <= rules.concurrent_recoveries
    for (id, kind), count in recoveries.items():
        assert count <= limits[kind], (id, kind, count)


def _recoveries(shard: ShardRouting, copy: Copy, handed_over: bool) -> list[tuple[str, str]]:
    assert copy.node is not None
    if copy.recovery != "PEER":
        return [(copy.node, "initial")]
    new = "_new" if is_new(copy) else ""
    outgoing = [] if handed_over else [(shard.primary.node or "", f"out{new}")]
    return [(copy.node, f"in{new}"), *outgoing]


# --- random clusters ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """What a random cluster is made from; the same gives the same."""

    zones: int
    tiered: bool
    nodes: int
    measured: bool
    indices: int
    seed: int

    def world(self) -> World:
        made = _world(self.zones, self.tiered, self.nodes, self.measured, self.indices, self.seed)
        if currently_in_test_context():
            note(repr(made))
        return made


def recipes() -> st.SearchStrategy[Recipe]:
    return st.builds(
        Recipe,
        zones=st.integers(1, 4),
        tiered=st.booleans(),
        nodes=st.integers(1, 12),
        measured=st.booleans(),
        indices=st.integers(1, 8),
        seed=st.integers(0, 2**32),
    )


def _world(zones: int, tiered: bool, count: int, measured: bool, indices: int, seed: int) -> World:
    chance = random.Random(seed)
    objects: list[Object] = []
    disks: dict[str, Disk] = {}
    for number in range(count):
        roles = (chance.choice(_TIERS),) if tiered and chance.random() < 0.7 else ("data",)
        made = node(number, number % zones, roles, rack=f"r{number % 3}")
        objects.append(made)
        if measured:
            total = chance.choice((100, 500, 1000)) * GIB
            disks[made.id] = Disk(total, int(total * chance.uniform(0.02, 1.0)))
    sizes: dict[tuple[str, int], int] = {}
    loads: dict[tuple[str, int], int] = {}
    for number in range(indices):
        each = _index(chance, number, zones, tiered)
        objects.append(each)
        for shard in range(each.number_of_shards):
            if measured:
                sizes[each.uuid, shard] = chance.randrange(30) * GIB
                loads[each.uuid, shard] = chance.randrange(500)
    objects.append(Settings(metadata=metadata_for("cluster"), spec=SettingsSpec(persistent=_settings(chance, zones))))
    return World(objects, ClusterInfo(disks, sizes, loads), seed)


def _index(chance: random.Random, number: int, zones: int, tiered: bool) -> Index:
    settings: dict[str, str] = {}
    if chance.random() < 0.15:
        settings["routing__allocation__include__zone"] = f"z{chance.randrange(zones)},z{chance.randrange(zones)}"
    if chance.random() < 0.1:
        settings["routing__allocation__exclude___name"] = f"node-{chance.randrange(3)}*"
    if chance.random() < 0.1:
        settings["routing__allocation__require__rack"] = f"r{chance.randrange(3)}"
    if tiered and chance.random() < 0.5:
        settings["routing__allocation__include___tier_preference"] = ",".join(chance.sample(_TIERS, 2))
    if chance.random() < 0.15:
        settings["routing__allocation__total_shards_per_node"] = str(chance.randint(1, 4))
    if chance.random() < 0.2:
        settings["priority"] = str(chance.randrange(10))
    shards, replicas = chance.randint(1, 6), chance.choice((0, 1, 1, 2, 3))
    return index(f"i{number}", shards, replicas, NOW + chance.randrange(1000), **settings)


def _settings(chance: random.Random, zones: int) -> dict[str, Any]:
    prefix = "cluster.routing.allocation."
    settings: dict[str, Any] = {f"{prefix}node_concurrent_recoveries": chance.randint(1, 3)}
    if chance.random() < 0.5:
        settings[f"{prefix}awareness.attributes"] = chance.choice(("zone", "zone", "zone,rack"))
        if chance.random() < 0.3:
            settings[f"{prefix}awareness.force.zone.values"] = [f"z{n}" for n in range(zones + 1)]
    if chance.random() < 0.2:
        settings[f"{prefix}exclude._ip"] = f"10.0.{chance.randrange(zones)}.*"
    if chance.random() < 0.15:
        settings[f"{prefix}same_shard.host"] = "true"
    if chance.random() < 0.15:
        settings[f"{prefix}total_shards_per_node"] = chance.randint(2, 8)
    if chance.random() < 0.2:
        settings[f"{prefix}cluster_concurrent_recoveries"] = chance.randint(1, 4)
    if chance.random() < 0.3:
        settings[f"{prefix}allow_rebalance"] = chance.choice(("always", "indices_primaries_active"))
    if chance.random() < 0.2:
        settings[f"{prefix}disk.watermark.low"] = "20gb"
        settings[f"{prefix}disk.watermark.high"] = "10gb"
        settings[f"{prefix}disk.watermark.flood_stage"] = "5gb"
    return settings


def with_spec(node: Node, **changes: Any) -> Node:
    return replace(node, spec=replace(node.spec, **changes))
