from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quidditch.reconcile.backoff import Backoff
from quidditch.reconcile.controller import Again, Controller
from quidditch.reconcile.queue import Closed, KeyQueue


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 10))


def test_backoff_doubles_up_to_a_bound_and_forgets() -> None:
    backoff = Backoff(1, 5)
    assert [backoff.failed("a") for _ in range(5)] == [1, 2, 4, 5, 5]
    assert backoff.failed("b") == 1
    backoff.succeeded("a")
    assert backoff.failed("a") == 1
    assert [Backoff(1, 5).failed(n) for n in range(3)] == [1, 1, 1]


def test_a_waiting_key_is_there_once() -> None:
    async def main() -> None:
        queue: KeyQueue[str] = KeyQueue()
        for key in "abab":
            queue.add(key)
        assert [await queue.take(), await queue.take()] == ["a", "b"]
        assert len(queue) == 0

    run(main())


def test_a_key_in_work_comes_again_only_when_it_is_done() -> None:
    async def main() -> None:
        queue: KeyQueue[str] = KeyQueue()
        queue.add("a")
        assert await queue.take() == "a"
        queue.add("a")
        queue.add("a")
        queue.add("b")
        assert await queue.take() == "b"
        assert len(queue) == 0
        queue.done("a")
        assert await queue.take() == "a"
        queue.done("a")
        assert len(queue) == 0

    run(main())


def test_the_sooner_time_counts() -> None:
    async def main() -> None:
        queue: KeyQueue[str] = KeyQueue()
        queue.add_after("a", 1000)
        queue.add_after("a", 0.001)
        queue.add_after("a", 1000)
        assert await queue.take() == "a"
        queue.done("a")
        queue.add_after("a", 1000)
        queue.add("a")
        assert await queue.take() == "a"
        queue.close()
        with pytest.raises(Closed):
            await queue.take()

    run(main())


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 3))
def test_no_key_is_lost_or_worked_on_twice_at_once(adds: list[str], workers: int) -> None:
    async def main() -> None:
        active: set[str] = set()
        seen: dict[str, int] = {}
        added: dict[str, int] = {}
        idle = asyncio.Event()

        async def reconcile(key: str) -> None:
            assert key not in active
            active.add(key)
            seen[key] = added[key]
            await asyncio.sleep(0)
            active.discard(key)
            if seen == added and not active:
                idle.set()

        controller = Controller("test", reconcile, workers=workers)
        controller.start()
        for key in adds:
            added[key] = added.get(key, 0) + 1
            idle.clear()
            controller.add(key)
            await asyncio.sleep(0)
        if adds:
            await idle.wait()
        await controller.stop()
        assert seen == added

    run(main())


def test_outcomes() -> None:
    async def main() -> None:
        calls: list[str] = []
        finished = asyncio.Event()

        async def reconcile(key: str) -> Again | None:
            calls.append(key)
            if calls.count(key) < 3:
                if key == "fails":
                    raise ValueError("not yet")
                return Again(0.001)
            if calls.count("fails") == 3 and calls.count("again") == 3:
                finished.set()
            return None

        controller = Controller("test", reconcile, backoff=Backoff(0.001), quiet=(ValueError,))
        controller.start()
        controller.add("fails")
        controller.add("again")
        await finished.wait()
        await controller.stop()
        assert sorted(calls) == ["again"] * 3 + ["fails"] * 3

    run(main())
