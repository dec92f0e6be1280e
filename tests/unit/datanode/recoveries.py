"""A group of copies to which one is added, or whose primary moves: recoveries over the model engine and the network in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from tests.sim.model_files import Restore
from tests.unit.datanode.copies import INDEX, Group, Shard, run

from quidditch.controlplane.core.commands import (
    AllocationCommand,
    NodeLeft,
    Reroute,
    ShardFailed,
    ShardStarted,
    UpdateIndexSettings,
)
from quidditch.datanode.recovery.source import Limits, Source
from quidditch.datanode.recovery.target import Settings, Target
from quidditch.datanode.recovery.throttle import Throttle
from quidditch.datanode.replication.tracker import Handover, ReplicationTracker
from quidditch.lib.clock import SystemClock
from quidditch.model.objects import Copy
from quidditch.reconcile.backoff import Backoff
from quidditch.transport import recovery as wire
from quidditch.transport.shards import ShardMissing

_MESSAGES: dict[str, type] = {
    wire.START: wire.Start,
    wire.READ: wire.Read,
    wire.PREPARE: wire.Recovery,
    wire.TRACK: wire.Recovery,
    wire.OPERATIONS: wire.Next,
    wire.FINISH: wire.Finish,
    wire.HAND_OVER: wire.Recovery,
    wire.HANDED: wire.Recovery,
    wire.END: wire.Recovery,
}
LIMITS = Limits(idle=5.0, alone=2.0, handed=0.2, in_sync=2.0)


class Giver:
    """The source's side on the node of a shard. `before` is awaited before each answer, `heard` are the actions asked for."""

    def __init__(self, shard: Shard, rate: float = 0.0) -> None:
        self.shard = shard
        self.heard: list[str] = []
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.after: Callable[[str], Awaitable[None]] | None = None
        clock = SystemClock()
        throttle = Throttle(lambda: rate, clock)
        self.source = Source(self, run, clock, throttle, LIMITS)
        for action, kind in _MESSAGES.items():
            shard.transport.serve(action, self._handler(action, kind))

    def _handler(self, action: str, kind: type) -> Callable[[bytes], Awaitable[bytes]]:
        async def handle(payload: bytes) -> bytes:
            self.heard.append(action)
            if self.before is not None:
                await self.before(action)
            answer = await getattr(self.source, action.partition("/")[2])(msgspec.msgpack.decode(payload, type=kind))
            if self.after is not None:
                await self.after(action)
            return msgspec.msgpack.encode(answer)

        return handle

    def primary(self, uuid: str, number: int) -> Any:
        del uuid, number
        return self.shard.primary

    def target(self, uuid: str, number: int, allocation_id: str) -> Copy | None:
        del uuid, number
        placed = self.shard.group.control.routing().placed
        return next((c for c in placed if c.allocation_id == allocation_id and c.state == "INITIALIZING"), None)

    def mapping_version(self, uuid: str) -> int:
        del uuid
        return 0

    def relocated(self, uuid: str, number: int, target: str) -> None:
        del uuid, number, target
        assert self.shard.primary is not None
        self.shard.primary.close(ShardMissing("moved"))


class Taker:
    """The copy that is being built on a node; see `TargetCopy`."""

    def __init__(self, shard: Shard, term: int) -> None:
        self.shard = shard
        self.term = term
        self.engine: Any = None
        self.kept: list[str] = []
        self.voided = 0
        self.led = False

    async def open(self) -> Any:
        if "shard" not in self.shard.runtime.disk.folders:
            return None
        self.shard.follow(self.term)
        assert self.shard.replica is not None
        self.engine = self.shard.replica.engine
        self._replica, self.shard.replica = self.shard.replica, None
        return self.engine

    async def close(self) -> None:
        if self.engine is not None:
            self.engine.close()
        self.engine = self.shard.replica = None

    async def restore(self, manifest: bytes) -> Restore:
        self.voided += 1
        return Restore(self.shard.runtime.disk, "shard", manifest)

    async def serve(self, primary_term: int) -> Any:
        assert primary_term == self.term
        self.shard.replica = self._replica
        return self.engine

    async def mapped(self, version: int) -> None: ...

    async def keep(self) -> None:
        self.kept.append(self.shard.allocation_id)

    async def take_over(self, told: wire.HandedOver) -> None:
        self.told = msgspec.msgpack.decode(told.tracker, type=Handover)
        self.engine.promote(self.term)

    async def began(self) -> None:
        self.led = True
        self.shard.lead(self.engine)
        assert self.shard.primary is not None
        self.shard.primary.tracker = ReplicationTracker.taken_over(self.shard.allocation_id, self.told, 0.0)


class Building:
    """A copy of the group's shard that the routing has on a node where none was, or where `disk` lies."""

    def __init__(self, group: Group, giver: Giver, copy: Copy, **more: Any) -> None:
        self.group = group
        known = next((shard for shard in group.shards if shard.node == copy.node), None)
        self.shard = known or Shard(group, copy)
        self.shard.allocation_id = str(copy.allocation_id)
        if known is None:
            group.shards.append(self.shard)
        self.taker = Taker(self.shard, group.control.routing().primary_term)
        self.giver = giver
        self.progress = wire.Progress("PEER")
        self.run: Callable[..., Awaitable[Any]] = run
        """What calls the engine."""
        settings = Settings(**{"chunk": 64, "action": 2.0, **more})
        clock = SystemClock()
        self.target = Target(
            self.taker,  # type: ignore[arg-type]
            wire.Start(group.control.state.indices[INDEX].uuid, 0, self.shard.allocation_id, self.shard.node, "", 0),
            source=lambda: group.control.routing().primary.node,
            moves=copy.primary,
            run=lambda function, *args: self.run(function, *args),
            peers=self.shard.peers,
            clock=clock,
            throttle=Throttle(lambda: 0.0, clock),
            settings=lambda: settings,
            progress=self.progress,
            backoff=Backoff(0.01, 0.05),
        )

    async def recover(self) -> None:
        await self.target.recover()
        self.report(ShardStarted)

    def report(self, kind: type[ShardStarted] | type[ShardFailed]) -> None:
        group = self.group
        named: dict[str, Any] = {
            "index": INDEX,
            "uuid": group.control.state.indices[INDEX].uuid,
            "shard": 0,
            "allocation_id": self.shard.allocation_id,
        }
        if kind is ShardFailed:
            named["reason"] = "given up"
        group.cluster.run(kind(**named))
        group.control.publish()


def add_replica(group: Group, giver: Giver, **more: Any) -> Building:
    """One replica more, on a new node."""
    count = len(group.control.routing().copies)
    group.cluster.join(count)
    group.cluster.run(UpdateIndexSettings(indices=(INDEX,), settings={"index.number_of_replicas": count}))
    group.control.publish()
    return Building(group, giver, _initializing(group), **more)


def come_back(group: Group, giver: Giver, shard: Shard, **more: Any) -> Building:
    """A replica's node that had left is there again, with its disk."""
    group.cluster.join(int(shard.node[1:]), "again")
    group.control.publish()
    return Building(group, giver, _initializing(group), **more)


def leave(group: Group, shard: Shard) -> None:
    engine, shard.replica = shard.engine, None
    engine.abandon()
    group.cluster.run(NodeLeft(node_id=shard.node))
    group.control.publish()


def move(group: Group, giver: Giver, node: str, **more: Any) -> Building:
    """The copy of a node begins to move to a new node."""
    count = len(group.cluster.state.nodes)
    group.cluster.join(count)
    group.cluster.run(Reroute(commands=(AllocationCommand("move", INDEX, 0, node, f"n{count}"),)))
    group.control.publish()
    return Building(group, giver, _initializing(group), **more)


def _initializing(group: Group) -> Copy:
    return next(copy for copy in group.control.routing().placed if copy.state == "INITIALIZING")
