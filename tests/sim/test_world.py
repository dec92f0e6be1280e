"""Short simulations; `make test-sim` runs many."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sim.plans import PLANS
from tests.sim.world import simulate

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_acknowledged_is_lost(seed: int) -> None:
    report = simulate(seed)
    assert report.violation is None, f"make test-sim START={seed} ARGS='--plan usual' shows it"
    assert report.acknowledged


@pytest.mark.parametrize("plan", ["harsh", "rebuild", "leave behind"])
def test_nothing_is_lost_on_the_kernel_itself(plan: str) -> None:
    report = simulate(1, replace(PLANS[plan](1), kernel=True))
    assert report.violation is None
    assert report.acknowledged


@pytest.mark.parametrize("kernel", [False, True], ids=["models", "kernel"])
def test_a_seed_is_replayed_bit_by_bit(kernel: bool) -> None:
    """In processes of their own: addresses in memory and hashes differ between them."""

    def digest(hashes: str) -> str:
        code = (
            "from dataclasses import replace; from tests.sim.plans import PLANS; from tests.sim.world import simulate;"
            f"print(simulate(4, replace(PLANS['lose source'](4), kernel={kernel})).digest)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": os.pathsep.join(["src", "kernel/python"])},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[-1]

    assert digest("0") == digest("1")
