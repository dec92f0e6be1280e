"""The simulated event loop: time, order, lives."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid

import pytest

from tests.sim.loop import Deadlock, Life, simulated


def test_time_passes_when_nothing_else_can_happen() -> None:
    with simulated(1) as loop:

        async def main() -> list[float]:
            began = time.monotonic()
            await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(10))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(loop.create_future(), 5)
            return [began, time.monotonic()]

        assert loop.run_until_complete(main()) == [0, 3605]


def test_chance_and_time_are_those_of_the_seed() -> None:
    def numbers(seed: int) -> tuple[str, str, int]:
        with simulated(seed):
            return secrets.token_urlsafe(4), str(uuid.uuid4()), time.time_ns()

    assert numbers(3) == numbers(3)
    assert numbers(3) != numbers(4)


def test_a_paused_life_catches_up_and_a_dead_one_does_nothing_more() -> None:
    with simulated(1) as loop:
        seen: list[tuple[str, float]] = []
        ended: list[str] = []

        async def tick(name: str) -> None:
            try:
                while True:
                    await asyncio.sleep(1)
                    seen.append((name, loop.time()))
            finally:
                ended.append(name)

        async def main() -> None:
            one, two = Life("one"), Life("two")
            loop.spawn(one, tick("one"))
            loop.spawn(two, tick("two"))
            await asyncio.sleep(1.5)
            loop.pause(one)
            loop.kill(two)
            await asyncio.sleep(2)
            loop.resume(one)
            await asyncio.sleep(1.25)

        loop.run_until_complete(main())
        assert seen == [("one", 1), ("two", 1), ("one", 3.5), ("one", 4.5)]
        assert not ended


def test_work_for_threads_is_done_here() -> None:
    with simulated(1) as loop:

        async def main() -> int:
            return await asyncio.to_thread(lambda: 7)

        assert loop.run_until_complete(main()) == 7


def test_nothing_left_to_do_is_an_error() -> None:
    with simulated(1) as loop, pytest.raises(Deadlock):
        loop.run_until_complete(loop.create_future())
