"""What an allocation is solved over: nodes and indices by dense ordinals, with everything counted that is asked often.

A problem lives beside the cluster state and follows it: only what changed between two states is counted anew. All
counts are whole numbers, so that following and counting anew come to the same. It counts twice: what is (`now`: copies
where they are or are being built), and what is planned (`then`: as if all goals were reached).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from msgspec.structs import replace

from quidditch.controlplane.core.allocation.info import UNKNOWN, ClusterInfo
from quidditch.controlplane.core.allocation.rules import (
    ClusterRules,
    FilterRules,
    IndexRules,
    Stage,
    cluster_rules,
    disk_stage,
    index_rules,
)
from quidditch.controlplane.core.allocation.static import admits
from quidditch.controlplane.core.allocation.table import Brake, Entry, Group, Key, NodeSlot, Row, is_new, tally
from quidditch.model.objects import Copy, Node, NodeShutdown, Routing, ShardRouting
from quidditch.model.state import ClusterState

Goals: TypeAlias = Mapping[Key, tuple[str, ...]]
"""Shards that are not where they shall be → the nodes (by id) that shall hold their copies."""
_S = TypeVar("_S", Node, NodeShutdown)


class Problem:
    """See the module. `copies`: whether nodes can copy shards from each other; `now_ms` is the time of the decision."""

    def __init__(self) -> None:
        self.state = ClusterState()
        self.rules: ClusterRules = cluster_rules(self.state.settings)
        self.info: ClusterInfo = UNKNOWN
        self.copies = False
        self.now_ms = 0
        self.nodes: list[NodeSlot] = []
        self.node_at: dict[str, int] = {}
        self.rows: dict[str, Row] = {}
        self.groups: dict[tuple[FilterRules, tuple[str, ...]], Group] = {}
        self.goals: dict[Key, tuple[int, ...]] = {}
        self.open: dict[str, Row] = {}
        """The indices with unassigned copies."""
        self.inactive = self.inactive_primaries = self.unassigned_primaries = self.unassigned = 0
        self.relocating = self.recoveries = self.data_nodes = 0
        self.replacing = False
        self.zones: dict[str, dict[int, str]] = {}
        self.zone_counts: dict[str, int] = {}
        self.freed: set[Brake] = set()
        """Brakes that have come off a little since someone looked."""
        self.blocked: dict[Brake, dict[Key, None]] = {}
        """Shards that wait for a brake."""
        self.refused: dict[Key, None] = {}
        """Shards whose planned nodes refuse them for now."""
        self.owed = False
        """Whether balance has not been looked at since it may have been lost."""
        self.disturbed = False
        """Whether copies have come or gone since balance was looked at; that is made up for when everything is."""
        self.doubtful = True
        """Whether something changed that may concern every shard: nodes, settings, measurements."""

    @classmethod
    def of(
        cls,
        state: ClusterState,
        info: ClusterInfo = UNKNOWN,
        *,
        copies: bool = True,
        now_ms: int = 0,
        goals: Goals | None = None,
    ) -> Problem:
        """The problem of a state, counted from nothing."""
        problem = cls()
        problem.follow(state, info, copies=copies, now_ms=now_ms)
        for (name, number), ids in (goals or {}).items():
            row = problem.rows.get(name)
            if row is not None and number < len(row.routing.spec.shards):
                problem.aim(row, number, tuple(problem.slot(each).at for each in ids))
        return problem

    # --- following the state ----------------------------------------------------------------------------------------

    def follow(self, state: ClusterState, info: ClusterInfo, *, copies: bool, now_ms: int) -> None:
        """Takes another state, whichever: what differs is counted anew."""
        old, self.state, self.now_ms = self.state, state, now_ms
        if copies != self.copies:
            self.copies, self.doubtful = copies, True
        if info is not self.info:
            self._measure(info)
        nodes = [*old.differs(state, "Node")]
        shutdowns = [*old.differs(state, "NodeShutdown")]
        for id in nodes:
            self._take_node(id)
        for id in shutdowns:
            self._take_shutdown(id)
        settings = old.settings.spec != state.settings.spec
        if settings:
            self.rules = cluster_rules(state.settings)
        # What was decided comes again from the store, with its version and nothing else that is new.
        if (
            settings
            or _respecified(old.nodes, state.nodes, nodes)
            or _respecified(old.shutdowns, state.shutdowns, shutdowns)
        ):
            self._regroup()
        for name in {**dict.fromkeys(old.differs(state, "Index")), **dict.fromkeys(old.differs(state, "Routing"))}:
            self._take_index(name)

    def slot(self, id: str) -> NodeSlot:
        """The node's place; also nodes that are not there have one."""
        at = self.node_at.get(id)
        if at is None:
            at = self.node_at[id] = len(self.nodes)
            self.nodes.append(NodeSlot(at, id))
        return self.nodes[at]

    def _take_node(self, id: str) -> None:
        slot = self.slot(id)
        slot.node = self.state.nodes.get(id)
        slot.gone = slot.node is None or not slot.node.holds_data

    def _take_shutdown(self, id: str) -> None:
        self.slot(id).shutdown = self.state.shutdowns.get(id)

    def _regroup(self) -> None:
        """Who may hold what, after nodes or settings changed."""
        self.doubtful = True
        self.data_nodes = sum(not slot.gone for slot in self.nodes)
        self.replacing = any(one.spec.type == "replace" for one in self.state.shutdowns.values())
        self.zones, self.zone_counts = {}, {}
        for attribute in self.rules.attributes:
            present = {
                slot.at: slot.node.spec.attributes[attribute]
                for slot in self.nodes
                if slot.node is not None and not slot.gone and attribute in slot.node.spec.attributes
            }
            self.zones[attribute] = present
            self.zone_counts[attribute] = len({*present.values(), *self.rules.forced.get(attribute, ())})
        for slot in self.nodes:
            slot.zone = tuple(zones.get(slot.at) for zones in self.zones.values())
            slot.weight = self._weight(slot)
        for group in self.groups.values():
            self._fill(group)

    def _fill(self, group: Group) -> None:
        filters, tiers = group.key
        group.heaps = None
        group.members = {slot.at for slot in self.nodes if admits(self.state, self.rules, filters, tiers, slot.node)}

    def _group(self, rules: IndexRules) -> Group:
        group = self.groups.get(rules.key)
        if group is None:
            group = self.groups[rules.key] = Group(rules.key)
            self._fill(group)
        return group

    def _measure(self, info: ClusterInfo) -> None:
        """Where nothing is on its way and no disk passes a watermark, only the balance may be another."""
        old, self.info, self.owed = self.info, info, True
        if self.goals or self.unassigned or self._stages(info) != self._stages(old):
            self.doubtful = True
        if info.sizes is not old.sizes or info.loads is not old.loads:
            for row in self.rows.values():
                self._weigh_anew(row)

    def _stages(self, info: ClusterInfo) -> dict[str, Stage]:
        return {node: disk_stage(self.rules, disk) for node, disk in info.disks.items()}

    def _weigh_anew(self, row: Row) -> None:
        sizes, loads = row.sizes, row.loads
        self._weigh(row)
        if (row.sizes, row.loads) == (sizes, loads):
            return
        found = row.sizes, row.loads
        row.sizes, row.loads = sizes, loads
        self._count_all(row, row.routing.spec.shards, -1)
        row.sizes, row.loads = found
        self._count_all(row, row.routing.spec.shards, 1)

    def _weigh(self, row: Row) -> None:
        count = range(len(row.routing.spec.shards))
        row.sizes = [self.info.sizes.get((row.index.uuid, n), 0) for n in count] if self.info.sizes else ()
        row.loads = [self.info.loads.get((row.index.uuid, n), 0) for n in count] if self.info.loads else ()

    def _take_index(self, name: str) -> None:
        index, routing = self.state.indices.get(name), self.state.routing.get(name)
        row = self.rows.get(name)
        there = index is not None and routing is not None and not index.deleting and routing.spec.uuid == index.uuid
        if row is not None and (not there or (index is not None and row.index.uuid != index.uuid)):
            self._drop(row)
            row = None
        if not there:
            return
        self.disturbed = self.disturbed or row is None
        assert index is not None
        assert routing is not None
        if row is None:
            rules = index_rules(index)
            row = self.rows[name] = Row(index, routing, rules, self._group(rules))
            self._weigh(row)
            self._count_all(row, routing.spec.shards, 1)
            return
        if row.index.spec.settings is not index.spec.settings:
            row.rules = index_rules(index)
            row.group = self._group(row.rules)
        row.index = index
        row.sort()
        self._take_routing(row, routing)

    def _take_routing(self, row: Row, routing: Routing) -> None:
        old, new = row.routing.spec.shards, routing.spec.shards
        row.routing = routing
        if old is new or old == new:
            return
        for number, shard in enumerate(new):
            if old[number] is not shard:
                if self.holders(shard) != self.holders(old[number]):
                    self.disturbed = True
                self._count(row, number, old[number], -1)
                self._count(row, number, shard, 1)
                self._reached(row, number, shard)

    def take_shard(self, row: Row, number: int, shard: ShardRouting) -> None:
        """A shard changes while a plan is made; the row's routing object is replaced when all is planned."""
        self._count(row, number, row.routing.spec.shards[number], -1)
        shards = (*row.routing.spec.shards[:number], shard, *row.routing.spec.shards[number + 1 :])
        row.routing = _with_shards(row.routing, shards)
        self._count(row, number, shard, 1)
        self._reached(row, number, shard)

    def _reached(self, row: Row, number: int, shard: ShardRouting) -> None:
        goal = self.goals.get((row.name, number))
        if goal is not None and sorted(goal) == sorted(self.holders(shard)):
            self.aim(row, number, None)

    def _drop(self, row: Row) -> None:
        self.disturbed = True
        self._count_all(row, row.routing.spec.shards, -1)
        for number in range(len(row.routing.spec.shards)):
            self.goals.pop((row.name, number), None)
        del self.rows[row.name]
        self.open.pop(row.name, None)

    # --- counting ---------------------------------------------------------------------------------------------------

    def _count_all(self, row: Row, shards: Iterable[ShardRouting], sign: int) -> None:
        for number, shard in enumerate(shards):
            self._count(row, number, shard, sign)

    def _count(self, row: Row, number: int, shard: ShardRouting, sign: int) -> None:
        size = row.size(number)
        here: list[int] = []
        unassigned = 0
        for copy in shard.copies:
            state = copy.state
            if state == "STARTED":
                slot = self.slot(copy.node or "")
                slot.stored += sign * size
            elif state == "UNASSIGNED":
                unassigned += 1
                self.inactive += sign
                if copy.primary:
                    self.unassigned_primaries += sign
                    self.inactive_primaries += sign
                continue
            elif state == "INITIALIZING":
                slot = self._count_recovery(shard, copy, copy, size, sign)
                self.inactive += sign
                if copy.primary:
                    self.inactive_primaries += sign
            else:
                source = self.slot(copy.node or "")
                source.stored += sign * size
                source.leaving += sign * size
                self.relocating += sign
                target = copy.target
                assert target is not None
                slot = self._count_recovery(shard, target, copy, size, sign)
            slot.now += sign
            if copy.primary:
                slot.primaries += sign
            here.append(slot.at)
        tally(row.now, here, sign)
        if unassigned:
            self.unassigned += sign * unassigned
            row.unassigned += sign * unassigned
            if row.unassigned:
                self.open[row.name] = row
            else:
                self.open.pop(row.name, None)
        self._count_then(row, number, self.goals.get((row.name, number), here), sign)

    def _count_recovery(self, shard: ShardRouting, target: Copy, copy: Copy, size: int, sign: int) -> NodeSlot:
        """`target` is being built: from `copy` if that moves and is the primary, from the shard's primary otherwise."""
        slot = self.slot(target.node or "")
        slot.coming += sign * size
        self.recoveries += sign
        if target.recovery != "PEER":
            slot.initial += sign
            brakes: tuple[Brake, ...] = ((slot.at, "initial"),)
        else:
            source = self.slot(shard.copies[0].node or target.relocating_node or "")
            if is_new(copy) and target is copy:
                slot.incoming_new += sign
                source.outgoing_new += sign
                brakes = ((slot.at, "incoming_new"), (source.at, "outgoing_new"))
            else:
                slot.incoming += sign
                source.outgoing += sign
                brakes = ((slot.at, "incoming"), (source.at, "outgoing"))
        if sign < 0:
            self.freed.update(brakes)
        return slot

    def _count_then(self, row: Row, number: int, nodes: Iterable[int], sign: int) -> None:
        size, load = row.size(number), row.load(number)
        tally(row.then, nodes, sign)
        for at in nodes:
            slot = self.nodes[at]
            slot.then += sign
            slot.then_bytes += sign * size
            slot.then_load += sign * load
            slot.weight = self._weight(slot)
            if sign < 0:
                self._lighter(slot)

    def _weight(self, slot: NodeSlot) -> float:
        """Copies, bytes and writes, each with its factor."""
        rules = self.rules
        weight = rules.shard_weight * slot.then
        if slot.then_bytes:
            weight += rules.disk_weight * slot.then_bytes
        if slot.then_load:
            weight += rules.load_weight * slot.then_load
        return weight

    def _lighter(self, slot: NodeSlot) -> None:
        """A node that became lighter comes forward in the heaps; one that became heavier is found out when looked at."""
        entry = (slot.weight, slot.id, slot.at)
        for group in self.groups.values():
            if group.heaps is None or slot.at not in group.members:
                continue
            heap = group.heaps[slot.zone]
            heapq.heappush(heap, entry)
            if len(heap) > 8 * len(group.members) + 64:
                group.heaps = None

    # --- what planning asks -----------------------------------------------------------------------------------------

    def heaps(self, group: Group) -> dict[tuple[str | None, ...], list[Entry]]:
        """The group's nodes, a heap per zone."""
        if group.heaps is None:
            group.heaps = {}
            for at in sorted(group.members, key=lambda each: self.nodes[each].id):
                slot = self.nodes[at]
                group.heaps.setdefault(slot.zone, []).append((slot.weight, slot.id, at))
            for heap in group.heaps.values():
                heapq.heapify(heap)
        return group.heaps

    def lightest(self, group: Group, heap: list[Entry]) -> float:
        """The least weight of a zone; what is void at the top of its heap is cleared away."""
        while heap:
            weight, id, at = heap[0]
            present = self.nodes[at].weight
            if present == weight:
                return weight
            heapq.heappop(heap)
            if present > weight and at in group.members:
                heapq.heappush(heap, (present, id, at))
        return float("inf")

    def holders(self, shard: ShardRouting) -> list[int]:
        """Where the shard's copies are, or are being built."""
        return [
            self.slot((copy.relocating_node if copy.state == "RELOCATING" else copy.node) or "").at
            for copy in shard.copies
            if copy.node is not None
        ]

    def planned(self, row: Row, number: int) -> Sequence[int]:
        """Where the shard's copies shall be."""
        goal = self.goals.get((row.name, number))
        return self.holders(row.routing.spec.shards[number]) if goal is None else goal

    def aim(self, row: Row, number: int, nodes: tuple[int, ...] | None) -> None:
        """Sets or drops what is planned for a shard."""
        key = (row.name, number)
        before = self.planned(row, number)
        if nodes is None:
            self.goals.pop(key, None)
            after: Sequence[int] = self.planned(row, number)
        else:
            after = self.goals[key] = nodes
        self._count_then(row, number, [at for at in before if at not in after], -1)
        self._count_then(row, number, [at for at in after if at not in before], 1)

    def exported(self) -> dict[Key, tuple[str, ...]]:
        """The goals, by the ids of nodes."""
        return {key: tuple(self.nodes[at].id for at in goal) for key, goal in self.goals.items()}

    def live(self) -> Iterator[NodeSlot]:
        """The data nodes that are there, by id."""
        return iter(sorted((slot for slot in self.nodes if not slot.gone), key=lambda slot: slot.id))


def _respecified(before: Mapping[str, _S], after: Mapping[str, _S], keys: Iterable[str]) -> bool:
    """Whether any of the objects came, went, or shall be otherwise."""
    pairs = ((before.get(key), after.get(key)) for key in keys)
    return any(one is None or other is None or one.spec != other.spec for one, other in pairs)


def _with_shards(routing: Routing, shards: tuple[ShardRouting, ...]) -> Routing:
    return replace(routing, spec=replace(routing.spec, shards=shards))
