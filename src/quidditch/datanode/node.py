"""The data node: the shards that the cluster state puts here, and the calls that they answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.datanode.copies import Copies
from quidditch.datanode.disk import Disk
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.local import LocalIndex, LocalShard
from quidditch.datanode.pools import Pool
from quidditch.datanode.recovery.built import Around
from quidditch.datanode.recovery.recoveries import Recoveries
from quidditch.datanode.replication.primary import Primary
from quidditch.datanode.replication.replica import stale
from quidditch.datanode.reports import Reports
from quidditch.datanode.search_counts import SearchCounts
from quidditch.datanode.settling import Settling
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index
from quidditch.model.state import ClusterState
from quidditch.transport.api import Transport
from quidditch.transport.messages import Messages
from quidditch.transport.replication import Checkpoints, Operations
from quidditch.transport.shards import Description, Meant, OneShard, ShardMissing
from quidditch_kernel import KernelError, Mapping, Reader, Restore, Runtime, Shard, Slice, SliceResult

log = logging.getLogger("quidditch.datanode")
_MAPPING_SECONDS = 30.0
"""How long a write waits for this node to have a mapping that another node has already."""
_CLOSING_THREADS = 16
_RECOVERY_THREADS = 3
T = TypeVar("T")


class DataNode:
    """Owner of the kernel's runtime, shards and readers. Used from the event loop's thread."""

    def __init__(
        self,
        folder: DataFolder,
        runtime: Runtime,
        compile_mapping: Callable[[Index], Mapping],
        control: ControlPlane,
        transport: Transport,
        clock: Clock,
        writes: Pool,
        searches: Pool,
    ) -> None:
        self.folder = folder
        self.id = folder.node_id
        self.runtime = runtime
        self.counts = SearchCounts()
        self.writes = writes
        self.searches = searches
        self._control = control
        self._clock = clock
        self._reports = Reports(control)
        self._disk = Disk(folder.path)
        self._slow = Pool("management", 2)
        self.settling = Settling(self.id, folder, compile_mapping, self._reports, self.counts, self._slow)
        self._moving = Pool("recovery", _RECOVERY_THREADS)
        peers, lost, run = Messages(transport), self.settling.lost, self._moving.run_anyway
        self.copies = self.settling.copies = Copies(
            folder, runtime, control, peers, clock, writes, self.aside, lost, self._mapped
        )
        around = Around(folder, self.copies, run, self.settling.routing, self._mapped, Restore)
        self.recoveries = self.settling.recoveries = Recoveries(
            self.id,
            around=around,
            indices=self.indices,
            state=lambda: self.state,
            peers=peers,
            clock=clock,
            lost=lost,
        )

    @property
    def indices(self) -> dict[str, LocalIndex]:
        """What is open here, by the uuid of the index."""
        return self.settling.indices

    @property
    def state(self) -> ClusterState:
        """The newest state that is applied here."""
        return self.settling.state

    def apply(self, _old: ClusterState, state: ClusterState) -> None:
        """Takes a newer state (a subscriber of the control plane); see :meth:`Settling.apply`."""
        self.settling.apply(state)
        self.recoveries.look()

    async def settled(self, timeout: float) -> None:
        """Until all shards that belong here are open (or failed), at most `timeout` seconds."""
        await self.settling.settled(timeout)

    def dangling(self) -> list[str]:
        """Index folders of which the cluster state knows nothing; they are left alone."""
        return [uuid for uuid in self.folder.uuids() if self.state.index_by_uuid(uuid) is None]

    # --- the copies -------------------------------------------------------------------------------------------------

    def copy(self, uuid: str, number: int) -> LocalShard:
        """The copy that is open here. Raises :class:`ShardMissing`."""
        local = self.indices.get(uuid)
        found = local.shards.get(number) if local is not None else None
        if found is None:
            raise ShardMissing(f"shard [{uuid}][{number}] is not open on this node")
        return found

    def shard(self, uuid: str, number: int) -> Shard:
        """The kernel's shard. Raises :class:`ShardMissing`."""
        return self.copy(uuid, number).kernel

    def has(self, uuid: str, number: int) -> bool:
        local = self.indices.get(uuid)
        return local is not None and number in local.shards

    # --- writes -----------------------------------------------------------------------------------------------------

    async def write(self, uuid: str, number: int, slice: Slice, meant: Meant, timeout: float = 0) -> SliceResult:
        """Applies a slice of a bulk on the primary that is meant; on return it is safe on every copy in sync. `timeout` is for calls
        between nodes.

        Raises :class:`ShardMissing` where that primary is not (any more), cluster_block_exception while the disk is too full,
        whatever was reported of it, and rejected_execution_exception when too many writes wait.
        """
        del timeout
        primary = self._primary(uuid, number, meant)
        self._disk.check_flood(self.indices[uuid].index.name, self.state.settings.get)
        self.writes.admit()
        kernel, retried = self.shard(uuid, number), meant.retried
        return await primary.write(lambda sync: kernel.bulk(slice, sync, retried), retried=retried)

    async def retry(
        self, uuid: str, number: int, slice: Slice, result: SliceResult, mapping_version: int, meant: Meant
    ) -> SliceResult:
        """Applies the items again that stopped at unknown fields, once the mapping has this version here."""
        await self._mapped(uuid, number, mapping_version)
        primary, kernel = self._primary(uuid, number, meant), self.shard(uuid, number)

        def again(sync: bool) -> SliceResult:
            kernel.retry(slice, result, sync)
            return result

        return await primary.write(again, retried=meant.retried)

    def _primary(self, uuid: str, number: int, meant: Meant) -> Primary:
        primary = self.copy(uuid, number).primary
        if primary is None:
            raise ShardMissing(f"the copy of [{uuid}][{number}] on this node is a replica")
        primary.check(meant.allocation_id, meant.primary_term)
        return primary

    async def take(self, message: Operations) -> Checkpoints:
        """What the primary elsewhere sends to a replica here. Raises :class:`ShardMissing`, or :class:`ApiError` for an old term."""
        head = message.head
        copy = self.copy(head.uuid, head.number)
        if copy.allocation_id != head.allocation_id:
            raise ShardMissing(f"copy [{head.allocation_id}] is not on this node")
        if copy.replica is None:
            if head.primary_term <= copy.primary_term:
                raise stale(head, copy.primary_term)
            raise ShardMissing(f"copy [{head.allocation_id}] does not follow term [{head.primary_term}] yet")
        return await copy.replica.take(message)

    async def _mapped(self, uuid: str, number: int, version: int) -> None:
        local = self.indices.get(uuid)
        if local is not None and local.index.spec.mapping_version >= version:
            return

        def applied(state: ClusterState) -> bool:
            index = state.index_by_uuid(uuid)
            return index is None or index.spec.mapping_version >= version

        if not await self._control.wait_for(applied, _MAPPING_SECONDS):
            reason = f"[{uuid}][{number}] version [{version}] of the mapping has not come within {_MAPPING_SECONDS:g} s"
            raise ApiError(503, "unavailable_shards_exception", reason)

    # --- reads and upkeep -------------------------------------------------------------------------------------------

    async def get(self, uuid: str, number: int, request: bytes) -> bytes | None:
        return self.shard(uuid, number).get(request)

    def reader(self, uuid: str, number: int) -> Reader:
        """A point in time of one shard."""
        return self.shard(uuid, number).reader()

    def segments(self, uuid: str, number: int) -> bytes:
        """The segments of a shard as JSON, for who has just taken a reader. Raises as :meth:`reader`."""
        return self.shard(uuid, number).segments()

    async def refresh(self, uuid: str, number: int) -> None:
        await self.writes.run_anyway(self.shard(uuid, number).refresh)

    async def refreshed(self, uuid: str, number: int, seq_no: int) -> None:
        """Returns once searches see the operations up to `seq_no`."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def finish() -> None:
            if not done.done():
                done.set_result(None)

        def callback() -> None:
            try:
                loop.call_soon_threadsafe(finish)
            except RuntimeError:
                log.debug("a refresh came after the event loop had ended")

        self.shard(uuid, number).when_refreshed(seq_no, callback)
        await done

    async def flush(self, uuid: str, number: int, force: bool, wait_if_ongoing: bool) -> None:
        copy = self.copy(uuid, number)
        if copy.primary is not None:
            await self.aside(copy.kernel.sync)
            copy.primary.look()
        await self.aside(copy.kernel.flush, force, wait_if_ongoing)

    async def force_merge(self, uuid: str, number: int, segments: int, only_expunge: bool, flush: bool) -> None:
        await self.aside(self.shard(uuid, number).force_merge, segments, only_expunge, flush)

    async def describe(self, shards: Sequence[OneShard], segments: bool) -> list[Description | None]:
        """What is known of the copies that are here."""
        return [self._describe(shard.uuid, shard.number, segments) for shard in shards]

    def _describe(self, uuid: str, number: int, segments: bool) -> Description | None:
        local = self.indices.get(uuid)
        found = local.shards.get(number) if local is not None else None
        folder = self.folder.shard(uuid, number)
        progress, moved = self.recoveries.progress(uuid, number), self.recoveries.counts(uuid, number)
        if local is None or found is None:
            on_disk = _count_folders(folder / "segments")
            there = progress is not None or folder.is_dir()
            return Description(None, None, b"{}", 0, str(folder), on_disk, progress, moved) if there else None
        if progress is None or found.recovery != "PEER":
            progress = found.progress
        try:
            stats = found.kernel.stats()
            parts = found.kernel.segments() if segments else None
            visible = found.kernel.reader().doc_count()
        except KernelError:
            return None
        searches = orjson.dumps(self.counts.of(local.index.name, number).section())
        return Description(stats, parts, searches, visible, str(folder), 0, progress, moved)

    @property
    def queued(self) -> int:
        """Searches that wait for a thread."""
        return self.searches.queue

    def searched(self, shards: Iterable[tuple[str, int]], millis: float, groups: Sequence[str] = ()) -> None:
        """Counts one search over these shards of this node, by name of index and number."""
        self.counts.add(shards, millis, groups)

    def failed(self, shards: Iterable[tuple[str, int]]) -> None:
        """Counts searches that these shards of this node could not answer."""
        self.counts.failed(shards)

    def keep(self, kind: str, shards: Iterable[tuple[str, int]]) -> Callable[[], None]:
        """Counts readers of these shards of this node as kept (see :meth:`SearchCounts.keep`) until what is answered is called."""
        began, end = self._clock.monotonic(), self.counts.keep(kind, shards)
        return lambda: end((self._clock.monotonic() - began) * 1000)

    def aside(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Runs what is neither a search nor a write, and may wait."""
        return self._slow.run_anyway(function, *args)

    def call(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Runs a search of the kernel in a thread of its own kind: writes do not wait behind searches. Raises
        rejected_execution_exception when too many wait already.
        """
        return self.searches.run(function, *args)

    # --- ending -----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Closes all shards; what was acknowledged is on disk."""
        self._reports.end()
        await self.settling.end()
        await self.recoveries.close()
        await self._reports.ended()
        self._slow.close()
        # Side by side: the file system makes one commit of what many shards sync together.
        self._slow = Pool("shard-close", _CLOSING_THREADS)
        shards = [(local.index.name, shard) for local in self.indices.values() for shard in local.shards.values()]
        await asyncio.gather(*(self.copies.close(name, shard) for name, shard in shards))
        self.indices.clear()
        self.runtime.close()
        for pool in (self.searches, self.writes, self._moving, self._slow):
            pool.close()


def _count_folders(path: Path) -> int:
    return sum(entry.is_dir() for entry in path.iterdir()) if path.is_dir() else 0
