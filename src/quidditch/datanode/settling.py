"""Makes the local shards what the cluster state says.

Level-triggered: each index that changed gets a task that compares what should be here with what is, until they agree. New mappings and
settings of open shards, and what primaries have to know of their copies, are applied at once, so that whoever waited for the change
finds it in force. Recoveries have tasks of their own: they take long, and a promotion does not wait for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from quidditch.controlplane.core.commands import ShardFailed, ShardStarted
from quidditch.datanode.copies import Copies, sentence
from quidditch.datanode.faults import Faults
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.local import LocalIndex, LocalShard
from quidditch.datanode.pools import Pool
from quidditch.datanode.reports import Reports
from quidditch.datanode.search_counts import SearchCounts
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, Index, ShardRouting
from quidditch.model.state import ClusterState
from quidditch.transport.api import TransportError
from quidditch.transport.shards import ShardMissing
from quidditch_kernel import KernelError, Mapping

log = logging.getLogger("quidditch.datanode")
_FAULTS = (KernelError, OSError, ValueError, ApiError, TransportError, ShardMissing, TimeoutError)


class Recoveries(Protocol):
    """Brings copies to life from their primaries."""

    async def recover(self, local: LocalIndex, number: int, copy: Copy, primary_term: int) -> None:
        """The copy is open, in `local` and in sync on return; a moving primary has taken over. Cancelled when the copy is wanted no
        more. Raises what hinders it: it is told to the control plane, and the copy placed anew.
        """


class Settling:
    """The open shards of a node by the uuid of their index, and the state they follow. `node`: the id of this one."""

    def __init__(
        self,
        node: str,
        folder: DataFolder,
        compile_mapping: Callable[[Index], Mapping],
        reports: Reports,
        counts: SearchCounts,
        aside: Pool,
    ) -> None:
        self.indices: dict[str, LocalIndex] = {}
        self.state = ClusterState()
        self.copies: Copies
        self.recoveries: Recoveries | None = None
        self._node = node
        self._folder = folder
        self._compile = compile_mapping
        self._reports = reports
        self._counts = counts
        self._aside = aside
        self.faults = Faults(folder, aside)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._dirty: set[str] = set()
        self._kept: set[str] = set()
        self._promoting: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._recovering: dict[tuple[str, int], tuple[str, asyncio.Task[None]]] = {}
        """The allocation id and the task of each recovery under way, by index and number."""
        self._giving_up: set[tuple[str, int]] = set()
        """Copies that have failed and are not closed yet."""
        self._closing = False

    # --- what is applied at once ----------------------------------------------------------------------------------------

    def apply(self, state: ClusterState) -> None:
        """Takes a newer state. On return mappings and settings are in force, and primaries know their copies; shards open and close
        later.
        """
        old, self.state = self.state, state
        if self._closing or (old.indices is state.indices and old.routing is state.routing):
            return
        if _restored(old) != _restored(state):
            # What a restored state does not know was made after its backup, not deleted.
            self._kept |= {each.uuid for each in old.indices.values() if state.index_by_uuid(each.uuid) is None}
        for name, before in old.indices.items():
            now = state.indices.get(name)
            if now is None or now.uuid != before.uuid:
                self._touch(before.uuid)
                self._counts.forget([name])
        for name, index in state.indices.items():
            if old.indices.get(name) is not index:
                self._configure(index)
                self._touch(index.uuid)
            if old.routing.get(name) is not state.routing.get(name):
                self._follow(index)
                self._touch(index.uuid)

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
                    self.copies.configure(local, shard)
            except Exception as error:
                log.error("shard [%s][%d] does not take its mapping or settings: %s", index.name, shard.number, error)

    def _follow(self, index: Index) -> None:
        local = self.indices.get(index.uuid)
        if local is None:
            return
        for number, shard in local.shards.items():
            routing = self._routing(index, number)
            if routing is None:
                continue
            leads = routing.primary.allocation_id == shard.allocation_id
            if shard.primary is not None:
                shard.primary.follow(self.state.version, routing)
                if leads and routing.primary_term > shard.primary_term:
                    self._begin_promotion(local, shard, routing)
            elif leads and routing.primary.active:
                self._begin_promotion(local, shard, routing)

    def _begin_promotion(self, local: LocalIndex, shard: LocalShard, routing: ShardRouting) -> None:
        key = (local.index.uuid, shard.number)
        if key not in self._promoting:
            task = asyncio.get_running_loop().create_task(self._promote(local, shard, routing))
            self._promoting[key] = task
            task.add_done_callback(lambda _: self._promoting.pop(key, None))

    async def _promote(self, local: LocalIndex, shard: LocalShard, routing: ShardRouting) -> None:
        """A replica becomes primary, or a primary of an older term one of this. Nobody can write to the shard until this is done."""
        name, number, term = local.index.name, shard.number, routing.primary_term
        log.info("shard [%s][%d] becomes primary in term %d", name, number, term)
        try:
            primary = await self.copies.promote(local, shard, term)
        except _FAULTS as error:
            self.lost(local.index.uuid, shard, f"cannot become primary: {sentence(error)}")
            return
        now = self._routing(local.index, number)
        primary.activate(self.state.version, now if now is not None and now.primary_term == term else routing)
        try:
            await primary.resync()
        except (ShardMissing, KernelError) as error:
            log.info("resync of shard [%s][%d] has ended: %s", name, number, error)

    # --- what takes time ------------------------------------------------------------------------------------------------

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

    async def fault(self, uuid: str, number: int) -> str | None:
        """Why the data of a shard here cannot be opened; None if it is open, or nothing speaks against it."""
        local = self.indices.get(uuid)
        if local is not None and number in local.shards:
            return None
        busy = uuid in self._tasks or (uuid, number) in self._recovering or (uuid, number) in self._giving_up
        return self.faults.known(uuid, number) if busy else await self.faults.look(uuid, number)

    async def _settle_once(self, uuid: str) -> None:
        index = self.state.index_by_uuid(uuid)
        if index is None:
            await self._forget(uuid)
            return
        wanted = self._wanted(index) if index.open else {}
        await self._take_down(index, wanted)
        if wanted:
            await asyncio.gather(*(self._bring_up(index, number, copy) for number, copy in wanted.items()))
        placed = self._wanted(index)
        for number in self._folder.allocations.shards(uuid):
            if number not in placed and self._is_elsewhere(index, number):
                log.info("shard [%s][%d] is complete on other nodes, its data here is removed", index.name, number)
                await self._aside.run_anyway(self._folder.remove_shard, uuid, number)

    def _wanted(self, index: Index) -> dict[int, Copy]:
        """The copies that belong on this node."""
        routing = self.state.routing.get(index.name)
        if routing is None or routing.spec.uuid != index.uuid:
            return {}
        return {
            number: copy
            for number, shard in enumerate(routing.spec.shards)
            for copy in shard.placed
            if copy.node == self._node and copy.allocation_id
        }

    def routing(self, uuid: str, number: int) -> ShardRouting | None:
        """The routing of a shard in the state that is applied here."""
        index = self.state.index_by_uuid(uuid)
        return None if index is None else self._routing(index, number)

    def _routing(self, index: Index, number: int) -> ShardRouting | None:
        routing = self.state.routing.get(index.name)
        if routing is None or routing.spec.uuid != index.uuid or number >= len(routing.spec.shards):
            return None
        return routing.spec.shards[number]

    def _is_elsewhere(self, index: Index, number: int) -> bool:
        """Whether all copies of the shard that there shall be are there, so that nobody needs what else lies on disks."""
        routing = self._routing(index, number)
        return routing is not None and all(copy.state == "STARTED" for copy in routing.copies)

    async def _take_down(self, index: Index, wanted: dict[int, Copy]) -> None:
        """Ends recoveries and closes shards that belong here no more."""
        for (uuid, number), (allocation_id, _) in list(self._recovering.items()):
            copy = wanted.get(number)
            if uuid == index.uuid and (copy is None or copy.allocation_id != allocation_id):
                await self._stop_recovery(uuid, number)
        local = self.indices.get(index.uuid)
        for number, shard in list(local.shards.items()) if local is not None else ():
            copy = wanted.get(number)
            if local is None or local.shards.get(number) is not shard:  # failed while others were closed
                continue
            if copy is None or copy.allocation_id != shard.allocation_id:
                del local.shards[number]
                await self.copies.close(index.name, shard)

    async def _bring_up(self, index: Index, number: int, copy: Copy) -> None:
        local = self.indices.get(index.uuid)
        if local is None:
            local = self.indices[index.uuid] = LocalIndex(index, self._compile(index))
        routing = self._routing(index, number)
        if routing is None or (str(copy.allocation_id), routing.primary_term) in local.failed:
            return
        if (index.uuid, number) in self._giving_up:  # looked at again once it is closed
            return
        await self.faults.looked(index.uuid, number)
        try:
            if copy.recovery == "PEER" and copy.state == "INITIALIZING":
                self._begin_recovery(local, number, copy, routing.primary_term)
            elif number not in local.shards and copy.active:
                # The control plane takes it for one of an earlier start of this node. A primary may have lost numbers that other copies
                # know: it goes on in a new term only.
                raise ValueError("the copy is not open")
            elif copy.primary:
                await self._lead(local, number, copy, routing)
            if copy.state == "STARTED":
                await self._own(local.index.uuid, number, str(copy.allocation_id))
        except _FAULTS as error:
            log.error("shard [%s][%d] cannot be brought up: %s", index.name, number, sentence(error))
            self.faults.note(index.uuid, number, error)
            await self._fail(local, number, copy, routing.primary_term, sentence(error))

    async def _own(self, uuid: str, number: int, allocation_id: str) -> None:
        """Nobody looks for the data under the id any more that it had before the copy was built."""
        allocations = self._folder.allocations
        ids = allocations.of(uuid, number) or ()
        if allocation_id in ids and len(ids) > 1:
            await self._aside.run_anyway(allocations.keep, uuid, number, allocation_id)

    async def _lead(self, local: LocalIndex, number: int, copy: Copy, routing: ShardRouting) -> None:
        if number not in local.shards:
            await self.copies.open_primary(local, number, copy, self.state.version, routing)
            self._follow(self.state.index_by_uuid(local.index.uuid) or local.index)
        promotion = self._promoting.get((local.index.uuid, number))
        if promotion is not None:
            await asyncio.wait([promotion])
        if copy.state == "INITIALIZING" and number in local.shards:
            await self._report_started(local.index, number, copy, routing.primary_term)

    # --- recoveries -----------------------------------------------------------------------------------------------------

    def _begin_recovery(self, local: LocalIndex, number: int, copy: Copy, primary_term: int) -> None:
        key = (local.index.uuid, number)
        if key not in self._recovering and self.recoveries is not None:
            task = asyncio.get_running_loop().create_task(self._recover(local, number, copy, primary_term))
            self._recovering[key] = (str(copy.allocation_id), task)

    async def _recover(self, local: LocalIndex, number: int, copy: Copy, primary_term: int) -> None:
        assert self.recoveries is not None
        key = (local.index.uuid, number)
        try:
            if number not in local.shards:
                await self.recoveries.recover(local, number, copy, primary_term)
            await self._report_started(local.index, number, copy, primary_term)
        except _FAULTS as error:
            log.error("shard [%s][%d] cannot be recovered: %s", local.index.name, number, sentence(error))
            await self._fail(local, number, copy, primary_term, sentence(error))
        finally:
            if self._recovering.get(key, ("", None))[1] is asyncio.current_task():
                del self._recovering[key]

    async def _stop_recovery(self, uuid: str, number: int) -> None:
        _, task = self._recovering.pop((uuid, number))
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            log.error("shard [%s][%d]: a recovery ended badly", uuid, number, exc_info=task.exception())

    # --- what fails -----------------------------------------------------------------------------------------------------

    def lost(self, uuid: str, shard: LocalShard, reason: str) -> None:
        """The copy met a fault, or is the primary no longer. It is closed, reported, and made anew when the control plane says so."""
        local = self.indices.get(uuid)
        if self._closing or local is None or local.shards.get(shard.number) is not shard:
            return
        del local.shards[shard.number]
        local.failed.add((shard.allocation_id, shard.primary_term))
        shard.refuse(ShardMissing(f"shard [{local.index.name}][{shard.number}] has failed: {reason}"))
        self._giving_up.add((uuid, shard.number))
        self._reports.follow(self._give_up(local.index, shard, shard.primary_term, reason))

    async def _give_up(self, index: Index, shard: LocalShard, term: int, reason: str) -> None:
        try:
            await self.copies.close(index.name, shard)
        finally:
            self._giving_up.discard((index.uuid, shard.number))
        if not self._closing:
            # A newer term may want the copy already; that it failed in this one is no news to the control plane then.
            self._touch(index.uuid)
        await self._report_failed(index, shard.number, shard.allocation_id, term, reason)

    async def _fail(self, local: LocalIndex, number: int, copy: Copy, primary_term: int, reason: str) -> None:
        allocation_id = str(copy.allocation_id)
        local.failed.add((allocation_id, primary_term))
        shard = local.shards.get(number)
        if shard is not None and shard.allocation_id == allocation_id:
            del local.shards[number]
            await self.copies.close(local.index.name, shard)
        await self._report_failed(local.index, number, allocation_id, primary_term, reason)

    async def _report_started(self, index: Index, number: int, copy: Copy, primary_term: int) -> None:
        self.faults.sound(index.uuid, number)
        report = ShardStarted(
            index=index.name,
            uuid=index.uuid,
            shard=number,
            allocation_id=str(copy.allocation_id),
            primary_term=primary_term,
        )
        await self._reports.send(report)

    async def _report_failed(self, index: Index, number: int, allocation: str, primary_term: int, reason: str) -> None:
        report = ShardFailed(
            index=index.name,
            uuid=index.uuid,
            shard=number,
            allocation_id=allocation,
            reason=reason,
            primary_term=primary_term,
        )
        await self._reports.send(report)

    # --- ending ---------------------------------------------------------------------------------------------------------

    async def _forget(self, uuid: str) -> None:
        for key in [key for key in self._recovering if key[0] == uuid]:
            await self._stop_recovery(*key)
        local = self.indices.pop(uuid, None)
        for number in self._folder.allocations.shards(uuid):
            self.faults.sound(uuid, number)
        for shard in local.shards.values() if local is not None else ():
            shard.refuse(ShardMissing("the index is deleted"))
            await self._aside.run_anyway(shard.kernel.close if uuid in self._kept else shard.kernel.abandon)
        if uuid in self._kept:
            log.warning("index [%s] is not in the restored state of the cluster, its data stays on disk", uuid)
        else:
            await self._aside.run_anyway(self._folder.remove, uuid)

    async def settled(self, timeout: float) -> None:
        """Until all shards that belong here are open (or failed), at most `timeout` seconds."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=timeout)

    async def end(self) -> None:
        """Follows no more states."""
        self._closing = True
        for key in list(self._recovering):
            await self._stop_recovery(*key)
        for task in [*self._promoting.values(), *self._tasks.values()]:
            await asyncio.wait([task])


def _restored(state: ClusterState) -> int:
    return state.cluster.status.restored if state.cluster is not None else 0
