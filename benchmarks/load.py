"""A load generator that takes little of the machine it shares: prepared bytes, one thread, many sockets."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from urllib.parse import urlsplit


class Connection:
    """One keep-alive connection that sends prepared requests and reads whole answers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 9200))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._need: int | None = None

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """The answer once it is complete, None while more is to come. Raises on an error status."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._rest += data
        if self._need is None:
            end = self._rest.find(b"\r\n\r\n")
            if end < 0:
                return None
            head = self._rest[:end].lower()
            if not head.startswith(b"http/1.1 2"):
                raise RuntimeError(self._rest[:500].decode(errors="replace"))
            at = head.index(b"content-length:") + 15
            self._need = end + 4 + int(head[at:].split(b"\r\n", 1)[0])
        if len(self._rest) < self._need:
            return None
        answer, self._rest, self._need = self._rest, b"", None
        return answer

    def ask(self, request: bytes) -> bytes:
        self.send(request)
        while True:
            answer = self.receive()
            if answer is not None:
                return answer


def post(path: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def latencies(url: str, requests: Sequence[bytes], seconds: float) -> list[float]:
    """Seconds of each request, one client, after one round of warming up."""
    connection = Connection(url)
    for request in requests:
        connection.ask(request)
    taken = []
    end = time.perf_counter() + seconds
    for request in cycle(requests):
        before = time.perf_counter()
        connection.ask(request)
        after = time.perf_counter()
        taken.append(after - before)
        if after > end:
            return taken
    return taken


def throughput(url: str, requests: Sequence[bytes], clients: int, seconds: float) -> float:
    """Requests per second with so many clients."""
    source = cycle(requests)
    done = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            connection = Connection(url)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(next(source))
        start = time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
            for key, _ in selector.select(timeout=1):
                if key.data.receive() is not None:
                    done += 1
                    key.data.send(next(source))
    return done / (now - start)


def bulk(url: str, bodies: Sequence[bytes], clients: int) -> float:
    """Seconds for all bodies by so many clients at once."""
    shares = [
        [post("/_bulk", body, "application/x-ndjson") for body in bodies[number::clients]] for number in range(clients)
    ]

    def run(requests: list[bytes]) -> None:
        connection = Connection(url)
        for request in requests:
            answer = connection.ask(request)
            if b'"errors":true' in answer:
                raise RuntimeError(answer[:2000].decode(errors="replace"))

    with ThreadPoolExecutor(clients) as pool:
        start = time.perf_counter()
        list(pool.map(run, shares))
        return time.perf_counter() - start
