"""A simulated network: messages take time, come in any order, twice or never; links break one way or both; nodes vanish.

To those who call it is like the TCP transport: a connection on which nothing comes counts as dead after a while, then it is not
known whether the call had an effect; where none can be made nothing was sent.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from quidditch.transport import errors
from quidditch.transport.api import Handler, NotSent, TimedOut, TransportError, Unreachable
from quidditch.transport.connection import Silence
from quidditch.transport.serving import Serving, handled
from tests.sim.loop import Life, SimulatedLoop
from tests.sim.trace import Trace

LOOK_SECONDS = 0.25
SILENCE = Silence()
QUIET = ("control/beat", "control/alive", "control/here")
"""Actions that are left out of the lines of a trace."""


class Network:
    """`doubled` says of which actions a request may come twice: a transport never repeats a message, but who sends may.

    `drop`, `double` and `slow` are chances per message; `delay` is what a message takes on average, in seconds.
    """

    def __init__(self, loop: SimulatedLoop, trace: Trace, seed: int, doubled: Callable[[str], bool]) -> None:
        self.loop = loop
        self.trace = trace
        self.chance = random.Random(seed)
        self.drop = self.double = self.slow = 0.0
        self.delay = 0.0005
        self.exact = True
        """Whether the trace tells messages by their content; not where that is not all the seed's."""
        self.tap: Callable[[str, str, str], float] = lambda _source, _target, _action: 0.0
        """Asked about every request that goes out, from whom to whom and what: the answer is how many seconds later it comes."""
        self._doubled = doubled
        self._nodes: dict[str, SimulatedTransport] = {}
        self._cut: dict[tuple[str, str], float] = {}
        self._stuck: list[Callable[[], None]] = []
        self._calls: dict[int, _Call] = {}
        self._numbers = 0
        self._looking = False

    def join(self, node_id: str, life: Life) -> SimulatedTransport:
        """A node of this network; one that had the id before is gone."""
        transport = self._nodes[node_id] = SimulatedTransport(self, node_id, life)
        for number, call in self._calls.items():
            if call.target == node_id and not call.connecting:  # what beats on such a connection is answered by a reset
                self.loop.call_later(SILENCE.ping, self._break, number, f"node [{node_id}] has started anew")
        return transport

    # --- faults -----------------------------------------------------------------------------------------------------

    def cut(self, one: str, other: str) -> None:
        """Nothing passes from one to the other, nor do connections between them come about."""
        self._cut.setdefault((one, other), self.loop.time())

    def part(self, some: Iterable[str], others: Iterable[str], *, back: bool = True) -> None:
        for one in some:
            for other in others:
                if one != other:
                    self.cut(one, other)
                    if back:
                        self.cut(other, one)

    def heal(self) -> None:
        """What was under way on connections that are not dead yet is sent again."""
        self._cut.clear()
        stuck, self._stuck = self._stuck, []
        for come in stuck:
            self.loop.call_later(self.latency(), come)
        for number, call in list(self._calls.items()):
            if call.connecting:
                del self._calls[number]
                call.fail(NotSent(f"node [{call.target}]: no connection"))

    def crashed(self, node_id: str, silent: bool) -> None:
        """The node is gone. Its connections are reset, unless its machine went with it: that is `silent`."""
        transport = self._nodes.pop(node_id)
        self.loop.kill(transport.life)
        for number, call in list(self._calls.items()):
            if call.source == node_id:
                del self._calls[number]
            elif call.target == node_id and not silent:
                self.loop.call_later(self.latency(), self._break, number, f"node [{node_id}] reset the connection")

    # --- passing ----------------------------------------------------------------------------------------------------

    def latency(self) -> float:
        base = self.delay * 0.3 + self.chance.expovariate(1 / (self.delay * 0.7))
        return base if self.chance.random() >= self.slow else base + self.chance.expovariate(1 / (40 * self.delay))

    def send(self, source: SimulatedTransport, target: str, action: str, payload: bytes, future: Any) -> int:
        self._numbers += 1
        number = self._numbers
        self._calls[number] = _Call(source.node_id, target, self.loop.time(), future)
        if not self._looking:
            self._looking = True
            self.loop.call_later(LOOK_SECONDS, self._look)
        if self.broken(source.node_id, target) and self.broken_for(source.node_id, target) > SILENCE.dead:
            self._calls[number].connecting = True  # nothing goes out: the connection there was is dead
            return number
        if action not in QUIET:
            content = (len(payload), f"{zlib.crc32(payload):08x}") if self.exact else ()
            self.trace.note(source.node_id, "->", target, action, *content)
        late = self.tap(source.node_id, target, action)
        copies = 2 if self._doubled(action) and self.chance.random() < self.double else 1
        for copy in range(copies):
            self._pass(
                source.node_id,
                target,
                number,
                lambda copy=copy: self._arrive(number, target, action, payload, copy),
                late,
            )
        return number

    def _pass(self, source: str, target: str, number: int, arrive: Callable[[], None], late: float = 0.0) -> None:
        """One message on its way."""
        if self.chance.random() < self.drop:
            # What a connection loses ends it, at once or when it has been silent for too long.
            after = self.latency() if self.chance.random() < 0.7 else SILENCE.dead
            self.loop.call_later(after, self._break, number, "the connection was reset")
            return

        def come() -> None:
            if number not in self._calls:
                return  # its connection is gone, and what was on it
            if (source, target) in self._cut:
                self._stuck.append(come)
            else:
                arrive()

        self.loop.call_later(self.latency() + late, come)

    def _arrive(self, number: int, target: str, action: str, payload: bytes, copy: int) -> None:
        call = self._calls.get(number)
        transport = self._nodes.get(target)
        if transport is None:
            if call is not None and not copy:
                self._calls.pop(number)
                call.fail(NotSent(f"node [{target}] is not connected"))
            return

        def work() -> None:
            transport.serve_request(action, payload, lambda outcome: self._answer(number, target, outcome, copy))

        self.loop.call_soon(work, context=transport.life.context)

    def _answer(self, number: int, target: str, outcome: bytes | Exception, copy: int) -> None:
        call = self._calls.get(number)
        if call is None or copy:
            return

        def arrive() -> None:
            if self._calls.pop(number, None) is not None:
                call.settle(outcome)

        self._pass(target, call.source, number, arrive)

    def _break(self, number: int, reason: str) -> None:
        call = self._calls.pop(number, None)
        if call is not None:
            call.fail(Unreachable(reason))

    def forget(self, number: int) -> None:
        self._calls.pop(number, None)

    # --- silence ----------------------------------------------------------------------------------------------------

    def broken(self, one: str, other: str) -> bool:
        """Whether a connection between the two would hear nothing at one end at least."""
        return (one, other) in self._cut or (other, one) in self._cut

    def broken_for(self, one: str, other: str) -> float:
        since = [at for at in (self._cut.get((one, other)), self._cut.get((other, one))) if at is not None]
        return self.loop.time() - min(since) if since else 0.0

    def silence(self, one: str, other: str) -> float:
        """See :meth:`quidditch.transport.api.Transport.silence`."""
        there = self._nodes.get(other)
        since = there.life.paused_at if there is not None else None
        hanging = self.loop.time() - since if since is not None else 0.0
        return max(self.broken_for(one, other), hanging)

    def _look(self) -> None:
        """Ends calls on connections that have been dead for long enough."""
        now = self.loop.time()
        for number, call in list(self._calls.items()):
            target = self._nodes.get(call.target)
            dead = self.broken(call.source, call.target) or target is None or target.life.paused_at is not None
            if not dead:
                call.quiet_since = None
                continue
            call.quiet_since = call.quiet_since if call.quiet_since is not None else now
            if now - call.quiet_since >= SILENCE.dead:
                del self._calls[number]
                kind = NotSent if call.connecting else Unreachable
                call.fail(kind(f"node [{call.target}]: nothing heard for {SILENCE.dead:g} s"))
        self._looking = bool(self._calls)
        if self._looking:
            self.loop.call_later(LOOK_SECONDS, self._look)


class _Call:
    """One that waits for its answer."""

    __slots__ = ("connecting", "future", "quiet_since", "source", "target")

    def __init__(self, source: str, target: str, now: float, future: asyncio.Future[bytes]) -> None:
        del now
        self.source = source
        self.target = target
        self.future = future
        self.connecting = False
        self.quiet_since: float | None = None

    def settle(self, outcome: bytes | Exception) -> None:
        if isinstance(outcome, Exception):
            self.fail(outcome)
        elif not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class SimulatedTransport:
    """One node's transport; made by :meth:`Network.join`."""

    def __init__(self, network: Network, node_id: str, life: Life) -> None:
        self.network = network
        self._node_id = node_id
        self.life = life
        self._serving = Serving(node_id, 10_000)

    @property
    def node_id(self) -> str:
        return self._node_id

    def serve(self, action: str, handler: Handler) -> None:
        self._serving.add(action, handler)

    async def call(self, node: str, action: str, payload: bytes, timeout: float) -> bytes:
        target = node.removeprefix("@")
        if self._serving.closed:
            raise NotSent(f"node [{self._node_id}] is closed")
        if target == self._node_id:
            return await self._serving.local(action, payload, timeout)
        loop = self.network.loop
        future: asyncio.Future[bytes] = loop.create_future()
        number = self.network.send(self, target, action, payload, future)
        timer = loop.call_later(max(timeout, 0), _expire, future)
        try:
            return await future
        except TimeoutError:
            raise TimedOut(f"[{node}][{action}] did not answer within {timeout:g} s") from None
        finally:
            timer.cancel()
            self.network.forget(number)

    def serve_request(self, action: str, payload: bytes, answer: Callable[[bytes | Exception], None]) -> None:
        """Begins to answer; runs in this node's life."""
        try:
            handler = self._serving.handler(action)
        except TransportError as error:
            answer(error)
            return

        async def work() -> None:
            try:
                outcome: bytes | Exception = await handled(handler, payload)
            except Exception as error:
                outcome = errors.decode(errors.encode(error))
            answer(outcome)

        self._serving.start(work())

    def silence(self, node: str) -> float:
        return self.network.silence(self._node_id, node)

    async def close(self) -> None:
        await self._serving.close()


def _expire(future: asyncio.Future[bytes]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
