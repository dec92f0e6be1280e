"""Short simulations; `make test-sim` runs many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.world import simulate

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(8))
def test_nothing_acknowledged_is_lost(seed: int) -> None:
    report = simulate(seed)
    assert report.violation is None, f"make test-sim START={seed} ARGS='--plan usual' shows it"
    assert report.acknowledged


def test_a_seed_is_replayed_bit_by_bit() -> None:
    """In processes of their own: addresses in memory and hashes differ between them."""

    def digest() -> str:
        code = "from tests.sim.world import simulate; print(simulate(7).digest)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(["src", "kernel/python"])},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[-1]

    assert digest() == digest()
