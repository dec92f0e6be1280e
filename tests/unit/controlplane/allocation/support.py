"""Looking into allocations: who refuses, whether what was followed equals what is counted from nothing."""

from __future__ import annotations

from typing import Any

from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import NodeSlot
from quidditch.controlplane.core.commands import ExplainAllocation
from quidditch.controlplane.core.decide import decide


def explain(
    cluster: Cluster, index: str | None = None, shard: int = 0, primary: bool = True, **rest: Any
) -> dict[str, Any]:
    """The answer of `_cluster/allocation/explain`."""
    command = ExplainAllocation(**rest)
    if index is not None:
        command = ExplainAllocation(index=index, shard=shard, primary=primary, **rest)
    return decide(cluster.state, command, cluster.env).result.body  # type: ignore[union-attr]


def refusing(cluster: Cluster, index: str | None = None, shard: int = 0, primary: bool = True) -> dict[str, list[str]]:
    """The deciders that do not say YES, by node."""
    body = explain(cluster, index, shard, primary)
    return {
        node["node_id"]: [one["decider"] for one in node.get("deciders", ())]
        for node in body["node_allocation_decisions"]
    }


def sentence(cluster: Cluster, decider: str, index: str, primary: bool = True, node: str | None = None) -> str:
    """What a decider says of a copy going to a node (the first that it speaks of)."""
    body = explain(cluster, index, 0, primary, yes_decisions=True)
    for decision in body["node_allocation_decisions"]:
        for one in decision.get("deciders", ()):
            if one["decider"] == decider and node in (None, decision["node_id"]):
                return f"{one['decision']}: {one['explanation']}"
    raise AssertionError(f"{decider} says nothing: {body}")


_FIELDS = [name for name in NodeSlot.__slots__ if name not in ("at", "node", "shutdown")]


def _nodes(problem: Problem) -> dict[str, Any]:
    counts = {slot.id: {name: getattr(slot, name) for name in _FIELDS} for slot in problem.nodes}
    return {
        id: each
        for id, each in counts.items()
        if not each["gone"] or any(v for k, v in each.items() if k not in ("id", "gone"))
    }


def counts(problem: Problem) -> dict[str, Any]:
    """All that a problem has counted."""
    ids = [slot.id for slot in problem.nodes]
    return {
        "nodes": _nodes(problem),
        "rows": {
            name: (
                {ids[at]: n for at, n in row.now.items()},
                {ids[at]: n for at, n in row.then.items()},
                row.unassigned,
                sorted(ids[at] for at in row.group.members),
            )
            for name, row in problem.rows.items()
        },
        "open": sorted(problem.open),
        "cluster": (
            problem.inactive,
            problem.inactive_primaries,
            problem.unassigned,
            problem.unassigned_primaries,
            problem.relocating,
            problem.recoveries,
            problem.data_nodes,
        ),
    }


def assert_counted(problem: Problem) -> None:
    """Whoever followed every change counts what one who comes new counts."""
    fresh = Problem.of(
        problem.state, problem.info, copies=problem.copies, now_ms=problem.now_ms, goals=problem.exported()
    )
    assert counts(problem) == counts(fresh)
