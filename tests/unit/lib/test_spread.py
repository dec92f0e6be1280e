"""Work spread over threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from quidditch.lib.spread import spread


def test_results_stand_in_the_order_of_the_items() -> None:
    async def test() -> None:
        seen: set[int] = set()
        both = threading.Barrier(2)

        def work(item: int) -> int:
            if item < 2:
                both.wait(30)  # two are under way at a time
            seen.add(threading.get_ident())
            return item * item

        assert await spread(asyncio.to_thread, 2, range(50), work) == [item * item for item in range(50)]
        assert len(seen) == 2

    asyncio.run(test())


def test_threads_that_are_refused_or_late_leave_the_work_to_the_others() -> None:
    async def test() -> None:
        calls = iter(range(3))

        async def call(function: Callable[[], None]) -> None:
            number = next(calls)
            if number == 0:
                raise ValueError("refused")
            if number == 1:
                await asyncio.get_running_loop().create_future()  # never begins
            await asyncio.to_thread(function)

        assert await spread(call, 3, range(5), str) == ["0", "1", "2", "3", "4"]

    asyncio.run(test())


def test_what_all_refuse_is_raised() -> None:
    async def test() -> None:
        async def call(_function: Callable[[], None]) -> None:
            raise ValueError("refused")

        with pytest.raises(ValueError, match="refused"):
            await spread(call, 3, range(5), str)

    asyncio.run(test())
