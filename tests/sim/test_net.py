"""The simulated network: what a caller hears when things go wrong."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest

from quidditch.model.errors import ApiError
from quidditch.transport.api import NotSent, Remote, TimedOut, UnknownAction, Unreachable
from tests.sim.loop import Life, SimulatedLoop, simulated
from tests.sim.net import Network, SimulatedTransport
from tests.sim.trace import Trace


class Sim(NamedTuple):
    loop: SimulatedLoop
    net: Network
    one: SimulatedTransport
    two: SimulatedTransport


Test = Callable[[Sim], Coroutine[Any, Any, Any]]


def run(test: Test, seed: int = 1) -> Any:
    with simulated(seed) as loop:
        net = Network(loop, Trace(loop.time), seed, lambda action: action == "twice")
        one, two = net.join("one", Life("one")), net.join("two", Life("two"))
        return loop.run_until_complete(loop.spawn(one.life, test(Sim(loop, net, one, two))))


async def echo(payload: bytes) -> bytes:
    return payload


def test_calls_are_answered_and_errors_travel() -> None:
    async def test(sim: Sim) -> None:
        async def refuse(_: bytes) -> bytes:
            raise ApiError(409, "some_exception", "no")

        sim.two.serve("echo", echo)
        sim.two.serve("refuse", refuse)
        assert await sim.one.call("@two", "echo", b"x", 1) == b"x"
        with pytest.raises(Remote, match="some_exception"):
            await sim.one.call("two", "refuse", b"", 1)
        with pytest.raises(UnknownAction):
            await sim.one.call("two", "what", b"", 1)
        with pytest.raises(NotSent):
            await sim.one.call("three", "echo", b"", 1)

    run(test)


@pytest.mark.parametrize("back", [True, False])
def test_a_cut_link_is_silent_until_the_connection_counts_as_dead(back: bool) -> None:
    async def test(sim: Sim) -> None:
        sim.two.serve("echo", echo)
        sim.net.part(["two"], ["one"], back=back)
        with pytest.raises(TimedOut):
            await sim.one.call("two", "echo", b"", 1)
        with pytest.raises(Unreachable) as caught:
            await sim.one.call("two", "echo", b"", 10)
        assert not isinstance(caught.value, NotSent)
        with pytest.raises(NotSent):
            await sim.one.call("two", "echo", b"", 10)
        sim.net.heal()
        assert await sim.one.call("two", "echo", b"x", 1) == b"x"

    run(test)


def test_a_crash_resets_connections_or_is_silent() -> None:
    async def test(sim: Sim) -> None:
        async def never(_: bytes) -> bytes:
            await sim.loop.create_future()
            return b""

        sim.two.serve("never", never)
        for silent in (False, True):
            before = sim.loop.time()
            sim.loop.call_later(0.1, sim.net.crashed, "two", silent)
            with pytest.raises(Unreachable):
                await sim.one.call("two", "never", b"", 10)
            assert (sim.loop.time() - before > 2) == silent
            sim.net.join("two", Life("two")).serve("never", never)

    run(test)


def test_a_message_may_come_twice_and_is_answered_once() -> None:
    async def test(sim: Sim) -> None:
        seen: list[bytes] = []

        async def count(payload: bytes) -> bytes:
            seen.append(payload)
            return payload

        sim.two.serve("twice", count)
        sim.two.serve("once", count)
        sim.net.double = 1.0
        assert await sim.one.call("two", "twice", b"x", 1) == b"x"
        assert await sim.one.call("two", "once", b"y", 1) == b"y"
        sim.net.double = 0
        await sim.one.call("two", "once", b"z", 1)
        assert sorted(seen) == [b"x", b"x", b"y", b"z"]

    run(test)


def test_two_runs_of_a_seed_are_the_same() -> None:
    async def test(sim: Sim) -> str:
        sim.two.serve("echo", echo)
        sim.net.drop = sim.net.slow = 0.2
        for number in range(50):
            try:
                await sim.one.call("two", "echo", str(number).encode(), 1)
            except (TimedOut, Unreachable) as error:
                sim.net.trace.note(type(error).__name__)
        return sim.net.trace.digest()

    assert run(test, 5) == run(test, 5)
    assert run(test, 5) != run(test, 6)
