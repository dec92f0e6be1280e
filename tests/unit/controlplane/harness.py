"""A control plane over a memory store, with a data node that reports its shards started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from quidditch.controlplane.core.commands import Command, RegisterNode, ShardStarted
from quidditch.controlplane.leader import Leader
from quidditch.lib.clock import ManualClock
from quidditch.lib.ids import RandomIds
from quidditch.model.errors import ApiError
from quidditch.model.objects import NodeSpec
from quidditch.model.state import ClusterState
from quidditch.store.api import Store
from quidditch.store.memory import MemoryStore

NODE = NodeSpec(id="node-1", name="one", roles=("data", "ingest"), ephemeral_id="e1")


def leader(store: Store, clock: ManualClock | None = None, *, holder: str = "node-1", copies: bool = False) -> Leader:
    clock = clock or ManualClock()
    return Leader(store, cluster_name="test", holder=holder, clock=clock, ids=RandomIds(), copies=copies)


async def _report(control: Leader, command: ShardStarted) -> None:
    """Until it is heard, as data nodes do."""
    while True:
        try:
            await control.submit(command)
            return
        except ApiError as error:
            if error.status != 503 or control._stopping:
                return


def starts_shards(control: Leader, node: str = "node-1") -> None:
    """Answers every initializing copy of the node with `started`."""
    pending: set[asyncio.Task[Any]] = set()
    reported: set[tuple[str, int]] = set()

    def applied(_old: ClusterState, new: ClusterState) -> None:
        for name, routing in new.routing.items():
            for number, shard in enumerate(routing.spec.shards):
                for copy in shard.placed:
                    key = (copy.allocation_id or "", shard.primary_term)
                    if copy.node != node or copy.state != "INITIALIZING" or key in reported:
                        continue
                    reported.add(key)
                    command = ShardStarted(
                        index=name, uuid=routing.spec.uuid, shard=number, allocation_id=copy.allocation_id or ""
                    )
                    task = asyncio.get_running_loop().create_task(_report(control, command))
                    pending.add(task)
                    task.add_done_callback(pending.discard)

    control.subscribe(applied)
    applied(control.state, control.state)


@asynccontextmanager
async def running(store: Store | None = None, *, node: bool = True) -> AsyncIterator[Leader]:
    control = leader(store or MemoryStore())
    await control.start()
    if node:
        starts_shards(control)
        await control.submit(RegisterNode(node=NODE, fresh=True))
    try:
        yield control
    finally:
        await control.stop()


def run(test: Callable[[Leader], Coroutine[Any, Any, None]], *, node: bool = True) -> None:
    async def main() -> None:
        async with running(node=node) as control:
            await asyncio.wait_for(test(control), 20)

    asyncio.run(main())


async def submit_all(control: Leader, *commands: Command) -> list[Any]:
    return list(await asyncio.gather(*(control.submit(command) for command in commands), return_exceptions=True))


def settled(state: ClusterState) -> bool:
    """Whether every copy that has a node is started."""
    return all(
        copy.state in ("STARTED", "UNASSIGNED")
        for routing in state.routing.values()
        for shard in routing.spec.shards
        for copy in shard.copies
    )
