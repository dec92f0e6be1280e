"""The contract of quidditch.transport.api; a network transport joins the list of makers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from quidditch.model.errors import ApiError
from quidditch.transport.api import Overloaded, Remote, TimedOut, UnknownAction, Unreachable
from quidditch.transport.memory import Network


def run(test: Callable[[Network], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(test(Network()), 10)

    asyncio.run(main())


async def echo(payload: bytes) -> bytes:
    return payload[::-1]


def test_calls_reach_others_and_oneself() -> None:
    async def test(network: Network) -> None:
        one, two = network.join("one"), network.join("two")
        two.serve("echo", echo)
        one.serve("echo", echo)
        for caller in (one, two):
            for target in ("one", "two"):
                assert await caller.call(target, "echo", b"abc", 5) == b"cba"
        with pytest.raises(ValueError, match="served already"):
            one.serve("echo", echo)

    run(test)


def test_errors_travel_whole() -> None:
    async def refuse(_payload: bytes) -> bytes:
        cause = {"type": "t", "reason": "r", "index": "a"}
        raise ApiError(409, "version_conflict_engine_exception", "late", {"shard": "0"}, [cause], {"Retry-After": "1"})

    async def broken(_payload: bytes) -> bytes:
        raise KeyError("x")

    async def test(network: Network) -> None:
        one, two = network.join("one"), network.join("two")
        for transport in (one, two):
            transport.serve("refuse", refuse)
            transport.serve("broken", broken)
        for target in ("one", "two"):
            with pytest.raises(Remote) as caught:
                await one.call(target, "refuse", b"", 5)
            error = caught.value
            assert (error.status, error.type, error.reason, error.details) == (
                409,
                "version_conflict_engine_exception",
                "late",
                {"shard": "0"},
            )
            assert error.root_cause == [{"type": "t", "reason": "r", "index": "a"}]
            assert error.headers == {"Retry-After": "1"}
            with pytest.raises(Remote) as caught:
                await one.call(target, "broken", b"", 5)
            assert (caught.value.status, caught.value.reason) == (500, "KeyError: 'x'")

    run(test)


def test_who_is_not_there_or_does_not_serve() -> None:
    async def test(network: Network) -> None:
        one, two = network.join("one"), network.join("two")
        with pytest.raises(UnknownAction):
            await one.call("two", "nothing", b"", 5)
        with pytest.raises(UnknownAction):
            await one.call("one", "nothing", b"", 5)
        with pytest.raises(Unreachable):
            await one.call("three", "echo", b"", 5)
        await two.close()
        with pytest.raises(Unreachable):
            await one.call("two", "echo", b"", 5)
        with pytest.raises(Unreachable):
            await two.call("one", "echo", b"", 5)

    run(test)


def test_deadlines_hold_and_the_work_goes_on() -> None:
    async def test(network: Network) -> None:
        finished = asyncio.Event()
        release = asyncio.Event()

        async def slow(_payload: bytes) -> bytes:
            await release.wait()
            finished.set()
            return b""

        one, two = network.join("one"), network.join("two")
        two.serve("slow", slow)
        with pytest.raises(TimedOut):
            await one.call("two", "slow", b"", 0.01)
        release.set()
        await finished.wait()

    run(test)


def test_closing_fails_what_is_under_way() -> None:
    async def test(network: Network) -> None:
        started = asyncio.Event()

        async def forever(_payload: bytes) -> bytes:
            started.set()
            await asyncio.get_running_loop().create_future()
            return b""

        one, two = network.join("one"), network.join("two")
        two.serve("forever", forever)
        pending = asyncio.ensure_future(one.call("two", "forever", b"", 30))
        await started.wait()
        await two.close()
        with pytest.raises(Unreachable):
            await pending

    run(test)


def test_a_node_takes_only_so_many_calls() -> None:
    async def test(network: Network) -> None:
        release = asyncio.Event()

        async def wait(_payload: bytes) -> bytes:
            await release.wait()
            return b"done"

        one, two = network.join("one"), network.join("two", max_calls=2)
        two.serve("wait", wait)
        pending = [asyncio.ensure_future(one.call("two", "wait", b"", 5)) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await one.call("two", "wait", b"", 5)
        release.set()
        assert await asyncio.gather(*pending) == [b"done", b"done"]
        assert await one.call("two", "wait", b"", 5) == b"done"

    run(test)


def test_a_partition_is_silent_and_may_go_one_way() -> None:
    async def test(network: Network) -> None:
        seen: list[bytes] = []

        async def note(payload: bytes) -> bytes:
            seen.append(payload)
            return b"ok"

        one, two = network.join("one"), network.join("two")
        one.serve("note", note)
        two.serve("note", note)
        network.cut("one", "two", both=False)
        with pytest.raises(TimedOut):
            await one.call("two", "note", b"lost", 0.01)
        with pytest.raises(TimedOut):
            await two.call("one", "note", b"answer lost", 0.01)
        assert seen == [b"answer lost"]
        network.heal()
        assert await one.call("two", "note", b"through", 5) == b"ok"
        network.hold("one", "two")
        pending = asyncio.ensure_future(one.call("two", "note", b"held", 5))
        await asyncio.sleep(0)
        assert seen[-1] == b"through"
        network.heal()
        assert await pending == b"ok"

    run(test)
