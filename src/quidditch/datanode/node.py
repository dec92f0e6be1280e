"""The data node: makes the local shards what the cluster state says, and serves them.

Applying a state is level-triggered: each index that changed gets a task that compares what should be here with what is,
until they agree. New mappings and settings of open shards are applied at once, so that whoever waited for the change
finds it in force.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core.commands import ShardFailed, ShardStarted
from quidditch.datanode.disk import Disk
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.local import LocalIndex, LocalShard
from quidditch.datanode.pools import Pool
from quidditch.datanode.reports import Reports
from quidditch.datanode.search_counts import SearchCounts
from quidditch.datanode.settings import shard_config
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, Index
from quidditch.model.state import ClusterState
from quidditch.transport.shards import Description, OneShard, ShardMissing
from quidditch_kernel import KernelError, Mapping, Reader, Runtime, Shard, Slice, SliceResult

log = logging.getLogger("quidditch.datanode")
_MAPPING_SECONDS = 30.0
"""How long a write waits for this node to have a mapping that another node has already."""
_CLOSING_THREADS = 16
T = TypeVar("T")


class DataNode:
    """Owner of the kernel's runtime, shards and readers. Used from the event loop's thread."""

    def __init__(
        self,
        folder: DataFolder,
        runtime: Runtime,
        compile_mapping: Callable[[Index], Mapping],
        control: ControlPlane,
        writes: Pool,
        searches: Pool,
    ) -> None:
        self.folder = folder
        self.id = folder.node_id
        self.runtime = runtime
        self.indices: dict[str, LocalIndex] = {}
        self.state = ClusterState()
        self.counts = SearchCounts()
        self._compile = compile_mapping
        self._control = control
        self._reports = Reports(control)
        self._disk = Disk(folder.path)
        self.writes = writes
        self.searches = searches
        self._slow = Pool("management", 2)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._dirty: set[str] = set()
        self._kept: set[str] = set()
        self._closing = False

    # --- applying the cluster state ---------------------------------------------------------------------------------

    def apply(self, _old: ClusterState, state: ClusterState) -> None:
        """Takes a newer state (a subscriber of the control plane).

        On return mappings and settings are in force; shards open and close later.
        """
        old, self.state = self.state, state
        if self._closing or (old.indices is state.indices and old.routing is state.routing):
            return
        if _restored(old) != _restored(state):
            # What a restored state does not know was made after its backup, not deleted.
            self._kept |= {each.uuid for each in old.indices.values() if state.index_by_uuid(each.uuid) is None}
        for name, index in state.indices.items():
            before = old.indices.get(name)
            if before is not index:
                if before is not None and before.uuid != index.uuid:
                    self._touch(before.uuid)
                self._configure(index)
                self._touch(index.uuid)
            elif old.routing.get(name) is not state.routing.get(name):
                self._touch(index.uuid)
        for name, index in old.indices.items():
            now = state.indices.get(name)
            if now is None:
                self._touch(index.uuid)
            if now is None or now.uuid != index.uuid:
                self.counts.forget([name])

    def _configure(self, index: Index) -> None:
        local = self.indices.get(index.uuid)
        if local is None:
            return
        before, local.index = local.index, index
        mapping_changed = (
            before.spec.mapping_version != index.spec.mapping_version or before.spec.mappings != index.spec.mappings
        )
        try:
            if mapping_changed:
                local.mapping = self._compile(index)
        except Exception:
            log.exception("index [%s]: the new mapping cannot be applied", index.name)
            return
        for shard in local.shards.values():
            try:
                if mapping_changed:
                    shard.kernel.set_mapping(local.mapping)
                if before.spec.settings != index.spec.settings:
                    shard.kernel.configure(shard_config(index, shard.number, shard.primary_term))
            except Exception as error:
                log.error("shard [%s][%d] does not take its mapping or settings: %s", index.name, shard.number, error)

    def _touch(self, uuid: str) -> None:
        self._dirty.add(uuid)
        if uuid not in self._tasks:
            self._tasks[uuid] = asyncio.get_running_loop().create_task(self._settle(uuid), name=f"settle-{uuid}")

    async def _settle(self, uuid: str) -> None:
        try:
            while uuid in self._dirty and not self._closing:
                self._dirty.discard(uuid)
                await self._settle_once(uuid)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("index [%s] cannot be brought to its state", uuid)
        finally:
            del self._tasks[uuid]

    async def _settle_once(self, uuid: str) -> None:
        index = self.state.index_by_uuid(uuid)
        if index is None:
            await self._forget(uuid)
            return
        wanted = self._wanted(index)
        local = self.indices.get(uuid)
        if local is not None:
            for number, shard in list(local.shards.items()):
                copy = wanted.get(number)
                if not index.open or copy is None or copy[0].allocation_id != shard.allocation_id:
                    del local.shards[number]
                    await self._close(index.name, shard)
        if wanted:
            await asyncio.gather(*(self._bring_up(index, number, *copy) for number, copy in wanted.items()))
        for number in self.folder.allocations.shards(uuid):
            if number not in wanted and _is_elsewhere(self.state, index, number):
                log.info("shard [%s][%d] is complete on other nodes, its data here is removed", index.name, number)
                await self._slow.run_anyway(self.folder.remove_shard, uuid, number)

    def _wanted(self, index: Index) -> dict[int, tuple[Copy, int]]:
        """The copies that belong on this node, with their primary terms."""
        routing = self.state.routing.get(index.name)
        if routing is None or routing.spec.uuid != index.uuid:
            return {}
        return {
            number: (copy, shard.primary_term)
            for number, shard in enumerate(routing.spec.shards)
            for copy in shard.copies
            if copy.node == self.id and copy.allocation_id
        }

    async def _bring_up(self, index: Index, number: int, copy: Copy, primary_term: int) -> None:
        local = self.indices.get(index.uuid)
        if local is None:
            local = self.indices[index.uuid] = LocalIndex(index, self._compile(index))
        shard = local.shards.get(number)
        if shard is None and index.open:
            allocation = str(copy.allocation_id)
            if (allocation, primary_term) in local.failed:
                return
            started = time.monotonic()
            try:
                kernel = await self._open(local, number, copy, primary_term)
            except (KernelError, OSError, ValueError) as error:
                log.error("shard [%s][%d] cannot be opened: %s", index.name, number, error)
                local.failed.add((allocation, primary_term))
                await self._report_failed(index, number, allocation, primary_term, _sentence(error))
                return
            took = int((time.monotonic() - started) * 1000)
            opened = time.time_ns() // 1_000_000 - took
            source = copy.recovery or "EXISTING_STORE"
            shard = LocalShard(number, allocation, primary_term, kernel, source, opened, took)
            local.shards[number] = shard
            self._watch(index.uuid, shard)
            if local.index is not index:
                kernel.set_mapping(local.mapping)
                kernel.configure(shard_config(local.index, number, primary_term))
        elif shard is not None and shard.primary_term != primary_term:
            shard.primary_term = primary_term
            shard.kernel.configure(shard_config(local.index, number, primary_term))
        if copy.state == "INITIALIZING":
            await self._report_started(index, number, copy, primary_term)

    async def _open(self, local: LocalIndex, number: int, copy: Copy, primary_term: int) -> Shard:
        uuid = local.index.uuid
        await self._slow.run_anyway(self.folder.prepare, uuid, number, copy)
        existing = copy.recovery == "EXISTING_STORE"
        config = shard_config(local.index, number, primary_term, existing=existing, new_history=copy.forced)
        started = time.monotonic()
        path = str(self.folder.shard(uuid, number))
        shard = await self._slow.run_anyway(Shard.open, self.runtime, path, config, local.mapping)
        await self._slow.run_anyway(self.folder.allocations.keep, uuid, number, str(copy.allocation_id))
        log.debug("shard [%s][%d] opened in %.3f s", local.index.name, number, time.monotonic() - started)
        return shard

    def _watch(self, uuid: str, shard: LocalShard) -> None:
        loop = asyncio.get_running_loop()

        def told() -> None:
            try:
                loop.call_soon_threadsafe(self._failed, uuid, shard)
            except RuntimeError:
                log.debug("a shard failed after the event loop had ended")

        shard.kernel.when_failed(told)

    def _failed(self, uuid: str, shard: LocalShard) -> None:
        """The shard met a fault. It is closed, reported, and opened again when the control plane says so."""
        local = self.indices.get(uuid)
        if self._closing or local is None or local.shards.get(shard.number) is not shard:
            return
        del local.shards[shard.number]
        local.failed.add((shard.allocation_id, shard.primary_term))
        self._reports.follow(self._give_up(local.index, shard))

    async def _give_up(self, index: Index, shard: LocalShard) -> None:
        reason = f"shard failure, reason [{shard.kernel.failure()}]"
        await self._close(index.name, shard)
        await self._report_failed(index, shard.number, shard.allocation_id, shard.primary_term, reason)

    async def _close(self, name: str, shard: LocalShard) -> None:
        try:
            await self._slow.run_anyway(shard.kernel.close)
        except KernelError as error:
            log.error("shard [%s][%d] did not close cleanly: %s", name, shard.number, _sentence(error))

    async def _report_started(self, index: Index, number: int, copy: Copy, primary_term: int) -> None:
        await self._reports.send(
            ShardStarted(
                index=index.name,
                uuid=index.uuid,
                shard=number,
                allocation_id=str(copy.allocation_id),
                primary_term=primary_term,
            )
        )

    async def _report_failed(self, index: Index, number: int, allocation: str, primary_term: int, reason: str) -> None:
        await self._reports.send(
            ShardFailed(
                index=index.name,
                uuid=index.uuid,
                shard=number,
                allocation_id=allocation,
                reason=reason,
                primary_term=primary_term,
            )
        )

    async def _forget(self, uuid: str) -> None:
        local = self.indices.pop(uuid, None)
        if local is not None:
            for shard in local.shards.values():
                await self._slow.run_anyway(shard.kernel.close if uuid in self._kept else shard.kernel.abandon)
        if uuid in self._kept:
            log.warning("index [%s] is not in the restored state of the cluster, its data stays on disk", uuid)
        else:
            await self._slow.run_anyway(self.folder.remove, uuid)

    async def settled(self, timeout: float) -> None:
        """Until all shards that belong here are open (or failed), at most `timeout` seconds."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=timeout)

    def dangling(self) -> list[str]:
        """Index folders of which the cluster state knows nothing; they are left alone."""
        return [uuid for uuid in self.folder.uuids() if self.state.index_by_uuid(uuid) is None]

    # --- serving ----------------------------------------------------------------------------------------------------

    def shard(self, uuid: str, number: int) -> Shard:
        """The kernel's shard. Raises :class:`ShardMissing`."""
        local = self.indices.get(uuid)
        found = local.shards.get(number) if local is not None else None
        if found is None:
            raise ShardMissing(f"shard [{uuid}][{number}] is not open on this node")
        return found.kernel

    def has(self, uuid: str, number: int) -> bool:
        local = self.indices.get(uuid)
        return local is not None and number in local.shards

    async def write(self, uuid: str, number: int, slice: Slice, timeout: float = 0) -> SliceResult:
        """Applies a slice of a bulk; it is durable on return if the index says so. `timeout` is for calls between nodes.

        Raises cluster_block_exception while the disk is too full, whatever was reported of it.
        """
        del timeout
        kernel = self.shard(uuid, number)
        self._disk.check_flood(self.indices[uuid].index.name, self.state.settings.get)
        return await self.writes.run(kernel.bulk, slice)

    async def retry(
        self, uuid: str, number: int, slice: Slice, result: SliceResult, mapping_version: int
    ) -> SliceResult:
        """Applies the items again that stopped at unknown fields, once the mapping has this version here."""
        await self._mapped(uuid, number, mapping_version)
        await self.writes.run_anyway(self.shard(uuid, number).retry, slice, result)
        return result

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

    async def get(self, uuid: str, number: int, request: bytes) -> bytes | None:
        return self.shard(uuid, number).get(request)

    def reader(self, uuid: str, number: int) -> Reader:
        """A point in time of one shard."""
        return self.shard(uuid, number).reader()

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
        await self._slow.run_anyway(self.shard(uuid, number).flush, force, wait_if_ongoing)

    async def force_merge(self, uuid: str, number: int, segments: int, only_expunge: bool, flush: bool) -> None:
        await self._slow.run_anyway(self.shard(uuid, number).force_merge, segments, only_expunge, flush)

    async def describe(self, shards: Sequence[OneShard], segments: bool) -> list[Description | None]:
        """What is known of the copies that are here."""
        return [self._describe(shard.uuid, shard.number, segments) for shard in shards]

    def _describe(self, uuid: str, number: int, segments: bool) -> Description | None:
        local = self.indices.get(uuid)
        found = local.shards.get(number) if local is not None else None
        folder = self.folder.shard(uuid, number)
        if local is None or found is None:
            on_disk = _count_folders(folder / "segments")
            return Description(None, None, b"{}", 0, str(folder), on_disk) if folder.is_dir() else None
        try:
            stats = found.kernel.stats()
            parts = found.kernel.segments() if segments else None
            visible = found.kernel.reader().doc_count()
        except KernelError:
            return None
        searches = orjson.dumps(self.counts.of(local.index.name, number).section())
        return Description(stats, parts, searches, visible, str(folder), 0, found.progress)

    @property
    def queued(self) -> int:
        """Searches that wait for a thread."""
        return self.searches.queue

    def searched(self, shards: Iterable[tuple[str, int]], millis: float, groups: Sequence[str] = ()) -> None:
        """Counts one search over these shards of this node, by name of index and number."""
        self.counts.add(shards, millis, groups)

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
        self._closing = True
        self._reports.end()
        if self._tasks:
            await asyncio.gather(*list(self._tasks.values()), return_exceptions=True)
        await self._reports.ended()
        self._slow.close()
        # Side by side: the file system makes one commit of what many shards sync together.
        self._slow = Pool("shard-close", _CLOSING_THREADS)
        shards = [(local.index.name, shard) for local in self.indices.values() for shard in local.shards.values()]
        await asyncio.gather(*(self._close(name, shard) for name, shard in shards))
        self.indices.clear()
        self.runtime.close()
        for pool in (self.searches, self.writes, self._slow):
            pool.close()


def _count_folders(path: Path) -> int:
    return sum(entry.is_dir() for entry in path.iterdir()) if path.is_dir() else 0


def _is_elsewhere(state: ClusterState, index: Index, number: int) -> bool:
    """Whether all copies of the shard that there shall be are there, so that nobody needs what else lies on disks."""
    routing = state.routing.get(index.name)
    if routing is None or routing.spec.uuid != index.uuid or number >= len(routing.spec.shards):
        return False
    return all(copy.state == "STARTED" for copy in routing.spec.shards[number].copies)


def _sentence(error: BaseException) -> str:
    return str(error.args[1]) if isinstance(error, KernelError) and len(error.args) > 1 else str(error)


def _restored(state: ClusterState) -> int:
    return state.cluster.status.restored if state.cluster is not None else 0
