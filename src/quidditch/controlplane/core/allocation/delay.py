"""Replicas of a node that left wait for it a while (`index.unassigned.node_left.delayed_timeout`), for it may come back
with their data.
"""

from __future__ import annotations

from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import Row
from quidditch.mapping.settings.units import parse_time
from quidditch.model.objects import Copy, NodeShutdown
from quidditch.model.state import ClusterState

RESTART_DELAY = "5m"
"""How long a node that said it would restart is waited for, unless it said how long."""


def restart_delay_ms(shutdown: NodeShutdown | None) -> int:
    """What the shutdown of a node adds: 0 unless it is a restart."""
    if shutdown is None or shutdown.spec.type != "restart":
        return 0
    return max(0, int(parse_time(shutdown.spec.allocation_delay or RESTART_DELAY, "allocation_delay")))


def delay_ms(state: ClusterState, row: Row, copy: Copy) -> int:
    """How long this copy waits in all. The longer of the index's and the restart's delay counts."""
    info = copy.unassigned
    if info is None or not info.delayed:
        return 0
    shutdown = state.shutdowns.get(info.last_node or "") if info.reason == "NODE_RESTARTING" else None
    return max(row.rules.delay_ms, restart_delay_ms(shutdown))


def remaining_ms(problem: Problem, row: Row, copy: Copy) -> int:
    """How long the copy still waits; 0 if it does not."""
    info = copy.unassigned
    if info is None or not info.delayed:
        return 0
    return max(0, info.at + delay_ms(problem.state, row, copy) - problem.now_ms)


def is_awaited(problem: Problem, copy: Copy) -> bool:
    """Whether the copy waits for its node. Once that is there again there is nothing to wait for, even if it cannot have the copy."""
    info = copy.unassigned
    if info is None or not info.delayed:
        return False
    return info.last_node is None or problem.slot(info.last_node).gone


def next_look_ms(problem: Problem) -> int | None:
    """In how many milliseconds a delay ends; None if none is running."""
    waits = [
        remaining_ms(problem, row, copy)
        for row in problem.open.values()
        for shard in row.routing.spec.shards
        for copy in shard.copies
        if copy.unassigned and copy.unassigned.delayed and copy.node is None
    ]
    return min(waits, default=None)
