"""Gives the copies on this node their roles: opens them as primary or replica, promotes, opens anew, closes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core.fault_detection import Current, Get, follower_checks
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.local import LocalIndex, LocalShard
from quidditch.datanode.pools import Pool
from quidditch.datanode.replication.copy_calls import Patience
from quidditch.datanode.replication.primary import Primary, ShardId
from quidditch.datanode.replication.replica import Replica
from quidditch.datanode.replication.tracker import Handover, ReplicationTracker
from quidditch.datanode.settings import is_durable, shard_config
from quidditch.lib.clock import Clock
from quidditch.model.objects import Copy, Index, ShardRouting
from quidditch.transport.messages import Messages
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError, Runtime, Shard

log = logging.getLogger("quidditch.datanode")
Lost = Callable[[str, LocalShard, str], None]


class Copies:
    """`lost(uuid, shard, reason)` is told, on the event loop, of a copy that met a fault or is the primary no longer; `mapped(uuid,
    number, version)` returns once the mapping has that version here.
    """

    def __init__(
        self,
        folder: DataFolder,
        runtime: Runtime,
        control: ControlPlane,
        peers: Messages,
        clock: Clock,
        writes: Pool,
        aside: Callable[..., Awaitable[Any]],
        lost: Lost,
        mapped: Callable[[str, int, int], Awaitable[None]],
    ) -> None:
        self._folder = folder
        self._runtime = runtime
        self._control = control
        self._peers = peers
        self._clock = clock
        self._writes = writes
        self._aside = aside
        self._lost = lost
        self._mapped = mapped
        self._patience = Current(_patience, lambda: control.state.settings)

    # --- primaries ----------------------------------------------------------------------------------------------------

    async def open_primary(
        self, local: LocalIndex, number: int, copy: Copy, version: int, routing: ShardRouting
    ) -> LocalShard:
        """Opens what lies here, or an empty shard, as the primary; durable and in `local` on return. Raises KernelError, OSError,
        ValueError.
        """
        began = self._clock.monotonic()
        index, uuid, existing = local.index, local.index.uuid, copy.recovery == "EXISTING_STORE"
        await self._aside(self._folder.prepare, uuid, number, copy)
        config = shard_config(local.index, number, routing.primary_term, existing=existing, new_history=copy.forced)
        kernel = await self._open(local, number, config)
        await self._aside(self._folder.allocations.keep, uuid, number, str(copy.allocation_id))
        shard = self._opened(number, copy, kernel, began)
        self._lead(local, shard, self._tracker(shard), routing.primary_term).activate(version, routing)
        self._keep(local, shard, index)
        return shard

    async def promote(self, local: LocalIndex, shard: LocalShard, primary_term: int) -> Primary:
        """A copy becomes the primary of a new term; it takes writes once it was activated. Raises KernelError, TimeoutError."""
        if shard.replica is not None:
            await shard.replica.promote(primary_term)
        elif shard.primary is not None:
            shard.primary.close(ShardMissing(f"shard [{local.index.name}][{shard.number}] begins a new term"))
            await shard.primary.ended()
            await self._writes.run_anyway(shard.kernel.promote, primary_term)
        primary = self._lead(local, shard, self._tracker(shard), primary_term)
        shard.replica = None
        return primary

    def take_over(
        self, local: LocalIndex, shard: LocalShard, primary_term: int, told: Handover, term_start: int
    ) -> Primary:
        """A relocation's target goes on as the primary of the same term, from what its source told."""
        tracker = ReplicationTracker.taken_over(shard.allocation_id, told, self._clock.monotonic())
        primary = self._lead(local, shard, tracker, primary_term, term_start)
        shard.replica = None
        return primary

    def _tracker(self, shard: LocalShard) -> ReplicationTracker:
        _, _, persisted, known = shard.kernel.checkpoints()
        return ReplicationTracker(shard.allocation_id, persisted, known)

    def _lead(
        self,
        local: LocalIndex,
        shard: LocalShard,
        tracker: ReplicationTracker,
        primary_term: int,
        term_start: int | None = None,
    ) -> Primary:
        index = local.index
        shard.primary = Primary(
            ShardId(index.name, index.uuid, shard.number),
            tracker,
            shard.kernel,
            primary_term=primary_term,
            run=self._writes.run_anyway,
            peers=self._peers,
            control=self._control,
            clock=self._clock,
            patience=self._patience,
            mapping_version=lambda: local.index.spec.mapping_version,
            durable=lambda: is_durable(local.index),
            deposed=lambda reason: self._lost(index.uuid, shard, reason),
            term_start=term_start,
        )
        return shard.primary

    # --- replicas -----------------------------------------------------------------------------------------------------

    async def open_replica(
        self, local: LocalIndex, number: int, copy: Copy, primary_term: int, recover_to: int | None = None
    ) -> LocalShard:
        """Opens what lies here as a replica; it takes operations and is in `local` on return. Raises KernelError, OSError."""
        began = self._clock.monotonic()
        index, uuid = local.index, local.index.uuid
        config = shard_config(index, number, primary_term, replica=True, recover_to=recover_to)
        kernel = await self._open(local, number, config)
        shard = self._opened(number, copy, kernel, began)

        async def reopen(recover_to: int, term: int) -> Shard:
            return await self._reopen(local, shard, recover_to, term)

        def adopt(term: int) -> None:
            shard.kernel.configure(shard_config(local.index, number, term, replica=True))

        shard.replica = Replica(
            shard.allocation_id,
            kernel,
            primary_term=primary_term,
            run=self._writes.run_anyway,
            reopen=reopen,
            adopt=adopt,
            mapped=lambda version: self._mapped(uuid, number, version),
            durable=lambda: is_durable(local.index),
        )
        self._keep(local, shard, index)
        return shard

    async def _reopen(self, local: LocalIndex, shard: LocalShard, recover_to: int, term: int) -> Shard:
        """Takes back what is above `recover_to`; the log keeps it."""
        log.info("shard [%s][%d] goes back to operation %d", local.index.name, shard.number, recover_to)
        config = shard_config(local.index, shard.number, term, replica=True, recover_to=recover_to)
        try:
            await self._aside(shard.kernel.sync)
            await self._aside(shard.kernel.abandon)
            shard.kernel = await self._open(local, shard.number, config)
        except (KernelError, OSError) as error:
            self._lost(local.index.uuid, shard, f"cannot be opened anew: {sentence(error)}")
            raise
        self._watch(local.index.uuid, shard)
        return shard.kernel

    # --- both ---------------------------------------------------------------------------------------------------------

    async def _open(self, local: LocalIndex, number: int, config: bytes) -> Shard:
        mapping, path = local.mapping, str(self._folder.shard(local.index.uuid, number))
        kernel: Shard = await self._aside(Shard.open, self._runtime, path, config, mapping)
        if local.mapping is not mapping:
            kernel.set_mapping(local.mapping)
        return kernel

    def _opened(self, number: int, copy: Copy, kernel: Shard, began: float) -> LocalShard:
        took = int((self._clock.monotonic() - began) * 1000)
        source = copy.recovery or "EXISTING_STORE"
        return LocalShard(number, str(copy.allocation_id), kernel, source, self._clock.now_ms() - took, took)

    def _keep(self, local: LocalIndex, shard: LocalShard, opened_with: Index) -> None:
        if local.index is not opened_with:
            self.configure(local, shard)
        local.shards[shard.number] = shard
        self._watch(local.index.uuid, shard)

    def _watch(self, uuid: str, shard: LocalShard) -> None:
        loop, kernel = asyncio.get_running_loop(), shard.kernel

        def fail() -> None:
            if shard.kernel is kernel:
                self._lost(uuid, shard, f"shard failure, reason [{kernel.failure()}]")

        def told() -> None:
            try:
                loop.call_soon_threadsafe(fail)
            except RuntimeError:
                log.debug("a shard failed after the event loop had ended")

        kernel.when_failed(told)

    def configure(self, local: LocalIndex, shard: LocalShard) -> None:
        """Brings the index's settings to an open copy."""
        replica = shard.primary is None
        shard.kernel.configure(shard_config(local.index, shard.number, shard.primary_term, replica=replica))

    async def close(self, name: str, shard: LocalShard) -> None:
        """Takes no more operations, waits for those under way, and closes."""
        shard.refuse(ShardMissing(f"shard [{name}][{shard.number}] is closing"))
        if shard.primary is not None:
            await shard.primary.ended()
        try:
            await self._aside(shard.kernel.close)
        except KernelError as error:
            log.error("shard [%s][%d] did not close cleanly: %s", name, shard.number, sentence(error))


def _patience(get: Get) -> Patience:
    """A copy is given up when its node, asked, has said nothing for as long as the leader finds it unhealthy."""
    checks = follower_checks(get)
    left = checks.timeout - checks.ask
    return Patience(quiet=checks.ask, hung=left, away=left)


def sentence(error: BaseException) -> str:
    """What the error says."""
    return str(error.args[1]) if isinstance(error, KernelError) and len(error.args) > 1 else str(error)
