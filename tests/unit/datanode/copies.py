"""A primary and replicas over the model engine, the network in memory, and the real decisions of the control plane."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from tests.sim.disk import Disk
from tests.sim.model import ModelShard, Runtime
from tests.sim.slices import Slice, SliceResult
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.commands import Command, CreateIndex, NodeLeft
from quidditch.datanode.replication.copy_calls import Patience
from quidditch.datanode.replication.primary import Primary, ShardId
from quidditch.datanode.replication.replica import Replica
from quidditch.datanode.replication.tracker import ReplicationTracker
from quidditch.lib.clock import SystemClock
from quidditch.model.objects import Copy, ShardRouting
from quidditch.model.state import ClusterState
from quidditch.transport.memory import Network
from quidditch.transport.messages import Messages
from quidditch.transport.replication import OPERATIONS, PING, Operations
from quidditch.transport.shards import ShardMissing

QUICK = Patience(quiet=0.02, hung=0.05, away=0.05, slow=5.0)
INDEX = "docs"


async def run(function: Callable[..., Any], *args: Any) -> Any:
    """Lets others have their turn first, as a thread would."""
    await asyncio.sleep(0)
    return function(*args)


class Control:
    """Decides what is submitted at once. `away`: nobody hears it, until :meth:`back`. `state` is what the copies have applied."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.heard: list[Command] = []
        self.shards: list[Shard] = []
        self._there = asyncio.Event()
        self._there.set()

    @property
    def state(self) -> ClusterState:
        return self.cluster.state

    def routing(self) -> ShardRouting:
        return self.state.routing[INDEX].spec.shards[0]

    def lose(self) -> None:
        self._there.clear()

    def back(self) -> None:
        self._there.set()

    async def submit(self, command: Command, timeout: float | None = None) -> Any:
        del timeout
        await self._there.wait()
        self.heard.append(command)
        result = self.cluster.run(command).result
        self.publish()
        return result

    def publish(self) -> None:
        for shard in self.shards:
            if shard.primary is not None and shard.follows:
                shard.primary.follow(self.state.version, self.routing())


class Shard:
    """What one node has of the shard."""

    def __init__(self, group: Group, copy: Copy) -> None:
        self.group = group
        self.node = str(copy.node)
        self.allocation_id = str(copy.allocation_id)
        self.runtime = Runtime(Disk(self.node))
        self.primary: Primary | None = None
        self.replica: Replica | None = None
        self.deposed: list[str] = []
        self.follows = True
        """Whether it hears of new states."""
        self.stuck: asyncio.Event | None = None
        self.transport = group.network.join(self.node)
        self.transport.serve(OPERATIONS, self._operations)
        self.transport.serve(PING, self._ping)
        self.peers = Messages(self.transport)

    def open(self, role: str, term: int, **more: Any) -> ModelShard:
        config = {"index": INDEX, "primary_term": term, "role": role, "replicated": True, **more}
        return ModelShard.open(self.runtime, "shard", orjson.dumps(config), None)

    @property
    def engine(self) -> Any:
        holder = self.primary or self.replica
        assert holder is not None
        return holder.engine

    async def _ping(self, _payload: bytes) -> bytes:
        return msgspec.msgpack.encode(None)

    async def _operations(self, payload: bytes) -> bytes:
        if self.stuck is not None:
            await self.stuck.wait()
        message = msgspec.msgpack.decode(payload, type=Operations)
        if self.replica is None or message.head.allocation_id != self.allocation_id:
            raise ShardMissing("no such copy")
        return msgspec.msgpack.encode(await self.replica.take(message))

    def follow(self, term: int) -> None:
        engine = self.open("replica", term)

        async def reopen(recover_to: int, term: int) -> Any:
            self.engine.sync()
            self.engine.abandon()
            return self.open("replica", term, recover_to=recover_to)

        async def mapped(_version: int) -> None: ...

        def adopt(term: int) -> None:
            self.engine.configure(orjson.dumps({"primary_term": term}))

        self.replica = Replica(
            self.allocation_id, engine, primary_term=term, run=run, reopen=reopen, adopt=adopt, mapped=mapped
        )

    def lead(self, engine: Any) -> Primary:
        control = self.group.control
        routing = control.routing()
        _, _, persisted, known = engine.checkpoints()
        primary = Primary(
            ShardId(INDEX, control.state.indices[INDEX].uuid, 0),
            ReplicationTracker(self.allocation_id, persisted, known),
            engine,
            primary_term=routing.primary_term,
            run=run,
            peers=self.peers,
            control=control,  # type: ignore[arg-type]
            clock=SystemClock(),
            patience=lambda: QUICK,
            deposed=self.deposed.append,
        )
        primary.activate(control.state.version, routing)
        self.primary = primary
        return primary

    async def promote(self) -> Primary:
        """As the node does when the routing makes its replica the primary."""
        assert self.replica is not None
        term = self.group.control.routing().primary_term
        await self.replica.promote(term)
        return self.lead(self.replica.engine)

    async def index(self, *ids: str, source: str = "{}", retried: bool = False) -> list[dict[str, Any]]:
        assert self.primary is not None
        primary = self.primary
        slice = Slice(INDEX, [{"action": "index", "index": INDEX, "id": id, "source": source} for id in ids])

        def apply(sync: bool) -> SliceResult:
            return primary.engine.bulk(slice, sync, retried)  # type: ignore[arg-type, return-value]

        result = await primary.write(apply, retried=retried)
        return [orjson.loads(result.item(number))["index"] for number in range(len(ids))]


class Group:
    """One shard with `replicas` started replicas, each copy on a node of its own; the primary first."""

    def __init__(self, replicas: int = 2) -> None:
        self.network = Network()
        self.cluster = Cluster(nodes=replicas + 1)
        self.control = Control(self.cluster)
        self.cluster.run(CreateIndex(name=INDEX, settings={"number_of_replicas": replicas}))
        routing = self.control.routing()
        assert all(copy.active for copy in routing.copies)
        self.cluster.starting = False
        self.shards = [Shard(self, copy) for copy in routing.copies]
        self.control.shards = self.shards
        self.primary = self.shards[0]
        self.primary.lead(self.primary.open("primary", routing.primary_term))
        for shard in self.shards[1:]:
            shard.follow(routing.primary_term)

    @property
    def replicas(self) -> list[Shard]:
        return self.shards[1:]

    def node_left(self, shard: Shard) -> None:
        self.cluster.run(NodeLeft(node_id=shard.node))
        self.control.publish()

    async def fail_over(self) -> Shard:
        """The primary's node is lost to everybody; the heir takes over."""
        lost = self.primary
        lost.follows = False
        self.network.isolate(lost.node, [shard.node for shard in self.shards])
        self.node_left(lost)
        heir = self.control.routing().primary
        self.primary = next(shard for shard in self.shards if shard.node == heir.node)
        await self.primary.promote()
        return self.primary


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
