"""The solver: each unassigned copy to the lightest node that no decider refuses.

Balance is OpenSearch's weight of a node for an index: θ_shard·(copies − average) + θ_index·(copies of the index −
average of the index).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from quidditch.controlplane.core import routing as transitions
from quidditch.controlplane.core.allocation.deciders import judge
from quidditch.controlplane.core.allocation.problem import Problem, ShardCopy
from quidditch.controlplane.core.draft import Draft
from quidditch.model.objects import Node, Routing, ShardRouting


class Assignment(msgspec.Struct, frozen=True):
    index: str
    shard: int
    position: int
    node: str


class Plan(msgspec.Struct, frozen=True):
    """What is to be placed now, and for the copies that are not the last allocation status (`deciders_no`,
    `throttled`, …).
    """

    assignments: Sequence[Assignment]
    refused: Sequence[tuple[str, int, int, str]]


def solve(problem: Problem, names: Iterable[str] | None = None) -> Plan:
    """Places the unassigned copies (of the named indices). Deterministic: ties go to the smaller node id."""
    assignments: list[Assignment] = []
    refused: list[tuple[str, int, int, str]] = []
    placed: dict[tuple[str, int], set[str]] = {}
    for each in problem.unassigned(names):
        taken = placed.setdefault((each.index.name, each.number), set())
        node, status = _place(problem, each, taken)
        if node is None:
            refused.append((each.index.name, each.number, each.position, status))
            continue
        taken.add(node.id)
        problem.count(each.index.name, node.id)
        assignments.append(Assignment(each.index.name, each.number, each.position, node.id))
    return Plan(assignments, refused)


def _place(problem: Problem, each: ShardCopy, taken: set[str]) -> tuple[Node | None, str]:
    best: tuple[float, str] | None = None
    throttled = False
    for node in problem.nodes.values():
        if node.id in taken:
            continue
        verdict = judge(problem, each, node)
        throttled |= verdict.decision == "THROTTLE"
        if verdict.decision == "YES":
            candidate = (_weight(problem, each, node.id), node.id)
            best = candidate if best is None else min(best, candidate)
    if best is not None:
        return problem.nodes[best[1]], ""
    if throttled:
        return None, "throttled"
    return None, "no_valid_shard_copy" if each.copy.primary and each.shard.in_sync else "deciders_no"


def _weight(problem: Problem, each: ShardCopy, node: str) -> float:
    shard_factor = float(problem.setting("cluster.routing.allocation.balance.shard", 0.45))
    index_factor = float(problem.setting("cluster.routing.allocation.balance.index", 0.55))
    return shard_factor * problem.loads[node] + index_factor * problem.index_load(each.index.name, node)


def allocate(draft: Draft, names: Iterable[str] | None = None) -> None:
    """Solves for the named indices (None: all) and puts the outcome into the draft."""
    wanted = None if names is None else list(names)
    if not any(_needs(draft, name) for name in (draft.state.routing if wanted is None else wanted)):
        return
    plan = solve(Problem(draft.state), wanted)
    changed: dict[str, dict[int, ShardRouting]] = {}

    def shard_of(name: str, number: int) -> ShardRouting:
        return changed.get(name, {}).get(number) or draft.state.routing[name].spec.shards[number]

    for each in plan.assignments:
        shard = transitions.assign(shard_of(each.index, each.shard), each.position, each.node, draft.env.ids)
        changed.setdefault(each.index, {})[each.shard] = shard
    for name, number, position, status in plan.refused:
        shard = shard_of(name, number)
        info = shard.copies[position].unassigned
        if info is None or not shard.copies[position].primary or info.last_allocation_status == status:
            continue
        copy = msgspec.structs.replace(
            shard.copies[position], unassigned=msgspec.structs.replace(info, last_allocation_status=status)
        )
        copies = (*shard.copies[:position], copy, *shard.copies[position + 1 :])
        changed.setdefault(name, {})[number] = msgspec.structs.replace(shard, copies=copies)
    draft.put_all([_merged(draft, name, shards) for name, shards in changed.items()])


def _merged(draft: Draft, name: str, shards: dict[int, ShardRouting]) -> Routing:
    routing = draft.state.routing[name]
    merged = (shards.get(number, shard) for number, shard in enumerate(routing.spec.shards))
    return transitions.with_shards(routing, tuple(merged))


def _needs(draft: Draft, name: str) -> bool:
    routing = draft.state.routing.get(name)
    return routing is not None and any(copy.node is None for shard in routing.spec.shards for copy in shard.copies)
