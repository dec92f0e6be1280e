"""The contract of quidditch.transport.api, for the network in memory and the one over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support.proxy import Proxy

from quidditch.model.errors import ApiError
from quidditch.transport.api import Overloaded, Remote, TimedOut, Transport, UnknownAction, Unreachable
from quidditch.transport.connection import Silence
from quidditch.transport.listener import Listener, Refusals
from quidditch.transport.memory import Network
from quidditch.transport.tcp import TcpTransport


class InMemory:
    """The network in memory, as the tests use every network."""

    def __init__(self) -> None:
        self._network = Network()
        self.cut = self._network.cut
        self.heal = self._network.heal

    async def join(self, node_id: str, max_calls: int = 10_000) -> Transport:
        return self._network.join(node_id, max_calls)

    async def close(self) -> None: ...


class OverTcp:
    """Nodes on loopback ports. Each way from one node to another goes through a proxy of its own, which can be cut."""

    def __init__(self) -> None:
        self._nodes: dict[str, TcpTransport] = {}
        self._targets: dict[str, str] = {}
        self._proxies: dict[tuple[str, str], Proxy] = {}
        self._stack = AsyncExitStack()

    async def join(self, node_id: str, max_calls: int = 10_000) -> Transport:
        transport = TcpTransport(
            node_id, lambda: "uuid", lambda other: self._address(node_id, other), max_calls=max_calls
        )
        host, port = await transport.listen("127.0.0.1", 0)
        self._targets[node_id] = f"{host}:{port}"
        for other in self._nodes:
            for one, two in ((node_id, other), (other, node_id)):
                self._proxies[one, two] = await self._stack.enter_async_context(Proxy.to(self._targets[two]))
        self._nodes[node_id] = transport
        return transport

    def _address(self, one: str, two: str) -> str | None:
        found = self._proxies.get((one, two))
        return found and found.address

    def cut(self, one: str, other: str, *, both: bool = True) -> None:
        self._proxies[one, other].losing_forward = True
        self._proxies[other, one].losing_back = True
        if both:
            self.cut(other, one, both=False)

    def heal(self) -> None:
        for proxy in self._proxies.values():
            proxy.heal()

    async def close(self) -> None:
        for transport in self._nodes.values():
            await transport.close()
        await self._stack.aclose()


AnyNetwork = InMemory | OverTcp
Test = Callable[[AnyNetwork], Coroutine[Any, Any, None]]


@pytest.fixture(params=[InMemory, OverTcp])
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    async def main(test: Test) -> None:
        network = request.param()
        try:
            await asyncio.wait_for(test(network), 20)
        finally:
            await network.close()

    return lambda test: asyncio.run(main(test))


Run = Callable[[Test], None]


async def echo(payload: bytes) -> bytes:
    return payload[::-1]


def test_calls_reach_others_and_oneself(run: Run) -> None:
    async def test(network: AnyNetwork) -> None:
        one, two = await network.join("one"), await network.join("two")
        two.serve("echo", echo)
        one.serve("echo", echo)
        for caller in (one, two):
            for target in ("one", "two"):
                assert await caller.call(target, "echo", b"abc", 5) == b"cba"
        with pytest.raises(ValueError, match="served already"):
            one.serve("echo", echo)

    run(test)


def test_errors_travel_whole(run: Run) -> None:
    async def refuse(_payload: bytes) -> bytes:
        cause = {"type": "t", "reason": "r", "index": "a"}
        raise ApiError(409, "version_conflict_engine_exception", "late", {"shard": "0"}, [cause], {"Retry-After": "1"})

    async def broken(_payload: bytes) -> bytes:
        raise KeyError("x")

    async def test(network: AnyNetwork) -> None:
        one, two = await network.join("one"), await network.join("two")
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


def test_who_is_not_there_or_does_not_serve(run: Run) -> None:
    async def test(network: AnyNetwork) -> None:
        one, two = await network.join("one"), await network.join("two")
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


def test_deadlines_hold_and_the_work_goes_on(run: Run) -> None:
    async def test(network: AnyNetwork) -> None:
        started, release, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def slow(_payload: bytes) -> bytes:
            started.set()
            await release.wait()
            finished.set()
            return b""

        one, two = await network.join("one"), await network.join("two")
        two.serve("slow", slow)
        pending = asyncio.ensure_future(one.call("two", "slow", b"", 0.5))
        await started.wait()
        with pytest.raises(TimedOut):
            await pending
        release.set()
        await finished.wait()

    run(test)


def test_closing_fails_what_is_under_way(run: Run) -> None:
    async def test(network: AnyNetwork) -> None:
        started = asyncio.Event()

        async def forever(_payload: bytes) -> bytes:
            started.set()
            await asyncio.get_running_loop().create_future()
            return b""

        one, two = await network.join("one"), await network.join("two")
        two.serve("forever", forever)
        pending = asyncio.ensure_future(one.call("two", "forever", b"", 30))
        await started.wait()
        await two.close()
        with pytest.raises(Unreachable):
            await pending

    run(test)


def test_a_node_takes_only_so_many_calls(run: Run) -> None:
    async def test(network: AnyNetwork) -> None:
        release, started = asyncio.Event(), asyncio.Semaphore(0)

        async def wait(_payload: bytes) -> bytes:
            started.release()
            await release.wait()
            return b"done"

        one, two = await network.join("one"), await network.join("two", max_calls=2)
        two.serve("wait", wait)
        pending = [asyncio.ensure_future(one.call("two", "wait", b"", 5)) for _ in range(2)]
        for _ in pending:
            await started.acquire()
        with pytest.raises(Overloaded):
            await one.call("two", "wait", b"", 5)
        release.set()
        assert await asyncio.gather(*pending) == [b"done", b"done"]
        assert await one.call("two", "wait", b"", 5) == b"done"

    run(test)


def test_a_partition_is_silent_and_may_go_one_way(run: Run) -> None:
    async def test(network: AnyNetwork) -> None:
        seen: list[bytes] = []
        heard = asyncio.Event()

        async def note(payload: bytes) -> bytes:
            seen.append(payload)
            if payload == b"answer lost":
                heard.set()
            return b"ok"

        one, two = await network.join("one"), await network.join("two")
        one.serve("note", note)
        two.serve("note", note)
        for caller, target in ((one, "two"), (two, "one")):
            assert await caller.call(target, "note", b"before", 5) == b"ok"
        network.cut("one", "two", both=False)
        with pytest.raises(TimedOut):
            await one.call("two", "note", b"lost", 0.05)
        unanswered = asyncio.ensure_future(two.call("one", "note", b"answer lost", 1))
        await heard.wait()
        with pytest.raises(TimedOut):
            await unanswered
        assert b"lost" not in seen
        network.heal()
        assert await until(lambda: one.call("two", "note", b"through", 5)) == b"ok"

    run(test)


async def until(call: Callable[[], Awaitable[bytes]]) -> bytes:
    """The answer once the way is whole: a connection that lost bytes breaks first."""
    while True:
        try:
            return await call()
        except (Unreachable, TimedOut):
            await asyncio.sleep(0)


async def becomes(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(0.01)


def test_a_silent_connection_is_given_up(run: Run) -> None:
    """What waits for an answer learns it from the heartbeat, long before its own deadline."""

    async def test(network: AnyNetwork) -> None:
        async def forever(_payload: bytes) -> bytes:
            await asyncio.get_running_loop().create_future()
            return b""

        if isinstance(network, InMemory):
            return  # the twin's partitions are found by deadlines alone
        one, two = await network.join("one"), await network.join("two")
        two.serve("forever", forever)
        two.serve("echo", echo)
        assert await one.call("two", "echo", b"ab", 5) == b"ba"
        pending = asyncio.ensure_future(one.call("two", "forever", b"", 600))
        await asyncio.sleep(0)
        network.cut("one", "two")
        # Whichever end is the first to find the other silent closes the connection.
        with pytest.raises(Unreachable, match=r"nothing heard|connection was closed"):
            await pending

    run(test)


def test_a_connection_that_was_pinged_seldom_survives_that_less_silence_is_allowed() -> None:
    async def test() -> None:
        allowed = Silence(ping=1.5, dead=60)
        addresses: dict[str, str] = {}
        one, two = (
            TcpTransport(name, lambda: "uuid", addresses.get, silence_allowed=lambda: allowed)
            for name in ("one", "two")
        )
        try:
            addresses["two"] = ":".join(map(str, await two.listen("127.0.0.1", 0)))
            two.serve("echo", echo)
            assert await one.call("two", "echo", b"ab", 5) == b"ba"
            allowed = Silence(ping=0.05, dead=1.0)
            heard = one.traffic.received
            await becomes(lambda: one.traffic.received > heard + 5)
            assert one.traffic.dialled == 1
            assert two.taken == 1
        finally:
            await one.close()
            await two.close()

    asyncio.run(asyncio.wait_for(test(), 20))


def test_who_has_not_been_heard_for_how_long_is_known(run: Run) -> None:
    """Of a node that is cut off before its connection is given up, also while it is dialled."""

    async def test(network: AnyNetwork) -> None:
        one, two = await network.join("one"), await network.join("two")
        two.serve("echo", echo)
        assert one.silence("nobody") == one.silence("two") == 0
        assert await one.call("two", "echo", b"ab", 5) == b"ba"
        assert one.silence("two") < 1
        network.cut("one", "two")
        await becomes(lambda: one.silence("two") > 1.25)
        with pytest.raises((Unreachable, TimedOut)):
            await one.call("two", "echo", b"ab", 3)
        dialling = asyncio.ensure_future(one.call("two", "echo", b"ab", 5))
        await becomes(lambda: one.silence("two") > 0.1)
        network.heal()
        with contextlib.suppress(Unreachable, TimedOut):
            await dialling
        assert await until(lambda: one.call("two", "echo", b"ab", 5)) == b"ba"
        assert one.silence("two") < 1

    run(test)


def test_calls_to_another_cluster_or_another_tenant_are_refused() -> None:
    async def main() -> None:
        addresses: dict[str, str] = {}
        nodes = [TcpTransport(name, lambda c=cluster: c, addresses.get) for name, cluster in (("a", "x"), ("b", "y"))]
        for node in nodes:
            node.serve("echo", echo)
            host, port = await node.listen("127.0.0.1", 0)
            addresses[node.node_id] = f"{host}:{port}"
        with pytest.raises(Unreachable):
            await nodes[0].call("b", "echo", b"", 5)
        third = TcpTransport("c", lambda: "x", lambda _node: addresses["a"])
        with pytest.raises(Unreachable):
            await third.call("d", "echo", b"", 5)
        assert await third.call("a", "echo", b"ab", 5) == b"ba"
        for node in (*nodes, third):
            await node.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_an_answer_does_not_wait_for_a_fuller_packet() -> None:
    """With Nagle's algorithm an answer waits tens of milliseconds for the other end to acknowledge the one before."""

    class Watched(asyncio.Protocol):
        def __init__(self, made: asyncio.Future[asyncio.BaseTransport]) -> None:
            self._made = made

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._made.set_result(transport)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        here, there = loop.create_future(), loop.create_future()
        listener = Listener(lambda: Watched(here), None, Refusals())
        try:
            await loop.create_connection(lambda: Watched(there), *await listener.open("127.0.0.1", 0))
            for transport in (await here, await there):
                assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                transport.abort()
        finally:
            await listener.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_great_payloads_and_many_calls_at_once(run: Run) -> None:
    async def test(network: AnyNetwork) -> None:
        one, two = await network.join("one"), await network.join("two")
        two.serve("echo", echo)
        payloads = [bytes([number % 251]) * (1 << (number % 21)) for number in range(63)]
        answers = await asyncio.gather(*(one.call("two", "echo", payload, 20) for payload in payloads))
        assert answers == [payload[::-1] for payload in payloads]

    run(test)


def test_a_held_link_passes_what_was_sent_once_it_heals() -> None:
    async def main() -> None:
        network = Network()
        one, two = network.join("one"), network.join("two")
        two.serve("echo", echo)
        network.hold("one", "two")
        pending = asyncio.ensure_future(one.call("two", "echo", b"held", 5))
        await asyncio.sleep(0)
        assert not pending.done()
        network.heal()
        assert await pending == b"dleh"
        await two.close()

    asyncio.run(asyncio.wait_for(main(), 10))
