"""One HTTP connection: uvicorn's protocol with limits, refusals in JSON, and a short way for ordinary requests.

A request whose body is complete in memory needs no ASGI conversation: it is answered as soon as its last byte is there,
without a task of its own as long as its handler does not wait for anything. Large and chunked bodies go the ASGI way,
which holds the client back.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from itertools import chain
from typing import Any, cast

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from quidditch.rest.server import App, Client, Reply

log = logging.getLogger("quidditch.rest")
MAX_LINE_BYTES = 4096
MAX_HEADER_BYTES = 16384
DIRECT_BYTES = 1 << 20
"""Larger bodies are read in pieces."""
_HEAD_BYTES = 256 * 1024
"""A head that is not complete after so many bytes is refused: the parser itself keeps an endless header in memory."""
_JOIN_BYTES = 64 * 1024
_EAGER: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}
"""From Python 3.12 on a task itself can run up to its first wait at once."""
_Request = tuple[str, bytes, dict[bytes, bytes], bytes, bool]


class _Started:
    """A coroutine that has run up to its first wait, as something a task can go on with."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, Reply], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Reply]:
        step: Callable[[Any], Any]
        waits_for = self._waits_for
        value: Any
        while True:
            try:
                value = yield waits_for
                step = self._coroutine.send
            except BaseException as error:
                value, step = error, self._coroutine.throw
            try:
                waits_for = step(value)
            except StopIteration as end:
                return cast("Reply", end.value)


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    _in_head = True
    _direct = False
    _problem: tuple[str, str] | None = None
    _running: asyncio.Task[None] | None = None
    _closing = False
    _quiet_since = 0.0

    # --- the connection ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._application = cast("App", self.config.app)
        self._application.traffic.connected()
        self._waiting: deque[_Request] = deque()
        self._pieces: list[bytes] = []
        self._client = Client(patient=True, address=self.client[0] if self.client else "")
        self._quiet_since = self.loop.time()
        self._watch_idleness(self.timeout_keep_alive)

    def _watch_idleness(self, seconds: float) -> None:
        self._idleness = self.loop.call_later(seconds, self._check_idleness)

    def _check_idleness(self) -> None:
        """One timer for the life of the connection, not one for each request."""
        if self.transport.is_closing():
            return
        busy = self._running is not None or (self.cycle is not None and not self.cycle.response_complete)
        if busy and self.cycle is not None and self.cycle.more_body:
            busy = False  # a client that stopped in the middle of its body
        left = self.timeout_keep_alive if busy else self._quiet_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch_idleness(max(left, 1.0))
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._application.traffic.disconnected()
        self._idleness.cancel()
        self._waiting.clear()
        self._client.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._quiet_since = self.loop.time()
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self._problem = _header_problem()
            self.send_400_response("")

    def shutdown(self) -> None:
        """What is under way is answered first."""
        self._closing = True
        if self._running is None and not self._waiting:
            super().shutdown()

    def pause_writing(self) -> None:
        """A client that does not read its answers may not ask further."""
        super().pause_writing()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._waiting:
            self.flow.resume_reading()

    # --- the parser's callbacks -------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._head_bytes = 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_LINE_BYTES:
            self._problem = ("too_long_http_line_exception", f"An HTTP line is larger than {MAX_LINE_BYTES} bytes.")
            raise ValueError("line too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        if sum(map(len, chain.from_iterable(self.headers))) > MAX_HEADER_BYTES - 4 * len(self.headers):
            self._problem = _header_problem()
            raise ValueError("headers too long")
        fields = {name.lower(): value for name, value in self.headers}
        length = fields.get(b"content-length", b"0")
        self._direct = (
            b"transfer-encoding" not in fields
            and b"expect" not in fields
            and length.isdigit()
            and int(length) <= DIRECT_BYTES
            and not self.parser.should_upgrade()
        )
        if self._direct:
            self._fields = fields
            return
        if self._running is not None or self._waiting:
            reason = "a large request cannot be sent before an earlier one is answered"
            self._problem = ("illegal_argument_exception", reason)
            raise ValueError("pipelined")
        self._converse()

    def _converse(self) -> None:
        """The ASGI way."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.expect_100_continue = False
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._direct:
            self._pieces.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        if not self._direct:
            super().on_message_complete()
            return
        pieces = self._pieces
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        keep = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        request = (self.parser.get_method().decode("ascii"), self.url, self._fields, content, keep)
        if self._running is not None or (self.cycle is not None and not self.cycle.response_complete):
            self._waiting.append(request)
            self.flow.pause_reading()
        else:
            self._begin(request)

    def on_response_complete(self) -> None:
        """An ASGI answer is out."""
        super().on_response_complete()
        self._quiet_since = self.loop.time()
        self._next()

    # --- answers ----------------------------------------------------------------------------------------------------

    def _begin(self, request: _Request) -> None:
        """Answers at once, or goes on in a task if the handler has to wait."""
        method, url, fields, content, keep = request
        path, _, query = url.partition(b"?")
        reply = self._application.at_once(method, path, query, fields, content)
        if reply is not None:
            self._write(reply, method, keep)
            return
        coroutine = self._application.respond(method, path, query, fields, content, self._client)
        started: Awaitable[Reply]
        if _EAGER:
            task_started: asyncio.Task[Reply] = asyncio.Task(coroutine, loop=self.loop, **_EAGER)
            if task_started.done():
                self._write(task_started.result(), method, keep)
                return
            started = task_started
            self._application.waits(self._client)
        else:
            try:
                started = _Started(coroutine, coroutine.send(None))
            except StopIteration as end:
                self._write(end.value, method, keep)
                return
            self._application.waits(self._client)
        task = self.loop.create_task(self._finish(started, method, keep))
        self._running = task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _finish(self, started: Awaitable[Reply], method: str, keep: bool) -> None:
        try:
            reply = await started
        except BaseException:
            self.transport.close()
            raise
        self._running = None
        self._write(reply, method, keep)
        self._next()

    def _next(self) -> None:
        """Requests that came while another was under way."""
        while self._waiting and self._running is None and not self.transport.is_closing():
            self._begin(self._waiting.popleft())
        if not self._waiting and not self.transport.is_closing():
            self.flow.resume_reading()

    def _write(self, reply: Reply, method: str, keep: bool) -> None:
        if self.transport.is_closing():
            return
        status, headers, body = reply
        keep = keep and not self._closing
        out = [STATUS_LINE[status]]
        for name, value in headers:
            out += (name, b": ", value, b"\r\n")
            if name == b"connection" and value == b"close":
                keep = False
        out.append(b"\r\n" if keep else b"connection: close\r\n\r\n")
        if method == "HEAD":
            self.transport.write(b"".join(out))
        elif len(body) < _JOIN_BYTES:
            out.append(body)
            self.transport.write(b"".join(out))
        else:
            self.transport.writelines([b"".join(out), body])
        self.server_state.total_requests += 1
        self._quiet_since = self.loop.time()
        if not keep:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP at all; the connection ends here."""
        # uvicorn calls this while it handles what the parser said.
        said = sys.exc_info()[1] or msg
        type_, reason = self._problem or ("illegal_argument_exception", f"malformed HTTP request: {said}")
        cause: dict[str, Any] = {"type": type_, "reason": reason}
        body = orjson.dumps({"error": {"root_cause": [cause], **cause}, "status": 400})
        head = (
            b"HTTP/1.1 400 Bad Request\r\nx-elastic-product: Elasticsearch\r\n"
            b"content-type: application/json; charset=UTF-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head % len(body) + body)
        self.transport.close()


def _header_problem() -> tuple[str, str]:
    return "too_long_http_header_exception", f"HTTP header is larger than {MAX_HEADER_BYTES} bytes."
