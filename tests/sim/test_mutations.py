"""Every way to break the protocol is found by the checkers, in few seeds."""

from __future__ import annotations

import pytest

from tests.sim.mutations import MUTATIONS, Mutation, look_for, mutated
from tests.sim.plans import PLANS
from tests.sim.world import simulate

SEEDS = 12
"""A mutation that is not found in so many seeds is one that nothing would find."""


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: str(mutation.name))
def test_it_is_found(mutation: Mutation) -> None:
    found = look_for(mutation, SEEDS)
    print(f"{mutation.name}: {found.seeds} seeds of [{mutation.plan}], reached {found.reached} times")
    assert found.seeds is not None, f"reached {found.reached} times in {SEEDS} seeds, and nothing was seen"


@pytest.mark.parametrize("plan", PLANS)
def test_without_a_mutation_nothing_is_found(plan: str) -> None:
    for seed in range(2):
        report = simulate(seed, PLANS[plan](seed))
        assert report.violation is None, f"seed {seed}"
        assert report.acknowledged


def test_every_mutation_changes_what_is_there() -> None:
    for mutation in MUTATIONS:
        with mutated(mutation):
            pass
