from __future__ import annotations

import asyncio

import pytest

from quidditch.datanode.replication.permits import Permits


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_is_alone_waits_for_operations_and_holds_new_ones_off() -> None:
    async def test() -> None:
        permits, seen = Permits(), []
        release = asyncio.Event()

        async def first() -> None:
            async with permits.operation():
                await release.wait()
                seen.append("first")

        async def alone() -> None:
            async with permits.alone(30):
                assert permits.active == 0
                seen.append("alone")

        async def second() -> None:
            async with permits.operation():
                seen.append("second")

        tasks = []
        for work in (first, alone, second):
            tasks.append(asyncio.create_task(work()))
            await _turns()
        assert seen == []
        release.set()
        await asyncio.gather(*tasks)
        assert seen == ["first", "alone", "second"]

    asyncio.run(test())


def test_nobody_is_alone_while_an_operation_does_not_end_and_operations_go_on() -> None:
    async def test() -> None:
        permits = Permits()
        async with permits.operation():
            with pytest.raises(TimeoutError):
                async with permits.alone(0.01):
                    raise AssertionError
            async with permits.operation():
                assert permits.active == 2

    asyncio.run(test())


def test_closing_refuses_those_that_wait_too() -> None:
    async def test() -> None:
        permits = Permits()

        async def late() -> None:
            async with permits.operation():
                raise AssertionError

        async with permits.alone(1):
            waiting = asyncio.create_task(late())
            await _turns()
            permits.close(ValueError("closed"))
            with pytest.raises(ValueError, match="closed"):
                await waiting
        with pytest.raises(ValueError, match="closed"):
            permits.check()

    asyncio.run(test())
