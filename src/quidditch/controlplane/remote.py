"""A node's side of the control plane: finds the leader, joins, beats, applies the states that come, sends commands on.

It is the :class:`quidditch.controlplane.api.ControlPlane` of every process that does not hold the leader itself, and of the masters
too: there is one way. Without a leader the last state stays in force for reads and writes; changes of metadata wait, then fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from quidditch.controlplane import wire
from quidditch.controlplane.api import Subscriber
from quidditch.controlplane.core import fault_detection
from quidditch.controlplane.core.allocation.info import NodeLoad
from quidditch.controlplane.core.commands import Acknowledged, Command, CreateIndex, DeleteIndices, HeldShard, Rollover
from quidditch.controlplane.core.draft import Ids
from quidditch.controlplane.core.indices import to_delete
from quidditch.controlplane.publisher import Publisher
from quidditch.lib.clock import Clock
from quidditch.lib.metrics import Metrics
from quidditch.model import diff
from quidditch.model.errors import ApiError
from quidditch.model.objects import NodeSpec
from quidditch.model.state import ClusterState
from quidditch.transport.api import Remote, TimedOut, Transport, TransportError, Unreachable

_log = structlog.get_logger(__name__)
_CALL_SECONDS = 30.0
_PAUSE = 0.05
_PENDING_SECONDS = 5.0


class RemoteControl:
    """`seeds` are transport addresses of masters (`host:port`); `cluster` answers the uuid on this node's disk, empty if none, and
    `joined` is told the uuid of the cluster that took the node in. `load` says how the node is, for the heartbeats; `held`, what
    shards lie on its disk. `beat_seconds` stands instead of what the cluster's settings say.
    """

    def __init__(
        self,
        transport: Transport,
        node: NodeSpec,
        seeds: Sequence[str],
        clock: Clock,
        ids: Ids,
        *,
        cluster: Callable[[], str] = lambda: "",
        joined: Callable[[str], None] = lambda _uuid: None,
        load: Callable[[], NodeLoad] = NodeLoad,
        held: Callable[[], tuple[HeldShard, ...] | None] = lambda: None,
        metrics: Metrics | None = None,
        beat_seconds: float | None = None,
    ) -> None:
        metrics = metrics or Metrics()
        self._beating = metrics.duration("heartbeat", "time until the leader answered a heartbeat of this node")
        self._unheard = metrics.counter("heartbeat_failures", "heartbeats of this node that were not answered")
        self._transport = transport
        self._node = node
        self._seeds = list(seeds)
        self._clock = clock
        self._ids = ids
        self._cluster = cluster
        self._joined = joined
        self._load = load
        self._held = held
        self._told: object = None
        """The measurement of shards that the present leader has heard."""
        self._publisher = Publisher()
        self._fresh = True
        self._epoch = 0
        self._leader = ""
        self._leader_id = ""
        self._beat_seconds = beat_seconds
        self._follower = fault_detection.Current(fault_detection.follower_checks, lambda: self.state.settings)
        self._leader_checks = fault_detection.Current(fault_detection.leader_checks, lambda: self.state.settings)
        self._found = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        transport.serve(wire.PUBLISH, self._apply)
        transport.serve(wire.HERE, _here)

    # --- what the node sees -----------------------------------------------------------------------------------------

    @property
    def state(self) -> ClusterState:
        return self._publisher.state

    @property
    def leader_id(self) -> str:
        return self._leader_id if self._leader else ""

    @property
    def epoch(self) -> int:
        return self._epoch

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        return self._publisher.subscribe(callback)

    async def wait_for(self, predicate: Callable[[ClusterState], bool], timeout: float) -> bool:
        return await self._publisher.wait_for(predicate, timeout)

    async def submit(self, command: Command, timeout: float | None = None) -> Any:
        """See :class:`ControlPlane`. A command whose leader is lost meanwhile goes to the next one, though it may have been decided:
        an index is known again by the uuid that this node gives it, what is deleted already is deleted, and nothing is that was
        created since.
        """
        if isinstance(command, CreateIndex | Rollover) and not command.uuid:
            command = msgspec.structs.replace(command, uuid=self._ids.uuid())
        deadline = self._clock.monotonic() + (_CALL_SECONDS if timeout is None else timeout)
        again = False
        before = self.state
        while True:
            leader = await self._need_leader(deadline)
            try:
                submitted = await self._ask(leader, command, max(deadline - self._clock.monotonic(), 0.0))
            except Remote as error:
                if error.type == wire.NOT_LEADING:
                    self._lose(leader)
                    again, command = True, self._second(command, before)
                    continue
                if again and _done_before(command, error):
                    return Acknowledged()
                raise ApiError(error.status, error.type, error.reason, error.details, error.root_cause) from None
            except (Unreachable, TimedOut):
                self._lose(leader)
                again, command = True, self._second(command, before)
                continue
            await self._reached(submitted.version)
            return submitted.result

    def _second(self, command: Command, before: ClusterState) -> Command:
        """The command as it goes out again: `before` is what this node knew when it was given."""
        if not isinstance(command, DeleteIndices) or command.only:
            return command
        try:
            meant = to_delete(before, command, self._clock.now_ms())
        except ApiError:
            return command
        return msgspec.structs.replace(command, only=tuple(index.uuid for index in meant))

    async def _ask(self, leader: str, command: Command, seconds: float) -> wire.Submitted:
        message = wire.encode(wire.Submit(command, seconds))
        answer = await self._transport.call(leader, wire.SUBMIT, message, seconds + _CALL_SECONDS)
        return wire.decode(answer, wire.Submitted)

    async def _reached(self, version: int) -> None:
        await self.wait_for(lambda state: state.version >= version, _CALL_SECONDS)

    async def _need_leader(self, deadline: float) -> str:
        while not self._leader:
            left = deadline - self._clock.monotonic()
            try:
                await asyncio.wait_for(self._found.wait(), max(left, 0.0))
            except TimeoutError:
                raise _no_leader() from None
        return self._leader

    async def pending_tasks(self, timeout: float | None = None) -> Sequence[wire.Pending]:
        seconds = _PENDING_SECONDS if timeout is None else min(timeout, _PENDING_SECONDS)
        deadline = self._clock.monotonic() + seconds
        while True:
            leader = await self._need_leader(deadline)
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise _no_leader()
            try:
                answer = await self._transport.call(leader, wire.PENDING, b"", left)
                return wire.decode(answer, list[wire.Pending])
            except Remote as error:
                if error.type != wire.NOT_LEADING:
                    raise
                self._lose(leader)
            except (Unreachable, TimedOut):
                self._lose(leader)

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self, timeout: float | None = None) -> bool:
        """Joins the cluster; True once a state has come, False if none came in `timeout` seconds (it goes on trying)."""
        self._task = asyncio.ensure_future(self._follow())
        if timeout is None:
            while not await self.wait_for(lambda state: self._node.id in state.nodes, 3600):
                pass
            return True
        return await self.wait_for(lambda state: self._node.id in state.nodes, timeout)

    async def stop(self) -> None:
        """Takes leave, if a leader listens."""
        while self._task is not None and not self._task.done():
            # Again and again, since wait_for can lose a cancellation (before Python 3.12).
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.1)
        if self._leader:
            try:
                leave = wire.encode(wire.Leave(self._node.id, self._node.ephemeral_id))
                await self._transport.call(self._leader, wire.LEAVE, leave, 2.0)
            except (TransportError, ApiError) as error:
                _log.debug("leave not heard", error=str(error))

    async def _follow(self) -> None:
        while True:
            if not await self._join_any():
                await asyncio.sleep(_PAUSE)
                continue
            await self._beat_until_lost()

    async def _join_any(self) -> bool:
        """Asks every master that it knows, those that another master names first."""
        asked: set[str] = set()
        waiting = [f"@{seed}" for seed in self._seeds]
        while waiting:
            target = waiting.pop(0)
            asked.add(target)
            try:
                join = wire.Join(self._node, self._cluster(), self._fresh, self._held())
                answer = await self._transport.call(target, wire.JOIN, wire.encode(join), _CALL_SECONDS)
            except Remote as error:
                hint = str(error.details.get("leader") or "")
                if error.type == wire.NOT_LEADING and hint and f"@{hint}" not in asked:
                    waiting.insert(0, f"@{hint}")
                elif error.type != wire.NOT_LEADING:
                    _log.warning("join refused", by=target, error=error.reason)
                continue
            except TransportError as error:
                _log.debug("no answer to join", by=target, error=str(error))
                continue
            joined = wire.decode(answer, wire.Joined)
            if joined.epoch < self._epoch:
                _log.info("join answered by a leader whose time is over", by=target, epoch=joined.epoch)
                continue
            self._follows(joined)
            return True
        return False

    def _follows(self, joined: wire.Joined) -> None:
        self._joined(joined.cluster)
        self._fresh = False
        self._told = None
        self._epoch = max(self._epoch, joined.epoch)
        self._leader = f"@{joined.address}"
        self._leader_id = joined.leader
        self._found.set()

    def _lose(self, leader: str) -> None:
        if self._leader == leader:
            self._leader = ""
            self._found.clear()
            self._beat_now.set()

    async def _beat_until_lost(self) -> None:
        """Beats until the leader is not reached, does not lead any more or does not know this node."""
        while self._leader:
            self._beat_now.clear()
            leader = self._leader
            load = self._load()
            said = load if load.shards is not self._told else msgspec.structs.replace(load, shards=None)
            beat = wire.Beat(self._node.id, self._node.ephemeral_id, self._epoch, self.state.version, said)
            try:
                with self._beating.time():
                    answer = await self._transport.call(
                        leader, wire.BEAT, wire.encode(beat), self._leader_checks().gone
                    )
                if wire.decode(answer, wire.Heard).known:
                    self._told = load.shards
                else:
                    self._lose(leader)
            except (TransportError, ApiError) as error:
                self._unheard.inc()
                _log.info("leader lost", leader=leader, error=str(error))
                self._lose(leader)
            pause = self._follower().interval if self._beat_seconds is None else self._beat_seconds
            try:
                await asyncio.wait_for(self._beat_now.wait(), pause)
            except TimeoutError:
                continue

    # --- states that come -------------------------------------------------------------------------------------------

    async def _apply(self, payload: bytes) -> bytes:
        """Takes differences of a leader that is not older than the one known."""
        publish = wire.decode(payload, wire.Publish)
        if publish.epoch < self._epoch:
            return wire.encode(wire.Applied(self._epoch, self.state.version))
        self._epoch = publish.epoch
        state = self.state
        try:
            for data in publish.diffs:
                state = diff.apply(state, diff.decode(data))
        except diff.VersionMismatch:
            return wire.encode(wire.Applied(self._epoch, 0))
        if state is not self.state:
            if state.settings is not self.state.settings:
                self._beat_now.set()  # perhaps more often than before
            self._publisher.publish(state)
        return wire.encode(wire.Applied(self._epoch, state.version))


def _done_before(command: Command, error: ApiError) -> bool:
    """Whether the refusal of a command that was sent twice says that the first one did it."""
    return isinstance(command, DeleteIndices) and error.type == "index_not_found_exception"


async def _here(_payload: bytes) -> bytes:
    return b""


def _no_leader() -> ApiError:
    return ApiError(503, "cluster_manager_not_discovered_exception", None)
