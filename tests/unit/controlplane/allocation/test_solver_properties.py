"""What holds of every allocation, on random clusters with zones, tiers, filters, limits and disks.

`pytest tests/unit/controlplane/allocation --hypothesis-profile clusters` tries a thousand.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from msgspec.structs import replace
from tests.unit.controlplane.allocation.support import assert_counted
from tests.unit.controlplane.allocation.world import NOW, Recipe, World, check, node, recipes

from quidditch.controlplane.core.allocation.deciders import Asking, subject, verdicts, worst
from quidditch.controlplane.core.allocation.explain import explain_copy
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.solve import solve
from quidditch.lib.ids import CountedIds

_EXAMPLES = settings.default.max_examples if settings.get_current_profile_name() == "clusters" else 60  # type: ignore[union-attr]
many = settings(deadline=None, max_examples=_EXAMPLES, suppress_health_check=list(HealthCheck))


@given(recipes())
@many
def test_no_step_breaks_a_decider(recipe: Recipe) -> None:
    """Each step, asked of the state before it with those before it taken, is a YES of every decider."""
    world = recipe.world()
    for _ in range(300):
        before = Problem.of(world.state, world.info, now_ms=NOW)
        plan = world.solve()
        for step in plan.steps:
            row = before.rows[step.index]
            shard = row.routing.spec.shards[step.shard]
            position = next(
                at
                for at, copy in enumerate(shard.copies)
                if copy.primary is step.primary and copy.node == step.source and copy.state in ("UNASSIGNED", "STARTED")
            )
            asked = subject(before, row, step.shard, position)
            found = verdicts(Asking(before, aloud=True), asked, before.slot(step.node))
            assert worst(found) == "YES", (step, [one for one in found if one.decision != "YES"])
            after = world.state.routing[step.index].spec.shards[step.shard]
            taken = next(copy for copy in after.placed if copy.node == step.node)
            before.take_shard(row, step.shard, _with_one(shard, position, taken, step.source))
        check(world)
        if not world.start(0.6) and not plan.steps:
            return
    raise AssertionError("no end")


def _with_one(shard: Any, position: int, taken: Any, source: str | None) -> Any:
    new = taken
    if source is not None:
        moves = {"relocating_node": taken.node, "relocation_id": taken.allocation_id}
        new = replace(shard.copies[position], state="RELOCATING", **moves)
    return replace(shard, copies=(*shard.copies[:position], new, *shard.copies[position + 1 :]))


@given(recipes())
@example(Recipe(zones=1, tiered=False, nodes=6, measured=True, indices=5, seed=861453188))
@example(Recipe(zones=1, tiered=False, nodes=5, measured=True, indices=7, seed=1732296104))
@example(Recipe(zones=4, tiered=False, nodes=10, measured=True, indices=8, seed=726597478))
@example(Recipe(zones=2, tiered=True, nodes=5, measured=True, indices=3, seed=3796148618))
@example(Recipe(zones=3, tiered=False, nodes=8, measured=True, indices=7, seed=757142572))
@example(Recipe(zones=3, tiered=False, nodes=8, measured=True, indices=8, seed=1543217245))
@example(Recipe(zones=4, tiered=True, nodes=8, measured=False, indices=3, seed=2436212893))
@many
def test_solving_again_changes_nothing_and_following_counts_as_counting_anew(recipe: Recipe) -> None:
    world = recipe.world()
    for _ in range(300):
        plan = world.solve()
        assert_counted(world.problem)
        again = world.solve()
        assert not again.steps
        assert not again.routing
        assert again.goals.items() <= plan.goals.items()  # one that the steps have made impossible may be given up
        cold = Problem.of(world.state, world.info, now_ms=NOW, goals=again.goals)
        fresh = solve(cold, CountedIds()).steps
        assert world.info.disks or all(step.source is not None for step in fresh)
        if not world.start(0.7) and not plan.steps:
            return
    raise AssertionError("no end")


@given(recipes())
@example(Recipe(zones=2, tiered=True, nodes=11, measured=True, indices=4, seed=1455548327))
@example(Recipe(zones=1, tiered=False, nodes=5, measured=True, indices=8, seed=3321808493))
@many
def test_it_ends_and_every_answer_is_explained(recipe: Recipe) -> None:
    world = recipe.world()
    world.settle()
    problem = world.problem
    assert problem.recoveries == 0
    for row in problem.rows.values():
        for number, shard in enumerate(row.routing.spec.shards):
            for position, copy in enumerate(shard.copies):
                body = explain_copy(problem, subject(problem, row, number, position))
                if copy.node is None:
                    assert body["can_allocate"] == "no", body
                    assert all(one["deciders"] for one in body["node_allocation_decisions"])
                elif body["can_remain_on_current_node"] == "no":
                    assert body["can_move_to_other_node"] == "no" or problem.goals, body  # in each other's way
                else:
                    assert body["can_rebalance_to_other_node"] == "no", body


@given(recipes())
@example(Recipe(zones=3, tiered=False, nodes=10, measured=True, indices=2, seed=1544358154))
@many
def test_a_lost_node_moves_only_what_was_on_it(recipe: Recipe) -> None:
    world = recipe.world()
    world.settle()
    if world.problem.goals or world.problem.unassigned or world.problem.rules.allow_rebalance != "indices_all_active":
        return
    lost = world.random.choice(sorted(world.state.nodes))
    held = _placed(world)
    leaving = {
        (row.name, number)
        for row in world.problem.rows.values()
        for number, shard in enumerate(row.routing.spec.shards)
        for position, copy in enumerate(shard.copies)
        if copy.node != lost and not _may_stay(world, row.name, number, position)
    }
    roles = _roles(world)
    world.lose(lost)
    plan = world.solve()
    check(world)
    if roles != _roles(world):  # another tier may be wanted now
        return
    assert {(step.index, step.shard) for step in plan.steps if step.source is not None} <= leaving
    for key, nodes in held.items():
        assert nodes - {lost} <= _placed(world)[key] or key in leaving
    world.settle()


def _placed(world: World) -> dict[tuple[str, int], set[str | None]]:
    return {
        (name, number): {copy.node for copy in shard.placed}
        for name, known in world.state.routing.items()
        for number, shard in enumerate(known.spec.shards)
    }


def _may_stay(world: World, name: str, number: int, position: int) -> bool:
    body = explain_copy(world.problem, subject(world.problem, world.problem.rows[name], number, position))
    return body["can_remain_on_current_node"] == "yes"


def _roles(world: World) -> set[str]:
    return {role for each in world.state.nodes.values() for role in each.spec.roles}


@given(recipes())
@many
def test_a_new_node_takes_its_share_under_the_throttles(recipe: Recipe) -> None:
    world = recipe.world()
    world.settle()
    world.change(node(50, 0, rack="r0"))
    world.settle()
    assert_counted(world.problem)
    problem = world.problem
    plain = not problem.info.disks and all(row.rules.key == ((), ()) for row in problem.rows.values())
    if plain and not problem.unassigned:
        loads = [slot.now for slot in problem.live()]
        assert max(loads) - min(loads) <= 3
