"""Writes what is known of nodes into the status of their QuidditchNodes: when something changed, otherwise rarely. Heartbeats go over the
nodes' own connections; a write for each of them would be load without use.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from quidditch.controlplane.leader import Leader
from quidditch.lib.clock import Clock
from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client
from quidditch.lib.kube.limits import Priority
from quidditch.lib.tasks import ended
from quidditch.model.state import ClusterState
from quidditch.operator.informer import Informer
from quidditch.operator.node_status import Times, is_news, node_status, shards_of
from quidditch.operator.times import rfc3339
from quidditch.store.kubernetes.resources import NODES

_log = structlog.get_logger(__name__)
_MANAGER = "quidditch-nodes"
_LOOK_SECONDS = 5.0
_LEAST_SECONDS = 30.0
"""Between two writes of one node that say nothing of its health or its shards."""
_MOST_SECONDS = 300.0
"""How old `lastHeartbeat` may become."""


class Nodes:
    """Acts while `leader` leads."""

    def __init__(
        self,
        leader: Leader,
        silences: Callable[[], Mapping[str, float]],
        client: Client,
        namespace: str,
        clock: Clock,
    ) -> None:
        """`silences`: seconds since each node was heard of."""
        self._leader = leader
        self._silences = silences
        self._client = client
        self._clock = clock
        self._informer = Informer(client, NODES, namespace, _pass_over)
        self._written: dict[str, float] = {}
        self._counted: tuple[ClusterState, Mapping[str, int]] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._informer.start()
        self._task = asyncio.create_task(self._run(), name="status of nodes")

    async def stop(self) -> None:
        await ended(self._task)
        await self._informer.stop()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._leader.leading:
                try:
                    await self._look(self._leader.state)
                except errors.KubeError as error:
                    _log.info("status of nodes not written", error=str(error))

    async def _look(self, state: ClusterState) -> None:
        if self._counted is None or self._counted[0] is not state:
            self._counted = state, await asyncio.to_thread(shards_of, state)  # with many indices it takes a while
        shards, disks, silences = self._counted[1], self._leader.measures.info.disks, self._silences()
        now = self._clock.now_ms()
        for node in state.nodes.values():
            tree, silence = self._informer.items.get(node.metadata.name), silences.get(node.id)
            if tree is None or silence is None:
                continue
            known = tree.get("status") or {}
            times = Times(heard=rfc3339(now - int(silence * 1000)), now=rfc3339(now))
            status = node_status(node, shards.get(node.id, 0), disks.get(node.id), known, times)
            if self._is_due(node.metadata.name, status, known):
                await self._write(tree["metadata"], status)
        self._written = {name: at for name, at in self._written.items() if name in self._informer.items}

    def _is_due(self, name: str, status: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
        age = self._clock.monotonic() - self._written.get(name, float("-inf"))
        if any(status.get(field) != known.get(field) for field in ("state", "allocatedShards")):
            return True
        return age >= (_LEAST_SECONDS if is_news(status, known) else _MOST_SECONDS)

    async def _write(self, meta: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        with contextlib.suppress(errors.NotFound, errors.Conflict):
            await self._client.patch(
                NODES,
                meta["name"],
                patch,
                meta["namespace"],
                subresource="status",
                field_manager=_MANAGER,
                priority=Priority.BACKGROUND,
            )
        self._written[meta["name"]] = self._clock.monotonic()


def _pass_over(_name: str) -> None:
    """What changed is looked at in its time."""
