"""`python -m tests.sim`: runs seeds of the simulation; `--trace` shows what happens in one."""

from __future__ import annotations

import argparse
import concurrent.futures
import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import structlog


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of texts go by their hashes: only with these fixed are two runs the same.
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    quiet()
    if args.trace:
        from tests.sim.world import simulate

        report = simulate(args.start, echo=print)
        print(report)
        return int(report.violation is not None)
    failed = 0
    began = time.perf_counter()
    seconds = acknowledged = done = 0
    for report in _run(range(args.start, args.start + args.seeds), args.jobs):
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


def _run(seeds: range, jobs: int) -> Iterator[Any]:
    from tests.sim.world import simulate

    if jobs == 1:
        yield from map(simulate, seeds)
        return
    with concurrent.futures.ProcessPoolExecutor(jobs, initializer=quiet) as pool:
        yield from pool.map(simulate, seeds, chunksize=4)


if __name__ == "__main__":
    sys.exit(main())
