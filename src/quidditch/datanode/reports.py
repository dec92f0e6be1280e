"""What a data node tells the control plane of its shards, until it is heard.

A disk that is full stops the store as well as the shards: a report that cannot be written is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core.commands import ShardFailed, ShardStarted
from quidditch.model.errors import ApiError
from quidditch.reconcile.backoff import Backoff
from quidditch.transport.api import TransportError

log = logging.getLogger("quidditch.datanode")


class Reports:
    """Sends reports and keeps hold of the tasks that do."""

    def __init__(self, control: ControlPlane, backoff: Backoff | None = None) -> None:
        self._control = control
        self._backoff = backoff or Backoff(0.1, 5.0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = asyncio.Event()

    def follow(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work`, which sends a report, beside everything else."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def send(self, report: ShardStarted | ShardFailed) -> None:
        """Returns when the control plane has decided on it, or no longer wants it, or the node ends."""
        key = (type(report), report.uuid, report.shard)
        while not self._end.is_set():
            try:
                await self._control.submit(report)
                self._backoff.succeeded(key)
                return
            except (ApiError, TransportError) as error:
                if isinstance(error, ApiError) and error.type == "no_longer_primary_shard_exception":
                    return
                log.warning("shard [%s][%d]: the report waits: %s", report.index, report.shard, error)
            try:
                await asyncio.wait_for(self._end.wait(), self._backoff.failed(key))
            except TimeoutError:
                continue

    def end(self) -> None:
        """From now on nothing is sent again."""
        self._end.set()

    async def ended(self) -> None:
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
