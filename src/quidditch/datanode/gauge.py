"""What a node measures of itself for the control plane: its disk, the sizes of its shards, how busy they are with writes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from quidditch.controlplane.core.allocation.info import Disk, NodeLoad, ShardLoad
from quidditch.controlplane.core.measures import interval_seconds
from quidditch.datanode.node import DataNode
from quidditch.lib import machine
from quidditch.lib.tasks import ended
from quidditch_kernel import KernelError, Shard

log = logging.getLogger("quidditch.datanode")
_DISK_SECONDS = 0.5
"""How often the disk is looked at; it may be full long before the sizes of shards are asked for again."""
_CHANGED_SECONDS = 5.0
"""How long shards that were opened or closed wait to be measured."""
_STEP = 50
"""Thousandths of a thread: smaller changes of what is written to a shard are no news."""
_Open = tuple[str, int, Shard]


class Gauge:
    """Measures while it runs. `load` is what it found last; `tell`, if given, is told each time."""

    def __init__(self, data: DataNode, path: Path, tell: Callable[[NodeLoad], None] = lambda _load: None) -> None:
        self._data = data
        self._path = path
        self._tell = tell
        self._spent: dict[tuple[str, int], int] = {}
        """Milliseconds that threads have written to each shard, when it was measured last."""
        self._writes: dict[tuple[str, int], float] = {}
        self._measured = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self.load = NodeLoad(self._disk())

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="gauge")

    async def stop(self) -> None:
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._measure()
            except Exception:
                log.exception("the node cannot measure itself")
            self._tell(self.load)
            await asyncio.sleep(_DISK_SECONDS)

    async def _measure(self) -> None:
        shards = self.load.shards
        now = time.monotonic()
        found = [
            (local.index.uuid, number, shard.kernel)
            for local in self._data.indices.values()
            for number, shard in local.shards.items()
        ]
        others = len(found) != len(shards or ())
        if now - self._measured >= (_CHANGED_SECONDS if others else interval_seconds(self._data.state.settings)):
            counted = await self._data.aside(_count, found)
            shards = self._weigh(counted, now - self._measured)
            self._measured = now
        disk = self._disk()
        if disk != self.load.disk or shards is not self.load.shards:
            self.load = NodeLoad(disk, shards)

    def _disk(self) -> Disk | None:
        try:
            found = machine.disk(self._path)
        except OSError as error:
            log.warning("%s: its disk cannot be measured: %s", self._path, error)
            return None
        return Disk(found.total, found.available, str(self._path))

    def _weigh(self, counted: Sequence[tuple[str, int, int, int]], seconds: float) -> tuple[ShardLoad, ...]:
        """`counted`: index, number, bytes, milliseconds written so far. The busy share is smoothed over time; a shard that is
        measured for the first time counts as idle.
        """
        loads = []
        spent, writes = {}, {}
        for uuid, number, size, millis in counted:
            key = (uuid, number)
            busy = max(0, millis - self._spent.get(key, millis)) / seconds
            spent[key] = millis
            writes[key] = (self._writes.get(key, 0.0) + busy) / 2
            loads.append(ShardLoad(uuid, number, size, round(writes[key] / _STEP) * _STEP))
        self._spent, self._writes = spent, writes
        return tuple(loads)


def _count(shards: Sequence[_Open]) -> list[tuple[str, int, int, int]]:
    found = []
    for uuid, number, kernel in shards:
        try:
            stats = orjson.loads(kernel.stats())
        except KernelError as error:
            log.debug("shard [%s][%d] is not measured: %s", uuid, number, error)
            continue
        size = stats.get("store", {}).get("size_in_bytes", 0)
        found.append((uuid, number, size, stats.get("indexing", {}).get("index_time_in_millis", 0)))
    return found
