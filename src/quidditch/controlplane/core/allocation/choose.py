"""The lightest node that no decider refuses.

Balance is OpenSearch's weight of a node for an index: θ_shard·copies + θ_index·copies of the index, and beyond it
θ_disk·bytes + θ_write·writes. Only nodes that the index may use are compared, so averages fall out.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from quidditch.controlplane.core.allocation.deciders import (
    ALLOCATING,
    REBALANCING,
    Asking,
    Decider,
    Decision,
    Subject,
    judge,
)
from quidditch.controlplane.core.allocation.deciders.awareness import Awareness
from quidditch.controlplane.core.allocation.deciders.data import InSyncCopy
from quidditch.controlplane.core.allocation.deciders.filters import Filter
from quidditch.controlplane.core.allocation.deciders.same_shard import SameShard
from quidditch.controlplane.core.allocation.deciders.shards_limit import ShardsLimit
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import Entry, NodeSlot, Row


class Chooser:
    """Asks one way (of the plan, or of now) about many copies. Deciders that have nothing to say are left out."""

    def __init__(self, problem: Problem, *, ahead: bool) -> None:
        self.problem = problem
        self.asking = Asking(problem, ahead=ahead)
        rules = problem.rules
        speaking = [d for d in ALLOCATING if not (ahead and d.momentary) and d.concerns(self.asking)]
        self.gates: Sequence[Decider] = [d for d in speaking if d.nodeless]
        self._open = ahead and rules.enable == "all"
        self._deciders = [d for d in speaking if not (d.nodeless or d.fixed) and self._matters(d)]
        self._balancing = [d for d in REBALANCING if not (ahead and d.momentary)]
        self._limited = [*self._deciders, ShardsLimit()]
        self._all_limited = max(rules.shards_per_node, rules.primaries_per_node) > 0
        self._aware = bool(rules.attributes)

    def _matters(self, decider: Decider) -> bool:
        """What is seen to here is not asked again for each node."""
        if isinstance(decider, SameShard):
            return self.problem.rules.same_host
        return not isinstance(decider, Awareness | ShardsLimit | InSyncCopy)

    def admitted(self, each: Subject) -> Decision:
        """Whether the copy may be placed at all, wherever."""
        copy = each.copy
        if self._open and each.row.rules.enable in ("", "all") and not copy.failed_moves:
            info = copy.unassigned
            if info is None or not info.failed_attempts:
                return "YES"
        nodes = self.problem.nodes
        return judge(self.asking, each, nodes[0], self.gates) if nodes else "NO"

    def balances(self, each: Subject) -> bool:
        """Whether the copy may move for the sake of balance."""
        answers = (decider.can_rebalance(self.asking, each) for decider in self._balancing)
        return all(answer is None or answer.decision == "YES" for answer in answers)

    def weight(self, row: Row, at: int) -> float:
        problem = self.problem
        return problem.nodes[at].weight + problem.rules.index_weight * row.then.get(at, 0)

    def decide(self, each: Subject, slot: NodeSlot) -> Decision:
        """Whether this node may take the copy, which is admitted."""
        at = slot.at
        if at not in each.row.group.members or at in each.others or at == each.at or not self.roomy(each, slot.zone):
            return "NO"
        return judge(self.asking, each, slot, self._for(each.row))

    def choose(self, each: Subject) -> int | None:
        """The ordinal of the lightest node that may take the copy; equals go to the smaller id."""
        row = each.row
        deciders = self._for(row)
        best: Entry | None = None
        least: float | None = None
        for zone, heap in self.problem.heaps(row.group).items():
            if self._aware and not self.roomy(each, zone):
                continue
            found, lightest = self._first(heap, each, deciders, best)
            if lightest is not None and (least is None or lightest < least):
                least = lightest
            if found is not None and (best is None or found < best):
                best = found
        index_weight = self.problem.rules.index_weight
        if best is None or least is None or best[0] > least + index_weight:
            best = self._among_holders(each, deciders, best)
        return None if best is None else best[2]

    def roomy(self, each: Subject, zone: tuple[str | None, ...]) -> bool:
        """What the awareness decider says of every node of the zone."""
        if not self._aware:
            return True
        problem, copies = self.problem, len(each.shard.copies)
        for place, attribute in enumerate(problem.rules.attributes):
            own = zone[place]
            if own is None:
                return False
            held = 1
            for at in each.others:
                if problem.nodes[at].zone[place] == own:
                    held += 1
            if held > 1 and held > -(-copies // problem.zone_counts[attribute]):
                return False
        return True

    def _for(self, row: Row) -> Sequence[Decider]:
        rules = row.rules
        limited = self._all_limited or rules.shards_per_node > 0 or rules.primaries_per_node > 0
        deciders: Sequence[Decider] = self._limited if limited else self._deciders
        return [*deciders, Filter()] if rules.initial_recovery else deciders

    def _first(
        self, heap: list[Entry], each: Subject, deciders: Sequence[Decider], best: Entry | None
    ) -> tuple[Entry | None, float | None]:
        """The lightest node of a zone that holds no copy of the index and is not refused, and the weight of the lightest
        of all.
        """
        nodes, members = self.problem.nodes, each.row.group.members
        held, others, asking = each.row.then, each.others, self.asking
        looked: list[Entry] = []
        lightest: float | None = None
        found: Entry | None = None
        while heap:
            entry = heap[0]
            at = entry[2]
            slot = nodes[at]
            weight = slot.weight
            if weight != entry[0]:
                if weight > entry[0] and at in members:
                    heapq.heapreplace(heap, (weight, slot.id, at))
                else:
                    heapq.heappop(heap)
                continue
            if lightest is None:
                lightest = weight
            if best is not None and entry > best:
                break
            if at not in held and at not in others and at != each.at and judge(asking, each, slot, deciders) == "YES":
                found = entry
                break
            looked.append(heapq.heappop(heap))
        last: Entry | None = None
        for entry in looked:
            if entry != last:
                heapq.heappush(heap, entry)
            last = entry
        return found, lightest

    def _among_holders(self, each: Subject, deciders: Sequence[Decider], best: Entry | None) -> Entry | None:
        """Nodes that already hold copies of the index weigh more; still one of them may be the lightest."""
        problem, row = self.problem, each.row
        theta = problem.rules.index_weight
        candidates = sorted(
            (problem.nodes[at].weight + theta * count, problem.nodes[at].id, at)
            for at, count in row.then.items()
            if at in row.group.members and at not in each.others and at != each.at
        )
        for entry in candidates:
            if best is not None and entry > best:
                return best
            slot = problem.nodes[entry[2]]
            if self.roomy(each, slot.zone) and judge(self.asking, each, slot, deciders) == "YES":
                return entry
        return best
