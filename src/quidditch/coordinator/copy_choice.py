"""Which copy of a shard is asked now: as preferred, otherwise the one that answers best; and for how long it is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, TypeVar

from quidditch.controlplane.api import ControlPlane
from quidditch.controlplane.core.fault_detection import follower_checks
from quidditch.coordinator import copies
from quidditch.coordinator.ranks import Ranks
from quidditch.lib.clock import Clock
from quidditch.model.objects import Index
from quidditch.transport.errors import CallFailed

_LOOK_SECONDS = 0.25
_AVOIDED_SECONDS = 10.0
"""How long a node that could not be reached comes after all others."""
_ADAPTIVE = "cluster.routing.use_adaptive_replica_selection"
T = TypeVar("T")


class CopyChoice:
    """Chooses, and learns from what became of it. Used from the event loop's thread. `silence`: seconds since a node was heard."""

    def __init__(self, control: ControlPlane, local: str, clock: Clock, silence: Callable[[str], float]) -> None:
        self._control = control
        self._local = local
        self._clock = clock
        self._silence = silence
        self._avoided: dict[str, float] = {}
        self._turns = count()
        self.ranks = Ranks()

    def readable(self, index: Index, number: int, preference: str | None = None) -> tuple[str, ...]:
        """The nodes with an active copy, in the order in which to ask them. Raises as :func:`copies.readable`."""
        state = self._control.state
        nodes = copies.readable(state, index, number, self._local, preference)
        if len(nodes) < 2:
            return nodes
        if not preference:
            if str(state.settings.get(_ADAPTIVE)).lower() == "false":
                at = next(self._turns) % len(nodes)
                nodes = nodes[at:] + nodes[:at]
            else:
                nodes = tuple(self.ranks.order(nodes, self._local))
        if self._avoided:
            nodes = tuple(sorted(nodes, key=self._is_avoided))
        return nodes

    def _is_avoided(self, node: str) -> bool:
        until = self._avoided.get(node)
        if until is None:
            return False
        if self._clock.monotonic() < until:
            return True
        del self._avoided[node]
        return False

    def failed(self, node: str) -> None:
        """The node could not be reached."""
        if len(self._avoided) > len(self._control.state.nodes):
            self._avoided.clear()
        self._avoided[node] = self._clock.monotonic() + _AVOIDED_SECONDS

    def answered(self, node: str, queue: int, service_ms: float, response_ms: float) -> None:
        """A search was answered: calls that waited at the node, what it took of a thread, and what passed here meanwhile."""
        if len(self.ranks) > 2 * len(self._control.state.nodes):
            self.ranks.keep(list(self._control.state.nodes))
        self.ranks.of(node).note(queue, service_ms, response_ms)

    def knows(self, index: Index | None) -> bool:
        """Whether the cluster still has the index."""
        return index is not None and self._control.state.index_by_uuid(index.uuid) is not None

    async def changed(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until a state of the cluster makes it so; False if none does in time."""
        return await self._control.wait_for(lambda _state: condition(), seconds)

    async def ask(self, node: str, call: Coroutine[Any, Any, T], *, others: bool) -> T:
        """What a call to a node answers. With `others` that may be asked instead a silent node is given up, long before the call's
        own deadline. Raises what the call raises, or :class:`CallFailed`.
        """
        measured = self.ranks.of(node)
        measured.waiting += 1
        try:
            found = await (self._patiently(node, call) if others and node != self._local else call)
        except CallFailed as error:
            if error.status != 429:
                self.failed(node)
            raise
        finally:
            measured.waiting -= 1
        self._avoided.pop(node, None)
        return found

    async def _patiently(self, node: str, call: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(call)
        try:
            while True:
                done, _ = await asyncio.wait((task,), timeout=_LOOK_SECONDS)
                if done:
                    return task.result()
                silent = self._silence(node)
                if silent > follower_checks(self._control.state.settings.get).silent:
                    reason = f"[{node}] nothing heard for {silent:.1f} s"
                    raise CallFailed(500, "receive_timeout_transport_exception", reason)
        finally:
            task.cancel()
