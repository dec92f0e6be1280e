"""Threads with a bounded queue: what is refused, what is counted."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from quidditch.datanode.pools import _BEHIND, Pool
from quidditch.model.errors import ApiError


def test_beyond_the_queue_calls_are_refused_at_once() -> None:
    async def test() -> None:
        pool = Pool("some", threads=2, places=1)
        release = threading.Event()
        calls = [asyncio.create_task(pool.run(release.wait, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        assert (pool.active, pool.queue, pool.rejected) == (2, 1, 0)
        with pytest.raises(ApiError) as refused:
            await pool.run(int)
        assert (refused.value.status, refused.value.type) == (429, "rejected_execution_exception")
        anyway = asyncio.create_task(pool.run_anyway(int))
        await asyncio.sleep(0)
        assert (pool.active, pool.queue, pool.rejected) == (2, 2, 1)
        release.set()
        assert await asyncio.gather(*calls, anyway) == [True, True, True, 0]
        assert (pool.active, pool.queue, pool.largest, pool.completed) == (0, 0, 2, 4)
        assert await pool.run(int) == 0
        pool.close()

    asyncio.run(test())


def test_a_thread_whose_caller_has_left_is_still_taken() -> None:
    async def test() -> None:
        pool = Pool("some", threads=1, places=0)
        begun, release = threading.Event(), threading.Event()

        def work() -> None:
            begun.set()
            release.wait(30)

        call = asyncio.create_task(pool.run(work))
        await asyncio.to_thread(begun.wait, 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert pool.active == 1
        with pytest.raises(ApiError):
            await pool.run(int)
        release.set()
        await pool.run_anyway(int)
        assert pool.active == 0
        assert await pool.run(int) == 0
        pool.close()

    asyncio.run(test())


def test_threads_stand_back_behind_the_event_loop() -> None:
    async def test() -> None:
        pool = Pool("some", threads=1)
        mine = os.getpriority(os.PRIO_PROCESS, 0)
        theirs = await pool.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        assert theirs == min(mine + _BEHIND, 19)
        pool.close()

    asyncio.run(test())
