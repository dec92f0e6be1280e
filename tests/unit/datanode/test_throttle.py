"""What recoveries carry, in simulated time."""

from __future__ import annotations

import asyncio

import pytest
from tests.sim.loop import simulated

from quidditch.datanode.recovery.throttle import Throttle


class _LoopClock:
    def now_ms(self) -> int:
        return int(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def _take(throttle: Throttle, size: int, times: int) -> float:
    return sum([await throttle.take(size) for _ in range(times)])


def _spent(streams: int, rate: float, change: float | None = None) -> float:
    """Simulated seconds in which so many streams carry 1000 bytes in all; after one second the rate changes."""
    now = rate

    async def main() -> float:
        nonlocal now
        loop = asyncio.get_running_loop()
        throttle = Throttle(lambda: now, _LoopClock())
        began = loop.time()
        tasks = [asyncio.ensure_future(_take(throttle, 10, 100 // streams)) for _ in range(streams)]
        if change is not None:
            await asyncio.sleep(1)
            now = change
        await asyncio.gather(*tasks)
        return loop.time() - began

    with simulated(1) as loop:
        return float(loop.run_until_complete(main()))


@pytest.mark.parametrize("streams", [1, 2, 10])
def test_all_together_carry_what_is_allowed(streams: int) -> None:
    assert 9.0 <= _spent(streams, 100.0) <= 10.5


def test_without_a_limit_nobody_waits() -> None:
    assert _spent(2, 0.0) < 0.1


def test_another_rate_holds_for_those_that_wait() -> None:
    assert _spent(2, 1.0, 100_000.0) < 1.5
    assert _spent(2, 1.0, 0.0) < 1.5
