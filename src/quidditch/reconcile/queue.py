"""A queue of keys, not of events: a key that waits is not added again, and no key is worked on twice at a time.

A key that is added while it is worked on comes again afterwards, so that nothing that happened meanwhile is missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Closed(Exception):
    """The queue gives no more keys."""


class KeyQueue(Generic[K]):
    """Lives on one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[K] = deque()
        self._queued: set[K] = set()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: K) -> None:
        """The key is due now; a later time that was set for it no longer counts."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if self._closed or key in self._queued:
            return
        if key in self._working:
            self._again.add(key)
            return
        self._queued.add(key)
        self._waiting.append(key)
        self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """The key is due then, unless it is due sooner already."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        if self._closed or key in self._queued:
            return
        known = self._timers.get(key)
        if known is not None:
            if known.when() <= loop.time() + seconds:
                return
            known.cancel()
        self._timers[key] = loop.call_later(seconds, self.add, key)

    async def take(self) -> K:
        """The next key; it has to be given back by :meth:`done`. Raises :class:`Closed`."""
        while not self._waiting:
            if self._closed:
                raise Closed
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            await taker
        if self._closed:
            raise Closed
        key = self._waiting.popleft()
        self._queued.discard(key)
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """The work on the key has ended."""
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """No more keys; those who wait for one are told."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._takers:
            self._wake()

    def _wake(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return
