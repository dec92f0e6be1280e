"""`python -m tests.sim`: runs seeds of the simulation; `--trace` shows what happens in one."""

from __future__ import annotations

import argparse
import functools
import gc
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import structlog

_SEEDS, _CHUNKS = 4, 8
"""How many seeds a process is given at once, and how often."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    parser.add_argument(
        "--plan", help="the kind of run for all seeds, by its name in plans.py; all kinds in turn otherwise"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of texts go by their hashes: only with these fixed are two runs the same.
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    quiet()
    if args.trace:
        report = _simulate(args.start, args.plan, print)
        print(report)
        return int(report.violation is not None)
    failed = 0
    began = time.perf_counter()
    seconds = acknowledged = done = 0
    for report in _run(range(args.start, args.start + args.seeds), args.plan, args.jobs):
        done += 1
        seconds += report.simulated_seconds
        acknowledged += report.acknowledged
        if report.violation is not None:
            failed += 1
            print(f"seed {report.seed}: {report.violation}", flush=True)
        elif done % 100 == 0:
            print(f"{done} seeds", flush=True)
    took = time.perf_counter() - began
    print(
        f"{done} seeds, {failed} failed; {acknowledged} writes acknowledged in {seconds:.0f} s of simulated time, {took:.0f} s of real"
    )
    if failed:
        print("make test-sim START=SEED shows one")
    return int(failed > 0)


def quiet() -> None:
    """What a simulated cluster logs is not worth its time."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _simulate(seed: int, plan: str | None, echo: Any = None) -> Any:
    from tests.sim.plans import PLANS, plan_of
    from tests.sim.world import simulate

    return simulate(seed, PLANS[plan](seed) if plan else plan_of(seed), echo)


def _begin() -> None:
    """A process ends before what its seeds leave is too much: that costs less than to look through it for garbage."""
    quiet()
    gc.disable()


def _run(seeds: range, plan: str | None, jobs: int) -> Iterator[Any]:
    from tests.sim import plans

    del plans  # what all processes need is loaded once
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, _begin, maxtasksperchild=_CHUNKS) as pool:
        yield from pool.imap(functools.partial(_simulate, plan=plan), seeds, chunksize=_SEEDS)


if __name__ == "__main__":
    sys.exit(main())
