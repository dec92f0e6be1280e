"""The ASGI application: from the bytes of a request to its route, and from the handler's answer to bytes.

Every request pays for what is here, so there is no framework and no chain of middleware: one function walks through the
steps, and what a plain request does not need (query string, gzip, YAML, `filter_path`) is behind a single test each.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from time import perf_counter
from typing import Any

import orjson

from quidditch.coordinator.tasks import Task
from quidditch.model.errors import ApiError
from quidditch.rest import body as bodies
from quidditch.rest import filter_path, media, params, writers
from quidditch.rest.errors import response_of, simple
from quidditch.rest.media import Media
from quidditch.rest.node import Node
from quidditch.rest.pressure import Pressure
from quidditch.rest.request import JSON_MEDIA, Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.router import Router
from quidditch.rest.traffic import UNROUTED

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Reply = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers and body."""

MAX_BODY_BYTES = 100 * 1024 * 1024
GZIP_FROM_BYTES = 1400
_PRODUCT = (b"x-elastic-product", b"Elasticsearch")
_NO_STATE = "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"
"""Before a node has joined a cluster it knows no index: that something does not exist would be a lie."""
_FATAL = (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)


class Client:
    """Who waits for an answer: when he leaves, searches for him end.

    `patient`: tells by :meth:`App.waits` when his answer takes time; what is answered at once is no task, as nobody could see it.
    """

    __slots__ = ("address", "patient", "request", "task")

    def __init__(self, patient: bool = False, address: str = "") -> None:
        self.patient = patient
        self.address = address
        self.request: Request | None = None
        self.task: Task | None = None

    def leave(self) -> None:
        if self.task is not None:
            self.task.abandon()


_LineKey = tuple[str, bytes, bytes, bytes | None, bytes | None, bytes | None]
_Line = tuple[Route, dict[str, str], dict[str, str], Media]
"""What a request's line and headers say: route, parameters of the path and of the query, what to answer in."""
_KEPT_LINES = 512


class App:
    """The application of one node."""

    __slots__ = ("_lines", "_max_body", "_node", "_pressure", "_router", "requests", "traffic")

    def __init__(self, node: Node, routes: Iterable[Route], max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._node = node
        self._pressure: Pressure = node.pressure
        self._router = Router(routes)
        self._max_body = max_body_bytes
        self._lines: dict[_LineKey, _Line] = {}
        self.requests = 0
        self.traffic = node.traffic

    async def __call__(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        """ASGI: for bodies that come in pieces. Small requests reach `respond` directly, see protocol.py."""
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        content, taken = b"", 0
        reply: Reply | None = None
        try:
            if b"content-length" in headers or b"transfer-encoding" in headers:
                declared = headers.get(b"content-length")
                content, taken = await bodies.read(receive, declared, self._max_body, self._pressure)
        except bodies.ClientGone:
            return
        except (bodies.TooLarge, ApiError) as error:
            reply = self._refuse(error, headers)
        finally:
            self._pressure.give_body(taken)
        if reply is None:
            client = Client(address=client_address(scope))
            watching = asyncio.create_task(_watch(receive, client))
            try:
                path, query = scope["raw_path"], scope["query_string"]
                reply = await self.respond(scope["method"], path, query, headers, content, client)
            finally:
                watching.cancel()
        await send_reply(send, reply)

    def _refuse(self, error: Exception, headers: dict[bytes, bytes]) -> Reply:
        """What is refused before its body was read: the connection cannot go on."""
        response = self._too_large() if isinstance(error, bodies.TooLarge) else response_of(error, "a request", False)
        return self._written(response.header("connection", "close"), True, JSON_MEDIA, headers, {})

    def _too_large(self) -> Response:
        return simple(413, f"the body of the request is larger than the limit of {self._max_body} bytes")

    async def respond(
        self,
        method: str,
        raw_path: bytes,
        raw_query: bytes,
        headers: dict[bytes, bytes],
        content: bytes,
        client: Client,
    ) -> Reply:
        """Answers one request, whose body is complete. Raises nothing but cancellation."""
        self.requests += 1
        started = perf_counter()
        pattern = UNROUTED
        query: dict[str, str] = {}
        wanted = JSON_MEDIA
        failed = False
        size = len(content)
        taken = 0
        try:
            if size:
                self._pressure.take_body(size)
                taken = size
            path = raw_path.decode("ascii")
            if raw_query:
                query = params.parse_query(raw_query.decode("utf-8"))
            parts = [part for part in path.split("/") if part]
            found = self._router.find(method, parts)
            if found is None:
                failed = True
                response = self._unrouted(method, path, raw_query, parts)
            else:
                route, places = found
                pattern = route.path
                wanted, unpacked = self._negotiate(route, headers, query, content)
                values = {name: params.decode(parts[at]) for at, name in places}
                request = Request(method, path, route, values, query, headers, unpacked, wanted)
                self._check(route, request)
                if route.at_once is not None and unpacked is content:
                    self._remember(_line_key(method, raw_path, raw_query, headers), (route, values, query, wanted))
                response = await self._call(route, request, client)
        except bodies.TooLarge:
            failed = True
            response = self._too_large()
        except UnicodeDecodeError:
            failed = True
            response = simple(400, "the request line is not valid UTF-8")
        except BaseException as error:
            if isinstance(error, _FATAL):
                raise
            failed = True
            what = f"{method} {raw_path.decode('latin-1')}"
            response = response_of(error, what, query.get("error_trace", "false") in ("", "true"))
        finally:
            if taken:
                self._pressure.give_body(taken)
        reply = self._written(response, failed, wanted, headers, query)
        self.traffic.note(method, pattern, reply[0], perf_counter() - started)
        return reply

    def at_once(
        self, method: str, raw_path: bytes, raw_query: bytes, headers: dict[bytes, bytes], content: bytes
    ) -> Reply | None:
        """The answer to what was asked before and is quick; None to all else, which :meth:`respond` answers."""
        line = self._lines.get(_line_key(method, raw_path, raw_query, headers))
        if line is None or not content:
            return None
        started = perf_counter()
        route, values, query, wanted = line
        body = route.at_once(values, query, content, self._node) if route.at_once is not None else None
        if body is None:
            return None
        self.requests += 1
        reply = self._written(Response.raw(body), False, wanted, headers, query)
        self.traffic.note(method, route.path, reply[0], perf_counter() - started)
        return reply

    def _remember(self, key: _LineKey, line: _Line) -> None:
        """Searches come again and again with the same line and headers, from few clients."""
        if len(self._lines) >= _KEPT_LINES:
            self._lines.clear()
        self._lines[key] = line

    def _check(self, route: Route, request: Request) -> None:
        if request.query and not request.query.keys() <= route.params:
            params.check_known(request.path, request.query, route.params)
        if request.body and not route.body:
            raise ApiError(
                400,
                "illegal_argument_exception",
                f"request [{request.method} {request.path}] does not support having a body",
            )

    async def _call(self, route: Route, request: Request, client: Client) -> Response:
        """Calls the handler, under the pressure of its load."""
        if self._node.control.state.version == 0 and not route.alone:
            raise ApiError(503, "cluster_block_exception", _NO_STATE)
        load, pressure = route.load, self._pressure
        if load == "search":
            pressure.take_search()
        elif load == "write":
            size = len(request.body)
            pressure.take_write(size)
        try:
            if not route.action:
                return await route.handler(request, self._node)
            if "cancel_after_time_interval" in request.query:
                return await self._timed(route, request, client)
            client.request = request
            if not client.patient:
                self.waits(client)
            try:
                return await route.handler(request, self._node)
            finally:
                self._done(client)
        finally:
            if load == "search":
                pressure.give_search()
            elif load == "write":
                pressure.give_write(size)

    def waits(self, client: Client) -> None:
        """The client's request takes time: if it has an action it is a task until it is done."""
        request = client.request
        if request is None or client.task is not None:
            return
        stop = (lambda: request.cancel().cancel()) if request.route.load == "search" else None
        action = request.route.action
        client.task = self._node.tasks.begin(action, request.describe, stop, request.header("x-opaque-id"))

    def _done(self, client: Client) -> None:
        client.request = None
        if client.task is not None:
            self._node.tasks.end(client.task)
            client.task = None

    async def _timed(self, route: Route, request: Request, client: Client) -> Response:
        """Calls the handler, whose searches end after `cancel_after_time_interval`."""
        after = request.time("cancel_after_time_interval")
        client.request = request
        self.waits(client)
        timer = None
        if client.task is not None and after is not None and after >= 0:
            timer = asyncio.get_running_loop().call_later(after / 1000, client.task.abandon)
        try:
            return await route.handler(request, self._node)
        finally:
            self._done(client)
            if timer is not None:
                timer.cancel()

    def _unrouted(self, method: str, path: str, query: bytes, parts: list[str]) -> Response:
        uri = f"{path}?{query.decode('latin-1')}" if query else path
        allowed = self._router.allowed(parts)
        if allowed and method == "OPTIONS":
            return Response.text("").header("Allow", ",".join(allowed))
        if allowed:
            text = f"Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{', '.join(allowed)}]"
            return simple(405, text).header("Allow", ",".join(allowed))
        return Response.json({"error": f"no handler found for uri [{uri}] and method [{method}]"}, 400)

    def _negotiate(
        self, route: Route, headers: dict[bytes, bytes], query: dict[str, str], content: bytes
    ) -> tuple[Media, bytes]:
        """What to answer in, and the body as JSON."""
        given: Media | None = None
        if content:
            header = headers.get(b"content-type")
            if header is None:
                raise _Refused(406, "Content-Type header is missing")
            name = header.decode("latin-1")
            given = media.parse(name)
            if given is None or given.kind not in ("json", "ndjson", "yaml"):
                raise _Refused(406, f"Content-Type header [{name}] is not supported")
            if b"content-encoding" in headers:
                content = bodies.unpack(content, headers[b"content-encoding"], self._max_body)
            if given.kind == "yaml":
                if route.stream:
                    raise _Refused(
                        406, f"Content-Type [{name}] does not support stream parsing. Use JSON or SMILE instead"
                    )
                content = bodies.from_yaml(content)
        wanted: Media | None = None
        if "format" in query:
            kind = media.FORMATS.get(query["format"].lower(), "")
            if kind in ("smile", "cbor"):
                raise ApiError(400, "illegal_argument_exception", f"format [{kind}] is not supported, use json or yaml")
            wanted = Media(kind) if kind else None
        if wanted is None and b"accept" in headers:
            wanted = media.parse(headers[b"accept"].decode("latin-1"))
            if wanted is not None and wanted.kind in ("any", "smile", "cbor"):
                wanted = None
        if wanted is None:
            wanted = Media("text") if route.text else given
        return wanted or JSON_MEDIA, content

    def _written(
        self,
        response: Response,
        failed: bool,
        wanted: Media,
        headers: dict[bytes, bytes],
        query: dict[str, str],
    ) -> Reply:
        try:
            body, content_type = _write(response, wanted, query, failed)
        except Exception as error:
            response = response_of(error, "writing an answer", trace=False)
            body, content_type = writers.compact(response.value), media.JSON
        out = [_PRODUCT, _content_type(content_type)]
        if len(body) >= GZIP_FROM_BYTES and b"gzip" in headers.get(b"accept-encoding", b""):
            packer = zlib.compressobj(3, zlib.DEFLATED, 31)
            body = packer.compress(body) + packer.flush()
            out.append((b"content-encoding", b"gzip"))
        out.append((b"content-length", b"%d" % len(body)))
        opaque = headers.get(b"x-opaque-id")
        if opaque is not None:
            out.append((b"x-opaque-id", opaque))
        if response.headers:
            out.extend(response.headers)
        return response.status, out, body


def client_address(scope: Scope) -> str:
    """The IP address of who asks."""
    return scope["client"][0] if scope.get("client") else ""


async def send_reply(send: Send, reply: Reply) -> None:
    await send({"type": "http.response.start", "status": reply[0], "headers": reply[1]})
    await send({"type": "http.response.body", "body": reply[2]})


@lru_cache(maxsize=64)
def _content_type(name: str) -> tuple[bytes, bytes]:
    return b"content-type", name.encode()


def _line_key(method: str, raw_path: bytes, raw_query: bytes, headers: dict[bytes, bytes]) -> _LineKey:
    """All of a request but its body that its answer depends on, besides `_written`."""
    get = headers.get
    return method, raw_path, raw_query, get(b"content-type"), get(b"accept"), get(b"content-encoding")


async def _watch(receive: bodies.Receive, client: Client) -> None:
    """Waits for the client to leave."""
    message = await receive()
    if message["type"] == "http.disconnect":
        client.leave()


class _Refused(ApiError):
    """Refused before a handler was found: the body is `{"error": text, "status": …}`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, "media_type_header_exception", text)

    def response(self) -> dict[str, Any]:
        return {"error": self.reason, "status": self.status}


def _write(response: Response, wanted: Media, query: dict[str, str], failed: bool) -> tuple[bytes, str]:
    """The body's bytes and their media type."""
    if not response.has_value:
        content_type = response.content_type or media.JSON
        if not content_type.startswith("application/json"):
            return response.body, content_type
        plain = "filter_path" not in query and "pretty" not in query and wanted.kind != "yaml"
        if plain or not response.body:
            return response.body, wanted.vendor if wanted.vendor and wanted.kind != "yaml" else content_type
        value = orjson.loads(response.body)
    else:
        value = response.value
    if not failed and "filter_path" in query:
        if response.has_value:
            value = orjson.loads(writers.compact(value))
        value = filter_path.apply(value, query["filter_path"])
    if wanted.kind == "yaml":
        return writers.yaml(value), wanted.vendor or media.YAML
    content_type = wanted.vendor or media.JSON
    if "pretty" in query and query["pretty"] != "false":
        return writers.pretty(value), content_type
    return writers.compact(value), content_type
