"""Every way to break the protocol is found by the checkers. `make test` tries those that the first seeds find, `make test-sim` all."""

from __future__ import annotations

import os

import pytest

from tests.sim.mutations import MUTATIONS, Mutation, mutated, seeds_to_detection

ALL = bool(os.environ.get("QUIDDITCH_ALL_MUTATIONS"))
SEEDS = 100 if ALL else 6
"""A mutation that is not found in so many seeds is one that nothing would find."""


@pytest.mark.parametrize(
    "mutation", [each for each in MUTATIONS if ALL or each.quick], ids=lambda mutation: str(mutation.name)
)
def test_it_is_found(mutation: Mutation) -> None:
    assert seeds_to_detection(mutation, SEEDS) is not None


def test_every_mutation_changes_what_is_there() -> None:
    for mutation in MUTATIONS:
        with mutated(mutation):
            pass
