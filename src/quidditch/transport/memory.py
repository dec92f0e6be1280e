"""The transport within one process: what a single node uses, and the twin of the network for tests.

A :class:`Network` connects its nodes. Tests cut links, hold back or lose answers, stop nodes; a single node pays one dictionary
look-up and one await per call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from quidditch.transport.api import Handler, NotSent, TimedOut, Unreachable
from quidditch.transport.serving import Serving, handled


class Network:
    """Who can reach whom. Links have a direction: requests may pass where answers do not."""

    def __init__(self) -> None:
        self._nodes: dict[str, MemoryTransport] = {}
        self._cut: set[tuple[str, str]] = set()
        self._held: dict[tuple[str, str], asyncio.Event] = {}

    def join(self, node_id: str, max_calls: int = 10_000) -> MemoryTransport:
        """A node of this network; one that had the id before is gone."""
        transport = self._nodes[node_id] = MemoryTransport(self, node_id, max_calls)
        return transport

    def leave(self, node_id: str, transport: MemoryTransport) -> None:
        if self._nodes.get(node_id) is transport:
            del self._nodes[node_id]

    # --- faults -----------------------------------------------------------------------------------------------------

    def cut(self, one: str, other: str, *, both: bool = True) -> None:
        """Nothing passes from one to the other (and back). A partition is silent: callers find out by their deadline."""
        self._cut.add((one, other))
        if both:
            self._cut.add((other, one))

    def isolate(self, node: str, others: Iterable[str]) -> None:
        for other in others:
            if other != node:
                self.cut(node, other)

    def heal(self) -> None:
        """Every link is whole again, and what was held goes on."""
        self._cut.clear()
        for held in self._held.values():
            held.set()
        self._held.clear()

    def hold(self, one: str, other: str) -> None:
        """What goes from one to the other waits until :meth:`heal`."""
        self._held.setdefault((one, other), asyncio.Event())

    def silent(self, one: str, other: str) -> bool:
        """Whether nothing comes back of what is said to the other."""
        return bool(self._cut.intersection(((one, other), (other, one))) or (other, one) in self._held)

    # --- passing ----------------------------------------------------------------------------------------------------

    def find(self, node: str) -> MemoryTransport | None:
        """A node by its id, or by its address, which here is `@` and the id."""
        return self._nodes.get(node.removeprefix("@"))

    async def pass_on(self, one: str, other: str) -> None:
        """Returns when a message has come through; never for a cut link."""
        if not self._cut and not self._held:
            return
        held = self._held.get((one, other))
        if held is not None:
            await held.wait()
        if (one, other) in self._cut:
            await asyncio.get_running_loop().create_future()


class MemoryTransport:
    """One node's transport; made by :meth:`Network.join`."""

    def __init__(self, network: Network, node_id: str, max_calls: int) -> None:
        self._network = network
        self._node_id = node_id
        self._serving = Serving(node_id, max_calls)

    @property
    def node_id(self) -> str:
        return self._node_id

    def serve(self, action: str, handler: Handler) -> None:
        self._serving.add(action, handler)

    async def call(self, node: str, action: str, payload: bytes, timeout: float) -> bytes:
        if self._serving.closed:
            raise NotSent(f"node [{self._node_id}] is closed")
        if node.removeprefix("@") == self._node_id:
            return await self._serving.local(action, payload, timeout)
        try:
            return await asyncio.wait_for(self._pass(node, action, payload), timeout)
        except TimeoutError:
            raise TimedOut(f"[{node}][{action}] did not answer within {timeout:g} s") from None

    def silence(self, node: str) -> float:
        return float("inf") if self._network.silent(self._node_id, node) else 0.0

    async def _pass(self, node: str, action: str, payload: bytes) -> bytes:
        """There and back, through whatever the links do."""
        await self._network.pass_on(self._node_id, node.removeprefix("@"))
        target = self._network.find(node)
        if target is None:
            raise NotSent(f"node [{node}] is not connected")
        answer = await target.answer(action, payload)
        await self._network.pass_on(target.node_id, self._node_id)
        return answer

    async def answer(self, action: str, payload: bytes) -> bytes:
        """Serves a call from another node."""
        task = self._serving.start(handled(self._serving.handler(action), payload))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._serving.closed:
                raise Unreachable(f"node [{self._node_id}] is closed") from None
            raise

    async def close(self) -> None:
        self._network.leave(self._node_id, self)
        await self._serving.close()
