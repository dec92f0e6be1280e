"""A process of many nodes for `benchmarks.control`: real ways to the leader over TCP, shards that start as soon as they are placed.

Takes one task a line on stdin, as JSON, and answers with one line on stdout.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from quidditch.controlplane import wire
from quidditch.controlplane.core.commands import CreateIndex, ShardStarted
from quidditch.controlplane.remote import RemoteControl
from quidditch.coordinator import copies
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.lib.logging import configure
from quidditch.model.objects import NodeSpec
from quidditch.model.state import ClusterState
from quidditch.transport.tcp import TcpTransport

SETTINGS = {"number_of_shards": 1, "number_of_replicas": 0}


class BenchNode:
    """One node; notes when it applied which version."""

    def __init__(self, name: str, transport: TcpTransport, spec: NodeSpec, leader: str) -> None:
        self.name = name
        self.transport = transport
        self.control = RemoteControl(transport, spec, [leader], SystemClock(), RandomIds())
        self.control._fresh = False  # what the store says that it holds is open
        self.versions: list[int] = []
        self.times: list[float] = []
        self._reports: set[asyncio.Task[Any]] = set()
        self.control.subscribe(self._applied)

    @classmethod
    async def join(cls, number: int, leader: str) -> BenchNode:
        name = f"node-{number}"
        nodes: list[BenchNode] = []
        transport = TcpTransport(
            name,
            lambda: "",
            lambda node: nodes[0].control.state.nodes[node].spec.transport_address,
        )
        host, port = await transport.listen("127.0.0.1", 0)
        spec = NodeSpec(
            id=name, name=name, ephemeral_id=name, roles=("data",), host=host, transport_address=f"{host}:{port}"
        )
        nodes.append(cls(name, transport, spec, leader))
        await nodes[0].control.start()
        return nodes[0]

    def _applied(self, old: ClusterState, new: ClusterState) -> None:
        self.versions.append(new.version)
        self.times.append(time.monotonic())
        for name in new.differs(old, "Routing"):
            routing = new.routing.get(name)
            for number, shard in enumerate(routing.spec.shards if routing is not None else ()):
                copy = shard.copies[0]
                if routing is not None and copy.node == self.name and copy.state == "INITIALIZING":
                    started = ShardStarted(
                        index=name, uuid=routing.spec.uuid, shard=number, allocation_id=copy.allocation_id or ""
                    )
                    task = asyncio.ensure_future(self.control.submit(started))
                    self._reports.add(task)
                    task.add_done_callback(self._reports.discard)

    def applied_at(self, version: int) -> float:
        """When it had this version or a later one."""
        return self.times[bisect_left(self.versions, version)]


class Nodes:
    def __init__(self, nodes: list[BenchNode]) -> None:
        self._nodes = nodes
        self._names = itertools.count()

    async def create(self, count: int, clients: int) -> dict[str, Any]:
        """So many indices by so many clients, each through one of the nodes: a second, p50 and p99 in ms of the answer."""
        numbers = iter(range(count))
        taken: list[float] = []

        async def client(node: BenchNode) -> None:
            for _ in numbers:
                began = time.perf_counter()
                await node.control.submit(CreateIndex(name=f"made-{next(self._names)}", settings=SETTINGS), 120)
                taken.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(client(self._nodes[number % len(self._nodes)]) for number in range(clients)))
        return _told(count, time.perf_counter() - began, taken)

    async def steadily(self, count: int, a_second: float) -> dict[str, Any]:
        """So many indices, each asked for when its time has come, however many others are still waited for: p50 and p99 in ms from
        then on to the answer.
        """
        taken: list[float] = []
        began = time.perf_counter()

        async def one(number: int) -> None:
            due = began + number / a_second
            await asyncio.sleep(due - time.perf_counter())
            node = self._nodes[number % len(self._nodes)]
            await node.control.submit(CreateIndex(name=f"made-{next(self._names)}", settings=SETTINGS), 120)
            taken.append(time.perf_counter() - due)

        await asyncio.gather(*(one(number) for number in range(count)))
        return _told(count, time.perf_counter() - began, taken)

    async def applied(self, versions: list[int]) -> list[float]:
        """For each version when the last node had it."""
        return [max(node.applied_at(version) for node in self._nodes) for version in versions]

    async def beats(self, seconds: float, in_flight: int) -> float:
        """Heartbeats that the leader answers a second."""
        count = 0
        end = time.perf_counter() + seconds

        async def beat(node: BenchNode) -> None:
            nonlocal count
            control = node.control
            message = wire.encode(wire.Beat(node.name, node.name, control._epoch, control.state.version))
            while time.perf_counter() < end:
                answer = await node.transport.call(control._leader, wire.BEAT, message, 10.0)
                assert wire.decode(answer, wire.Heard).known
                count += 1

        began = time.perf_counter()
        await asyncio.gather(*(beat(self._nodes[number % len(self._nodes)]) for number in range(in_flight)))
        return count / (time.perf_counter() - began)

    async def lookups(self, seconds: float) -> float:
        """Shards for which a node finds the copies that may be read, a second."""
        node = self._nodes[0]
        state = node.control.state
        names = list(state.indices)
        count = 0
        began = time.perf_counter()
        while time.perf_counter() < began + seconds:
            for name in names[:1000]:
                index = state.index(name)
                if copies.readable(state, index, 0, node.name):
                    count += 1
        return count / (time.perf_counter() - began)


def _told(count: int, seconds: float, taken: list[float]) -> dict[str, Any]:
    taken.sort()
    return {
        "a_second": count / seconds,
        "p50": taken[len(taken) // 2] * 1e3,
        "p99": taken[int(len(taken) * 0.99)] * 1e3,
    }


async def main() -> None:
    configure("error", sys.stderr)
    gc.collect()
    gc.freeze()  # as every process of a node does once it serves
    leader, count = sys.argv[1], int(sys.argv[2])
    nodes = Nodes([await BenchNode.join(number, leader) for number in range(count)])
    tasks: dict[str, Callable[..., Awaitable[Any]]] = {
        "create": nodes.create,
        "steadily": nodes.steadily,
        "applied": nodes.applied,
        "beats": nodes.beats,
        "lookups": nodes.lookups,
    }
    print(json.dumps("joined"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        task = json.loads(line)
        print(json.dumps(await tasks[task.pop("task")](**task)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
