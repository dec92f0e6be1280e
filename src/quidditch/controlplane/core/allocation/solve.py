"""`solve(problem, ids, names) -> Plan`: goals, and the steps towards them that are possible now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import msgspec
from msgspec.structs import replace

from quidditch.controlplane.core.allocation.delay import remaining_ms
from quidditch.controlplane.core.allocation.goals import Planner
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.steps import Step, Walker
from quidditch.controlplane.core.allocation.table import Key, NodeSlot
from quidditch.controlplane.core.draft import Draft, Ids
from quidditch.model.objects import Routing

_ROUNDS = 20
"""How often a plan is adapted to what the steps found; it takes one, and more only where copies are in each other's way."""


class Plan(msgspec.Struct, frozen=True):
    """`goals`: where the shards that are not there yet shall be (nodes by id). `steps`: what begins now, already taken in
    `routing`, the new routing of the indices that change.
    """

    goals: Mapping[Key, tuple[str, ...]]
    steps: tuple[Step, ...]
    routing: tuple[Routing, ...]


def solve(problem: Problem, ids: Ids, names: Iterable[str] | None = None, shards: Iterable[Key] = ()) -> Plan:
    """Plans and takes what can be taken: for the named indices and single shards (None: for all), and for what waited for
    something that has ended. The problem holds the goals of the plan before; on return it stands after the steps.

    Deterministic but for the ids. Solving again what is solved takes no steps.
    """
    walker = _solve(problem, ids, names, shards)
    return Plan(problem.exported(), tuple(walker.steps), tuple(row.routing for row in walker.changed.values()))


def _solve(problem: Problem, ids: Ids, names: Iterable[str] | None, shards: Iterable[Key]) -> Walker:
    everything = names is None or problem.doubtful
    walker = Walker(problem, ids)
    if everything:
        _end_delays(problem, walker)
    planner = Planner(problem)
    if names is None or everything:
        for _ in range(_ROUNDS):
            walker.wavered = False
            planner.everything()
            for queue in (problem.blocked, problem.freed, problem.refused):
                queue.clear()
            first = len(walker.steps)
            walker.walk(_waiting(problem))
            begun = first
            while begun < len(walker.steps):
                filled = {problem.slot(step.node).at for step in walker.steps[begun:]}
                begun = len(walker.steps)
                walker.walk(_cramped(problem, filled))
            if not planner.give_up() and not walker.wavered:
                break
        return walker
    keys = dict.fromkeys((name, n) for name in names if name in problem.rows for n in range(_count(problem, name)))
    keys.update(dict.fromkeys((name, n) for name, n in shards if name in problem.rows and n < _count(problem, name)))
    planner.some([(problem.rows[name], number) for name, number in keys])
    pending = len(problem.goals)
    planner.settle()
    walker.walk(_waiting(problem) if len(problem.goals) > pending else keys)
    walker.wake()
    return walker


def _end_delays(problem: Problem, walker: Walker) -> None:
    """Copies that have waited long enough may go anywhere."""
    for row in list(problem.open.values()):
        for number, shard in enumerate(row.routing.spec.shards):
            copies = tuple(
                replace(copy, unassigned=replace(copy.unassigned, delayed=False))
                if copy.unassigned and copy.unassigned.delayed and not remaining_ms(problem, row, copy)
                else copy
                for copy in shard.copies
            )
            if copies != shard.copies:
                walker.take(row, number, replace(shard, copies=copies))


def _count(problem: Problem, name: str) -> int:
    return len(problem.rows[name].routing.spec.shards)


def _waiting(problem: Problem) -> list[Key]:
    """All shards that are not where they shall be."""
    keys = dict.fromkeys(problem.goals)
    for name, row in problem.open.items():
        for number, shard in enumerate(row.routing.spec.shards):
            if any(copy.node is None for copy in shard.copies):
                keys[name, number] = None
    return list(keys)


def _cramped(problem: Problem, filled: Set[int]) -> list[Key]:
    """The shards for which there may be no room any more on planned nodes that steps have `filled`: when they were looked at,
    only throttles held them.
    """
    room = {at: _room(problem, problem.nodes[at]) for at in filled}
    everywhere = max(problem.rules.shards_per_node, problem.rules.primaries_per_node) > 0
    found = []
    for (name, number), goal in problem.goals.items():
        row = problem.rows[name]
        limited = everywhere or max(row.rules.shards_per_node, row.rules.primaries_per_node) > 0
        if any(at in room and (limited or row.size(number) > room[at]) for at in goal):
            found.append((name, number))
    return found


def _room(problem: Problem, slot: NodeSlot) -> float:
    """What a copy may weigh that comes to the node after all that is on its way."""
    disk, rules = problem.info.disks.get(slot.id), problem.rules
    if disk is None or not rules.disk_enabled:
        return float("inf")
    free = disk.free - slot.coming
    return -1.0 if free < rules.low.least_free(disk.total) else free - rules.high.least_free(disk.total)


def allocate(draft: Draft, names: Iterable[str] | None = None, shards: Iterable[Key] = ()) -> None:
    """Solves for the named indices and single shards (None: all) and puts the outcome into the draft."""
    memory = draft.env.memory
    problem = memory.follow(draft.state, draft.env)
    try:
        walker = _solve(problem, draft.env.ids, names, shards)
        draft.put_all(row.routing for row in walker.changed.values())
        memory.follow(draft.state, draft.env)
    except BaseException:
        memory.forget()
        raise
