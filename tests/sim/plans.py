"""The kinds of runs by name: usual ones, hard faults of all kinds, and faults that are aimed at one danger (`tests/sim/aimed.py`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.sim.world import Plan

PLANS: dict[str, Callable[[int], Plan]] = {
    "usual": Plan.of,
    "harsh": Plan.harsh,
    "relay": lambda seed: Plan.aimed(seed, "relay", replicas=1),
    "blackout": lambda seed: Plan.aimed(seed, "blackout"),
    "leave behind": lambda seed: Plan.aimed(seed, "leave_behind", timeouts=(100, 10_000)),
    "deposed": lambda seed: Plan.aimed(seed, "deposed"),
    "late operations": lambda seed: Plan.aimed(seed, "late_operations", timeouts=(100, 10_000)),
    "rebuild": lambda seed: Plan.aimed(seed, "rebuild", replicas=1, work=0.02, pause=0.02, writers=8),
    "build beside a slow one": lambda seed: Plan.aimed(
        seed, "build_beside_a_slow_one", replicas=1, work=0.01, writers=8
    ),
    "lose source": lambda seed: Plan.aimed(seed, "lose_source", replicas=1),
    "move primary": lambda seed: Plan.aimed(seed, "move_primary", replicas=1, work=0.01, pause=0.02, writers=8),
    "flush and part": lambda seed: Plan.aimed(seed, "flush_and_part"),
}


def plan_of(seed: int) -> Plan:
    """Every other seed is a usual run; those between are of the other kinds in turn. One of five is on the kernel itself."""
    _, *others = PLANS.values()
    plan = others[seed // 2 % len(others)](seed) if seed % 2 else Plan.of(seed)
    return replace(plan, kernel=seed % 5 == 3)
