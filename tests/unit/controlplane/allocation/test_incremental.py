"""What is decided from change to change is as good as what is decided from nothing, and costs no look at everything."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from tests.unit.controlplane.allocation.support import assert_counted
from tests.unit.controlplane.allocation.world import NOW, Recipe, World, check, node, recipes, with_spec

from quidditch.controlplane.core.allocation.memory import Memory
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.solve import solve
from quidditch.controlplane.core.commands import PutClusterSettings, RegisterNode, ShardStarted
from quidditch.controlplane.core.decide import decide, decide_started
from quidditch.controlplane.core.draft import Env
from quidditch.lib.ids import CountedIds
from quidditch.model.objects import Settings
from quidditch.model.state import ClusterState

many = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def _env(world: World) -> Env:
    return Env(NOW, world.ids, info=world.info, copies=True, memory=Memory())


def _building(state: ClusterState) -> list[ShardStarted]:
    return [
        ShardStarted(index=name, uuid=known.spec.uuid, shard=number, allocation_id=copy.allocation_id or "")
        for name, known in state.routing.items()
        for number, shard in enumerate(known.spec.shards)
        for copy in shard.placed
        if copy.state == "INITIALIZING"
    ]


@given(recipes())
@many
def test_starts_that_come_together_are_decided_as_one_after_the_other(recipe: Recipe) -> None:
    """Until nothing is being built any more. What has started is the same; what begins then breaks nothing, and a look at everything
    finds no copy that could have been placed.
    """
    world = recipe.world()
    world.solve()
    together, single = _env(world), _env(world)
    alone = world.state
    for _ in range(300):
        reports = [report for report in _building(world.state) if world.random.random() < 0.7]
        decisions = decide_started(world.state, reports, together) if reports else []
        results = []
        for report in reports:
            decision = decide(alone, report, single)
            alone = decision.state
            results.append(decision.result)
        assert [decision.result for decision in decisions] == results
        assert not any(decision.ops for decision in decisions[1:])
        if decisions:
            world.state = decisions[-1].state
        started = {report.allocation_id for report in reports}
        assert not started & {report.allocation_id for state in (world.state, alone) for report in _building(state)}
        world.follow()
        check(world)
        problem = together.memory.follow(world.state, together)
        assert_counted(problem)
        cold = Problem.of(world.state, world.info, now_ms=NOW, goals=problem.exported())
        assert all(step.source is not None for step in solve(cold, CountedIds()).steps) or world.info.disks
        alone = world.state
        if not _building(world.state):
            return
    raise AssertionError("no end")


def test_what_was_decided_needs_no_second_look_when_it_comes_from_the_store() -> None:
    """Nodes, their health and settings come again with the version that the store gave them."""
    env = Env(NOW, CountedIds(), copies=True, memory=Memory())
    state = ClusterState()
    for number in range(3):
        state = decide(state, RegisterNode(node=node(number, "a").spec), env).state
    state = decide(state, PutClusterSettings(persistent={"cluster.max_shards_per_node": 7}), env).state
    stored = [
        replace(obj, metadata=replace(obj.metadata, resource_version="9", uid="u"))
        for obj in (*state.nodes.values(), state.settings)
    ]
    state = state.apply(stored, 9)
    assert not env.memory.follow(state, env).doubtful
    state = state.apply(
        [replace(one, status=replace(one.status, health="DEGRADED")) for one in state.nodes.values()], 10
    )
    assert not env.memory.follow(state, env).doubtful
    other = replace(
        state.settings, spec=replace(state.settings.spec, transient={"cluster.routing.rebalance.enable": "none"})
    )
    assert env.memory.follow(state.apply([other], 11), env).doubtful
    assert isinstance(other, Settings)
    moved = replace(node(1, "b"), metadata=state.nodes[node(1, "a").id].metadata)
    assert env.memory.follow(state.apply([moved], 11), env).doubtful


def test_a_node_that_is_known_as_it_is_costs_no_look_at_everything() -> None:
    """After a change of the leader all nodes come again."""
    env = Env(NOW, CountedIds(), copies=True, memory=Memory())
    state = ClusterState()
    for number in range(2):
        state = decide(state, RegisterNode(node=node(number, "a").spec, fresh=True), env).state
    env.memory.forget()
    again = decide(state, RegisterNode(node=node(1, "a").spec, held=()), env)
    assert again.ops == ()
    assert again.state is state
    assert env.memory.doubts(env.info), "nothing was allocated"
    assert decide(state, RegisterNode(node=with_spec(node(1, "a"), ephemeral_id="new").spec), env).ops
    assert not env.memory.doubts(env.info)
