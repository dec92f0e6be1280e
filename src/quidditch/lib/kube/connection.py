"""One API server over HTTP: requests with a deadline, repetition, credentials, a rate limit, metrics. Knows nothing of objects.

A repeatable request is repeated within its deadline when the connection breaks or the server is in trouble. Another one only where it
was certainly not carried out: no connection, or 429. Otherwise the caller learns that it is unknown
(:class:`~quidditch.lib.kube.errors.Unreachable` with `sent`, :class:`~quidditch.lib.kube.errors.ServerError`).
"""

from __future__ import annotations

import asyncio
import io
import random
import socket
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from quidditch.lib.kube import errors
from quidditch.lib.kube.config import Config
from quidditch.lib.kube.limits import Priority, RateLimit
from quidditch.lib.kube.tls import Contexts
from quidditch.lib.metrics import Metrics

JSON = "application/json"
_CONNECTIONS = 32
_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 60.0
_HANDSHAKE_SECONDS = 1.0
_PAUSE_SECONDS = 0.1
_PAUSE_MOST_SECONDS = 2.0
_PIECES_BYTES = 256 * 1024
_TROUBLE = (500, 502, 503, 504)
_KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 20_000))


class Call(msgspec.Struct, frozen=True):
    """One request. `timeout` (seconds) bounds it with all its repetitions; `about` is the resource, for metrics."""

    method: str
    path: str
    timeout: float
    query: Mapping[str, str] = {}
    body: bytes | None = None
    content_type: str = JSON
    repeatable: bool = False
    priority: Priority = Priority.NORMAL
    about: str = ""


class Connection:
    """Lives on the event loop that it is first used on. `limit` is the most that is asked of the server, None: as much as there is."""

    def __init__(self, config: Config, limit: RateLimit | None, metrics: Metrics) -> None:
        self.config = config
        self.closed = asyncio.Event()
        self._limit = limit
        self._contexts = Contexts(config.tls)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._opening: set[asyncio.Future[aiohttp.ClientResponse]] = set()
        self._flowing: set[aiohttp.StreamReader] = set()
        self._took = metrics.duration(
            "kube_request",
            "time to answer a request to the Kubernetes API, by method and resource",
            ("method", "resource"),
        )
        self._failed = metrics.counter(
            "kube_request_failures",
            "requests to the Kubernetes API that failed, by method, resource and status (0: no answer)",
            ("method", "resource", "status"),
        )
        self._waited = metrics.counter(
            "kube_throttled_seconds",
            "seconds that requests to the Kubernetes API waited for this client's own rate limit",
        )

    async def request(self, call: Call) -> bytes:
        """The body of the answer. Raises :class:`ApiError`, :class:`Unreachable`, :class:`ConfigError`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + call.timeout
        pause = _PAUSE_SECONDS
        renewed = False
        while True:
            await self._turn(call, deadline)
            try:
                return await self._once(call, deadline - loop.time())
            except errors.Unauthorized:
                if renewed or not self.config.credentials.refused():
                    raise
                renewed = True
                continue
            except errors.ApiError as error:
                again = error.code == 429 or (call.repeatable and error.code in _TROUBLE)
                wait = max(pause, error.retry_after or 0.0)
                if not again or loop.time() + wait >= deadline:
                    raise
            except errors.Unreachable as error:
                wait = pause
                if (error.sent and not call.repeatable) or loop.time() + wait >= deadline or self.closed.is_set():
                    raise
            await asyncio.sleep(wait * random.uniform(1.0, 1.2))
            pause = min(2 * pause, _PAUSE_MOST_SECONDS)

    async def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        """An answer without end, as it comes; first an empty piece once it has begun, which `timeout` bounds. Raises as :meth:`request`
        does; nothing is repeated.
        """
        await self._turn(call, asyncio.get_running_loop().time() + call.timeout)
        credential, arguments = await self._arguments()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
        try:
            async with asyncio.timeout(call.timeout):
                response = await self._opened(
                    self._session(streams=True).get(
                        self._url(call.path, call.query),
                        headers=self._headers(credential),
                        timeout=timeout,
                        **arguments,
                    )
                )
                body = b"" if response.status == 200 else await response.read()
            async with response:
                if response.status != 200:
                    if response.status == 401:
                        self.config.credentials.refused()
                    self._failed.labels("WATCH", call.about, str(response.status)).inc()
                    raise errors.from_answer(response.status, body, response.headers.get("Retry-After"))
                self._flowing.add(response.content)
                try:
                    yield b""
                    async for piece in response.content.iter_any():
                        yield piece
                finally:
                    self._flowing.discard(response.content)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._failed.labels("WATCH", call.about, "0").inc()
            raise errors.Unreachable(self._problem(error), sent=True) from error

    async def close(self) -> None:
        """Ends all that is on its way."""
        self.closed.set()
        if self._opening:
            await asyncio.wait(set(self._opening), timeout=_HANDSHAKE_SECONDS)
        for reader in self._flowing:  # closing the session alone would leave who reads waiting
            reader.set_exception(aiohttp.ClientConnectionError("the client is closed"))
        for session in self._sessions.values():
            await session.close()
        for _ in range(3):  # sockets are closed in the turns of the loop after
            await asyncio.sleep(0)

    async def _turn(self, call: Call, deadline: float) -> None:
        """Waits for the rate limit. Raises :class:`Unreachable` when that takes too long."""
        if self.closed.is_set():
            raise errors.Unreachable("the client is closed", sent=False)
        if self._limit is None:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout_at(deadline):
                await self._limit.take(call.priority)
        except TimeoutError:
            raise errors.Unreachable(
                f"no turn in time: this client makes at most {self._limit.rate:g} requests a second", sent=False
            ) from None
        finally:
            if (waited := loop.time() - began) > 0.001:
                self._waited.inc(waited)

    async def _once(self, call: Call, seconds: float) -> bytes:
        credential, arguments = await self._arguments()
        began = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=max(seconds, 0.001), sock_connect=_CONNECT_SECONDS)
        try:
            async with self._session(streams=False).request(
                call.method,
                self._url(call.path, call.query),
                data=_body(call.body),
                headers=self._headers(credential, None if call.body is None else call.content_type),
                timeout=timeout,
                **arguments,
            ) as response:
                body = await response.read()
                code = response.status
        except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not self.closed.is_set():
                raise
            self._failed.labels(call.method, call.about, "0").inc()
            sent = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            raise errors.Unreachable(self._problem(error), sent=sent) from error
        self._took.labels(call.method, call.about).observe(time.perf_counter() - began)
        if code < 300:
            return body
        self._failed.labels(call.method, call.about, str(code)).inc()
        raise errors.from_answer(code, body, response.headers.get("Retry-After"))

    async def _opened(self, request: Coroutine[Any, Any, aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """The answer's beginning. Who is cancelled meanwhile waits a moment for it: asyncio leaves a socket open whose TLS handshake is
        cancelled (before Python 3.12).
        """
        opening = asyncio.ensure_future(request)
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.wait({opening}, timeout=_HANDSHAKE_SECONDS)
            if not opening.done():
                opening.cancel()
            elif not opening.cancelled() and opening.exception() is None:
                opening.result().close()
            raise

    async def _arguments(self) -> tuple[str, dict[str, Any]]:
        """What each request to the server is made with: the header's credential, and aiohttp's arguments."""
        credential = await self.config.credentials.get()
        arguments: dict[str, Any] = {"allow_redirects": False}
        if self.config.server.startswith("https:"):
            arguments["ssl"] = self._contexts.get(credential)
            if self.config.tls.server_name:
                arguments["server_hostname"] = self.config.tls.server_name
        if self.config.proxy is not None:
            arguments["proxy"] = self.config.proxy
        return credential.authorization, arguments

    def _headers(self, authorization: str, content_type: str | None = None) -> dict[str, str]:
        # Compressed answers would cost both sides more than a local network does.
        headers = {"Accept": JSON, "Accept-Encoding": "identity", "User-Agent": "quidditch"}
        if authorization:
            headers["Authorization"] = authorization
        if content_type is not None:
            headers["Content-Type"] = content_type
        return headers

    def _url(self, path: str, query: Mapping[str, str]) -> URL:
        return URL(f"{self.config.server}{path}{'?' if query else ''}{urlencode(query)}", encoded=True)

    def _problem(self, error: BaseException) -> str:
        said = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        return f"Kubernetes API at {self.config.server}: {said}"

    def _session(self, *, streams: bool) -> aiohttp.ClientSession:
        """Streams keep a connection each, so they do not count among those of calls."""
        if self.closed.is_set():
            raise errors.Unreachable("the client is closed", sent=False)
        known = self._sessions.get(streams)
        if known is None:
            connector = aiohttp.TCPConnector(
                limit=0 if streams else _CONNECTIONS, keepalive_timeout=_IDLE_SECONDS, socket_factory=_socket
            )
            known = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
            self._sessions[streams] = known
            # aiohttp would send a PUT or DELETE again by itself when a kept connection breaks. A second one is refused where the
            # first was carried out after all (Conflict, NotFound), and the caller would believe that.
            known._retry_connection = False
        return known


def _body(body: bytes | None) -> bytes | io.BytesIO | None:
    """aiohttp sends a big one in pieces only if it comes as a file."""
    return io.BytesIO(body) if body is not None and len(body) > _PIECES_BYTES else body


def _socket(address: Any) -> socket.socket:
    """One that notices within some 20 s when the other side has vanished without a word, also where nothing is sent."""
    family, kind, protocol, *_ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in _KEEPALIVE:
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
