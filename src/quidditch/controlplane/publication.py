"""Brings every version of the cluster state to every node: differences to who has the version before, all of it to who has not.

Each difference is made and encoded once, whatever the number of nodes. A node gets one message at a time; what happens meanwhile
goes with the next one.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Mapping

import structlog

from quidditch.controlplane import wire
from quidditch.lib.clock import Clock
from quidditch.model import diff
from quidditch.model.errors import ApiError
from quidditch.model.state import ClusterState
from quidditch.transport.api import Transport, TransportError

_log = structlog.get_logger(__name__)
_KEPT = 256
"""Differences kept for nodes that are behind; who is further behind gets the whole state."""
_TIMEOUT = 30.0
_PAUSE = 0.1


class Publication:
    """Lives with one leadership: what it sends carries `epoch`, and a node that knows a later one refuses it."""

    def __init__(self, transport: Transport, clock: Clock, epoch: int, state: ClusterState) -> None:
        self._transport = transport
        self._clock = clock
        self._epoch = epoch
        self._state = state
        self._diffs: deque[tuple[int, int, bytes]] = deque(maxlen=_KEPT)
        self._full: tuple[int, bytes] | None = None
        self._peers: dict[str, _Peer] = {}
        self._messages: dict[int, bytes] = {}
        self._messages_for = -1
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._closed = False

    def publish(self, old: ClusterState, new: ClusterState) -> None:
        """A newer state (a subscriber of the leader)."""
        self._diffs.append((old.version, new.version, diff.encode(diff.between(old, new))))
        self._state = new
        for node in [node for node in self._peers if node not in new.nodes]:
            self.forget(node)
        for peer in self._peers.values():
            peer.wake.set()

    def add(self, node: str) -> None:
        """From now on brings the state to this node, anew from the whole."""
        if self._closed:
            return
        self.forget(node)
        peer = self._peers[node] = _Peer()
        peer.task = asyncio.ensure_future(self._feed(node, peer))

    def forget(self, node: str) -> None:
        peer = self._peers.pop(node, None)
        if peer is not None and peer.task is not None:
            peer.task.cancel()
            self._tell()

    async def applied(self, version: int, timeout: float) -> bool:
        """Until every node that is fed has applied `version`; False after `timeout` seconds. Who waits is woken once, however many
        nodes there are.
        """
        if self._least() >= version:
            return True
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (version, next(self._numbers), reached))
        try:
            await asyncio.wait_for(reached, timeout)
        except TimeoutError:
            return False
        return True

    def _least(self) -> float:
        """The version that every node has."""
        return min((peer.version for peer in self._peers.values()), default=float("inf"))

    def behind(self) -> Mapping[str, int]:
        """The version that each node that is not up to date has."""
        return {node: peer.version for node, peer in self._peers.items() if peer.version < self._state.version}

    def close(self) -> None:
        """Nothing is sent any more, to nobody."""
        self._closed = True
        for node in list(self._peers):
            self.forget(node)

    # --- one node ---------------------------------------------------------------------------------------------------

    async def _feed(self, node: str, peer: _Peer) -> None:
        """Asks each time whether it is still wanted: a cancellation that meets an answer is swallowed by `wait_for` before 3.12."""
        while self._peers.get(node) is peer:
            await peer.wake.wait()
            peer.wake.clear()
            while self._peers.get(node) is peer and (peer.version < self._state.version or not peer.reached):
                try:
                    await self._send(node, peer)
                except (TransportError, ApiError) as error:
                    _log.debug("cluster state not delivered", node=node, error=str(error))
                    peer.version = 0
                    await asyncio.sleep(_PAUSE)

    async def _send(self, node: str, peer: _Peer) -> None:
        answer = await self._transport.call(node, wire.PUBLISH, self._message(peer.version), _TIMEOUT)
        applied = wire.decode(answer, wire.Applied)
        if applied.epoch > self._epoch:
            _log.info("a node follows a later leader", node=node, epoch=applied.epoch)
            self.forget(node)
            return
        peer.reached = True
        peer.version = applied.version
        self._tell()

    def _message(self, version: int) -> bytes:
        """What leads from `version` to the newest state, made once for all nodes that are there."""
        if self._messages_for != self._state.version:
            self._messages_for = self._state.version
            self._messages.clear()
        message = self._messages.get(version)
        if message is None:
            publish = wire.Publish(self._epoch, self._transport.node_id, self._from(version))
            message = self._messages[version] = wire.encode(publish)
        return message

    def _from(self, version: int) -> list[bytes]:
        """The differences that lead from `version` to the newest state."""
        chain: list[bytes] = []
        for base, number, data in reversed(self._diffs) if version else ():
            if number <= version:
                break
            chain.append(data)
            if base == version:
                return chain[::-1]
        if self._full is None or self._full[0] != self._state.version:
            self._full = (self._state.version, diff.encode(diff.full(self._state)))
        return [self._full[1]]

    def _tell(self) -> None:
        least = self._least()
        while self._waiting and self._waiting[0][0] <= least:
            _, _, reached = heapq.heappop(self._waiting)
            if not reached.done():
                reached.set_result(None)


class _Peer:
    """A node that is fed: what it has applied, and what wakes its feeder."""

    def __init__(self) -> None:
        self.version = 0
        self.reached = False
        self.wake = asyncio.Event()
        self.wake.set()
        self.task: asyncio.Task[None] | None = None
