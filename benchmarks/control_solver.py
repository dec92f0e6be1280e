"""How fast is an allocation decided? 1,000 nodes, 10,000 indices, 100,000 copies, one core.

    python -m benchmarks.control_solver
    python -m benchmarks.control_solver --nodes 100 --indices 1000

*Full plan*: nothing has a node yet; goals for every copy. *Node lost*: the state's change included, with and without the
replicas' delay. *Index added*: the whole command, of 5 shards with a replica each. Times are of the processor, best of
several.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
import time
from collections.abc import Callable

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.allocation.goals import Planner
from quidditch.controlplane.core.allocation.memory import Memory
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.solve import solve
from quidditch.controlplane.core.commands import CreateIndex, NodeLeft, ShardStarted
from quidditch.controlplane.core.decide import decide
from quidditch.controlplane.core.draft import Env
from quidditch.lib.ids import CountedIds
from quidditch.model.objects import (
    Index,
    IndexSpec,
    Node,
    NodeSpec,
    Routing,
    Settings,
    SettingsSpec,
    ShardRouting,
    metadata_for,
)
from quidditch.model.state import ClusterState

NOW = 1_700_000_000_000
SHARDS, REPLICAS = 5, 1


def nodes(count: int, zones: int) -> list[Node]:
    return [
        Node(
            metadata=metadata_for(f"n{number:04d}"),
            spec=NodeSpec(
                id=f"n{number:04d}",
                name=f"node-{number}",
                roles=("data",),
                attributes={"zone": f"z{number % zones}"},
                host=f"h{number}",
            ),
        )
        for number in range(count)
    ]


def cluster(node_count: int, indices: int, delay: str, zones: int = 3) -> ClusterState:
    """All copies unassigned, awareness over the zones."""
    settings = {
        "index.number_of_shards": str(SHARDS),
        "index.number_of_replicas": str(REPLICAS),
        "index.unassigned.node_left.delayed_timeout": delay,
    }
    objects: list[Index | Routing | Node | Settings] = [*nodes(node_count, zones)]
    awareness = {
        "cluster.routing.allocation.awareness.attributes": "zone",
        "cluster.max_shards_per_node": "100000",
    }
    objects.append(Settings(metadata=metadata_for("cluster"), spec=SettingsSpec(persistent=awareness)))
    for number in range(indices):
        name = f"i{number:05d}"
        own = {**settings, "index.uuid": f"u{number}", "index.creation_date": str(NOW + number)}
        index = Index(metadata=metadata_for(name), spec=IndexSpec(name=name, uuid=f"u{number}", settings=own))
        objects += [index, routing.new_routing(index, NOW)]
    return ClusterState().apply(objects, 1)


def started(state: ClusterState, problem: Problem) -> ClusterState:
    """The state when all goals are reached."""
    ids = CountedIds()
    reached = []
    for row in problem.rows.values():
        shards: list[ShardRouting] = []
        for number, shard in enumerate(row.routing.spec.shards):
            for position, at in enumerate(problem.goals.get((row.name, number), ())):
                shard = routing.assign(shard, position, problem.nodes[at].id, ids)
                shard = routing.started(shard, position)
            shards.append(shard)
        reached.append(routing.with_shards(state.routing[row.name], tuple(shards)))
    return state.apply(reached, 2)


def best(action: Callable[[], object], times: int) -> float:
    """Seconds of processor time; the garbage of what came before is not counted."""
    found = []
    for _ in range(times):
        gc.collect()
        before = time.process_time()
        action()
        found.append(time.process_time() - before)
    return min(found)


def memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 10 if sys.platform == "linux" else 1 << 20)


GOALS = {
    "full plan": 2.0,
    "full plan, and what the throttles let begin": 2.0,
    "counting a state from nothing": 2.0,
    "one node lost": 1.0,
    "one index added": 0.010,
    "looking at everything, nothing to do": 1.0,
}


def measure(node_count: int, indices: int) -> dict[str, float]:
    """Seconds by what was done, and the memory that the process had at most."""
    found: dict[str, float] = {}
    empty = cluster(node_count, indices, "0s")
    planned = Problem.of(empty)
    Planner(planned).everything()
    assert len(planned.goals) == indices * SHARDS

    def plan() -> None:
        Planner(Problem.of(empty)).everything()

    found["full plan"] = best(plan, 3)
    found["full plan, and what the throttles let begin"] = best(lambda: solve(Problem.of(empty), CountedIds()), 2)
    full = started(empty, planned)
    found["counting a state from nothing"] = best(lambda: Problem.of(full), 3)
    warm = Env(NOW, CountedIds(), copies=True, memory=Memory())
    warm.memory.follow(full, warm)
    decide(full, ShardStarted(index="i00000", uuid="-", shard=0, allocation_id="-"), warm)

    def lose() -> None:
        decide(full, NodeLeft(node_id="n0001"), warm)

    found["one node lost"] = best(lose, 5)
    warm.memory.follow(full, warm)
    number = iter(range(10_000))

    def add() -> None:
        decide(full, CreateIndex(name=f"x{next(number)}", settings={"number_of_shards": SHARDS}), warm)

    add()
    found["one index added"] = best(add, 20)
    solved = Problem.of(full)
    solve(solved, CountedIds())
    found["looking at everything, nothing to do"] = best(lambda: solve(solved, CountedIds()), 3)
    found["memory MiB"] = memory_mib()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.control_solver")
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--indices", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(chosen.nodes, chosen.indices)
    if chosen.json:
        print(json.dumps(found))
        return
    copies = chosen.indices * SHARDS * (1 + REPLICAS)
    print(f"{chosen.nodes:,} nodes, {chosen.indices:,} indices, {copies:,} copies; {found['memory MiB']:.0f} MiB")
    for what, goal in GOALS.items():
        print(f"{what:<44}{found[what] * 1e3:>10.1f} ms   (goal {goal * 1e3:.0f} ms)")


if __name__ == "__main__":
    main()
