"""A cluster of several data nodes in this process: real control plane, real kernels, the network in memory."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson

from quidditch.cli import config as configuration
from quidditch.cli.compose import CHECKS, assemble, node_spec
from quidditch.controlplane.leader import Leader
from quidditch.controlplane.remote import RemoteControl
from quidditch.controlplane.service import ControlService
from quidditch.datanode.folder import DataFolder
from quidditch.lib.clock import SystemClock
from quidditch.lib.ids import RandomIds
from quidditch.lib.metrics import Metrics
from quidditch.model.state import ClusterState
from quidditch.rest.node import Node
from quidditch.rest.registry import all_routes
from quidditch.rest.server import App
from quidditch.store.memory import MemoryStore
from quidditch.transport.memory import MemoryTransport, Network
from tests.support.asgi import scope

_MASTER = "master"


class Answer:
    """What an endpoint answered."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Member:
    """One node of the fleet."""

    def __init__(self, node: Node, control: RemoteControl, transport: MemoryTransport) -> None:
        self.node = node
        self.control = control
        self.transport = transport
        self._app = App(node, all_routes())

    @property
    def id(self) -> str:
        return self.node.id

    async def ask(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """A request to this node, as uvicorn would hand it over. Lists become lines of JSON."""
        data = _written(body)
        given = {"content-type": "application/json", "content-length": str(len(data)), **headers}
        pieces = [data]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if not pieces:
                await asyncio.Event().wait()  # the client stays until it is answered
            return {"type": "http.request", "body": pieces.pop(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope(method, target, given), receive, send)
        return Answer(sent[0]["status"], b"".join(message["body"] for message in sent[1:]))

    async def get(self, target: str, body: Any = None) -> Any:
        """The answer, which must be no error."""
        return await self._fine("GET", target, body)

    async def post(self, target: str, body: Any = None) -> Any:
        return await self._fine("POST", target, body)

    async def put(self, target: str, body: Any = None) -> Any:
        return await self._fine("PUT", target, body)

    async def _fine(self, method: str, target: str, body: Any) -> Any:
        answer = await self.ask(method, target, body)
        assert answer.status < 300, answer.text
        return answer.json

    async def applied(self, predicate: Callable[[ClusterState], bool]) -> None:
        """Waits until the state of this node is so."""
        assert await self.control.wait_for(predicate, 30)


class Fleet:
    """The nodes, in the order of their names `node-0`, `node-1`…"""

    def __init__(self) -> None:
        self.network = Network()
        self.members: list[Member] = []

    def holder(self, index: str, shard: int) -> Member:
        """The node that has the primary of a shard."""
        routing = self.members[0].control.state.routing[index]
        node = routing.spec.shards[shard].primary.node
        return next(member for member in self.members if member.id == node)

    async def started(self, index: str) -> None:
        """Waits until every primary of the index is started, and all nodes know it."""

        def there(state: ClusterState) -> bool:
            routing = state.routing.get(index)
            return routing is not None and all(shard.primary.active for shard in routing.spec.shards)

        for member in self.members:
            await member.applied(there)

    async def lose(self, member: Member) -> None:
        """The node answers nobody any more, as if its process had been killed; the others go on."""
        self.members.remove(member)
        await member.transport.close()


@contextlib.asynccontextmanager
async def fleet(size: int, **settings: str) -> AsyncIterator[Fleet]:
    """A cluster of `size` data nodes with one master besides them; `settings` are those of all nodes."""
    found = Fleet()
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quidditch-fleet-")))
        store = MemoryStore()
        stack.push_async_callback(store.close)
        transport = found.network.join(_MASTER)
        stack.push_async_callback(transport.close)
        leader = Leader(
            store, cluster_name="fleet", holder=_MASTER, clock=clock, ids=RandomIds(), checks=CHECKS, standby=True
        )
        service = ControlService(leader, transport, clock, _MASTER)
        service.start()
        await leader.start()
        stack.push_async_callback(leader.stop)
        stack.push_async_callback(service.stop)
        for number in range(size):
            flags = {"node.name": f"node-{number}", "node.roles": "data,ingest", **settings}
            config = configuration.load(None, {}, {**flags, "path.data": str(folder / str(number))})
            found.members.append(await _member(found, config, stack))
        for member in found.members:
            await member.applied(lambda state: len(state.nodes) == size)
        yield found


async def _member(fleet: Fleet, config: configuration.Config, stack: contextlib.AsyncExitStack) -> Member:
    clock = SystemClock()
    folder = DataFolder(config.data_path)
    stack.callback(folder.close)
    transport = fleet.network.join(folder.node_id)
    spec = node_spec(config, folder.node_id, "127.0.0.1:0", folder.node_id)
    control = RemoteControl(transport, spec, [_MASTER], clock, RandomIds(), held=folder.allocations.held)
    node = assemble(config, folder, control, transport, "127.0.0.1:0", Metrics())
    stack.push_async_callback(transport.close)
    stack.push_async_callback(control.stop)
    stack.push_async_callback(node.data.close)
    assert await control.start(30)
    return Member(node, control, transport)


def _written(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, list):
        return b"".join(orjson.dumps(line) + b"\n" for line in body)
    return orjson.dumps(body)


def run(size: int, test: Callable[[Fleet], Any], timeout: float = 120, **settings: str) -> None:
    """Runs a test within a fleet."""

    async def main() -> None:
        async with fleet(size, **settings) as found:
            await asyncio.wait_for(test(found), timeout)

    asyncio.run(main())
