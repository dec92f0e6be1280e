"""A TCP proxy between a client and a server on loopback, in the test's own event loop, that can cut or swallow what passes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Proxy:
    """Forwards to `target` (`host:port`) until told otherwise. With `losing_forward` what is sent to the target is lost without
    a word, as in a partition; with `losing_back` what it sends.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False
        self._lossy: set[asyncio.StreamWriter] = set()
        self.address = ""
        self.losing_forward = False
        self.losing_back = False

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, target: str) -> AsyncIterator[Proxy]:
        proxy = cls(target)
        server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            server.close()
            proxy._ended = True
            proxy.flow()
            while proxy._tasks:
                proxy.cut()
                await asyncio.wait(proxy._tasks, timeout=0.1)

    def cut(self) -> None:
        """Ends every connection; new ones are taken."""
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        """From now on nothing passes, and nobody is told: connections stay open, new ones too."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def heal(self) -> None:
        """Loses nothing more. A connection that has lost bytes is broken: it is reset."""
        self.losing_forward = self.losing_back = False
        for writer in self._lossy:
            writer.transport.abort()
        self._lossy.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            await self._flowing.wait()
            if self._ended:
                return
            far_reader, far = await asyncio.open_connection(*self._target)
            self._writers.add(far)
            await asyncio.gather(self._pump(reader, far, True), self._pump(far_reader, writer, False))
        except OSError:
            pass
        finally:
            for each in (writer, far):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, forward: bool) -> None:
        """Raises :class:`OSError` when either side has ended."""
        while data := await reader.read(65536):
            await self._flowing.wait()
            if self.losing_forward if forward else self.losing_back:
                self._lossy.add(writer)
                continue
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError("ended")
