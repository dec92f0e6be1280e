"""A copy that is being built on this node, between what lies on its disk and what the recovery makes of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from quidditch.datanode.copies import Copies, sentence
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.local import LocalIndex, LocalShard
from quidditch.datanode.recovery.target import Restore
from quidditch.datanode.replication.engine import Run
from quidditch.datanode.replication.tracker import Handover
from quidditch.model.objects import Copy, ShardRouting
from quidditch.transport import recovery as wire
from quidditch_kernel import KernelError, Shard

log = logging.getLogger("quidditch.recovery")


@dataclass(frozen=True, slots=True)
class Around:
    """What a node has for its copies. `run` is for what may block; `routing(uuid, number)` answers a shard's routing that is applied
    here; `mapped(uuid, number, version)` returns once the mapping has that version here; `restore` begins to receive a shard's files.
    """

    folder: DataFolder
    copies: Copies
    run: Run
    routing: Callable[[str, int], ShardRouting | None]
    mapped: Callable[[str, int, int], Awaitable[None]]
    restore: Callable[[str, bytes], Restore]


class BuiltCopy:
    """See :class:`quidditch.datanode.recovery.target.TargetCopy`."""

    def __init__(self, around: Around, local: LocalIndex, number: int, copy: Copy, primary_term: int) -> None:
        self._around = around
        self._local = local
        self._number = number
        self._copy = copy
        self._term = primary_term
        self._shard: LocalShard | None = None
        self._told: wire.HandedOver | None = None

    @property
    def _uuid(self) -> str:
        return self._local.index.uuid

    async def open(self) -> Shard | None:
        folder = self._around.folder.shard(self._uuid, self._number)
        if not folder.is_dir():
            return None
        opening = asyncio.ensure_future(
            self._around.copies.open_replica(self._local, self._number, self._copy, self._term)
        )
        try:
            self._shard = await asyncio.shield(opening)
        except (KernelError, OSError) as error:
            log.warning("what lies in %s is of no use: %s", folder, sentence(error))
            return None
        except asyncio.CancelledError:
            await asyncio.wait([opening])
            self._shard = opening.result() if opening.exception() is None else None
            raise
        return self._shard.kernel

    async def close(self) -> None:
        shard, self._shard = self._shard, None
        if shard is not None:
            if self._local.shards.get(self._number) is shard:
                del self._local.shards[self._number]
            await self._around.copies.close(self._local.index.name, shard)

    async def restore(self, manifest: bytes) -> Restore:
        folder = self._around.folder
        path = str(folder.shard(self._uuid, self._number))
        await self._around.run(folder.allocations.void, self._uuid, self._number)
        return await self._around.run(self._around.restore, path, manifest)

    async def serve(self, primary_term: int) -> Shard:
        if primary_term != self._term or self._shard is None:
            raise ValueError(f"the primary is of term [{primary_term}], this copy of [{self._term}]")
        return self._shard.kernel

    async def mapped(self, version: int) -> None:
        await self._around.mapped(self._uuid, self._number, version)

    async def keep(self) -> None:
        allocations = self._around.folder.allocations
        before = allocations.of(self._uuid, self._number) or ()
        own = str(self._copy.allocation_id)
        ids = (own, *(id for id in before[:1] if id != own))
        await self._around.run(allocations.keep, self._uuid, self._number, *ids)

    async def take_over(self, told: wire.HandedOver) -> None:
        assert self._shard is not None
        assert self._shard.replica is not None
        await self._shard.replica.promote(self._term)
        self._told = told

    async def began(self) -> None:
        assert self._shard is not None
        assert self._told is not None
        told = msgspec.msgpack.decode(self._told.tracker, type=Handover)
        primary = self._around.copies.take_over(self._local, self._shard, self._term, told, self._told.term_start)
        routing = self._around.routing(self._uuid, self._number)
        if routing is not None:
            primary.meet(routing)
