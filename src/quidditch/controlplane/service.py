"""A master's side of the control plane: takes nodes in, listens to their heartbeats, decides their commands, sends them the state.

It serves on every master; where the leader is another, it refuses and says who.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import structlog

from quidditch.controlplane import wire
from quidditch.controlplane.core import fault_detection, liveness
from quidditch.controlplane.core.commands import (
    Command,
    NodeHangs,
    NodeLeft,
    NoteHealth,
    RegisterNode,
    ShardFailed,
    ShardStarted,
)
from quidditch.controlplane.core.liveness import Limits, Sign
from quidditch.controlplane.leader import Leader
from quidditch.controlplane.publication import Publication
from quidditch.lib.clock import Clock
from quidditch.model.errors import ApiError
from quidditch.model.state import ClusterState
from quidditch.transport.api import Transport, TransportError, Unreachable

_log = structlog.get_logger(__name__)
_REPORTS = (RegisterNode, NodeLeft, ShardStarted, ShardFailed)
"""Commands that nobody waits for: they are answered once they are decided."""
_EVERYWHERE_SECONDS = 30.0
_AGAIN_SECONDS = 0.05
"""Until a node is asked again that refused the connection."""
M = TypeVar("M")


class ControlService:
    """Binds a :class:`Leader` to a transport. `address` is this node's own, `known_leader` answers that of the leader where this
    process is not it. `limits` stand instead of those that the cluster's settings say.
    """

    def __init__(
        self,
        leader: Leader,
        transport: Transport,
        clock: Clock,
        address: str,
        limits: Limits | None = None,
        known_leader: Callable[[], str] = lambda: "",
    ) -> None:
        self._leader = leader
        self._transport = transport
        self._clock = clock
        self._address = address
        by_settings = fault_detection.Current(fault_detection.limits, lambda: leader.state.settings)
        self._limits: Callable[[], Limits] = by_settings if limits is None else lambda: limits
        self._known_leader = known_leader
        self._signs: dict[str, Sign] = {}
        self._probes: dict[str, asyncio.Task[None]] = {}
        self._publication: Publication | None = None
        self._epoch = 0
        self.heartbeats = 0
        self._noticed = asyncio.Event()
        self._watchman: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Serves from now on."""
        self._serve(wire.JOIN, wire.Join, self._join)
        self._serve(wire.BEAT, wire.Beat, self._beat)
        self._serve(wire.LEAVE, wire.Leave, self._leave)
        self._serve(wire.SUBMIT, wire.Submit, self._submit)
        self._transport.serve(wire.PENDING, self._pending)
        self._transport.serve(wire.ALIVE, self._alive)
        self._unsubscribe = self._leader.subscribe(self._published)
        self._published(self._leader.state, self._leader.state)
        self._watchman = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._watchman is not None:
            self._watchman.cancel()
            await asyncio.gather(self._watchman, return_exceptions=True)
        for probe in list(self._probes.values()):
            probe.cancel()
        self._end_publication()

    def lags(self) -> Mapping[str, int]:
        """How many versions each node that is behind lacks; nothing where this one does not lead."""
        if self._publication is None or not self._leader.leading:
            return {}
        newest = self._leader.state.version
        return {node: newest - version for node, version in self._publication.behind().items()}

    def silences(self) -> Mapping[str, float]:
        """Seconds since each node was heard; nothing where this one does not lead."""
        if not self._leader.leading:
            return {}
        now = self._clock.monotonic()
        return {node: now - sign.heard for node, sign in self._signs.items()}

    def silence(self) -> float:
        """Seconds since the quietest node was heard; 0 where this one does not lead."""
        return max(self.silences().values(), default=0.0)

    def _serve(self, action: str, kind: type[M], handler: Callable[[M], Coroutine[Any, Any, Any]]) -> None:
        async def handle(payload: bytes) -> bytes:
            if not self._leader.leading:
                raise wire.not_leading(self._transport.node_id, self._known_leader())
            return wire.encode(await handler(wire.decode(payload, kind)))

        self._transport.serve(action, handle)

    # --- the state --------------------------------------------------------------------------------------------------

    def _published(self, old: ClusterState, new: ClusterState) -> None:
        if not self._leader.leading:
            return
        if self._publication is None or self._epoch != self._leader.epoch:
            self._take_over(new)
        else:
            self._publication.publish(old, new)

    def _take_over(self, state: ClusterState) -> None:
        """A new leadership knows the nodes from the store, and gives each the time to be heard."""
        self._end_publication()
        self._epoch = self._leader.epoch
        self._publication = Publication(self._transport, self._clock, self._epoch, state)
        now = self._clock.monotonic()
        until = now + 2 * self._limits().gone
        self._signs = {id: Sign(node.spec.ephemeral_id, now, until) for id, node in state.nodes.items()}
        for node in state.nodes:
            self._publication.add(node)
            # Often one of them went with the leader before: who asks for a change shall not wait for it.
            self._ask_whether_there(node)

    def _end_publication(self) -> None:
        if self._publication is not None:
            self._publication.close()
            self._publication = None

    # --- what nodes ask ---------------------------------------------------------------------------------------------

    async def _join(self, join: wire.Join) -> wire.Joined:
        cluster = self._leader.state.cluster_uuid
        if join.cluster and join.cluster != cluster:
            raise ApiError(
                400,
                "coordination_state_rejected_exception",
                f"node [{join.node.name}] belongs to the cluster with the uuid [{join.cluster}], this cluster is [{cluster}]",
            )
        await self._leader.submit(RegisterNode(node=join.node, fresh=join.fresh, held=join.held))
        if self._publication is None or not self._leader.leading:
            raise wire.not_leading(self._transport.node_id, self._known_leader())
        self._signs[join.node.id] = Sign(join.node.ephemeral_id, self._clock.monotonic())
        self._publication.add(join.node.id)
        _log.info("node joined", node=join.node.id, name=join.node.name, address=join.node.transport_address)
        return wire.Joined(cluster, self._transport.node_id, self._address, self._epoch)

    async def _beat(self, beat: wire.Beat) -> wire.Heard:
        self.heartbeats += 1
        sign = self._signs.get(beat.node)
        known = sign is not None and sign.ephemeral == beat.ephemeral and beat.epoch == self._epoch
        known = known and beat.node in self._leader.state.nodes
        if sign is not None and known:
            now = self._clock.monotonic()
            behind = beat.version < self._leader.state.version
            sign.heard, sign.refused, sign.version = now, 0, beat.version
            sign.behind_since = (sign.behind_since or now) if behind else None
            self._leader.measures.take(beat.node, beat.load)
        return wire.Heard(known, self._epoch)

    async def _leave(self, leave: wire.Leave) -> wire.Heard:
        sign = self._signs.get(leave.node)
        if sign is not None and sign.ephemeral == leave.ephemeral:
            await self._remove(leave.node, "left")
        return wire.Heard(False, self._epoch)

    async def _submit(self, submit: wire.Submit) -> wire.Submitted:
        try:
            result: Any = await self._leader.submit(submit.command, submit.wait_seconds)
        except ApiError as error:
            # Why it is refused is to be seen everywhere too: who hears that an index is there finds it.
            if error.status < 500:
                await self._applied_everywhere(submit.command)
            raise
        version = self._leader.state.version
        return wire.Submitted(result, version, await self._applied_everywhere(submit.command))

    async def _applied_everywhere(self, command: Command) -> bool:
        """Until every live node has the state that there is now."""
        publication = self._publication
        if publication is None or isinstance(command, _REPORTS):
            return True
        return await publication.applied(self._leader.state.version, _EVERYWHERE_SECONDS)

    async def _pending(self, _payload: bytes) -> bytes:
        if not self._leader.leading:
            raise wire.not_leading(self._transport.node_id, self._known_leader())
        tasks = [
            wire.Pending(task.insert_order, task.priority, task.source, task.executing, task.time_in_queue_ms)
            for task in await self._leader.pending_tasks()
        ]
        return wire.encode(tasks)

    async def _alive(self, _payload: bytes) -> bytes:
        return wire.encode(wire.Heard(self._leader.leading, self._leader.epoch))

    # --- who is gone ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Looks again and again who has fallen silent, and who is not well. When it is late itself, it judges nobody: what others
        said meanwhile may not have been read yet.
        """
        limits = self._limits()
        while True:
            pause = limits.probe / 4
            before = self._clock.monotonic()
            try:
                await asyncio.wait_for(self._noticed.wait(), pause)
            except TimeoutError:
                pass
            self._noticed.clear()
            now = self._clock.monotonic()
            if not self._leader.leading:
                self._end_publication()
                continue
            if now - before > 2 * pause:
                continue
            limits = self._follow_settings(limits, now)
            for node in liveness.silent(self._signs.items(), now, limits):
                self._ask_whether_there(node)
            for node in liveness.hanging(self._signs.items(), now, limits):
                await self._lead_elsewhere(node)
            for node, reason in liveness.gone(self._signs.items(), now, limits):
                try:
                    await self._remove(node, reason)
                except ApiError as error:
                    _log.warning("node cannot be removed", node=node, error=str(error))
            await self._note_health(now, limits)

    def _follow_settings(self, old: Limits, now: float) -> Limits:
        """What holds now. Nodes go by it once they have heard of it: until then nobody is judged by it."""
        limits = self._limits()
        if limits != old:
            for sign in self._signs.values():
                sign.heard, sign.until = now, max(sign.until, now + old.probe)
        return limits

    async def _lead_elsewhere(self, node: str) -> None:
        _log.info("node hangs", node=node)
        try:
            await self._leader.submit(NodeHangs(node_id=node))
        except ApiError as error:
            _log.warning("a node that hangs leads on", node=node, error=str(error))

    async def _note_health(self, now: float, limits: Limits) -> None:
        stages, nodes = self._leader.measures.stages, self._leader.state.nodes
        changed = liveness.health_changes(self._signs.items(), stages, nodes, now, limits)
        if not changed:
            return
        for node, status in changed.items():
            _log.info("health of a node", node=node, health=status.health, reason=status.reason)
        try:
            await self._leader.submit(NoteHealth(nodes=changed))
        except ApiError as error:
            _log.warning("health of nodes cannot be noted", error=str(error))

    def _ask_whether_there(self, node: str) -> None:
        if node not in self._probes:
            self._probes[node] = asyncio.ensure_future(self._probe(node, self._signs[node]))

    async def _probe(self, node: str, sign: Sign) -> None:
        """A process that is gone refuses connections: nobody has to wait until its silence is long enough."""
        try:
            while sign.refused < self._limits().refusals:
                try:
                    await self._transport.call(node, wire.HERE, b"", self._limits().suspect)
                    sign.refused = 0
                    return
                except Unreachable:
                    sign.refused += 1
                await asyncio.sleep(_AGAIN_SECONDS)
            self._noticed.set()
        except (TransportError, ApiError) as error:
            _log.debug("node does not answer", node=node, error=str(error))
        finally:
            del self._probes[node]

    async def _remove(self, node: str, reason: str) -> None:
        """Raises :class:`ApiError` where the store does not take it; then the node counts as gone still, and is removed later."""
        sign = self._signs.get(node)
        await self._leader.submit(NodeLeft(node_id=node, reason=reason))
        _log.info("node left", node=node, reason=reason)
        if self._signs.get(node) is sign:  # it has not come back meanwhile
            self._signs.pop(node, None)
            if self._publication is not None:
                self._publication.forget(node)
