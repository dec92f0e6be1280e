"""One connection between two nodes, from either end: frames in, frames out, a heartbeat, and what waits for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from quidditch.transport import errors, frames
from quidditch.transport.api import NotSent, Overloaded, TransportError, UnknownAction, Unreachable

_CLOSED = "the connection was closed"


class Silence(NamedTuple):
    """Seconds. A connection is looked at every `ping`, and asked whether it lives when nothing came in for half as long. Silent for
    `dead` it counts as dead: a partition and a stopped process send no reset.
    """

    ping: float = 0.5
    dead: float = 2.0


@dataclass(slots=True)
class Traffic:
    """What all connections of a node together have carried since it started: messages and bytes, in and out."""

    dialled: int = 0
    """Connections that this node made to others."""
    received: int = 0
    received_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0

    def note_sent(self, size: int) -> None:
        self.sent += 1
        self.sent_bytes += size


class Host(Protocol):
    """Who owns connections: tells what to greet with, serves requests, and forgets a connection that ended. `scratch`: see
    :class:`frames.Splitter`.
    """

    scratch: memoryview
    traffic: Traffic

    def accept(self, connection: Connection, greeting: frames.Greeting) -> str | None:
        """Why the other side is not welcome, None if it is."""

    def serve_request(self, connection: Connection, call: int, body: memoryview) -> None:
        """Begins to answer a request, of whose body nothing is there later."""

    def ended(self, connection: Connection) -> None: ...


class Connection(asyncio.BufferedProtocol):
    """Both ends are alike once they have greeted each other; the dialling end knows whom it means to reach (`peer`). What `allowed`
    answers may change.
    """

    def __init__(
        self, host: Host, hello: Callable[[], bytes], peer: str = "", allowed: Callable[[], Silence] = Silence
    ) -> None:
        self._host = host
        self._allowed = allowed
        self._pinging = allowed()
        self._hello = hello
        self.peer = peer
        self.dialled = bool(peer)
        self._splitter = frames.Splitter(host.scratch)
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._numbers = 0
        self._writable: asyncio.Future[None] | None = None
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._reason = _CLOSED

    # --- asyncio.BufferedProtocol -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self.dialled:
            self._host.traffic.dialled += 1
            self._write(self._hello())
        self._timer = self._loop.call_later(self._pinging.ping, self._beat)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._splitter.room()

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        traffic = self._host.traffic
        traffic.received_bytes += nbytes
        try:
            for kind, call, body in self._splitter.received(nbytes):
                traffic.received += 1
                self._take(kind, call, body)
        except frames.Malformed as error:
            self.abort(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        error = Unreachable(f"node [{self.peer}]: {exc or self._reason}")
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # whoever dialled asks for it; at the other end nobody does
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
        self.resume_writing()
        self._host.ended(self)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    # --- in ---------------------------------------------------------------------------------------------------------

    def _take(self, kind: int, call: int, body: memoryview) -> None:
        if not self.ready.done():
            self._greet(kind, body)
        elif kind == frames.REQUEST:
            self._host.serve_request(self, call, body)
        elif kind == frames.PING:
            self._write(frames.head(frames.PONG, call, 0))
        elif kind != frames.PONG:
            self._settle(kind, call, bytes(body))

    def _greet(self, kind: int, body: memoryview) -> None:
        if kind != frames.GREETING:
            raise frames.Malformed("no greeting")
        greeting = frames.read_greeting(body)
        refusal = self._host.accept(self, greeting)
        if refusal is not None:
            self.abort(refusal)
            return
        if not self.dialled:
            self.peer = greeting.node
            self._write(self._hello())
        self.ready.set_result(None)

    def _settle(self, kind: int, call: int, body: bytes) -> None:
        """An answer for who waits; one that nobody waits for any more is dropped."""
        future = self._waiting.pop(call, None)
        if future is None or future.done():
            return
        if kind == frames.ANSWER:
            future.set_result(body)
        elif kind == frames.ERROR:
            future.set_exception(errors.decode(body))
        else:
            refusals: dict[int, type[TransportError]] = {
                frames.UNKNOWN_ACTION: UnknownAction,
                frames.OVERLOADED: Overloaded,
            }
            future.set_exception(refusals.get(kind, TransportError)(body.decode(errors="replace")))

    # --- out --------------------------------------------------------------------------------------------------------

    async def ask(self, action: str, payload: bytes, deadline: float) -> bytes:
        """Sends a request and waits for its answer; `deadline` is a time of the event loop. Raises TimeoutError."""
        if self._writable is not None:
            await asyncio.wait_for(self.drained(), deadline - self._loop.time())
        if self._transport is None:
            raise NotSent(f"node [{self.peer}]: {self._reason}")
        self._numbers += 1
        call = self._numbers
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[call] = future
        # A timer of its own: a timeout block would need a task, and requests run without one until they wait.
        timer = self._loop.call_at(deadline, _expire, future)
        try:
            left = max(deadline - self._loop.time(), 0.0)
            head = frames.request_head(call, action, left, len(payload))
            self._host.traffic.note_sent(len(head) + len(payload))
            self._transport.writelines([head, payload])
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(call, None)

    async def answer(self, kind: int, call: int, body: bytes) -> None:
        """Sends what became of a request; waits while the other side is slow to take answers."""
        await self.drained()
        if self._transport is not None:
            head = frames.head(kind, call, len(body))
            self._host.traffic.note_sent(len(head) + len(body))
            self._transport.writelines([head, body])

    def refuse(self, kind: int, call: int, reason: str) -> None:
        body = reason.encode()
        self._write(frames.head(kind, call, len(body)) + body)

    async def drained(self) -> None:
        while self._writable is not None:
            await asyncio.shield(self._writable)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._host.traffic.note_sent(len(data))
            self._transport.write(data)

    # --- life -------------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        allowed, silent = self._allowed(), self.silence
        if silent > allowed.dead and allowed == self._pinging:  # who was pinged less often so far is pinged once more
            self.abort(f"nothing heard for {silent:.1f} s")
            return
        if silent >= allowed.ping / 2 and self.ready.done():
            self._write(frames.head(frames.PING, 0, 0))
        self._splitter.rest()
        self._pinging = allowed
        self._timer = self._loop.call_later(allowed.ping, self._beat)

    def abort(self, reason: str) -> None:
        """Ends the connection at once; what waits fails with the reason."""
        self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    @property
    def silence(self) -> float:
        """Seconds since the other side was heard."""
        return self._loop.time() - self._heard

    @property
    def hung_up(self) -> bool:
        """Whether it was the other side that ended the connection."""
        return self._transport is None and self._reason == _CLOSED

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def address(self) -> Any:
        return None if self._transport is None else self._transport.get_extra_info("peername")


def _expire(future: asyncio.Future[bytes]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
