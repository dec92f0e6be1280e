"""Following the changes of a kind of objects, over broken connections.

Changes come in the order of the server, each once; a new connection goes on after the last version that was handed out. Bookmarks move
that version on where nothing happens, so that it stays among those that the server keeps. The server ends a watch now and then, which is
no failure; one that is silent for longer than bookmarks are apart is given up for a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from typing import Any, Literal

import msgspec
import orjson

from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client, Tree
from quidditch.lib.kube.connection import Call
from quidditch.lib.kube.resource import ResourceType

_MINUTES = (5.0, 10.0)
"""How long one connection is asked for at least and at most: not all watchers come back at the same moment."""
_SILENCE_SECONDS = 100.0
"""Bookmarks come about every minute."""
_PAUSE_SECONDS = 0.1
_PAUSE_MOST_SECONDS = 5.0


class Event(msgspec.Struct, frozen=True):
    """A change; a bookmark's object has nothing but a version. `begun` tells that the server has taken the watch (no object)."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "BEGUN"]
    version: str
    object: Tree


class Watch:
    """One watch of a kind in a namespace for what changes after `version`.

    `patience` (seconds) is how long the server may stay out of reach, None: for ever.
    """

    def __init__(
        self,
        client: Client,
        kind: ResourceType,
        version: str,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        patience: float | None = None,
        silence: float = _SILENCE_SECONDS,
        minutes: tuple[float, float] = _MINUTES,
    ) -> None:
        self.version = version
        """After what was handed out last."""
        self._client = client
        self._kind = kind
        self._path = kind.path(namespace or client.namespace)
        self._selectors = {"labelSelector": labels, "fieldSelector": fields}
        self._patience = patience
        self._silence = silence
        self._minutes = minutes
        self._heard = 0.0

    async def events(self) -> AsyncGenerator[Event, None]:
        """Ends when the client is closed. Raises :class:`Gone` when changes are missing: list again; :class:`Unreachable` when patience
        is over; :class:`Forbidden` and the like when the server will not.
        """
        loop = asyncio.get_running_loop()
        closed = self._client.connection.closed
        self._heard = loop.time()
        pause = _PAUSE_SECONDS
        while not closed.is_set():
            before = self._heard
            try:
                async with contextlib.aclosing(self._once()) as stream:
                    async for event in stream:
                        yield event
                continue
            except errors.ApiError as error:
                if not (error.code == 429 or error.code >= 500 or isinstance(error, errors.Unauthorized)):
                    raise
                problem: errors.KubeError = error
                wait = error.retry_after
            except errors.Unreachable as error:
                problem, wait = error, None
            if closed.is_set():
                return
            if self._patience is not None and loop.time() - self._heard >= self._patience:
                raise problem
            pause = _PAUSE_SECONDS if self._heard > before else min(2 * pause, _PAUSE_MOST_SECONDS)
            await self._rest(max(pause, wait or 0.0))

    async def _rest(self, seconds: float) -> None:
        """Some pause, cut short when the client is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds * random.uniform(0.8, 1.2)):
                await self._client.connection.closed.wait()

    async def _once(self) -> AsyncGenerator[Event, None]:
        """One connection, until the server ends it."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": str(round(60 * random.uniform(*self._minutes))),
            **{key: value for key, value in self._selectors.items() if value},
        }
        loop = asyncio.get_running_loop()
        call = Call("GET", self._path, self._client.timeout, query, about=self._kind.plural)
        rest = b""
        async with contextlib.aclosing(self._client.connection.stream(call)) as stream:
            while (piece := await self._next(stream)) is not None:
                self._heard = loop.time()
                if not piece and not rest:
                    yield Event("BEGUN", self.version, {})
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    if line:
                        yield self._taken(line)
                self._heard = loop.time()  # how long the consumer took is no silence of the server's

    async def _next(self, stream: AsyncGenerator[bytes, None]) -> bytes | None:
        try:
            async with asyncio.timeout(self._silence):
                return await anext(stream, None)
        except TimeoutError:
            raise errors.Unreachable(f"{self._path}: the watch is silent", sent=True) from None

    def _taken(self, line: bytes) -> Event:
        try:
            event: Any = orjson.loads(line)
            type, tree = event["type"], event["object"]
            if type == "ERROR":
                raise errors.from_status(msgspec.convert(tree, errors.Status))
            version = tree["metadata"]["resourceVersion"]
        except (msgspec.ValidationError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise errors.Unreachable(f"{self._path}: the watch brought no event: {error!r}", sent=True) from None
        if type not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK"):
            raise errors.Unreachable(f"{self._path}: the watch brought an event [{type}]", sent=True)
        self.version = version
        return Event(type, version, tree)
