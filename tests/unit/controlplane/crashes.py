"""A control plane that meets a fault at one of its writes, what it was about to do, and what must have become of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
from tests.unit.controlplane.harness import leader, settled, starts_shards

from quidditch.controlplane.core.allocation.info import Disk, NodeLoad
from quidditch.controlplane.core.commands import Command, RegisterNode, Upkeep
from quidditch.controlplane.leader import Leader
from quidditch.lib.clock import ManualClock
from quidditch.model.errors import ApiError
from quidditch.model.objects import NodeSpec, Object
from quidditch.model.state import ClusterState
from quidditch.store import api
from quidditch.store.memory import MemoryStore


class Faulty(api.Store):
    """The write number `at` (from 0) is not answered: it is not done, or (`after`) done all the same. `lasting`: nor is any after
    it, for the process has died; otherwise the store is there again at once.
    """

    def __init__(self, inner: api.Store, at: int, *, after: bool = False, lasting: bool = True) -> None:
        self._inner = inner
        self._left = at
        self._after = after
        self._lasting = lasting
        self.met = asyncio.Event()

    @property
    def dead(self) -> bool:
        return self._lasting and self.met.is_set()

    async def _write(self, write: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left >= 0 or (self.met.is_set() and not self._lasting):
            return await write()
        first = not self.met.is_set()
        self.met.set()
        if self._after and first:
            await write()
        raise api.Unavailable("no answer")

    async def get(self, kind: str, name: str) -> Object:
        return await self._inner.get(kind, name)

    async def list(self, kind: str | None = None) -> api.Listing:
        return await self._inner.list(kind)

    async def create(self, obj: Object, fence: int | None = None) -> Object:
        made: Object = await self._write(lambda: self._inner.create(obj, fence))
        return made

    async def update(self, obj: Object, fence: int | None = None) -> Object:
        made: Object = await self._write(lambda: self._inner.update(obj, fence))
        return made

    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        left: Object | None = await self._write(lambda: self._inner.delete(kind, name, version, fence))
        return left

    def watch(self, version: str) -> AsyncIterator[api.Event]:
        return self._inner.watch(version)

    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> api.Lease | None:
        return await self._inner.acquire(holder, now, duration, least)

    async def leader(self) -> api.Lease | None:
        return await self._inner.leader()

    async def epoch(self) -> int:
        return await self._inner.epoch()

    async def release(self, lease: api.Lease) -> None:
        await self._inner.release(lease)

    async def close(self) -> None:
        await self._inner.close()


# --- what is done -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settle:
    """All copies that are being built start, and those that move arrive."""


@dataclass(frozen=True)
class Measure:
    """The control plane hears how much of 100 bytes is free on the disks of nodes."""

    free: Mapping[str, int]


Action: TypeAlias = Command | Settle | Measure
DATA = tuple(NodeSpec(id=id, name=id, roles=("data",), ephemeral_id=f"e-{id}", host=id) for id in ("n1", "n2", "n3"))
MASTERS = tuple(NodeSpec(id=id, name=id, roles=("cluster_manager",), ephemeral_id=f"e-{id}") for id in ("m1", "m2"))


async def perform(control: Leader, actions: Sequence[Action], *, again: bool = False) -> None:
    """As clients do it: what is not answered they ask again, and then they take a refusal for the answer to what they asked before
    (`again`: that goes for all).
    """
    for action in actions:
        if isinstance(action, Settle):
            assert await control.wait_for(settled, 20)
            continue
        if isinstance(action, Measure):
            for node, free in action.free.items():
                control.measures.take(node, NodeLoad(Disk(100, free)))
            control.measures.look(control.state, 0)
            action = Upkeep()
        await _submit(control, action, again)
    assert await control.wait_for(settled, 20)


async def _submit(control: Leader, command: Command, again: bool) -> None:
    for _ in range(10):
        try:
            await control.submit(command)  # type: ignore[call-overload]
            return
        except ApiError as error:
            if error.status != 503:
                if not again:
                    raise
                return
            again = True
    raise AssertionError(f"never answered: {command}")


async def lead(store: api.Store, holder: str, clock: ManualClock, nodes: Sequence[NodeSpec]) -> Leader:
    """A leader whose data nodes, as far as they are there, open what it places on them."""
    control = leader(store, clock, holder=holder, copies=True)
    while True:
        try:
            await control.start()
            break
        except api.Unavailable:
            if isinstance(store, Faulty) and store.dead:
                break
    for node in nodes:
        if "data" in node.roles:
            starts_shards(control, node.id)
    return control


async def die(control: Leader) -> None:
    """Ends all that it does, without a word."""
    tasks = [*control._tasks, *control._chores._tasks, control._foreign._task]
    for task in tasks:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def copied(store: MemoryStore) -> MemoryStore:
    """Another store with the same objects and versions."""
    made = MemoryStore()
    made._objects = dict(store._objects)
    made._feed.version = made._feed.start = store._feed.version
    made._epoch = store._epoch
    return made


async def prepared(commands: Sequence[Command]) -> tuple[MemoryStore, ClusterState]:
    store = MemoryStore()
    control = await lead(store, "m1", ManualClock(), DATA)
    await perform(control, [*(RegisterNode(node=node, fresh=True) for node in (*MASTERS, *DATA)), *commands])
    await control.stop()
    return store, control.state


# --- what must be -------------------------------------------------------------------------------------------------------


def check_invariants(state: ClusterState) -> None:
    """What must hold of any state that a control plane publishes."""
    assert set(state.routing) == set(state.indices)
    for name, index in state.indices.items():
        assert not index.deleting
        routing = state.routing[name]
        assert routing.spec.uuid == index.uuid
        assert len(routing.spec.shards) == index.number_of_shards
        for shard in routing.spec.shards:
            assert len(shard.copies) == 1 + index.number_of_replicas
            assert shard.copies[0].primary
            assert not any(copy.primary for copy in shard.copies[1:])
            nodes = [copy.node for copy in shard.placed]
            assert len(nodes) == len(set(nodes))
            ids = [copy.allocation_id for copy in shard.placed if copy.allocation_id]
            assert len(ids) == len(set(ids))
            for copy in shard.copies:
                assert not copy.active or copy.allocation_id in shard.in_sync
    for alias in state.aliases.values():
        assert alias.spec.indices
        assert set(alias.spec.indices) <= set(state.indices)
        assert alias.name not in state.indices


def outcome(state: ClusterState) -> dict[str, Any]:
    """The state without what is by chance or by the hour: ids, versions, times, and on which node a copy is."""
    found: dict[str, Any] = {}
    for obj in state:
        spec = msgspec.to_builtins(getattr(obj, "spec", None))
        found[f"{obj.kind}/{obj.key}"] = _SHOWN.get(obj.kind, lambda same: same)(spec)
    found["voters"] = state.cluster.status.voters if state.cluster else ()
    found["health"] = {node.id: node.status for node in state.nodes.values()}
    return found


def _index(spec: dict[str, Any]) -> dict[str, Any]:
    flat = {k: v for k, v in spec["settings"].items() if k not in ("index.uuid", "index.creation_date")}
    return {key: spec.get(key) for key in ("name", "state", "mappings", "dataStream")} | {"settings": flat}


def _routing(spec: dict[str, Any]) -> list[list[tuple[bool, str]]]:
    return [
        sorted((copy.get("primary", False), copy.get("state", "UNASSIGNED")) for copy in shard["copies"])
        for shard in spec["shards"]
    ]


def _without(*members: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda spec: {key: value for key, value in spec.items() if key not in members}


_SHOWN: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "Cluster": _without("uuid"),
    "Index": _index,
    "Routing": _routing,
    "NodeShutdown": _without("startedAt"),
}
