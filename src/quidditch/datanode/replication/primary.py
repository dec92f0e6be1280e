"""The primary's side: a write is acknowledged when every copy in sync has it on disk, or is in sync no longer.

The order of things carries the safety: the global checkpoint is read before the copies that get it; a copy leaves the in-sync set by a
write of the control plane before a write that it missed is acknowledged; and the control plane refuses that to a primary whose term is
over, which then acknowledges nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import orjson

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core.commands import ShardFailed
from quidditch.datanode.replication.copy_calls import CopyCalls, Deposed, Failure, Member, Patience
from quidditch.datanode.replication.engine import Engine, Peers, Run
from quidditch.datanode.replication.permits import Permits
from quidditch.datanode.replication.tracker import ReplicationTracker
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.model.objects import ShardRouting
from quidditch.transport.api import TransportError
from quidditch.transport.replication import Head, Operations
from quidditch.transport.shards import RETRY_ON_PRIMARY, ShardMissing

log = logging.getLogger("quidditch.replication")
RESYNC_BYTES = 512 << 10
_IDLE_SECONDS = 0.05
"""A primary without writes for so long tells the global checkpoint to those that do not know it."""
_TELL_SECONDS = 5.0
_PAUSE = 0.05
_LEASE_SECONDS = 12 * 3600.0
"""How long history is kept for a node that has no copy any more: OpenSearch's `index.soft_deletes.retention_lease.period`."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ShardId:
    """A shard: the name and uuid of its index, and its number."""

    index: str
    uuid: str
    number: int

    def __str__(self) -> str:
        return f"[{self.index}][{self.number}]"


class Written(Protocol):
    """The kernel's `SliceResult`, as far as it is looked at here."""

    def operations(self) -> bytes: ...
    def set_copies(self, total: int, successful: int, failures: bytes) -> None: ...


W = TypeVar("W", bound=Written)


class Primary:
    """One primary in one term. `deposed` is called, once, when it finds that its term is over: it is closed then and answers nothing.
    One that was closed before has no say any more: its copy may lead a newer term.

    `mapping_version` says which mapping the operations need; `durable`, whether an operation is on disk before it is answered.
    `term_start`, where it is not this copy that began the term: see :class:`Head`.
    """

    def __init__(
        self,
        shard: ShardId,
        tracker: ReplicationTracker,
        engine: Engine,
        *,
        primary_term: int,
        run: Run,
        peers: Peers,
        control: ControlPlane,
        clock: Clock,
        patience: Callable[[], Patience] = Patience,
        mapping_version: Callable[[], int] = lambda: 0,
        durable: Callable[[], bool] = lambda: True,
        deposed: Callable[[str], None] = lambda _reason: None,
        term_start: int | None = None,
    ) -> None:
        self.shard = shard
        self.tracker = tracker
        self.engine = engine
        self.primary_term = primary_term
        self.permits = Permits()
        self.term_start = engine.checkpoints()[0] if term_start is None else term_start
        self._run = run
        self._calls = CopyCalls(peers, clock, patience, self._gone)
        self._control = control
        self._clock = clock
        self.mapping_version = mapping_version
        self._durable = durable
        self._deposed = deposed
        self._members: dict[str, str] = {}
        """Node by allocation id, of the copies that the routing has on nodes."""
        self._copies = 1
        self._work: dict[asyncio.Task[Any], None] = {}
        self._spreading: dict[asyncio.Future[list[Failure]], None] = {}
        self._failing: dict[str, asyncio.Task[None]] = {}
        self._idle: asyncio.Task[None] | None = None
        self._retained = -1
        self._ended_by: ShardMissing | None = None

    @property
    def allocation_id(self) -> str:
        return self.tracker.own

    # --- the routing --------------------------------------------------------------------------------------------------

    def activate(self, version: int, routing: ShardRouting) -> None:
        """The first routing that names this copy primary."""
        self._note(routing)
        self.tracker.activate(version, routing.in_sync, _initializing(routing))
        self.engine.set_global_checkpoint(self.tracker.global_checkpoint)

    def follow(self, version: int, routing: ShardRouting) -> None:
        """A later routing; an older one is passed over, and so is one of another term."""
        if routing.primary_term == self.primary_term and version > self.tracker.version:
            self._note(routing)
            self.tracker.update(version, routing.in_sync, _initializing(routing))
            self.engine.set_global_checkpoint(self.tracker.global_checkpoint)
            self._tell_when_idle()

    def meet(self, routing: ShardRouting) -> None:
        """Where the copies are that its tracker knows already: it took over from another primary of the same term."""
        self._note(routing)

    def _note(self, routing: ShardRouting) -> None:
        self._members = {str(copy.allocation_id): str(copy.node) for copy in routing.placed if copy.allocation_id}
        self._copies = len(routing.copies)

    def _gone(self, member: Member) -> bool:
        """Whether the routing has the copy on that node no longer."""
        return self._members.get(member.allocation_id) != member.node

    # --- writes -------------------------------------------------------------------------------------------------------

    def check(self, allocation_id: str, primary_term: int) -> None:
        """Raises :class:`ShardMissing` for a request that means another copy, or another term of this one."""
        self.permits.check()
        if (allocation_id, primary_term) != (self.allocation_id, self.primary_term):
            raise ShardMissing(f"{self.shard} is [{self.allocation_id}] of term [{self.primary_term}] here")

    async def write(self, apply: Callable[[bool], W], *, retried: bool = False) -> W:
        """Has `apply(sync)` write on this copy, brings what it wrote to the others, and returns when all is safe. Goes on to its end
        when the caller leaves. Raises :class:`ShardMissing` where nothing was applied, an :class:`ApiError` of type `RETRY_ON_PRIMARY`
        when the term ends meanwhile: then it is not known whether the write stays.
        """
        return await self._to_its_end(self._write(apply, retried))

    async def _write(self, apply: Callable[[bool], W], retried: bool) -> W:
        async with self.permits.operation():
            alone = len(self.tracker.tracked) == 1
            result = await self._run(apply, alone and self._durable())
            try:
                await self._make_safe(result, synced=alone, retried=retried)
            except ShardMissing as error:
                raise ApiError(503, RETRY_ON_PRIMARY, str(error)) from None
        self._tell_when_idle()
        return result

    async def _make_safe(self, result: Written, *, synced: bool, retried: bool) -> None:
        operations = result.operations()
        if not operations or retried:
            await self._earlier()
        if synced and len(self.tracker.tracked) == 1:
            self.look()
        elif operations:
            spread = asyncio.ensure_future(self._spread(operations, synced=synced))
            self._spreading[spread] = None
            spread.add_done_callback(self._spread_ended)
            failures = await spread
            result.set_copies(self._copies, 1 + self._successful(failures), _failures(self.shard, failures))
        self._retain()
        if self._ended_by is not None:
            raise self._ended_by

    def _spread_ended(self, done: asyncio.Future[list[Failure]]) -> None:
        self._spreading.pop(done, None)
        if not done.cancelled():
            done.exception()

    async def _earlier(self) -> None:
        """What this write found may not be safe yet: whoever is told of it, is told once it is."""
        for task in list(self._spreading):
            await asyncio.wait([task])

    def _successful(self, failures: list[Failure]) -> int:
        failed = {failure.member.allocation_id for failure in failures}
        return sum(id in self._members and id not in failed for id in self.tracker.tracked if id != self.allocation_id)

    async def _spread(self, operations: bytes, *, synced: bool) -> list[Failure]:
        """Sends the operations to every tracked copy while this one syncs. Raises :class:`ShardMissing`, or what hinders this copy."""
        checkpoint = self.tracker.global_checkpoint
        members, lost = self._group()
        steps: list[Coroutine[Any, Any, Failure | None]] = [self._persist(synced)]
        steps += [self._replicate(member, operations, checkpoint) for member in members]
        steps += [self._mark_stale(id, "primary shard has no assigned copy of it") for id in lost]
        outcomes = await asyncio.gather(*steps, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [outcome for outcome in outcomes if isinstance(outcome, Failure)]

    def _group(self) -> tuple[list[Member], list[str]]:
        """The other copies that get operations, and those in sync that are on no node."""
        others = [id for id in self.tracker.tracked if id != self.allocation_id]
        members = [Member(id, self._members[id]) for id in others if id in self._members]
        return members, [id for id in others if id not in self._members]

    async def _persist(self, synced: bool) -> None:
        if not synced and self._durable():
            await self._run(self.engine.sync)
        self.look()

    def look(self) -> None:
        """Takes notice of how far this copy itself is on disk, and of copies that have become in sync."""
        self._told(self.allocation_id, self.engine.checkpoints()[2])
        self._tell_when_idle()

    def _told(self, id: str, local_checkpoint: int, global_checkpoint: int = -1) -> None:
        before = self.tracker.global_checkpoint
        self.tracker.told(id, local_checkpoint, global_checkpoint)
        if self.tracker.global_checkpoint > before:
            self.engine.set_global_checkpoint(self.tracker.global_checkpoint)

    async def _replicate(self, member: Member, operations: bytes, checkpoint: int) -> Failure | None:
        """One copy has the operations on return, or is in sync no longer."""
        failure = await self._send(member, operations, checkpoint)
        if failure is not None:
            await self._mark_stale(member.allocation_id, f"failed to perform operations on replica: {failure.reason}")
        return failure

    async def _send(self, member: Member, operations: bytes, checkpoint: int) -> Failure | None:
        message = Operations(
            self._head(member, checkpoint), operations, self.mapping_version(), self.tracker.least_retained()
        )
        try:
            answer = await self._calls.send(member, message)
        except Deposed as error:
            raise self._over(str(error)) from None
        if isinstance(answer, Failure):
            return answer
        self._told(member.allocation_id, answer.local_checkpoint, answer.global_checkpoint)
        if member.allocation_id in self.tracker.copies:
            self.tracker.retain(member.node, answer.global_checkpoint + 1, self._clock.monotonic())
        return None

    def _head(self, member: Member, checkpoint: int) -> Head:
        uuid, number = self.shard.uuid, self.shard.number
        return Head(uuid, number, member.allocation_id, self.primary_term, self.term_start, checkpoint)

    # --- copies that fail ----------------------------------------------------------------------------------------------

    async def _mark_stale(self, id: str, reason: str) -> None:
        """The copy is out of the in-sync set on return, by the control plane's word. Raises :class:`ShardMissing` if that word is
        that this primary's term is over.
        """
        task = self._failing.get(id)
        if task is None:
            task = self._failing[id] = asyncio.ensure_future(self._report(id, reason))
            task.add_done_callback(lambda _done: self._failing.pop(id, None))
        await asyncio.shield(task)

    async def _report(self, id: str, reason: str) -> None:
        log.warning("shard %s: copy [%s] is failed: %s", self.shard, id, reason)
        report = ShardFailed(
            index=self.shard.index,
            uuid=self.shard.uuid,
            shard=self.shard.number,
            allocation_id=id,
            reason=reason,
            primary_term=self.primary_term,
            mark_stale=True,
        )
        while True:
            self.permits.check()
            try:
                await self._control.submit(report)
                return
            except ApiError as error:
                if error.type == "no_longer_primary_shard_exception":
                    raise self._over(str(error.reason)) from None
                log.warning("shard %s: no word on copy [%s]: %s", self.shard, id, error)
            except TransportError as error:
                log.warning("shard %s: no word on copy [%s]: %s", self.shard, id, error)
            await asyncio.sleep(_PAUSE)

    def _over(self, reason: str) -> ShardMissing:
        """This term is over: nothing is acknowledged any more."""
        if self._ended_by is None:
            self._ended_by = ShardMissing(
                f"{self.shard} is no longer the primary of term [{self.primary_term}]: {reason}"
            )
            if not self.permits.closed:
                self.close(self._ended_by)
                self._deposed(reason)
        return self._ended_by

    # --- resync -------------------------------------------------------------------------------------------------------

    async def resync(self) -> None:
        """After a promotion: the other copies get everything above the global checkpoint, and by the first message the new term. Those
        that do not take it are failed. Raises :class:`ShardMissing` when the term is over.
        """
        await self._to_its_end(self._resync())

    async def _resync(self) -> None:
        checkpoint = self.tracker.global_checkpoint
        members, _ = self._group()
        if not members:
            return
        history = await self._run(self.engine.history, checkpoint + 1)
        if history is None:
            for member in members:
                await self._mark_stale(member.allocation_id, "the primary has not kept what it may lack")
            return
        chunk = await self._run(history.next, RESYNC_BYTES)
        while members:
            outcomes = await asyncio.gather(
                *(self._replicate(member, chunk, checkpoint) for member in members), return_exceptions=True
            )
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    raise outcome
            members = [member for member, outcome in zip(members, outcomes, strict=True) if outcome is None]
            chunk = await self._run(history.next, RESYNC_BYTES) if chunk else b""
            if not chunk:
                break
        self._tell_when_idle()

    # --- when idle ----------------------------------------------------------------------------------------------------

    def _tell_when_idle(self) -> None:
        if self.tracker.lagging() and (self._idle is None or self._idle.done()):
            self._idle = self._follow_up(self._tell())

    async def _tell(self) -> None:
        """Tells the global checkpoint to copies that do not know it, once no write does so. A copy that does not answer keeps its
        place, and is told again: nothing was written that it missed.
        """
        pause = _IDLE_SECONDS
        while True:
            await asyncio.sleep(pause)
            if self.permits.active:
                continue
            checkpoint = self.tracker.global_checkpoint
            lagging = self.tracker.lagging()
            if not lagging:
                return
            members = [member for member in self._group()[0] if member.allocation_id in lagging]
            await asyncio.gather(*(self._send(member, b"", checkpoint) for member in members))
            self._retain()
            pause = min(2 * pause, _TELL_SECONDS)

    def _retain(self) -> None:
        if len(self.tracker.leases) >= len(self._members):
            self.tracker.expire(self._clock.monotonic(), _LEASE_SECONDS, list(self._members.values()))
        least = self.tracker.least_retained()
        if least != self._retained:
            self._retained = least
            self.engine.retain_history(least)

    # --- life ---------------------------------------------------------------------------------------------------------

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._follow_up(work))

    def _follow_up(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._work[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._work.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            log.debug("shard %s: %s", self.shard, task.exception())

    def close(self, error: Exception) -> None:
        """Refuses everything from now on with `error`, what is under way as well."""
        self.permits.close(error)
        if self._idle is not None:
            self._idle.cancel()

    async def ended(self) -> None:
        """Until what was under way when it was closed has ended."""
        for task in list(self._work):
            if task is not asyncio.current_task():
                await asyncio.wait([task])


def _initializing(routing: ShardRouting) -> list[str]:
    return [str(copy.allocation_id) for copy in routing.placed if copy.state == "INITIALIZING"]


def _failures(shard: ShardId, failures: list[Failure]) -> bytes:
    """As OpenSearch: a copy that was not there is no failure of the write."""
    told = [
        {
            "_index": shard.index,
            "_shard": shard.number,
            "_node": failure.member.node,
            "reason": failure.error.body(),
            "status": _status_name(failure.error.status),
            "primary": False,
        }
        for failure in failures
        if failure.error is not None
    ]
    return orjson.dumps(told)


def _status_name(status: int) -> str:
    return {400: "BAD_REQUEST", 429: "TOO_MANY_REQUESTS", 503: "SERVICE_UNAVAILABLE"}.get(
        status, "INTERNAL_SERVER_ERROR"
    )
