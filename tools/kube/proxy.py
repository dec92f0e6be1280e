"""Cluster IPs: a proxy in user space that listens on each and spreads connections over the ready endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterable
from typing import Any

from tools.kube.api import Thing, key_of
from tools.kube.names import by_service

Address = tuple[str, int]
_CONNECT_SECONDS = 3.0
_CHUNK = 1 << 16


def targets(services: Iterable[Thing], slices: Iterable[Thing]) -> dict[Address, list[Address]]:
    """The ready endpoints of every TCP port of every cluster IP. Pure."""
    of_service = by_service(slices)
    found: dict[Address, list[Address]] = {}
    for service in services:
        address = service["spec"].get("clusterIP")
        if not address or address == "None":
            continue
        mine = of_service.get(key_of(service), [])
        for port in service["spec"].get("ports", []):
            if port.get("protocol", "TCP") == "TCP":
                found[address, port["port"]] = _ready(mine, port.get("name", ""))
    return found


def _ready(slices: Iterable[Thing], name: str) -> list[Address]:
    ready, serving = [], []
    for each in slices:
        numbers = [port["port"] for port in each.get("ports") or [] if (port.get("name") or "") == name]
        for endpoint in each.get("endpoints") or []:
            conditions = endpoint.get("conditions", {})
            to = [(endpoint["addresses"][0], number) for number in numbers]
            if conditions.get("ready", True):
                ready += to
            elif conditions.get("serving") and conditions.get("terminating"):
                serving += to
    # As kube-proxy: those that are leaving serve while there is nobody else.
    return ready or serving


class Proxy:
    """`fixed` are addresses whose endpoints no EndpointSlice tells."""

    def __init__(self, fixed: dict[Address, list[Address]]) -> None:
        self._fixed = fixed
        self._targets: dict[Address, list[Address]] = {}
        self._servers: dict[Address, asyncio.Server] = {}
        self._turns = itertools.count()
        self._connections: set[asyncio.Task[None]] = set()

    async def update(self, wanted: dict[Address, list[Address]]) -> None:
        """Listens on what is wanted from now on. Connections that stand are left alone."""
        self._targets = wanted | self._fixed
        for address in [each for each in self._servers if each not in self._targets]:
            self._servers.pop(address).close()
        for address in [each for each in self._targets if each not in self._servers]:
            with contextlib.suppress(OSError):
                self._servers[address] = await asyncio.start_server(self._accept(address), *address, backlog=1024)

    async def close(self) -> None:
        for server in self._servers.values():
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, address: Address) -> Any:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                await self._serve(address, reader, writer)
            finally:
                self._connections.discard(task)
                writer.close()

        return accepted

    async def _serve(self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        endpoints = self._targets.get(address, [])
        first = next(self._turns)
        for position in range(len(endpoints)):
            to = endpoints[(first + position) % len(endpoints)]
            try:
                opened = await asyncio.wait_for(asyncio.open_connection(*to), _CONNECT_SECONDS)
            except (OSError, TimeoutError):
                continue
            try:
                await asyncio.gather(_copy(reader, opened[1]), _copy(opened[0], writer))
            except OSError:
                writer.transport.abort()
            finally:
                opened[1].close()
            return
        # Nobody is there: a refused connection, as far as one that stands can tell it.
        writer.transport.abort()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        with contextlib.suppress(OSError):
            sink.write_eof()
