"""The client's own rate limit, under simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sim.loop import simulated

from quidditch.lib.kube.limits import Priority, RateLimit


def run(test: Callable[[], Awaitable[None]]) -> None:
    with simulated(0) as loop:
        loop.run_until_complete(test())


async def takes(limit: RateLimit, log: list[tuple[float, Priority]], priority: Priority) -> None:
    await limit.take(priority)
    log.append((round(asyncio.get_running_loop().time(), 6), priority))


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    async def test() -> None:
        limit, log = RateLimit(10, 5), []
        start = asyncio.get_running_loop().time()
        await asyncio.gather(*(takes(limit, log, Priority.SAFETY) for _ in range(8)))
        assert [round(when - start, 3) for when, _ in log] == [0, 0, 0, 0, 0, 0.1, 0.2, 0.3]

    run(test)


def test_what_is_urgent_goes_first_and_finds_something_left() -> None:
    async def test() -> None:
        limit, log = RateLimit(10, 10), []
        late = [asyncio.create_task(takes(limit, log, Priority.BACKGROUND)) for _ in range(10)]
        await asyncio.sleep(0)
        assert len(log) == 7  # three are kept for others
        usual = [asyncio.create_task(takes(limit, log, Priority.NORMAL)) for _ in range(4)]
        await asyncio.sleep(0)
        assert len(log) == 9  # one is kept for what is urgent
        await takes(limit, log, Priority.SAFETY)
        assert sum(not task.done() for task in (*late, *usual)) == 5
        await asyncio.gather(*late, *usual)
        assert [priority for _, priority in log[10:]] == [Priority.NORMAL] * 2 + [Priority.BACKGROUND] * 3

    run(test)


def test_who_gives_up_costs_nothing() -> None:
    async def test() -> None:
        limit, log = RateLimit(10, 1), []
        await limit.take()
        waiting = [asyncio.create_task(takes(limit, log, Priority.NORMAL)) for _ in range(3)]
        await asyncio.sleep(0)
        start = asyncio.get_running_loop().time()
        waiting[0].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert [round(when - start, 3) for when, _ in log] == [0.1, 0.2]

    run(test)


@given(
    st.lists(st.tuples(st.sampled_from(Priority), st.floats(0, 0.3)), max_size=40),
    st.integers(1, 20),
    st.integers(1, 9),
)
def test_never_more_than_rate_and_burst(asked: list[tuple[Priority, float]], rate: int, burst: int) -> None:
    async def test() -> None:
        limit, log, tasks = RateLimit(rate, burst), [], []
        for priority, pause in asked:
            tasks.append(asyncio.create_task(takes(limit, log, priority)))
            await asyncio.sleep(pause)
        await asyncio.gather(*tasks)
        times = [when for when, _ in log]
        assert len(times) == len(asked)
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= burst + (times[last] - times[first]) * rate + 0.001

    run(test)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_limit_of_nothing_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        RateLimit(rate, burst)
