"""The machines of a simulated cluster. What runs on them is what runs in production, but for threads, shards and the way between."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

from quidditch.controlplane.leader import Leader
from quidditch.controlplane.remote import RemoteControl
from quidditch.controlplane.rival import Rivals
from quidditch.controlplane.service import ControlService
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.coordinator.shards import Shards
from quidditch.datanode import service
from quidditch.datanode.allocations import Allocations
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.node import DataNode
from quidditch.lib.ids import CountedIds
from quidditch.model.objects import NodeSpec, Object
from quidditch.store import api
from quidditch.store.memory import MemoryStore
from quidditch.transport.pressure import IndexingPressure
from tests.sim.disk import Disk
from tests.sim.loop import Life, SimulatedLoop
from tests.sim.model import Runtime
from tests.sim.net import Network, SimulatedTransport

T = TypeVar("T")
LEASE_SECONDS = 5.0
BEAT_SECONDS = 0.4


class Ids(CountedIds):
    """Counted, and told apart by who counts."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def uuid(self) -> str:
        return f"{self._prefix}-{super().uuid()[-6:]}"


class Machine:
    """Starts, crashes and starts again; `name` is its node id and its address."""

    def __init__(self, name: str, net: Network, seeds: list[str]) -> None:
        self.name = name
        self.net = net
        self.loop: SimulatedLoop = net.loop
        self.seeds = seeds
        self.starts = 0
        self.life = Life(name)
        self.life.alive = False
        self.transport: SimulatedTransport | None = None

    @property
    def up(self) -> bool:
        return self.life.alive

    def start(self) -> None:
        self.starts += 1
        self.life = Life(self.name)
        self.transport = self.net.join(self.name, self.life)
        self.net.trace.note(self.name, "starts")
        self.loop.spawn(self.life, self._run(self.transport))

    async def _run(self, transport: SimulatedTransport) -> None:
        try:
            await self.run(transport)
        except Exception as error:
            self.loop.faults.append({"message": f"{self.name} does not start", "exception": error})

    async def run(self, transport: SimulatedTransport) -> None:
        raise NotImplementedError

    def crash(self, chance: random.Random, silent: bool) -> None:
        """Ends at once; what its disk had not synced may be gone."""
        del chance
        self.net.trace.note(self.name, "crashes", "silently" if silent else "")
        self.net.crashed(self.name, silent)

    def ids(self) -> Ids:
        return Ids(f"{self.name}.{self.starts}")

    def spec(self, *roles: str) -> NodeSpec:
        return NodeSpec(
            id=self.name,
            name=self.name,
            ephemeral_id=f"{self.name}.{self.starts}",
            roles=roles,
            host=self.name,
            ip=self.name,
            transport_address=self.name,
            http_address=self.name,
        )

    def control(self, *roles: str, **more: Any) -> RemoteControl:
        assert self.transport is not None
        spec, ids = self.spec(*roles), self.ids()
        return RemoteControl(self.transport, spec, self.seeds, self.loop, ids, beat_seconds=BEAT_SECONDS, **more)


class Master(Machine):
    """A candidate for the lead, over a store that all masters share."""

    def __init__(self, name: str, net: Network, seeds: list[str], store: MemoryStore) -> None:
        super().__init__(name, net, seeds)
        self.store = store

    async def run(self, transport: SimulatedTransport) -> None:
        rivals = Rivals(transport, self.loop)
        leader = Leader(
            DistantStore(self.store, self.net),
            cluster_name="simulated",
            holder=f"{self.name}@{self.name}",
            clock=self.loop,
            ids=self.ids(),
            copies=True,
            lease_seconds=LEASE_SECONDS,
            standby=True,
            gone=rivals.gone,
        )
        control = ControlService(leader, transport, self.loop, self.name, known_leader=rivals.address)
        control.start()
        await leader.start()


class Coordinator(Machine):
    """Where writers and readers are."""

    def __init__(self, name: str, net: Network, seeds: list[str]) -> None:
        super().__init__(name, net, seeds)
        self.shards: Shards | None = None
        self.remote: RemoteControl | None = None

    async def run(self, transport: SimulatedTransport) -> None:
        self.remote = self.control()
        choice = CopyChoice(self.remote, self.name, self.loop, transport.silence)
        self.shards = Shards(self.remote, Nothing(), self.name, transport, choice)  # type: ignore[arg-type]
        await self.remote.start()


class Nothing:
    """The shards of a node that has none."""


class Data(Machine):
    """A data node with a disk."""

    def __init__(self, name: str, net: Network, seeds: list[str]) -> None:
        super().__init__(name, net, seeds)
        self.path = Path(name)
        self.path.mkdir()
        (self.path / "node.json").write_text(json.dumps({"format": 1, "id": name}))
        self.disk, self._runtime = self._made()
        self.folder: DataFolder | None = None
        self.allocations: Allocations | None = None
        """Whose data lies here, also while the node is down."""
        self.node: DataNode | None = None

    def _made(self) -> tuple[Disk, Any]:
        disk = Disk(self.name, beside_files=True)
        return disk, Runtime(disk)

    @staticmethod
    def mapping(_index: object) -> Any:
        """Models index nothing."""

    async def run(self, transport: SimulatedTransport) -> None:
        folder = self.folder = DataFolder(self.path)
        self.allocations = folder.allocations
        control = self.control(
            "data", cluster=lambda: folder.cluster_uuid, joined=folder.join, held=folder.allocations.held
        )
        pool: Any = SimulatedPool("shards", 1)
        node = self.node = DataNode(
            folder,
            self._runtime,
            self.mapping,
            control,
            transport,
            self.loop,
            pool,
            pool,
        )
        control.subscribe(node.apply)
        node.apply(node.state, control.state)
        service.serve(node, transport, self.loop, IndexingPressure(1 << 30))
        await control.start()

    def crash(self, chance: random.Random, silent: bool) -> None:
        super().crash(chance, silent)
        if self.folder is not None:
            self.folder.close()
        self.folder = self.node = None
        self.disk.crash(chance)


class SimulatedPool:
    """In place of `quidditch.datanode.pools.Pool`."""

    def __init__(self, name: str, threads: int, places: int = -1) -> None:
        del places
        self.name = name
        self.threads = threads

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(None, function, *args)

    run_anyway = run

    def admit(self) -> None: ...

    def close(self) -> None: ...


class DistantStore(api.Store):
    """A store behind a network: calls take time on their way there and back."""

    def __init__(self, store: MemoryStore, net: Network) -> None:
        self._store = store
        self._net = net

    async def _way(self) -> None:
        await asyncio.sleep(self._net.latency())

    async def _call(self, name: str, *args: Any) -> Any:
        await self._way()
        answer = await getattr(self._store, name)(*args)
        await self._way()
        return answer

    async def get(self, kind: str, name: str) -> Object:
        found: Object = await self._call("get", kind, name)
        return found

    async def list(self, kind: str | None = None) -> api.Listing:
        found: api.Listing = await self._call("list", kind)
        return found

    async def create(self, obj: Object, fence: int | None = None) -> Object:
        made: Object = await self._call("create", obj, fence)
        return made

    async def update(self, obj: Object, fence: int | None = None) -> Object:
        made: Object = await self._call("update", obj, fence)
        return made

    async def delete(self, kind: str, name: str, version: str | None = None, fence: int | None = None) -> Object | None:
        left: Object | None = await self._call("delete", kind, name, version, fence)
        return left

    def watch(self, version: str) -> AsyncIterator[api.Event]:
        return self._store.watch(version)

    async def acquire(self, holder: str, now: float, duration: float, least: int = 0) -> api.Lease | None:
        lease: api.Lease | None = await self._call("acquire", holder, now, duration, least)
        return lease

    async def leader(self) -> api.Lease | None:
        lease: api.Lease | None = await self._call("leader")
        return lease

    async def epoch(self) -> int:
        return int(await self._call("epoch"))

    async def release(self, lease: api.Lease) -> None:
        await self._call("release", lease)

    async def close(self) -> None: ...
