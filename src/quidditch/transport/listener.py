"""Where other nodes come in: takes their connections, shakes hands where there is TLS, and tells who was refused and why."""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

_log = structlog.get_logger(__name__)
HANDSHAKE_SECONDS = 5.0
_TOLD_SECONDS = 60.0
_TOLD_MOST = 1000
_PAUSE_SECONDS = 0.5


class Refusals:
    """Handshakes that failed, in the log: who tries again and again is told once a minute."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], float] = {}

    def failed(self, message: str, address: str, error: OSError) -> None:
        """Other errors than TLS's own (a probe that hangs up, a host that is down) are nobody's fault: not a word."""
        if isinstance(error, tls.SSLError):
            self.tell(message, address, error.strerror or str(error))

    def tell(self, message: str, address: str, reason: str) -> None:
        now = asyncio.get_running_loop().time()
        key = (address.rpartition(":")[0], reason)
        if now - self._told.get(key, -_TOLD_SECONDS) < _TOLD_SECONDS:
            return
        if len(self._told) >= _TOLD_MOST:
            self._told.clear()
        self._told[key] = now
        _log.warning(message, address=address, reason=reason)


class Listener:
    """`accepted` makes the protocol of each connection."""

    def __init__(
        self, accepted: Callable[[], asyncio.BufferedProtocol], context: tls.SSLContext | None, refusals: Refusals
    ) -> None:
        self._accepted = accepted
        self._context = context
        self._refusals = refusals
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Takes connections from now on; the address that was bound. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        self._socket = socket.create_server(address[:2], family=family)
        self._socket.setblocking(False)
        # Those that are accepted take it over. asyncio sees to it itself only where the socket names its protocol, and this one does not.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._keep(self._take(self._socket))
        bound = self._socket.getsockname()
        return bound[0], bound[1]

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    async def _take(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except OSError as error:  # no more files may be opened, say
                _log.error("connections of other nodes cannot be taken", error=error.strerror or str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._keep(self._greet(connection, f"{peer[0]}:{peer[1]}"))

    async def _greet(self, connection: socket.socket, peer: str) -> None:
        loop = asyncio.get_running_loop()
        limit = HANDSHAKE_SECONDS if self._context is not None else None
        try:
            await loop.connect_accepted_socket(
                self._accepted, connection, ssl=self._context, ssl_handshake_timeout=limit
            )
        except OSError as error:
            self._refusals.failed("node refused: the TLS handshake failed", peer, error)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
